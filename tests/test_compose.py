"""The container set-up, which has no Docker here: its file against the specification, and its broker started natively."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import validators
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from ruamel.yaml import YAML

from gateway.broker.embedded import answers, find_mosquitto
from gateway.settings import check, load

ROOT = Path(__file__).parents[1]
CONF = ROOT / "config" / "mosquitto" / "mosquitto.conf"
SECRETS = {
    "mqtt_password": "one",
    "simulator_password": "two",
    "mqtt_devices": "shed:three\nattic:four\n",
    "influxdb_password": "five",
    "influxdb_token": "six",
}
OUTAGE = 5_000
"""Messages sent to a client that is away; mosquitto keeps 1,000 unless told otherwise."""


def names():
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text):
    """Put the values of .env.example into a text, as compose does."""
    found = re.sub(r"(?<!\$)\$\{(\w+)(?::[?-][^}]*)?\}", lambda variable: names()[variable[1]], text)
    return found.replace("$$", "$")


@pytest.fixture(scope="module")
def compose():
    return YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))


@pytest.fixture
def secrets(tmp_path):
    """A folder as `make secrets` leaves it."""
    for name, text in SECRETS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def settings_environment(compose, secrets):
    """What the sluice service is started with, with the secrets where this machine can read them."""
    environment = compose["services"]["sluice"]["environment"]
    return {name: filled(value).replace("/run/secrets", str(secrets)) for name, value in environment.items()}


class Broker:
    """The broker as the container starts it, with its folders moved to where this machine has room for them."""

    def __init__(self, folder, port, script, until):
        self.port = port
        self._until = until
        self._folder = folder
        self._script = script
        # As in the container, mosquitto is not root; root could not give up its rights to a folder that only root may enter.
        self._user = {"user": "mosquitto", "group": "mosquitto"} if os.getuid() == 0 else {}
        self._process = None

    def start(self):
        path = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"}
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(["sh", "-euc", self._script], cwd=self._folder, env=path, stderr=log, **self._user)
        self._until(lambda: answers("127.0.0.1", self.port))

    def stop(self):
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    @property
    def secrets(self):
        """Where the broker's secrets are, which the others use too."""
        return self._folder / "run" / "secrets"

    @contextmanager
    def client(self, username=None, password=None, *, name="", received=None):
        """Log in, and give the client with the broker's answer. A named client has a session that outlives it."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=not name)
        answer = []
        client.on_connect = lambda _client, _data, _flags, reason, _properties: answer.append(reason)
        client.on_message = lambda _client, _data, message: received.append(message.payload)
        client.username_pw_set(username, password)
        client.max_queued_messages_set(0)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            self._until(lambda: answer)
            yield client, str(answer[0])
        finally:
            client.disconnect()
            client.loop_stop()


@pytest.fixture
def broker(compose, free_port, until):
    """Run the container's own start command on the very mosquitto.conf that it mounts: only places and the port are changed."""
    if not find_mosquitto() or not shutil.which("mosquitto_sub"):
        pytest.skip("mosquitto and mosquitto-clients are not installed (apt install mosquitto mosquitto-clients)")
    service = compose["services"]["mosquitto"]
    with tempfile.TemporaryDirectory(prefix="sluice-compose-") as name:
        folder, port = Path(name), free_port()
        places = {f"/{place}/": f"{folder}/{place}/" for place in ("run/mosquitto", "run/secrets", "mosquitto/config", "mosquitto/data")}

        def moved(text):
            for place, here in places.items():
                text = re.sub(rf"(?<=[\s\"]){place}", here, text)
            return text

        for place in places.values():
            Path(place).mkdir(parents=True)
        for secret in service["secrets"]:
            Path(places["/run/secrets/"], secret).write_text(SECRETS[secret])
        shipped = CONF.read_text("utf-8")
        conf = moved(shipped).replace("listener 1883\n", f"listener {port} 127.0.0.1\n")
        changed = {line.split()[0] for line, own in zip(shipped.splitlines(), conf.splitlines(), strict=True) if line != own}
        assert changed == {"listener", "password_file", "persistence_location"}
        Path(places["/mosquitto/config/"], "mosquitto.conf").write_text(conf)
        if os.getuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, "mosquitto", "mosquitto")
        started = Broker(folder, port, moved(filled(service["command"][-1])), until)
        started.start()
        try:
            yield started
        finally:
            started.stop()


