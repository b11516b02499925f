"""How fast messages become readings, by convention: `python benchmarks/normalising.py [--seconds 1] [--devices 1000]`.

One core; the catalogue alone, with all that it keeps and checks, from payload bytes to readings. For each convention its own samples in turn,
and for the JSON dialects messages of up to 3 values and larger ones, each from many devices. Prints one JSON document a line.
"""

from __future__ import annotations

import argparse
import json
from time import perf_counter
from typing import Any

from devices.catalogue import CONVENTIONS, Catalogue
from devices.reading import Message
from devices.samples import RECEIVED, samples

TIME = "2026-09-02T11:59:59Z"


def data_set(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an OPC UA network message with one data set message of these fields."""
    header = {"DataSetWriterName": "boiler", "SequenceNumber": 41, "Timestamp": TIME, "MessageType": "ua-keyframe"}
    return {"MessageId": "7", "MessageType": "ua-data", "PublisherId": "line-4", "Messages": [{**header, "Payload": payload}]}


SMALL: dict[str, tuple[str, Any]] = {
    "plain_json": ("home/{d}", {"temperature": 21.5, "humidity": 48, "battery": 93}),
    "plain_json, nested": ("home/{d}", {"outdoor": {"temp": 3.5}, "indoor": {"temp": 21.5, "hum": 48}}),
    "plain_json, with its time": ("home/{d}", {"temperature": 21.5, "humidity": 48, "battery": 93, "time": TIME}),
    "zigbee2mqtt": ("zigbee2mqtt/{d}", {"temperature": 21.5, "humidity": 48, "linkquality": 93}),
    "tasmota": ("tele/{d}/SENSOR", {"Time": "2026-09-02T11:59:59", "AM2301": {"Temperature": 24.5, "Humidity": 50.1}, "TempUnit": "C"}),
    "senml": (
        "field/{d}",
        [
            {"bn": "urn:dev:mac:0024befffe804ff1:", "bt": 1788350390, "n": "temperature", "u": "Cel", "v": 21.5},
            {"n": "humidity", "u": "%RH", "v": 48},
            {"n": "battery", "u": "%EL", "v": 93},
        ],
    ),
    "opcua_pubsub": ("opcua/json/data/line-4/{d}/boiler", data_set({"Temperature": 21.5, "Humidity": 48, "Battery": 93})),
}
THINGS_STACK = {
    "end_device_ids": {
        "device_id": "d",
        "application_ids": {"application_id": "farm"},
        "dev_eui": "70B3D57ED005A001",
        "dev_addr": "27FE87F6",
    },
    "correlation_ids": ["gs:uplink:01JRZ767CVCHBZW1Y8YG9PZ3TS"],
    "received_at": "2026-09-02T11:59:59.995136483Z",
    "uplink_message": {
        "session_key_id": "aAixKtmNZUKQXd4GqpHDsw==",
        "f_port": 2,
        "f_cnt": 7,
        "frm_payload": "sQAAEAHlANcB",
        "decoded_payload": {"temperature": 21.5},
        "rx_metadata": [{"gateway_ids": {"gateway_id": "roof"}, "rssi": -31, "channel_rssi": -31, "snr": 9.5}],
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}, "frequency": "867700000"},
        "received_at": "2026-09-02T11:59:59.787593298Z",
    },
}
CHIRPSTACK = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-09-02T11:59:59.775023242+00:00",
    "deviceInfo": {
        "tenantName": "farm",
        "applicationName": "barn",
        "deviceProfileName": "probe",
        "deviceName": "north",
        "tags": {"floor": "1"},
    },
    "devAddr": "00189440",
    "dr": 1,
    "fCnt": 4,
    "fPort": 1,
    "data": "qg==",
    "object": {"temperature": 21.5},
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -36, "snr": 10.5}],
    "txInfo": {"frequency": 867100000},
}
SMALL |= {
    "things_stack, whole envelope": ("v3/farm@ttn/devices/{d}/up", THINGS_STACK),
    "chirpstack, whole envelope": ("application/1/device/{d}/event/up", CHIRPSTACK),
    "milesight": ("milesight/{d}/uplink", {"battery": 92, "temperature": 30.8, "humidity": 50.5}),
    "azure_iot": ("devices/{d}/messages/events/", {"temperature": 21.5, "humidity": 48, "battery": 93}),
    "aws_shadow": ("$aws/things/{d}/shadow/update", {"state": {"reported": {"temperature": 21.5, "humidity": 48, "battery": 93}}}),
    "shelly_gen2": ("shelly-{d}/status/switch:0", {"id": 0, "output": True, "apower": 60.5, "voltage": 230.1}),
}
LARGE: dict[str, tuple[str, Any]] = {
    "plain_json, 50 keys": ("home/{d}", {f"m{n}": n * 1.5 for n in range(50)}),
    "plain_json, 50 named values": ("home/{d}", {"data": [{"name": f"m{n}", "value": n * 1.5} for n in range(50)]}),
    "plain_json, 20 records with their times": (
        "home/{d}",
        [{"temperature": n * 1.5, "humidity": 48, "time": f"2026-09-02T11:59:{n:02}Z"} for n in range(20)],
    ),
    "zigbee2mqtt, 30 features": ("zigbee2mqtt/{d}", {f"voltage_phase_{n}": 230 + n for n in range(30)}),
    "senml, 500 records with their times": (
        "field/{d}",
        [
            {"bn": "urn:dev:mac:0024befffe804ff1:", "bt": 1788350000, "bu": "Cel", "n": "temperature", "v": 21.5},
            *({"n": "temperature", "t": n / 4, "v": 20 + n / 8} for n in range(1, 500)),
        ],
    ),
    "opcua_pubsub, 200 fields": ("opcua/json/data/line-4/{d}/boiler", data_set({f"m{n}": n * 1.5 for n in range(200)})),
    "opcua_pubsub, 200 data values": (
        "opcua/json/data/line-4/{d}/boiler",
        data_set({f"m{n}": {"Value": n * 1.5, "SourceTimestamp": f"2026-09-02T11:59:{n % 60:02}.123Z"} for n in range(200)}),
    ),
}


def measure(messages: list[Message], seconds: float) -> tuple[float, float]:
    """Give messages and readings a second, after one round that teaches what there is to learn."""
    catalogue = Catalogue()
    for message in messages:
        catalogue.readings(message)
    count = readings = 0
    start = perf_counter()
    while (spent := perf_counter() - start) < seconds:
        for message in messages:
            outcome = catalogue.readings(message)
            if isinstance(outcome, list):
                readings += len(outcome)
        count += len(messages)
    return count / spent, readings / spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--devices", type=int, default=1_000)
    asked = parser.parse_args()
    for kind, cases in (("small", SMALL), ("large", LARGE)):
        for name, (topic, body) in cases.items():
            payload = json.dumps(body).encode()
            show(name, kind, [Message(topic.format(d=f"d-{n}"), payload, RECEIVED) for n in range(asked.devices)], asked.seconds)
    for made in CONVENTIONS:
        own = [sample for sample in samples(made.name) if sample.readings and not sample.profile]
        if own:
            show(made.name, "samples", [one.message() for sample in own for one in (*sample.after, sample)], asked.seconds)


def show(name: str, kind: str, messages: list[Message], seconds: float) -> None:
    """Measure one case and print its line."""
    rate, readings = measure(messages, seconds)
    print(json.dumps({"convention": name, "messages": kind, "messages_per_second": round(rate), "readings_per_second": round(readings)}))


if __name__ == "__main__":
    main()
