"""Registries: everything that a name in a campaign file may stand for.

What ships with gen2dft is named as an entry point names it, `module:attribute`, and imported when
it is first asked for. So a room at the bottom can look up settings that a room above it brings, and
a built-in entry is loaded exactly as one that another package adds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from gen2dft import __version__

SHIPPED: dict[str, dict[str, str]] = {
    "gen2dft.acquisitions": {
        "greedy": "gen2dft.loop.acquisition:greedy",
        "probability": "gen2dft.loop.acquisition:probability",
        "ucb": "gen2dft.loop.acquisition:ucb",
        "thompson": "gen2dft.loop.acquisition:thompson",
        "diverse": "gen2dft.loop.acquisition:diverse",
        "random": "gen2dft.loop.acquisition:at_random",
        # An earlier name, which stored campaigns carry.
        "predicted-value": "gen2dft.loop.acquisition:greedy",
    },
    "gen2dft.corrections": {
        "none": "gen2dft.thermo.corrections:NOTHING",
        "mp2020-v1": "gen2dft.thermo.corrections:MP2020",
        "noh2019-v1": "gen2dft.thermo.noh2019:CORRECTION",
    },
    "gen2dft.engines": {
        "external": "gen2dft.engines.external:ENGINE",
        "external-dft": "gen2dft.engines.external:BY_DFT",
        "gpaw": "gen2dft.engines.gpaw.engine:ENGINE",
        "mlip": "gen2dft.engines.mlip.engine:ENGINE",
        "vasp": "gen2dft.engines.vasp.engine:ENGINE",
    },
    "gen2dft.gates": {
        "geometry": "gen2dft.screening.geometry:GeometryGate",
        "elements": "gen2dft.screening.elements:ElementGate",
        "charge": "gen2dft.screening.charge:ChargeGate",
        "electrons": "gen2dft.screening.electrons:ElectronGate",
        "formula": "gen2dft.screening.formula:FormulaGate",
        "duplicates": "gen2dft.screening.duplicates:DuplicateGate",
    },
    "gen2dft.generators": {
        "ftcp": "gen2dft.generators.ftcp.generator:FTCPGenerator",
        "imatgen": "gen2dft.generators.imatgen.generator:ImatgenGenerator",
        "prototypes": "gen2dft.generators.prototypes:PrototypesGenerator",
        "structures": "gen2dft.generators.structures:StructuresGenerator",
        "substitution": "gen2dft.generators.substitution.generator:SubstitutionGenerator",
    },
    "gen2dft.properties": {
        "power_factor": "gen2dft.flows.power_factors:STEP",
    },
}


@functools.cache
def registry(group: str) -> dict[str, Callable[[], Any]]:
    """Loaders by name: what ships, and what other packages add by entry points of the group.

    Every caller gets the same dictionary. A name that ships cannot be taken over.
    """
    found = {point.name: point.load for point in entry_points(group=group)}
    # Those that ship come last, so that no package can take their names over.
    for name, value in SHIPPED[group].items():
        found[name] = EntryPoint(name, value, group).load
    return found


def origin(group: str, name: str) -> tuple[str, str]:
    """Package and version that a registered name comes from."""
    # A loader is the bound method of its entry point; those that ship belong to no distribution.
    point = getattr(registry(group)[name], "__self__", None)
    package = getattr(point, "dist", None)
    if package is None:
        return "gen2dft", __version__
    return package.name, package.version


def added() -> list[EntryPoint]:
    """Entry points of other packages, by group and name; nothing is loaded."""
    points: list[EntryPoint] = []
    for group in SHIPPED:
        points += sorted(entry_points(group=group), key=attrgetter("name"))
    return points


def package_of(group: str, name: str) -> str | None:
    """Name and version of the package that adds a name, e.g. `gen2dft-emt 0.1.0`.

    None: it ships with gen2dft, or no package installed here adds it.
    """
    if name in SHIPPED[group]:
        return None
    for point in entry_points(group=group, name=name):
        if point.dist is not None:
            return f"{point.dist.name} {point.dist.version}"
    return None
