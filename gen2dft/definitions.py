"""Definitions of a power factor that users state themselves: carriers, temperature, doping, gap.

The canonical name holds everything, so that a name is enough wherever labels, documents and
campaigns say what a power factor means: `n-600K-1e19`, `best-600K-optimal`,
`p-800K-optimal-1e19-1e20`, `ftcp-gap0.6`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from gen2dft.errors import CampaignError, not_one_of
from gen2dft.properties import (
    DEFAULT_TRANSPORT,
    MEAN_OF_PRODUCT,
    TRANSPORT_DEFINITIONS,
    TransportDefinition,
)

CarrierChoice = Literal["n", "p", "best"]
OPTIMAL: Literal["optimal"] = "optimal"
# Carriers per cm^3 among which the best doping is sought unless a campaign states its own range.
DOPING_RANGE = (1e18, 1e21)
# Conditions under which bands of a usual mesh give numbers, and rigid bands still mean something.
DOPINGS = (1e14, 1e22)  # carriers per cm^3
TEMPERATURES = (50.0, 2000.0)  # K
GAPS = (0.0, 20.0)  # eV

_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_CUSTOM = re.compile(
    rf"(?P<carrier>n|p|best)-(?P<temperature>{_NUMBER})K-"
    rf"(?:(?P<doping>{_NUMBER})|optimal(?:-(?P<low>{_NUMBER})-(?P<high>{_NUMBER}))?)"
)
_GAP = re.compile(rf"(?P<base>.+)-gap(?P<gap>{_NUMBER})")


@dataclass(frozen=True)
class Conditions:
    """Where a power factor is read; None: as `ricci2017` has it.

    Parameters
    ----------
    carrier
        Kind of carriers; `best`: whichever give more.
    temperature
        K.
    doping
        Carriers per cm^3, or `optimal`.
    doping_range
        Carriers per cm^3, of an optimal doping alone.
    """

    carrier: CarrierChoice | None = None
    temperature: float | None = None
    doping: float | Literal["optimal"] | None = None
    doping_range: tuple[float, float] | None = None

    @property
    def are_given(self) -> bool:
        """Whether anything is stated."""
        return self != Conditions()


def custom_definition(conditions: Conditions) -> TransportDefinition:
    """The definition of these conditions, under its canonical name.

    Conditions that a published definition has too, with its average, are that definition.

    Raises
    ------
    CampaignError
        For a temperature, doping or range outside those that are computed.
    """
    default = TRANSPORT_DEFINITIONS[DEFAULT_TRANSPORT]
    carrier = conditions.carrier or default.carrier
    temperature = float(conditions.temperature or default.temperature)
    doping = conditions.doping or default.doping
    _must_lie("temperature", temperature, TEMPERATURES, "K")
    span = _range_of(conditions, doping)
    name = f"{carrier}-{_text(temperature)}K-{_doping_text(doping, span)}"
    found = TransportDefinition(
        name, carrier, temperature, doping, MEAN_OF_PRODUCT, "", doping_range=span
    )
    return _published_alike(found) or found


def definition_of(name: str) -> TransportDefinition:
    """The definition of a name, published or canonical.

    Raises
    ------
    CampaignError
        If the name is neither; the message shows the form of a canonical one.
    """
    with_gap = _GAP.fullmatch(name)
    if with_gap:
        base = definition_of(with_gap["base"])
        return with_gap_of(base, float(with_gap["gap"]))
    if name in TRANSPORT_DEFINITIONS:
        return TRANSPORT_DEFINITIONS[name]
    parts = _CUSTOM.fullmatch(name)
    if parts is None:
        choices = not_one_of("transport definition", name, TRANSPORT_DEFINITIONS)
        raise CampaignError(
            f"{choices} Others are named by carriers, temperature and doping: n-600K-1e19, "
            "best-600K-optimal"
        )
    span = (float(parts["low"]), float(parts["high"])) if parts["low"] else None
    doping = float(parts["doping"]) if parts["doping"] else OPTIMAL
    carrier: CarrierChoice = parts["carrier"]  # type: ignore[assignment] # the pattern has no other
    return custom_definition(Conditions(carrier, float(parts["temperature"]), doping, span))


def with_gap_of(definition: TransportDefinition, gap: float | None) -> TransportDefinition:
    """The same definition for bands whose gap is opened to `gap`, eV; None: as computed."""
    if gap is not None:
        _must_lie("gap", gap, GAPS, "eV")
    base = re.sub(_GAP, r"\g<base>", definition.name)
    name = base if gap is None else f"{base}-gap{_text(gap)}"
    return replace(definition, name=name, gap=gap)


def conditions_of(definition: TransportDefinition) -> Conditions:
    """The conditions that a custom definition states; none for a published one."""
    base = with_gap_of(definition, None)
    if base.name in TRANSPORT_DEFINITIONS:
        return Conditions()
    return Conditions(base.carrier, base.temperature, base.doping, base.doping_range)


def _published_alike(custom: TransportDefinition) -> TransportDefinition | None:
    """The published definition with the same content, if there is one."""
    for known in TRANSPORT_DEFINITIONS.values():
        if replace(known, name=custom.name, citation=custom.citation) == custom:
            return known
    return None


def _range_of(
    conditions: Conditions, doping: float | Literal["optimal"]
) -> tuple[float, float] | None:
    """The range of an optimal doping; None for a fixed one."""
    if doping != OPTIMAL:
        _must_lie("doping", float(doping), DOPINGS, "carriers per cm^3")
        if conditions.doping_range:
            raise CampaignError("doping_range goes with `doping: optimal` alone: leave it out")
        return None
    low, high = conditions.doping_range or DOPING_RANGE
    for end in (low, high):
        _must_lie("doping_range", end, DOPINGS, "carriers per cm^3")
    if not low < high:
        raise CampaignError(f"doping_range [{low:g}, {high:g}] must ascend")
    return float(low), float(high)


def _must_lie(what: str, value: float, limits: tuple[float, float], unit: str) -> None:
    low, high = limits
    if not low <= value <= high:
        raise CampaignError(
            f"{what} {_text(value)} is outside {_text(low)} to {_text(high)} {unit}, between which "
            "transport is computed"
        )


def _doping_text(doping: float | Literal["optimal"], span: tuple[float, float] | None) -> str:
    if span is None:
        return _text(float(doping))
    if span == DOPING_RANGE:
        return OPTIMAL
    low, high = map(_text, span)
    return f"{OPTIMAL}-{low}-{high}"


def _text(value: float) -> str:
    """A number as names have it: 600, 1e19, 2.5e19, 0.6."""
    if not math.isfinite(value):
        return str(value)
    if value >= 1e6:
        mantissa, exponent = f"{value:.11e}".split("e+")
        digits = mantissa.rstrip("0").rstrip(".")
        return f"{digits}e{int(exponent)}"
    return f"{value:.12g}"
