"""The short form of every fault: real processes are broken for some seconds, and every message is accounted for."""

from __future__ import annotations

import shutil

import pytest

from faults.fault import SkipError, faults
from faults.rig.rig import Rig

MISSING = [name for name in ("mosquitto_pub", "victoria-metrics", "openssl") if shutil.which(name) is None]
FAULTS = {number: one for number, one in faults().items() if number.startswith("F")}


def test_all_of_them_are_there():
    """F01 to F33, each once."""
    assert list(FAULTS) == [f"F{number:02}" for number in range(1, 34)]


# paho leaves the sockets of connections that a broker has ended to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("number", FAULTS)
def test_fault(number, tmp_path):
    """Every bar of the fault is held."""
    one = FAULTS[number]
    with Rig(tmp_path, one.number, one.about, full=False) as rig:
        try:
            one.run(rig)
        except SkipError as why:
            pytest.skip(str(why))
    assert not rig.result.missed, f"{rig.result.missed}\n{rig.sluice().tail()}"
