"""Every sample of every convention, run by one test."""

import pytest

from devices.catalogue import CONVENTIONS, Catalogue
from devices.profile import Profile
from devices.samples import Sample, samples
from devices.trial import failures

CASES = [pytest.param(made.name, sample, id=f"{made.name}: {sample.about}") for made in CONVENTIONS for sample in samples(made.name)]


@pytest.mark.parametrize(("convention", "sample"), CASES)
def test_sample_gives_what_it_says(convention: str, sample: Sample):
    """A sample's message gives its readings or its reason, its command gives its messages and is confirmed by its report."""
    catalogue = Catalogue([Profile.model_validate(sample.profile)] if sample.profile else [])
    assert list(failures(sample, catalogue)) == []
    if sample.readings:
        again = Catalogue(catalogue.profiles.all)
        for earlier in sample.after:
            again.readings(earlier.message())
        assert {one.convention for one in again.readings(sample.message())} == {convention}


def test_samples_have_bad_input_and_commands():
    """Each convention shows what it refuses, what it ignores, and what it can be told."""
    for made in CONVENTIONS:
        mine = samples(made.name)
        assert len(mine) >= 15, made.name
        assert all(len(one.about) >= 10 for one in mine), made.name
        assert any(one.dead_letter for one in mine), made.name
        assert any(one.ignored for one in mine), made.name
        assert any(one.publishes for one in mine) == made.commands, made.name
