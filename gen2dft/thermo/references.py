"""Elemental reference energies of CHGNet, and formation energies measured against them.

The references are fitted to formation energies of the Materials Project
(`gen2dft.shipped.fit_references`): lowest energies of the elements searched with the potential
itself fall for spurious phases and would ruin every hull.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from gen2dft.errors import DatasetError, not_one_of

REFERENCES: dict[str, str] = {"chgnet": "chgnet_references.json", "mlip": "chgnet_references.json"}


@functools.cache
def reference_document(engine: str = "mlip") -> Mapping[str, Any]:
    """The shipped references of an engine with their provenance."""
    if engine not in REFERENCES:
        raise DatasetError(not_one_of("engine with elemental references", engine, REFERENCES))
    file = resources.files("gen2dft.thermo") / REFERENCES[engine]
    if not file.is_file():
        return {"references": {}}
    return dict(json.loads(file.read_text()))


def elemental_references(engine: str = "mlip") -> Mapping[str, float]:
    """Symbol to reference energy of the element, eV/atom."""
    return dict(reference_document(engine)["references"])


def has_references(composition: Mapping[Any, float], engine: str = "mlip") -> bool:
    """Whether every element of the composition has a reference energy."""
    references = reference_document(engine)["references"]
    return all(str(element) in references for element in composition)


def formation_energy(
    composition: Mapping[Any, float], energy_per_atom: float, engine: str = "mlip"
) -> float:
    """Formation energy, eV/atom: E/N minus the elements' references, weighted by their fractions.

    Raises
    ------
    DatasetError
        If an element has no reference energy.
    """
    references = reference_document(engine)["references"]
    return energy_against(references, composition, energy_per_atom, f"engine {engine!r}")


def energy_against(
    references: Mapping[str, float],
    composition: Mapping[Any, float],
    energy_per_atom: float,
    whose: str,
) -> float:
    """Formation energy, eV/atom, against given elemental references.

    Parameters
    ----------
    references
        Symbol to eV/atom.
    whose
        Where the references are from, for messages.

    Raises
    ------
    DatasetError
        If an element has no reference energy.
    """
    symbols = [str(element) for element in composition]
    missing = [symbol for symbol in symbols if symbol not in references]
    if missing:
        unknown = ", ".join(sorted(missing))
        raise DatasetError(f"no elemental reference energy of {whose} for {unknown}")
    atoms = sum(composition.values())
    # E_f = E/N - sum_i x_i mu_i
    pairs = zip(symbols, composition.values(), strict=True)
    parts = [count / atoms * references[symbol] for symbol, count in pairs]
    return float(energy_per_atom - sum(parts))
