"""What the targets of a campaign say about values: met or not, how far off, and which crystal is
better.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gen2dft.campaign import SurrogateSpec, Target


def violation(target: Target, values: ArrayLike) -> NDArray[np.float64]:
    """How far values lie outside what the target asks for.

    Parameters
    ----------
    values
        (n,) values in the property's unit; NaN (unknown) gives NaN.

    Returns
    -------
    (n,) distances in the property's unit, 0 where the target is met.
    """
    v = np.atleast_1d(np.asarray(values, dtype=np.float64))
    outside = np.zeros_like(v)
    if target.near and target.tolerance is not None:
        beyond = distance_to_near(target, v) - target.tolerance
        outside += np.maximum(beyond, 0.0)
    if target.min is not None:
        below = target.min - v
        outside += np.maximum(below, 0.0)
    if target.max is not None:
        above = v - target.max
        outside += np.maximum(above, 0.0)
    unknown = np.isnan(v)
    return np.where(unknown, np.nan, outside)


def distance_to_near(target: Target, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances, of the shape of `values`, to the closest of the numbers a target is `near`."""
    wanted = np.asarray(target.near)
    distances = np.abs(values[..., None] - wanted)
    return distances.min(axis=-1)


def margin(target: Target, values: ArrayLike) -> NDArray[np.float64]:
    """How far values lie within what the target asks for.

    Parameters
    ----------
    values
        Any shape, in the property's unit.

    Returns
    -------
    Distances to the nearest bound in the property's unit: negative outside, infinite without a
    bound, and minus infinite for a value that is not known.
    """
    v = np.asarray(values, dtype=np.float64)
    within = np.full(v.shape, np.inf)
    if target.near and target.tolerance is not None:
        within = target.tolerance - distance_to_near(target, v)
    if target.min is not None:
        above_min = v - target.min
        within = np.minimum(within, above_min)
    if target.max is not None:
        below_max = target.max - v
        within = np.minimum(within, below_max)
    unknown = np.isnan(v)
    return np.where(unknown, -np.inf, within)


def of_the_screen(limits: SurrogateSpec) -> Target:
    """What the surrogate's gate asks for: not far above the hull, nor so far below that the hull
    lacks phases. Crystals that lie deeper pass with a remark, but come last here too.
    """
    least, most = limits.min_e_above_hull, limits.max_e_above_hull
    return Target(property="e_above_hull", min=least, max=most)


def is_met(target: Target, value: float | None) -> bool:
    """Whether one value meets the target; an unknown value does not."""
    if value is None:
        return False
    outside = violation(target, [value])
    return bool(outside[0] == 0)


def missed_target(
    targets: Sequence[Target], values: Mapping[str, float], open_properties: Collection[str] = ()
) -> str | None:
    """The first property whose target is not met, or None when all are.

    A property among `open_properties` that has no value yet is not missed.
    """
    for target in targets:
        name = target.property
        if name not in values and name in open_properties:
            continue
        if not is_met(target, values.get(name)):
            return name
    return None


def spreads(
    targets: Sequence[Target], known: Mapping[str, NDArray[np.float64]]
) -> dict[str, float]:
    """Standard deviation of each target's property over the known labels.

    The unit in which merits are added up.
    """
    result = {}
    for target in targets:
        name = target.property
        values = known.get(name, np.zeros(0))
        finite = values[np.isfinite(values)]
        spread = 0.0
        if len(finite) > 1:
            spread = float(finite.std())
        result[name] = spread or 1.0
    return result


def merit(
    targets: Sequence[Target],
    values: Mapping[str, NDArray[np.float64]],
    spread: Mapping[str, float],
) -> NDArray[np.float64]:
    """One number per crystal, larger is better: gain in the optimised properties less violation of
    all targets.

    Each property counts in units of its spread over the training set, so that properties of
    different units add up. A violated target weighs twice what an optimised one gains. Unknown
    values count as one spread violated.

    Parameters
    ----------
    values
        Property to (n,) values in its unit.
    spread
        Property to the unit in which its values count, from `spreads`.
    """
    first = next(iter(values.values()))
    total = np.zeros(len(first))
    for target in targets:
        v = np.asarray(values[target.property], dtype=np.float64)
        scale = spread[target.property]
        violated = violation(target, v) / scale
        total -= 2.0 * np.nan_to_num(violated, nan=1.0)
        if target.near:
            away = distance_to_near(target, v) / scale
            total -= 0.1 * np.nan_to_num(away, nan=1.0)
        if target.optimise is not None:
            sign = 1.0 if target.optimise == "maximise" else -1.0
            gained = np.nan_to_num(v / scale)
            total += sign * gained
    return total
