"""Trials: a sample run against a catalogue, and where what comes differs from what it says."""

from __future__ import annotations

from collections.abc import Iterator

from devices.catalogue import Catalogue
from devices.reading import CommandError, DeadLetter, Encoded, Expected, Held, Ignored, Outcome
from devices.samples import ExpectedReading, Sample


def failures(sample: Sample, catalogue: Catalogue) -> Iterator[str]:
    """Yield a line for each thing that is not as the sample says.

    >>> sample = Sample(about="A bare number.", topic="home/attic/temperature", payload="21", readings=[
    ...     ExpectedReading(device="attic", metric="temperature", value=22)])
    >>> list(failures(sample, Catalogue()))
    ['attic temperature: value must be 22; got 21']
    """
    for earlier in sample.after:
        catalogue.readings(earlier.message())
    if sample.command is None:
        yield from _message(sample, catalogue.readings(sample.message()))
    else:
        yield from _command(sample, catalogue)


def _message(sample: Sample, outcome: Outcome) -> Iterator[str]:
    for kind, wanted in ((Ignored, sample.ignored), (DeadLetter, sample.dead_letter), (Held, sample.held)):
        if wanted is not None and not (isinstance(outcome, kind) and wanted in outcome.reason):
            yield f"must be {_KINDS[kind]} with {wanted!r} in its reason; got {_told(outcome)}"
    if sample.readings is None:
        return
    if not isinstance(outcome, list):
        yield f"must give {len(sample.readings)} readings; got {_told(outcome)}"
        return
    for number, wanted_reading in enumerate(sample.readings):
        yield from _reading(wanted_reading, outcome, number)
    for extra in outcome[len(sample.readings) :]:
        yield f"must give {len(sample.readings)} readings; got {extra.device} {extra.metric} too, with {extra.value!r}"


def _reading(wanted: ExpectedReading, outcome: Outcome, number: int) -> Iterator[str]:
    who = f"{wanted.device} {wanted.metric}" + (f"/{wanted.channel}" if wanted.channel else "")
    if not isinstance(outcome, list) or number >= len(outcome):
        yield f"{who}: must be reading {number + 1}; got none"
        return
    for name, value in wanted.fields().items():
        got = getattr(outcome[number], name)
        if got != value or isinstance(got, bool) != isinstance(value, bool):
            yield f"{who}: {name} must be {value!r}; got {got!r}"


def _command(sample: Sample, catalogue: Catalogue) -> Iterator[str]:
    command = sample.command
    assert command is not None
    address = catalogue.address(command.device)
    if address is None:
        yield f"device {command.device!r} must be known to take commands; got no address"
        return
    try:
        encoded = Catalogue(catalogue.profiles.all).encode(address, command.device, command.set)
    except CommandError as error:
        if sample.refused is None or sample.refused not in str(error):
            yield f"command must be {'refused with ' + repr(sample.refused) if sample.refused else 'taken'}; got {error}"
        return
    if sample.refused is not None:
        yield f"command must be refused with {sample.refused!r}; got {encoded}"
    published = [(one.topic, one.payload) for one in encoded]
    wanted = [(one.topic, one.data()) for one in sample.publishes or ()]
    if sample.publishes is not None and published != wanted:
        yield f"command must publish {wanted}; got {published}"
    yield from _confirmation(sample, command.device, encoded, catalogue)


def _confirmation(sample: Sample, device: str, encoded: list[Encoded], catalogue: Catalogue) -> Iterator[str]:
    """Yield what the reports that the sample gives leave unconfirmed. A command is encoded knowing nothing but the device's address."""
    said: set[Expected] = set()
    for report in sample.reported:
        outcome = catalogue.readings(report.message())
        if isinstance(outcome, list):
            said |= {Expected(one.metric, one.channel, one.value) for one in outcome if one.device == device}
        else:
            yield f"report on {report.topic} must give readings; got {_told(outcome)}"
    missing = [one for message in encoded for one in message.expects if one not in said]
    if missing or not any(message.expects for message in encoded):
        yield f"command must be confirmed by its report; got nothing that says {missing or 'so'}"


_KINDS = {Ignored: "ignored", DeadLetter: "a dead letter", Held: "held"}


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, list):
        return "readings: " + ", ".join(f"{one.device} {one.metric}={one.value!r}" for one in outcome[:8])
    return f"{_KINDS[outcome.__class__]}: {outcome.reason}"
