"""The guide to devices, made of the conventions and their samples: `python -m devices.guide` prints docs/devices.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Final

from devices import vocabulary
from devices.catalogue import CONVENTIONS
from devices.convention import Convention
from devices.samples import ExpectedReading, Sample, samples

HEAD: Final = """# Devices

Point a device at the broker: its readings appear, named, with units, without configuration. `sluice devices` lists what has been seen, and
`sluice decode --topic T --payload P` shows what a message becomes, or why it becomes nothing. How names, units, times and commands come about
is in [readings](readings.md); what a profile adds, in `config/devices/example.yaml`.

This page is made of the conventions and their samples by `make docs`; a test runs every sample.
"""

EXAMPLES: Final = 4
WIDEST: Final = 150


def guide() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_overview(), *(line for made in CONVENTIONS for line in _convention(made)), *_units()])


def _overview() -> Iterator[str]:
    yield "| dialect | what it is | commands |"
    yield "|---|---|---|"
    for made in CONVENTIONS:
        yield f"| [{made.title}](#{_anchor(made.title)}) | {_prose(made.about)} | {'yes' if made.commands else 'no'} |"
    yield ""


def _units() -> Iterator[str]:
    yield "## Units\n"
    yield "Each quantity has one unit downstream; what comes in another is converted, and the raw value is kept.\n"
    yield "| quantity | unit | code (UCUM, SenML) | converted from |"
    yield "|---|---|---|---|"
    for quantity, unit in vocabulary.CANONICAL.items():
        others = ", ".join(symbol for symbol, known in vocabulary.UNITS.items() if known.quantity == quantity and symbol != unit)
        yield f"| {quantity} | {unit} | `{vocabulary.CODES[unit]}` | {others} |"
    yield ""


def _anchor(title: str) -> str:
    """Return the anchor that a heading has on the usual sites.

    >>> _anchor("Shelly Gen2+ (RPC)")
    'shelly-gen2-rpc'
    """
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _prose(text: str) -> str:
    """Return text in which nothing is taken for HTML or a table's border.

    >>> _prose("home/<gateway>/BTtoMQTT")
    'home/&lt;gateway>/BTtoMQTT'
    """
    return text.replace("<", "&lt;").replace("|", "\\|")


def _convention(made: type[Convention]) -> Iterator[str]:
    mine = samples(made.name)
    yield f"## {made.title}\n"
    yield f"{_prose(made.about)}.\n"
    yield f"- **Point it at Sluice.** {made.setup}"
    yield f"- **Topics.** {made.topics[0].upper()}{made.topics[1:]}."
    yield f"- **What comes out.** {', '.join(_metrics(mine))}\n"
    yield "```text"
    for sample in islice((one for one in mine if one.readings and one.topic), EXAMPLES):
        yield from _message(sample)
    yield "```\n"
    commands = list(islice((one for one in mine if one.publishes), EXAMPLES))
    if not commands:
        yield "It cannot be commanded.\n"
        return
    yield "What it can be told, and what is published then:\n"
    yield "```text"
    for sample in commands:
        yield from _command(sample)
    yield "```\n"


def _metrics(mine: list[Sample]) -> list[str]:
    """Return the metrics in the samples, each with its unit, in the order of the alphabet."""
    units: dict[str, str | None] = {}
    for sample in mine:
        for one in sample.readings or ():
            units[one.metric] = units.get(one.metric) or one.unit
    return [f"`{metric}`" + (f" ({unit})" if unit else "") for metric, unit in sorted(units.items())]


def _message(sample: Sample) -> Iterator[str]:
    yield f"# {sample.about}"
    yield f"{sample.topic}  {_shown(sample.data())}"
    for one in sample.readings or ():
        yield f"    → {_reading(one)}"


def _reading(one: ExpectedReading) -> str:
    value = str(one.value).lower() if isinstance(one.value, bool) else one.value
    return f"{one.device}  {one.metric}{'/' + one.channel if one.channel else ''} = {value}" + (f" {one.unit}" if one.unit else "")


def _command(sample: Sample) -> Iterator[str]:
    assert sample.command is not None
    settings = " ".join(_quoted(f"{key}={_setting(value)}") for key, value in sample.command.set.items())
    yield f"$ sluice send {_quoted(sample.command.device)} {settings}"
    for one in sample.publishes or ():
        yield f"    → {one.topic}  {_shown(one.data())}"


def _setting(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return f"'{text}'" if any(c in text for c in " '\"$*<>#&") else text


def _shown(data: bytes) -> str:
    """Return a payload in a line: text as it is, else hexadecimal; cut where it is long.

    >>> _shown(b"21.5"), _shown(bytes([8, 255]))
    ('21.5', '(hex) 08ff')
    """
    try:
        text = " ".join(data.decode().split())
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or (data and not text):
        text = f"(hex) {data.hex()}"
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}…"


if __name__ == "__main__":
    sys.stdout.write(guide())