def test_compose_file_follows_the_specification(compose):
    """The file is valid against the compose specification's own schema."""
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text("utf-8")
    schema = YAML(typ="safe").load(text)
    validator = validators.validator_for(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator(schema).iter_errors(compose)] == []


def test_compose_starts_the_four_parts(compose):
    """A broker, InfluxDB 2, Sluice and the simulator; each but the simulator says whether it is well."""
    services = compose["services"]
    assert set(services) == {"mosquitto", "influxdb", "sluice", "simulator"}
    assert services["influxdb"]["image"].startswith("influxdb:2")
    assert [name for name, service in services.items() if "test" not in service["healthcheck"]] == ["simulator"]
    assert services["sluice"]["healthcheck"]["test"][1:4] == ["sluice", "status", "--json"]
    assert all(service["restart"] == "unless-stopped" for service in services.values())


def test_compose_mounts_files_that_are_here_and_cannot_be_changed(compose):
    """What comes from this folder is read-only in a container, and exists: Docker would make a folder of what does not."""
    mounts = [mount for service in compose["services"].values() for mount in service["volumes"] if mount.startswith(".")]
    assert all(mount.endswith(":ro") and (ROOT / mount.split(":")[0]).exists() for mount in mounts)
    assert f"./{CONF.relative_to(ROOT)}:/mosquitto/config/mosquitto.conf:ro" in mounts


def test_compose_has_no_password_of_its_own(compose):
    """Passwords are files that this machine makes; every other name must be given, and is in the example."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert asked == set(names())
    assert not [name for name in asked if re.search("PASSWORD|TOKEN|SECRET", name)]
    variables = {name: value for service in compose["services"].values() for name, value in service.get("environment", {}).items()}
    assert {name for name in variables if re.search("PASSWORD|TOKEN", name)} == {
        name for name, value in variables.items() if name.endswith("_FILE") and value.startswith("/run/secrets/")
    }
    used = {name for service in compose["services"].values() for name in service.get("secrets", ())}
    assert used == set(compose["secrets"]) == set(SECRETS)
    assert all(secret == {"file": f"./secrets/{name}"} for name, secret in compose["secrets"].items())


def test_compose_opens_ports_on_this_machine_alone(compose):
    """Nothing is reachable from the network until somebody says so."""
    ports = [filled(port) for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:1883:1883", "127.0.0.1:8086:8086"]


def test_compose_gives_no_more_rights_than_needed(compose):
    """No service may gain rights; ours and the broker keep none and write only where their data is."""
    services = compose["services"]
    assert all("no-new-privileges:true" in service["security_opt"] for service in services.values())
    assert [name for name, service in services.items() if not (service.get("read_only") and service.get("cap_drop") == ["ALL"])] == [
        "influxdb"
    ]


def test_compose_settings_are_settings(settings_environment):
    """The shipped config passes with what compose puts over it, and points at the other containers."""
    assert check(ROOT / "config", environ=settings_environment) == []
    settings = load(ROOT / "config", environ=settings_environment)
    assert (settings.site, settings.broker.url, settings.broker.password) == (names()["SITE"], "mqtt://mosquitto:1883", "one")
    assert settings.influxdb is not None
    assert (settings.influxdb.bucket, settings.influxdb.token) == (names()["INFLUXDB_BUCKET"], "six")


def test_broker_refuses_who_has_no_account(broker):
    """Neither a nameless client nor a wrong password gets in."""
    with broker.client() as (_, nameless), broker.client("sluice", "wrong") as (_, wrong):
        assert (nameless, wrong) == ("Not authorized", "Not authorized")


@pytest.mark.parametrize(("username", "password"), [("sluice", "one"), ("simulator", "two"), ("shed", "three"), ("attic", "four")])
def test_broker_takes_its_accounts(broker, username, password):
    """Sluice, the simulator and each device of secrets/mqtt_devices gets in."""
    with broker.client(username, password) as (_, answer):
        assert answer == "Success"


def test_broker_health_check_logs_in(broker, compose, tmp_path):
    """The container's own check passes beside the running broker, and fails without it."""
    kind, text = compose["services"]["mosquitto"]["healthcheck"]["test"]
    (tmp_path / "simulator_password").write_text(SECRETS["simulator_password"])
    (tmp_path / "mosquitto_sub").write_text(f"-h 127.0.0.1\n-p {broker.port}\n")  # mosquitto_sub reads its defaults here
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}

    def healthy():
        command = ["sh", "-c", filled(text).replace("/run/secrets", str(tmp_path))]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    assert (kind, healthy()) == ("CMD-SHELL", True)
    broker.stop()
    assert not healthy()


