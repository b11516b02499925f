"""A sensor and the actuator that its readings end in, in one process and so on one clock: `python -m simulator.probe --broker-url URL`.

The sensor says values above and below a threshold in turn, each after the one before was answered; a flow is expected to command the actuator
at each. Prints one JSON document: how long each command took from the sensor's message, in ms, and how many never came.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from time import perf_counter, sleep

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from simulator.broker import Broker
from simulator.options import broker_from, broker_options
from simulator.publisher import send_at_once

SENSOR, ACTUATOR = "plant/probe-1", "plant/valve"
_ANSWER = 10.0


class Probe:
    """The two, connected."""

    def __init__(self, broker: Broker) -> None:
        self.latencies: list[float] = []
        self._sent = 0.0
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="probe")
        self._client.on_message = self._on_command
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_socket_open = send_at_once
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self._client.subscribe(f"{ACTUATOR}/set", qos=1)
        self._subscribed.wait(_ANSWER)

    def _on_command(self, client: Client, _data: object, message: MQTTMessage) -> None:
        self.latencies.append((perf_counter() - self._sent) * 1000)
        client.publish(ACTUATOR, message.payload, qos=1)
        self._answered.set()

    def run(self, *, rate: float, seconds: float) -> int:
        """Say values at a rate (a second); gives how many got no answer."""
        unanswered, began = 0, perf_counter()
        for number in range(int(rate * seconds)):
            sleep(max(0.0, began + number / rate - perf_counter()))
            self._answered.clear()
            self._sent = perf_counter()
            self._client.publish(SENSOR, json.dumps({"probe": 99 if number % 2 == 0 else 1, "n": number}), qos=1)
            unanswered += not self._answered.wait(_ANSWER)
        return unanswered

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulator.probe", description=__doc__, parents=[broker_options()])
    parser.add_argument("--rate", type=float, default=20.0, help="values a second")
    parser.add_argument("--for", dest="seconds", type=float, default=10.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    probe = Probe(broker_from(options))
    probe.run(rate=options.rate, seconds=1.0)  # the first message of a device is slower than all others
    probe.latencies.clear()
    unanswered = probe.run(rate=options.rate, seconds=options.seconds)
    probe.close()
    sys.stdout.write(json.dumps({"latencies": probe.latencies, "unanswered": unanswered}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
