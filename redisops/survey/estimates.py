"""From samples to statements: a figure, and the range that holds the truth 19 times in 20.

Keys are measured folder by folder at different rates, so each folder's figure is its own keys'
mean times their number, and a larger folder's the sum of these: a stratified sample. The textbook
is Cochran, Sampling Techniques, chapters 2 and 5. Where all keys were measured nothing is
estimated and the range is the figure.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from redisops.survey.samples import Sample

SURE = 1.96
# Student's t for 95 % with so few keys; beyond, 1.96 + 2.4 / (keys - 1) is close.
FEW = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36}


class Estimate(NamedTuple):
    """``value`` and the 95 % range around it. ``measured`` keys of ``keys`` made it."""

    value: float
    low: float
    high: float
    measured: int
    keys: int

    @property
    def is_exact(self) -> bool:
        """Whether every key was measured."""
        return self.measured >= self.keys

    @property
    def within(self) -> float | None:
        """Half the range as a part of the value: 0.03 is ± 3 %. None when nothing is known."""
        if not self.value:
            return 0.0 if self.is_exact else None
        return (self.high - self.low) / 2 / self.value


class Sums:
    """The bytes of some strata, on the way up from the deepest folders to the root.

    Each stratum is ``add``-ed with its number of keys; ``total`` makes the statement. ``told`` is
    the number of keys in strata with any measured key, ``value`` their bytes by estimate.
    """

    __slots__ = ("bytes", "keys", "loose", "measured", "sized", "squares", "told", "value", "var")

    def __init__(self) -> None:
        self.keys = 0
        self.told = 0
        self.measured = 0
        self.sized = 0
        self.bytes = 0
        self.squares = 0.0
        self.value = 0.0
        self.var = 0.0
        self.loose = 0.0

    def add(self, keys: int, sample: Sample | None) -> None:
        """A stratum of ``keys`` keys, of which ``sample`` were measured."""
        self.keys += keys
        n = sample.sized if sample is not None else 0
        if sample is None or not n:
            return
        keys = max(keys, n)
        self.told += keys
        self.measured += n
        self.sized += n
        self.bytes += sample.bytes
        self.squares += sample.squares
        self.value += keys * sample.bytes / n
        if keys > n:
            weight = keys * (keys - n) / n
            if n > 1:
                mean = sample.bytes / n
                self.var += weight * max(0.0, (sample.squares - n * mean * mean) / (n - 1))
            else:
                self.loose += weight

    def join(self, other: Sums) -> None:
        """Add the strata of a folder within."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def total(self, spread: float | None = None) -> Estimate:
        """The bytes of all keys. ``spread``: the variance to suppose where there is none yet."""
        if not self.told:
            return Estimate(0.0, 0.0, math.inf if self.keys else 0.0, 0, self.keys)
        own = None
        if self.sized > 1:
            mean = self.bytes / self.sized
            own = max(0.0, (self.squares - self.sized * mean * mean) / (self.sized - 1))
        each = max(own or 0.0, 0.0) or (spread or 0.0)
        missing = max(0, self.keys - self.told)
        grown = self.keys / self.told if missing else 1.0
        var = (self.var + self.loose * each) * grown * grown + missing * missing * each / self.sized
        value = self.value * grown
        half = factor(self.sized) * math.sqrt(var)
        low = max(float(self.bytes), value - half)
        return Estimate(value, min(low, value), value + half, self.measured, self.keys)

    @property
    def spread(self) -> float | None:
        """The variance of one key's bytes, over all measured keys; None below two."""
        if self.sized < 2:
            return None
        mean = self.bytes / self.sized
        return max(0.0, (self.squares - self.sized * mean * mean) / (self.sized - 1))


def factor(measured: int) -> float:
    """How many standard errors make 95 % when so many keys were measured."""
    free = max(measured - 1, 1)
    return FEW.get(free) or SURE + 2.4 / free


def share(part: float, whole: float, measured: int, keys: int) -> Estimate:
    """The part of some keys for which something is so, by Wilson's interval; 0 to 1.

    Reference: E. B. Wilson, Probable inference, JASA 22 (1927); with the correction for a sample
    that is a good part of everything.
    """
    if not whole or not measured:
        return Estimate(0.0, 0.0, 1.0 if keys else 0.0, measured, keys)
    at = min(max(part / whole, 0.0), 1.0)
    if measured >= keys:
        return Estimate(at, at, at, measured, keys)
    n = measured / (1 - measured / (keys + 1))
    z2 = SURE * SURE
    middle = (at + z2 / (2 * n)) / (1 + z2 / n)
    half = SURE * math.sqrt(at * (1 - at) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(at, max(0.0, middle - half), min(1.0, middle + half), measured, keys)
