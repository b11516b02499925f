"""Settings: config/gateway.yaml, its defaults, and the environment over it."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gateway.findings import ConfigError
from gateway.setting_types import Listen
from gateway.settings import Broker, InfluxDB, Settings, Subscription, check, load, secret

SHIPPED = Path(__file__).parents[2] / "config" / "gateway.yaml"


def config(tmp_path, text):
    (tmp_path / "gateway.yaml").write_text(text)
    return tmp_path


def lines(folder, **environ):
    return [str(finding) for finding in check(folder, environ=environ)]


def uncommented(text):
    """The file with every key that it shows at its default really there; `##`, and the line for editors, stay comments."""
    return re.sub(r"^( *)# (?!yaml-language-server:)", r"\1", text, flags=re.MULTILINE)


def examples(text):
    """The examples within `##`, indented by five."""
    return "".join(f"{line[7:]}\n" for line in text.splitlines() if line.startswith("##     "))


def keys(model, value):
    """Every path of keys that a model has, into its own sections."""
    for name in model.model_fields:
        below = getattr(value, name)
        yield name
        if hasattr(type(below), "model_fields"):
            yield from (f"{name}.{path}" for path in keys(type(below), below))


def paths(data):
    for key, value in (data or {}).items():
        yield key
        if isinstance(value, dict):
            yield from (f"{key}.{path}" for path in paths(value))


def test_shipped_file_is_the_defaults():
    """What ships changes nothing: as it is, and with every shown default taken out of its comment."""
    text = SHIPPED.read_text("utf-8")
    for version in (text, uncommented(text)):
        data = YAML(typ="safe", pure=True).load(version)
        assert Settings.model_validate(data) == Settings()


def test_shipped_file_shows_every_key():
    """Every key there is stands in the file, and every key in the file there is."""
    shown = YAML(typ="safe", pure=True).load(uncommented(SHIPPED.read_text("utf-8")))
    assert sorted(paths(shown)) == sorted(keys(Settings, Settings()))


def test_shipped_examples_are_whole(tmp_path):
    """The sections that have no default are shown with all their keys, and load."""
    data = YAML(typ="safe", pure=True).load(examples(SHIPPED.read_text("utf-8")))
    assert list(data["influxdb"]) == list(InfluxDB.model_fields)
    (tmp_path / "token").write_text("t0k3n\n")
    data["influxdb"]["token_file"] = str(tmp_path / "token")
    settings = Settings.model_validate(data)
    assert settings.influxdb is not None
    assert (settings.influxdb.token, settings.influxdb.tags, str(settings.health.listen)) == ("t0k3n", ("room",), "127.0.0.1:8081")


def test_absent_file_is_the_defaults(tmp_path):
    """A config folder needs no gateway.yaml, and an empty one will do."""
    assert load(tmp_path, environ={}) == Settings()
    assert load(config(tmp_path, "# nothing\n"), environ={}) == Settings()


def test_absent_folder_is_a_finding(tmp_path):
    """A misspelt --config does not silently mean the defaults."""
    with pytest.raises(ConfigError, match="no such folder; `sluice init DIR` writes one"):
        load(tmp_path / "gone", environ={})


def test_misnamed_file_is_a_finding(tmp_path):
    """Nor does a gateway.yml."""
    (tmp_path / "gateway.yml").write_text("site: x\n")
    assert lines(tmp_path) == ["gateway.yml:1:1: is not read: name it *.yaml"]


def test_quantities_are_nanoseconds_and_bytes(tmp_path):
    """What is written in people's units arrives in ours."""
    settings = load(config(tmp_path, "journal: {keep: 2h, max_size: 10MB, linger: 50ms}\nflows: {snapshot: 5}\n"), environ={})
    assert (settings.journal.keep, settings.journal.max_size, settings.journal.linger) == (7_200 * 10**9, 10 * 2**20, 50 * 10**6)
    assert settings.flows.snapshot == 5 * 10**9


def test_environment_overrides_the_file(tmp_path):
    """A variable wins over the file, reaches keys that the file does not have, and gives lists as YAML has them."""
    folder = config(tmp_path, "site: from-file\nbroker: {keepalive: 10s}\n")
    settings = load(
        folder,
        environ={
            "SLUICE_SITE": "1234",
            "SLUICE_BROKER__URL": "mqtt://broker:1884",
            "SLUICE_BROKER__SUBSCRIBE": '[{topic: "a/#", qos: 0}]',
            "SLUICE_LIMITS__SERIES": "10",
            "SLUICE_PUBLISH__READINGS": "true",
            "SLUICE_HEALTH__LISTEN": "127.0.0.1:9000",
            "SLUICE_BROKER__CLIENT_ID": "",
            "HOME": "/root",
        },
    )
    assert (settings.site, settings.broker.url, settings.broker.keepalive) == ("1234", "mqtt://broker:1884", 10 * 10**9)
    assert settings.broker.subscribe == (Subscription(topic="a/#", qos=0),)
    assert (settings.limits.series, settings.publish.readings, str(settings.health.listen)) == (10, True, "127.0.0.1:9000")
    assert settings.client_id == "sluice-1234"


