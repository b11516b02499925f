"""What the simulator's commands have in common: which broker."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator.broker import Broker


def broker_options() -> argparse.ArgumentParser:
    """Give the parent of a parser: the options that say where the broker is."""
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("broker")
    group.add_argument("--broker-url", required=True, metavar="URL", help="mqtt://HOST[:PORT], mqtts://, ws:// or wss://")
    group.add_argument("--username", help="the account at the broker")
    group.add_argument("--password-file", type=Path, metavar="FILE", help="holds the account's password")
    group.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates to trust for mqtts:// and wss://")
    return parser


def broker_from(options: argparse.Namespace) -> Broker:
    """Read those options; ValueError for a URL and OSError for a file that cannot be used."""
    return Broker.at(options.broker_url, username=options.username, password_file=options.password_file, ca_file=options.ca_file)
