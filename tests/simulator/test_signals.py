"""Signals: seeded, repeatable, bounded."""

from simulator.nanoseconds import HOUR, SECOND
from simulator.signals import Daily, Dice, Signal, SignalSpec, Steps, Walk

FULL = SignalSpec(base=20, daily=Daily(amplitude=3), drift=0.5, walk=Walk(step=0.2, limit=1), noise=0.3)


def _values(signal, count, first=0):
    return [signal.value(elapsed=n * SECOND, epoch=n * SECOND) for n in range(first, first + count)]


def test_dice_reference():
    """The generator is SplitMix64: from state 0 it gives the published numbers."""
    dice = Dice(0)
    assert [int(dice.uniform() * 2**53) for _ in range(3)] == [0xE220A8397B1DCDAF >> 11, 0x6E789E6AA1B965F4 >> 11, 0x06C45D188009454F >> 11]


def test_dice_normal():
    """Rolls have mean 0 and deviation 1, within what 20,000 of them allow."""
    dice = Dice.of(1, "normal")
    rolls = [dice.normal() for _ in range(20_000)]
    mean = sum(rolls) / len(rolls)
    assert abs(mean) < 0.03
    assert abs(sum((roll - mean) ** 2 for roll in rolls) / len(rolls) - 1) < 0.05


def test_signal_seeded():
    """The same seed and name give the same values; another seed or name gives others."""
    first = _values(Signal(FULL, Dice.of(1, "a")), 50)
    assert _values(Signal(FULL, Dice.of(1, "a")), 50) == first
    assert _values(Signal(FULL, Dice.of(2, "a")), 50) != first
    assert _values(Signal(FULL, Dice.of(1, "b")), 50) != first


def test_signal_resumed():
    """A signal that takes up another's state goes on exactly where that was."""
    whole = Signal(FULL, Dice.of(1, "a"))
    head = Signal(FULL, Dice.of(1, "a"))
    expected = _values(whole, 40)
    _values(head, 25)
    tail = Signal(FULL, Dice.of(9, "x"))
    tail.restore(head.state())
    assert _values(tail, 15, first=25) == expected[25:]


def test_signal_drift():
    """Drift is per hour."""
    assert Signal(SignalSpec(base=10, drift=-2), Dice(1)).value(elapsed=3 * HOUR, epoch=0) == 4


def test_signal_walk_limited():
    """A walk stays within its limit, and uses it."""
    walked = _values(Signal(SignalSpec(walk=Walk(step=1, limit=2)), Dice.of(1, "walk")), 500)
    assert (min(walked), max(walked)) == (-2, 2)


def test_signal_on_off():
    """Steps of true and false give booleans, and repeat."""
    door = Signal(SignalSpec(steps=Steps(values=[True, True, False], every="2s")), Dice(1))
    assert _values(door, 8) == [True, True, True, True, False, False, True, True]


def test_signal_numeric_steps():
    """Steps of numbers are a part of the sum."""
    assert _values(Signal(SignalSpec(base=1, steps=Steps(values=[0, 10], every="1s")), Dice(1)), 3) == [1, 11, 1]


def test_signal_bounds_and_decimals():
    """Values stay within bounds; without decimals they are integers, as devices say them."""
    percent = Signal(SignalSpec(base=99.8, noise=5, high=100, low=0, decimals=0), Dice.of(1, "p"))
    values = _values(percent, 200)
    assert max(values) == 100
    assert all(isinstance(value, int) for value in values)
