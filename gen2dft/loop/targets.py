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
        nearest = np.abs(v[:, None] - np.asarray(target.near)[None, :]).min(axis=1)
        outside += np.maximum(nearest - target.tolerance, 0.0)
    if target.min is not None:
        outside += np.maximum(target.min - v, 0.0)
    if target.max is not None:
        outside += np.maximum(v - target.max, 0.0)
    return np.where(np.isnan(v), np.nan, outside)


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
        within = target.tolerance - np.abs(v[..., None] - np.asarray(target.near)).min(axis=-1)
    if target.min is not None:
        within = np.minimum(within, v - target.min)
    if target.max is not None:
        within = np.minimum(within, target.max - v)
    return np.where(np.isnan(v), -np.inf, within)


def of_the_screen(limits: SurrogateSpec) -> Target:
    """What the surrogate's gate asks for: not far above the hull, nor so far below that it lacks
    phases.
    """
    return Target(property="e_above_hull", min=limits.min_e_above_hull, max=limits.max_e_above_hull)


def is_met(target: Target, value: float | None) -> bool:
    """Whether one value meets the target; an unknown value does not."""
    return value is not None and bool(violation(target, [value])[0] == 0)


def missed_target(
    targets: Sequence[Target], values: Mapping[str, float], open_properties: Collection[str] = ()
) -> str | None:
    """The first property whose target is not met, or None when all are.

    A property among `open_properties` that has no value yet is not missed.
    """
    judged = (t for t in targets if t.property in values or t.property not in open_properties)
    return next((t.property for t in judged if not is_met(t, values.get(t.property))), None)


def spreads(
    targets: Sequence[Target], known: Mapping[str, NDArray[np.float64]]
) -> dict[str, float]:
    """Standard deviation of each target's property over the known labels.

    The unit in which merits are added up.
    """
    result = {}
    for target in targets:
        values = known.get(target.property, np.zeros(0))
        values = values[np.isfinite(values)]
        spread = float(values.std()) if len(values) > 1 else 0.0
        result[target.property] = spread or 1.0
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
    total = np.zeros(len(next(iter(values.values()))))
    for target in targets:
        v = np.asarray(values[target.property], dtype=np.float64)
        scale = spread[target.property]
        total -= 2.0 * np.nan_to_num(violation(target, v) / scale, nan=1.0)
        if target.near:
            nearest = np.abs(v[:, None] - np.asarray(target.near)[None, :]).min(axis=1)
            total -= 0.1 * np.nan_to_num(nearest / scale, nan=1.0)
        if target.optimise is not None:
            sign = 1.0 if target.optimise == "maximise" else -1.0
            total += sign * np.nan_to_num(v / scale)
    return total
