"""Delivery to a real server that takes InfluxDB's v2 write API: Debian's victoria-metrics, read back over its own API.

It keeps milliseconds, turns text into 0, answers 204 to a malformed line, takes a line break inside quotes for the end of a line, and of
two values for one series and time it keeps either: corrections of windows are proven on the strict server.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from time import time_ns
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from gateway.delivery.influx import Influx, InfluxTarget
from gateway.delivery.label_tags import LabelTags
from gateway.delivery.lines import decoded


class VictoriaMetrics:
    """A server of its own, on a free port."""

    def __init__(self, folder, port):
        self.url = f"http://127.0.0.1:{port}"
        words = ["-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}"]
        self.process = subprocess.Popen(["victoria-metrics", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def healthy(self):
        assert self.process.poll() is None
        try:
            with urlopen(f"{self.url}/health", timeout=1) as answer:
                return answer.status == 200
        except (URLError, OSError):
            return False

    def series(self):
        """Give every series: its name and labels, and its points by time in ms."""
        with urlopen(f"{self.url}/internal/force_flush", timeout=10):
            pass
        everything = urlencode({"match[]": '{__name__!=""}'})
        with urlopen(f"{self.url}/api/v1/export?{everything}", timeout=10) as answer:
            found = [json.loads(line) for line in answer]
        return [(one["metric"], dict(zip(one["timestamps"], one["values"], strict=True))) for one in found]


@pytest.fixture
def victoria(tmp_path, free_port, until):
    """Give a running victoria-metrics."""
    if not shutil.which("victoria-metrics"):
        pytest.skip("victoria-metrics is not installed (apt install victoria-metrics)")
    server = VictoriaMetrics(tmp_path / "victoria", free_port())
    until(server.healthy)
    yield server
    server.process.terminate()
    server.process.wait(20)


@pytest.fixture
def delivered(victoria, tmp_path, running, drained):
    """Deliver what the store holds, all of it."""

    def deliver(**further):
        async def until_drained():
            target = InfluxTarget(victoria.url, "home", "sluice", lambda: "")
            tags, cursor = LabelTags([], 0), tmp_path / "delivery" / "influxdb.db"
            async with running(Influx(target, site="greenhouse", tags=tags, cursor=cursor, linger=0.0, **further)) as delivery:
                return await drained(delivery)

        return asyncio.run(until_drained())

    return deliver


def test_points_come_back(victoria, store, make, delivered):
    """Two thousand readings of four devices, booleans, windows, an alert and a command are read back with their values and times."""
    values = {number: number * 1.1 for number in range(1, 2_001)}
    store.write([make.reading(number, f"d{number % 4}", value=value) for number, value in values.items()])
    store.write([make.reading(3_000, metric="switch", value=True), make.reading(3_001, metric="switch", value=False)])
    store.write([make.window(1), make.window(2, warm=30.0), make.alert(1), make.fact(1, "sent")])
    state = delivered(batch=300)
    assert (state.delivered, state.dead, state.pending) == (2_006, 0, 0)
    series = {(one["__name__"], one.get("device")): points for one, points in victoria.series()}
    for device in range(4):
        expected = {(make.t0 + n * 1_000_000_001) // 10**6: pytest.approx(value) for n, value in values.items() if n % 4 == device}
        assert series["temperature_value", f"d{device}"] == expected
    assert list(series["switch_value", "t1"].values()) == [1, 0]
    assert series["climate_warm", "t1"] == {make.t0 // 10**6 + 60_000: 20.5, make.t0 // 10**6 + 120_000: 30.0}
    assert list(series["alerts_value", "t1"].values()) == [1]
    assert list(series["commands_attempt", "fan"].values()) == [1]
    assert all(one["db"] == "sluice" for one, _ in victoria.series() if "db" in one)


def test_hostile_names_and_texts_make_one_point_each(victoria, store, make, delivered):
    """Names come back as they were sent, and no text makes a point of its own, though this server would let it."""
    hostile = [
        "x,host=evil v=1\nadmin v=1i",
        "%0a",
        "100%",
        "a\\,b",
        "a b",
        "a=b",
        "end\\",
        'a"b',
        "#c",
        "=1+1",
        "${jndi:x}",
        "{{7*7}}",
        "ü😀",
    ]
    attacks = ["x\nadmin v=1 1760000000000000000\nfoo ", 'x"\nadmin v=1 1760000000000000000', "x\\\nadmin v=1", "\r\nadmin v=1\r\n"]
    store.write([make.reading(number, device=text, channel=text) for number, text in enumerate(hostile, start=1)])
    store.write([make.reading(number, metric=text, device="named") for number, text in enumerate(hostile, start=100)])
    store.write([make.reading(number, metric="said", value=text) for number, text in enumerate(attacks, start=200)])
    store.write([make.alert(number, message=text) for number, text in enumerate(attacks, start=1)])
    assert delivered().dead == 0
    series = victoria.series()
    named = [one for one, _ in series if one.get("device") == "named"]
    assert {decoded(one["__name__"].removesuffix("_value")) for one in named} == set(hostile)
    by_device = {decoded(one["device"]): decoded(one["channel"]) for one, _ in series if one["__name__"] == "temperature_value"}
    assert by_device == {text: text for text in hostile}
    others = {one["__name__"] for one, _ in series} - {one["__name__"] for one in named} - {"temperature_value"}
    assert others == {"said_text", "alerts_value", "alerts_message", "alerts_severity", "alerts_episode"}
    assert sum(len(points) for one, points in series if one["__name__"] == "said_text") == len(attacks)


def test_up_carries_what_devices_say_to_the_database_even_when_it_comes_later(sluice, mosquitto, victoria, until):
    """The whole way, from a message to a point, with a database that is not there at first: everything arrives, and the ledger says so."""
    (sluice.config / "flows" / "warm.yaml").write_text(
        "name: warm\nselect: {metrics: [temperature]}\ngroup: [device]\nwindow: {kind: tumbling, length: 1s}\n"
        "aggregate: {mean: mean(temperature)}\n"
    )
    nowhere = "http://127.0.0.1:9"
    settings = 'broker: {{url: "{}"}}\ninfluxdb: {{url: "{}", org: home, bucket: sluice}}\n'
    (sluice.config / "gateway.yaml").write_text(settings.format(mosquitto.url, nowhere))
    said, began = [20.0 + number / 10 for number in range(50)], time_ns() // 1_000_000  # the database keeps milliseconds
    payloads = [f'{{"ts": {began + number}, "temperature": {value}}}' for number, value in enumerate(said)]
    with sluice.up():
        words = ["mosquitto_pub", "-h", mosquitto.host, "-p", str(mosquitto.port), "-t", "home/kitchen", "-q", "1", "-l"]
        subprocess.run(words, input="\n".join(payloads), text=True, check=True, timeout=30)
        until(lambda: sluice.json("status")["delivery"].get("influxdb", {}).get("error"))
        until(lambda: sluice.json("status")["windows"]["emitted"] >= 1)
    (sluice.config / "gateway.yaml").write_text(settings.format(mosquitto.url, victoria.url))
    with sluice.up():
        until(lambda: sluice.json("status")["delivery"]["influxdb"]["pending"] == 0)
        delivery = sluice.json("status")["delivery"]["influxdb"]
        assert (delivery["dead"], delivery["error"]) == (0, "")
        assert delivery["delivered"] >= len(said) + 1

    def points(name):
        return [v for labels, values in victoria.series() if labels["__name__"] == name for v in values.values()]

    until(lambda: sorted(points("temperature_value")) == said)
    assert points("warm_mean")
