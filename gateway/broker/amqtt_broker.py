"""The amqtt broker as a process: `python -m gateway.broker.amqtt_broker`. Pure Python, MQTT 3.1.1, keeps nothing when it ends."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

from amqtt.broker import Broker, BrokerContext
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session


class PasswordPlugin(BaseAuthPlugin):
    """Let in only who gives the one user name and password of the gateway's config."""

    @dataclass
    class Config:
        """What amqtt hands to the plugin."""

        username: str = field(default="", repr=False)
        password: str = field(default="", repr=False)

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context)
        self._expected = (context.config.username, context.config.password) if context.config else ("", "")

    async def authenticate(self, *, session: Session) -> bool | None:
        """Compare in constant time."""
        given = (session.username or "", session.password or "")
        same = [compare_digest(str(a).encode(), str(b).encode()) for a, b in zip(given, self._expected, strict=True)]
        return all(same)


def configuration(listen: str, username: str | None, password: str) -> dict[str, Any]:
    """Make amqtt's configuration."""
    plugin: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    if username:
        plugin = {"gateway.broker.amqtt_broker.PasswordPlugin": {"username": username, "password": password}}
    return {"listeners": {"default": {"type": "tcp", "bind": listen}}, "plugins": plugin}


async def serve(listen: str, username: str | None, password: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(configuration(listen, username, password))
    await broker.start()
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    """Run the broker. The password comes by the environment, where no process list shows it."""
    parser = argparse.ArgumentParser(prog="python -m gateway.broker.amqtt_broker", description=__doc__)
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    # `sluice up` looks whether the broker answers by connecting and saying nothing: no error.
    logging.getLogger("amqtt.broker").addFilter(lambda record: "No data from" not in record.getMessage())
    # A password in the environment of a process is for that process: nothing that it starts needs it.
    asyncio.run(serve(options.listen, os.environ.pop("SLUICE_EMBEDDED_USERNAME", None), os.environ.pop("SLUICE_EMBEDDED_PASSWORD", "")))


if __name__ == "__main__":
    main()
