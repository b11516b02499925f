"""Seeded random numbers: the same ones on every machine, and after every restart."""

from __future__ import annotations

import hashlib
import math

_MASK = (1 << 64) - 1
_BINOMIAL = 32
"""Bits of a roll that are counted for a normal number; the other two times sixteen smear the count."""
_DEVIATION = math.sqrt(_BINOMIAL / 4 + 2 / 12)


class Dice:
    """SplitMix64: seeded random numbers whose whole state is one integer, so that it can be kept and taken up again.

    Written out because `random` promises the same numbers only for `random()`, and its state is 625 integers.
    Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.

    >>> [round(Dice.of(seed=7, name="t-1").uniform(), 6) for _ in range(2)]
    [0.780391, 0.780391]
    """

    __slots__ = ("state",)

    def __init__(self, state: int) -> None:
        self.state = state & _MASK

    @classmethod
    def of(cls, seed: int, name: str) -> Dice:
        """Give the dice of one thing in a scenario: things with different names roll independently."""
        return cls(int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big"))

    def uniform(self) -> float:
        """Roll a number from 0 up to, but not including, 1."""
        return (self._bits() >> 11) / (1 << 53)

    def normal(self) -> float:
        """Roll a nearly normal number (mean 0, deviation 1, never beyond 6) out of 64 bits.

        It is the count of ones among 32 bits, a binomial number, smeared by the sum of two uniform ones of 16 bits each. All of that is
        done on whole numbers, and the last division is one that IEEE 754 rounds in one way only: so it is the same on every machine.

        >>> dice = Dice.of(seed=7, name="t-1")
        >>> [round(dice.normal(), 6) for _ in range(3)]
        [0.867775, -1.315553, 1.423175]
        """
        bits = self._bits()
        smear = (bits >> 16 & 0xFFFF) + (bits & 0xFFFF) - 0xFFFF
        return ((bits >> 32).bit_count() - _BINOMIAL // 2 + smear / 0x10000) / _DEVIATION

    def _bits(self) -> int:
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)
