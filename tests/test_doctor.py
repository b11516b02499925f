"""The doctor asks the broker what it tells others of the gateway."""

from __future__ import annotations

import json
import subprocess

from gateway.status import read_up

TOPIC = "sluice/site-1/status"


def retain(url, payload):
    host, port = url.removeprefix("mqtt://").split(":")
    words = ["mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-t", TOPIC, "-r", *(["-m", payload] if payload else ["-n"])]
    subprocess.run(words, check=True, timeout=30)


def test_doctor_reads_the_status_at_the_broker(sluice, mosquitto):
    """The status that the gateway has published is fine, and so is an older gateway's; a false, foreign or missing one is a complaint."""
    (sluice.config / "gateway.yaml").write_text(f"broker: {{url: '{mosquitto.url}'}}\n")
    with sluice.up():
        assert sluice.json("doctor") == {"healthy": True, "complaints": []}
        url = read_up(sluice.data)["broker"]
        status = {"specversion": "1.0", "type": "sluice.status.v1", "source": "sluice/site-1", "id": "status-up"}
        retain(url, json.dumps(status | {"data": {"running": True}}))
        assert sluice.json("doctor") == {"healthy": True, "complaints": []}
        retain(url, json.dumps(status | {"data": {"running": False}}))
        assert "says that the gateway is not running" in sluice.json("doctor", code=1)["complaints"][0]
        retain(url, "up")
        assert f"status: {TOPIC}: an event must be a JSON object" in sluice.json("doctor", code=1)["complaints"][0]
        retain(url, json.dumps(status | {"type": "sluice.marker.v1", "data": {"connection": 1}}))
        assert "must hold a StatusEvent; got a sluice.marker.v1" in sluice.json("doctor", code=1)["complaints"][0]
        retain(url, "")
        assert f"the broker retains nothing at {TOPIC}" in sluice.json("doctor", code=1)["complaints"][0]
