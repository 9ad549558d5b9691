"""Which energies may meet on one hull.

A scale is a name for energies that are comparable: formation energies as the Materials Project
gives them, or those of one engine in one run type (functional, with or without U). Two scales with
different names never share a hull.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gen2dft.errors import MixedEnergies, ThermoError

NO_RUN_TYPE = "none"
MATERIALS_PROJECT = "materials-project"
"""Formation energies on the Materials Project's scale: GGA and GGA+U mixed and corrected
(MP2020).
"""

MIXED = "materials-project:GGA_GGA+U_R2SCAN"
"""Formation energies of the scheme that mixes r2SCAN into those above. They serve as competing
phases of the hull that ships, where a phase has no other energy; labels are never on this scale.
"""


def one_run_type(run_types: Iterable[str | None], what: str) -> str | None:
    """The run type that all energies share; ThermoError if there are several.

    Parameters
    ----------
    run_types
        `GGA`, `GGA+U`, ...; None for a surrogate.
    what
        Names the energies in the message.
    """
    names = {run_type or NO_RUN_TYPE for run_type in run_types}
    if len(names) > 1:
        found = " and ".join(sorted(names))
        raise MixedEnergies(
            f"{what} mix run types {found}: such energies never share a hull uncorrected. Compute "
            "all of them alike, or choose a correction that reconciles them "
            "(validation.correction: mp2020-v1 or noh2019-v1)"
        )
    named = names - {NO_RUN_TYPE}
    return named.pop() if named else None


def one_engine(engines: Iterable[str], what: str) -> str:
    """The engine that all energies are from; ThermoError if there are several or none."""
    found = sorted(set(engines))
    if not found:
        raise ThermoError(f"{what}: there is no energy at all")
    if len(found) > 1:
        raise MixedEnergies(
            f"{what} mix engines {' and '.join(found)}: such energies never share a hull"
        )
    return found[0]


def engine_scale(engine: str, run_type: str | None) -> str:
    """Scale of an engine's uncorrected energies: `gpaw:PBE`, `vasp:GGA+U`, or the engine's name
    alone.
    """
    return engine if run_type is None else f"{engine}:{run_type}"


def must_share(hull_scale: str | None, scales: Collection[str], what: str, remedy: str) -> None:
    """Refuse energies on another scale than the hull's.

    A hull whose source names no scale takes what it is given.

    Raises
    ------
    ThermoError
        Names both scales and the remedy.
    """
    others = sorted(set(scales) - {hull_scale})
    if hull_scale is not None and others:
        other = ", ".join(others)
        raise MixedEnergies(
            f"{what} are on scale {other!r} and the hull on {hull_scale!r}: they never share a "
            f"hull. {remedy}"
        )
