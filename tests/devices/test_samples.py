"""Every sample of every convention, run by one test."""

import pytest

from devices.catalogue import CONVENTIONS, Catalogue
from devices.reading import CommandError, DeadLetter, Expected, Ignored, Reading
from devices.samples import Sample, samples

CASES = [pytest.param(made.name, sample, id=f"{made.name}: {sample.about}") for made in CONVENTIONS for sample in samples(made.name)]


@pytest.mark.parametrize(("convention", "sample"), CASES)
def test_sample_gives_what_it_says(convention: str, sample: Sample):
    """A sample's message gives its readings or its reason, its command gives its messages and is confirmed by its report."""
    catalogue = Catalogue()
    for earlier in sample.after:
        catalogue.readings(earlier.message())
    if sample.command is None:
        check_message(catalogue, convention, sample)
    else:
        check_command(catalogue, sample)


def check_message(catalogue: Catalogue, convention: str, sample: Sample) -> None:
    outcome = catalogue.readings(sample.message())
    if sample.readings is None:
        assert isinstance(outcome, DeadLetter if sample.dead_letter else Ignored), outcome
        assert (sample.dead_letter or sample.ignored) in outcome.reason
        return
    assert isinstance(outcome, list), outcome
    wanted = [one.fields() for one in sample.readings]
    assert [{name: getattr(got, name) for name in want} for got, want in zip(outcome, wanted, strict=False)] == wanted
    assert len(outcome) == len(wanted), outcome[len(wanted) :]
    assert {one.convention for one in outcome} == {convention}


def check_command(catalogue: Catalogue, sample: Sample) -> None:
    command = sample.command
    address = catalogue.address(command.device)
    assert address is not None
    if sample.refused is not None:
        with pytest.raises(CommandError, match=sample.refused):
            catalogue.encode(address, command.device, command.set)
        return
    encoded = catalogue.encode(address, command.device, command.set)
    assert [(one.topic, one.payload.decode()) for one in encoded] == [(one.topic, one.payload) for one in sample.publishes]
    reports = [one for report in sample.reported for one in readings(catalogue, report)]
    confirmed = {Expected(one.metric, one.channel, one.value) for one in reports if one.device == command.device}
    expected = {one for message in encoded for one in message.expects}
    assert expected
    assert expected <= confirmed


def readings(catalogue: Catalogue, report) -> list[Reading]:
    outcome = catalogue.readings(report.message())
    assert isinstance(outcome, list), outcome
    return outcome


def test_samples_have_bad_input_and_commands():
    """Each convention shows what it refuses, what it ignores, and what it can be told."""
    for made in CONVENTIONS:
        mine = samples(made.name)
        assert len(mine) >= 15
        assert any(one.dead_letter for one in mine)
        assert any(one.ignored for one in mine)
        assert any(one.publishes for one in mine)