def test_environment_that_means_nothing_is_a_finding(tmp_path):
    """A misspelt variable never silently leaves the default."""
    known = ", ".join(sorted(Broker.model_fields))
    assert lines(tmp_path, SLUICE_BROKR__URL="mqtt://x", SLUICE_SITE__NAME="x", SLUICE_LIMITS__SERIES="many", SLUICE_BROKER__HOST="x") == [
        f"environment:1:1: SLUICE_BROKER__HOST: unknown key 'host'; known: {known}",
        "environment:1:1: SLUICE_BROKR__URL: unknown key 'brokr'; did you mean 'broker'?",
        "environment:1:1: SLUICE_LIMITS__SERIES: series must be a whole number (got 'many')",
        "environment:1:1: SLUICE_SITE__NAME: site must be one level of a topic: text without / + # % (got a mapping)",
    ]


@pytest.mark.parametrize("url", ["embedded", "mqtt://a", "mqtts://a:1", "ws://a/mqtt", "wss://[::1]:443/x", "mqtt://10.0.0.1:65535"])
def test_broker_url_that_is_one(url):
    """Embedded, or a URL of the four schemes."""
    assert Broker(url=url).url == url


@pytest.mark.parametrize(
    "url", ["", "embeded", "a:1883", "tcp://a", "mqtt://", "mqtt://a:99999", "mqtt://a:b", "mqtt://a b", "mqtt://a:0", 5]
)
def test_broker_url_that_is_none(tmp_path, url):
    """Anything else is told what would do."""
    [line] = lines(config(tmp_path, f"broker: {{url: {url!r}}}\n"))
    assert "gateway.yaml:1:15: url must be embedded, or a URL such as mqtt://broker.local:1883" in line


def test_broker_url_never_shows_its_password(tmp_path):
    """A password in the URL is refused, and not printed."""
    [line] = lines(config(tmp_path, "broker: {url: mqtt://me:hunter2@a}\n"))
    assert "must hold no name or password" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("topic", ["#", "+", "a/#", "+/b/+", "/a", "a//b", "$SYS/#"])
def test_topic_filter_that_is_one(topic):
    """MQTT's rules for filters."""
    assert Subscription(topic=topic).topic == topic


@pytest.mark.parametrize("topic", ["", "a#", "#/a", "a/+b", "a/#/b", "++"])
def test_topic_filter_that_is_none(tmp_path, topic):
    """A wildcard stands alone in its level, and # only at the end."""
    [line] = lines(config(tmp_path, f"broker: {{subscribe: [{{topic: {topic!r}}}]}}\n"))
    assert "topic must be a topic filter" in line


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("127.8.8.8:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("pi.local:1", False),
    ],
)
def test_listen_knows_who_can_reach_it(listen, loopback):
    """Only addresses of this machine are loopback; a name could be anything."""
    assert Listen.parse(listen).loopback is loopback
    assert str(Listen.parse(listen)) == listen


def test_open_door_needs_a_lock(tmp_path):
    """The embedded broker listens beyond this machine only with a password; another broker's door is not ours."""
    (tmp_path / "password").write_text("  s3cret \n")
    assert lines(config(tmp_path, "broker: {listen: '0.0.0.0:1883'}\n")) == [
        "gateway.yaml:1:18: listen beyond this machine needs username and password_file (got '0.0.0.0:1883')"
    ]
    assert lines(config(tmp_path, "broker: {listen: '0.0.0.0:1883', url: 'mqtt://a'}\n")) == []
    broker = load(config(tmp_path, "broker: {listen: '0.0.0.0:1883', username: me, password_file: password}\n"), environ={}).broker
    assert (broker.username, broker.password) == ("me", "s3cret")


def test_names_and_files_come_in_pairs(tmp_path):
    """A user has a password, a certificate its key, and both are for TLS."""
    for name in ("password", "cert", "ca"):
        (tmp_path / name).write_text("x")
    assert lines(config(tmp_path, "broker:\n  username: me\n  cert_file: cert\n  ca_file: ca\n")) == [
        "gateway.yaml:2:3: username needs password_file beside it",
        "gateway.yaml:3:3: cert_file is for mqtts:// and wss://, not for this url",
        "gateway.yaml:3:3: cert_file needs key_file beside it",
        "gateway.yaml:4:3: ca_file is for mqtts:// and wss://, not for this url",
    ]
    assert lines(config(tmp_path, "broker:\n  password_file: password\n")) == ["gateway.yaml:2:3: password_file needs username beside it"]
    assert lines(config(tmp_path, "broker: {url: 'mqtts://a', ca_file: ca, cert_file: cert, key_file: ca}\n")) == []


def test_paths_start_from_the_config_folder(tmp_path):
    """A relative path does not hang on where the gateway was started."""
    (tmp_path / "token").write_text("t\n")
    settings = load(config(tmp_path, "influxdb: {url: 'http://a', org: o, bucket: b, token_file: token}\n"), environ={})
    assert settings.influxdb is not None
    assert settings.influxdb.token_file == tmp_path / "token"
    assert secret(settings.influxdb.token_file) == "t"


def test_influxdb_without_a_token(tmp_path):
    """A server that asks for no token gets none."""
    settings = load(config(tmp_path, "influxdb: {url: 'http://a:8428', org: o, bucket: b}\n"), environ={})
    assert settings.influxdb is not None
    assert (settings.influxdb.token, settings.influxdb.batch) == ("", 5_000)