def test_broker_queue_holds_the_promised_outage():
    """An hour at 1,000 messages/s of 256 bytes, as the file says."""
    values = dict(line.split(" ", 1) for line in CONF.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    assert int(values["max_queued_messages"]) >= 3_600 * 1_000
    assert int(values["max_queued_bytes"]) >= 3_600 * 1_000 * 256
    assert int(values["max_inflight_messages"]) == 1_000


def test_broker_keeps_what_comes_while_the_gateway_is_away(broker, until):
    """What is published to a session whose client is away comes when it is back, all of it in order, and also after a restart."""
    subscribed = []
    with broker.client("sluice", "one", name="gateway", received=[]) as (gateway, _):
        gateway.on_subscribe = lambda *_: subscribed.append(True)
        gateway.subscribe("#", qos=1)
        until(lambda: subscribed)
    sent = [f"reading {number}".encode() for number in range(OUTAGE)]
    with broker.client("simulator", "two") as (device, _):
        published = [device.publish("shed/thermometer", payload, qos=1) for payload in sent]
        until(lambda: all(one.is_published() for one in published))
    broker.stop()
    broker.start()
    received = []
    with broker.client("sluice", "one", name="gateway", received=received):
        until(lambda: len(received) >= OUTAGE)
    assert received == sent


def test_sluice_and_simulator_run_as_compose_starts_them(broker, compose, secrets, settings_environment, tmp_path, free_port, until):
    """With their own environment and arguments they find the broker, log in and understand each other; the health check says so."""
    places = {
        "mqtt://mosquitto:1883": f"mqtt://127.0.0.1:{broker.port}",
        "http://influxdb:8086": f"http://127.0.0.1:{free_port()}",  # away, as it may be: the store keeps what it is owed
        "/run/secrets": str(secrets),
        "/etc/sluice": str(ROOT / "config"),
        "/var/lib/sluice": str(tmp_path / "data"),
    }

    def native(texts):
        for place, here in places.items():
            texts = [text.replace(place, here) for text in texts]
        return texts

    def command(words):
        return [sys.executable, "-c", "from gateway.cli import main; main()", *native(words)]

    environment = {**os.environ, **dict(zip(settings_environment, native(settings_environment.values()), strict=True))}
    check = compose["services"]["sluice"]["healthcheck"]["test"]
    image = dict(re.findall(r"^(ENTRYPOINT|CMD) (\[.*\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE))

    def ask():
        done = subprocess.run(command(check[2:]), env=environment, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode == 0, json.loads(done.stdout)

    assert (json.loads(image["ENTRYPOINT"]), ask()[0]) == (["sluice"], False)
    with (tmp_path / "log").open("w") as log:
        started = [
            subprocess.Popen(command(words), env=env, stdout=log, stderr=log)
            for words, env in ((json.loads(image["CMD"]), environment), (compose["services"]["simulator"]["command"], os.environ))
        ]
        try:
            until(lambda: ask()[0])
            until(lambda: ask()[1].get("readings", {}).get("taken"))
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            assert [process.wait(15) for process in started] == [0, 0], (tmp_path / "log").read_text()
    assert not ask()[0]
