"""The embedded broker: a private mosquitto where one is installed, else amqtt, as a process of the supervisor's."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Engine = Literal["mosquitto", "amqtt"]

_ADDRESSES_TRIED = 100


@dataclass(frozen=True)
class EmbeddedBroker:
    """What to run, and where it will listen. `taken` tells that the wanted port was in use, so that another was chosen."""

    engine: Engine
    host: str
    port: int
    command: list[str]
    environment: dict[str, str]
    taken: bool

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104  the broker listens, we connect
        return f"mqtt://{host}:{self.port}"


def find_mosquitto() -> str | None:
    """Find the mosquitto program; Debian keeps it where a user's PATH may not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def speaks_mqtt5(engine: str) -> bool:
    """Tell whether the broker that `broker.engine` leads to speaks MQTT 5: amqtt does not."""
    return engine == "mosquitto" or (engine == "auto" and find_mosquitto() is not None)


def plan(
    directory: Path,
    *,
    engine: str = "auto",
    listen: str = "127.0.0.1:1883",
    username: str | None = None,
    password: str | None = None,
    longest_packet: int = 2 * 2**20,
) -> EmbeddedBroker:
    """Choose the engine and a free port, and write what the engine reads. Nothing is started yet.

    A client that sends a packet of more than `longest_packet` bytes is cut off by mosquitto.

    Raises:
        FileNotFoundError: mosquitto is wanted and not installed.
        OSError: no port can be had.

    """
    host, _, wanted = listen.rpartition(":")
    mosquitto = find_mosquitto()
    if engine == "mosquitto" and not mosquitto:
        raise FileNotFoundError("broker.engine is mosquitto, and no mosquitto is installed (apt install mosquitto)")
    port = free_port(host, int(wanted))
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    taken = int(wanted) not in (0, port)
    if mosquitto and engine in ("auto", "mosquitto"):
        config = directory / "mosquitto.conf"
        config.write_text(_mosquitto_conf(directory, host, port, username=username, password=password, longest_packet=longest_packet))
        return EmbeddedBroker("mosquitto", host, port, [mosquitto, "-c", str(config)], {}, taken)
    command = [sys.executable, "-m", "gateway.broker.amqtt_broker", "--listen", f"{host}:{port}"]
    secret = {"SLUICE_EMBEDDED_USERNAME": username, "SLUICE_EMBEDDED_PASSWORD": password or ""} if username else {}
    return EmbeddedBroker("amqtt", host, port, command, secret, taken)


def free_port(host: str, wanted: int) -> int:
    """Give the wanted port, or the next one that is free; 0 asks for any."""
    for port in range(wanted, wanted + _ADDRESSES_TRIED):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"broker.listen: no free port from {host}:{wanted} to {wanted + _ADDRESSES_TRIED - 1}")


@contextmanager
def choosing_ports() -> Iterator[None]:
    """Let one process at a time go from a free port to a broker that listens there: two that start at once would choose the same."""
    with (Path(tempfile.gettempdir()) / f"sluice-ports-{os.getuid()}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def answers(host: str, port: int) -> bool:
    """Tell whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def speaks_mqtt(host: str, port: int) -> bool:
    """Tell whether a broker answers there: it takes or refuses a CONNECT, and either is a CONNACK (MQTT 3.1.1, 3.2)."""
    connect = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
    try:
        with socket.create_connection((host, port), timeout=1) as probe:
            probe.sendall(connect)
            return probe.recv(1) == b"\x20"
    except OSError:
        return False


def _mosquitto_conf(directory: Path, host: str, port: int, *, username: str | None, password: str | None, longest_packet: int) -> str:
    """Write a configuration whose queues hold what comes while the gateway is away, and which outlives a restart (mosquitto.conf(5))."""
    lines = [
        f"listener {port} {host}",
        # Started by root, mosquitto would become another user, who may not write here.
        f"user {getpass.getuser()}",
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_interval 30",
        "set_tcp_nodelay true",
        "max_inflight_messages 1000",
        "max_queued_messages 1000000",
        "max_queued_bytes 268435456",
        f"max_packet_size {longest_packet}",
        "log_type error",
    ]
    if username:
        users = directory / "users"
        users.unlink(missing_ok=True)
        users.touch(mode=0o600)
        passwd = shutil.which("mosquitto_passwd", path=f"{os.environ.get('PATH', '')}:/usr/bin")
        if not passwd:
            raise FileNotFoundError("mosquitto_passwd is not installed, and the embedded broker needs a password (apt install mosquitto)")
        users.write_text(f"{username}:{password}\n")
        subprocess.run([passwd, "-U", str(users)], check=True, capture_output=True)  # noqa: S603  hashes in place: the password is on no command line
        return "\n".join([*lines, "allow_anonymous false", f"password_file {users}", ""])
    return "\n".join([*lines, "allow_anonymous true", ""])
