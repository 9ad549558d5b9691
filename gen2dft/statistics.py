"""Intervals of shares, of their products, differences and ratios, at 95 % unless said otherwise."""

from __future__ import annotations

import math
from typing import NamedTuple

Z95 = 1.959963984540054


class Interval(NamedTuple):
    """An estimate and the ends of its interval."""

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether a value lies outside."""
        return not self.low <= value <= self.high


def share(hits: int, calls: int, z: float = Z95) -> Interval:
    """Hits / calls with Wilson's interval; calls > 0.

    Wilson, J. Am. Stat. Assoc. 22, 209 (1927): centre and half width.
    """
    p, n = hits / calls, calls
    shrinkage = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrinkage
    variance = p * (1 - p) / n + z * z / (4 * n * n)
    half_width = z / shrinkage * math.sqrt(variance)
    low = max(0.0, centre - half_width)
    high = min(1.0, centre + half_width)
    return Interval(p, low, high)


def product(a: Interval, b: Interval) -> Interval:
    """Product of two independent shares, from their intervals.

    Half widths, each times the other estimate, are added in quadrature: variance estimates
    recovered from the limits, Zou and Donner, Stat. Med. 27, 1693 (2008).
    """
    value = a.value * b.value
    below = math.hypot(b.value * (a.value - a.low), a.value * (b.value - b.low))
    above = math.hypot(b.value * (a.high - a.value), a.value * (b.high - b.value))
    low = max(0.0, value - below)
    high = min(1.0, value + above)
    return Interval(value, low, high)


def difference(hits: tuple[int, int], calls: tuple[int, int], z: float = Z95) -> Interval:
    """First share less the second, with Newcombe's hybrid score interval.

    Newcombe, Stat. Med. 17, 873 (1998), method 10.
    """
    a = share(hits[0], calls[0], z)
    b = share(hits[1], calls[1], z)
    delta = a.value - b.value
    below = math.hypot(a.value - a.low, b.high - b.value)
    above = math.hypot(a.high - a.value, b.value - b.low)
    return Interval(delta, delta - below, delta + above)


def ratio(hits: tuple[int, int], calls: tuple[int, int], z: float = Z95) -> Interval | None:
    """First share over the second, with the log interval of Katz et al.

    Katz, Baptista, Azen and Pike, Biometrics 34, 469 (1978). Half a hit is added to both where one
    of them has none; None if both have none.
    """
    if not any(hits):
        return None
    added = 0.0 if all(hits) else 0.5
    a, b = hits[0] + added, hits[1] + added
    n, m = calls[0] + added, calls[1] + added
    value = (a / n) / (b / m)
    variance = 1 / a - 1 / n + 1 / b - 1 / m
    # Rounding may leave a variance of zero just below it.
    half_width = z * math.sqrt(max(0.0, variance))
    low = value * math.exp(-half_width)
    high = value * math.exp(half_width)
    return Interval(value, low, high)
