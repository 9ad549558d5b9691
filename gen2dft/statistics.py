"""Intervals of shares, of their differences and of their ratios, at 95 % unless said otherwise."""

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
    """Hits / calls with Wilson's interval (J. Am. Stat. Assoc.

    22, 209 (1927), centre and half width); calls > 0.
    """
    p, n = hits / calls, calls
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def difference(hits: tuple[int, int], calls: tuple[int, int], z: float = Z95) -> Interval:
    """First share less the second; Newcombe's hybrid score interval (Stat. Med.

    17, 873 (1998), method 10).
    """
    a, b = share(hits[0], calls[0], z), share(hits[1], calls[1], z)
    delta = a.value - b.value
    low = delta - math.hypot(a.value - a.low, b.high - b.value)
    return Interval(delta, low, delta + math.hypot(a.high - a.value, b.value - b.low))


def ratio(hits: tuple[int, int], calls: tuple[int, int], z: float = Z95) -> Interval | None:
    """First share over the second; log interval of Katz et al. (Biometrics 34, 469 (1978)).

    Half a hit is added to both where one of them has none; None if both have none.
    """
    if not any(hits):
        return None
    add = 0.0 if all(hits) else 0.5
    (a, b), (n, m) = (h + add for h in hits), (c + add for c in calls)
    value = (a / n) / (b / m)
    half = z * math.sqrt(max(0.0, 1 / a - 1 / n + 1 / b - 1 / m))
    return Interval(value, value * math.exp(-half), value * math.exp(half))
