"""A mosquitto of the rig's own, which is stopped, killed, frozen and started again on what it kept."""

from __future__ import annotations

from pathlib import Path

from faults.rig.server import Server
from gateway.broker.embedded import answers, find_mosquitto, free_port


class Broker(Server):
    """A broker on a port of its own. Its queues have no limit, so that it is never what loses; `extra` are lines that say otherwise."""

    def __init__(self, folder: Path, *, extra: str = "", persistent: bool = True, unlimited: bool = True) -> None:
        folder.mkdir(parents=True)
        self.port = free_port("127.0.0.1", 0)
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.log = folder / "mosquitto.log"
        self._conf = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "user root", "allow_anonymous true", "set_tcp_nodelay true", "connection_messages true"]
        lines += [f"persistence {str(persistent).lower()}", f"persistence_location {folder}/", f"log_dest file {self.log}", "log_type all"]
        lines += ["max_queued_messages 0", "max_inflight_messages 1000"] if unlimited else []
        self._conf.write_text("\n".join([*lines, extra, ""]))
        found = find_mosquitto()
        assert found, "mosquitto is not installed (apt install mosquitto)"
        super().__init__([found, "-c", str(self._conf)], lambda: answers("127.0.0.1", self.port))

    def said(self, text: str) -> int:
        """Count the lines of its log that hold a text."""
        return sum(text in line for line in self.log.read_text(errors="replace").splitlines()) if self.log.exists() else 0
