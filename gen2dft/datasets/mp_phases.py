"""Phases of the Materials Project for a hull: composition and formation energy, no crystals."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen2dft.atomic import write_atomically
from gen2dft.datasets.mp_client import Client, asking
from gen2dft.datasets.mp_documents import (
    NO_COMPOSITION,
    NO_ENERGY,
    LeftOut,
    as_mapping,
    by_material,
    composition_of,
    formation_energy_of,
    say_left_out,
)
from gen2dft.datasets.remarks import left_out_texts
from gen2dft.errors import DatasetError
from gen2dft.hashing import content_hash

Phase = tuple[dict[str, float], float]
"""Composition and formation energy, eV/atom."""


def read_stable_phases(
    thermo_type: str, max_elements: int, cache_dir: Path | None = None, client: Client | None = None
) -> list[tuple[dict[str, float], float]]:
    """Composition and formation energy (eV/atom) of every phase that the Materials Project calls
    stable.

    Parameters
    ----------
    thermo_type
        Family of calculations, e.g. `GGA_GGA+U`; families never mix.
    max_elements
        Largest number of elements of a phase.

    Raises
    ------
    SettingsError, DatasetError
        As `read_materials_project`.
    """
    with asking(client) as database:
        return _stable_phases(thermo_type, max_elements, cache_dir, database)


@dataclass(frozen=True)
class AllPhases:
    """Every phase of some thermo types.

    Parameters
    ----------
    version
        Of the database.
    phases
        Thermo type to compositions with formation energies, eV/atom.
    """

    version: str
    phases: dict[str, list[tuple[dict[str, float], float]]]


def read_all_phases(thermo_types: Sequence[str], client: Client | None = None) -> AllPhases:
    """Every phase of the Materials Project, with its energy of each thermo type.

    GNoME's and deprecated materials are left out.

    Raises
    ------
    SettingsError, DatasetError
        As `read_materials_project`.
    """
    with asking(client) as database:
        return _all_phases(thermo_types, database)


def _all_phases(thermo_types: Sequence[str], client: Client) -> AllPhases:
    listed = client.materials.summary.search(
        deprecated=False, include_gnome=False, all_fields=False, fields=["material_id"]
    )
    left_out = LeftOut()
    own = by_material(listed, _nothing, left_out).keys()
    phases = {kind: _phases_of(kind, own, client, left_out) for kind in thermo_types}
    say_left_out(left_out.summary(), "all phases")
    return AllPhases(client.db_version or "unknown", phases)


def _nothing(_: Mapping[str, Any]) -> None:
    """What must agree in two documents that are read for their id alone."""


def _phases_of(
    thermo_type: str, materials: Collection[str], client: Client, left_out: LeftOut
) -> list[Phase]:
    """Phases of one thermo type among materials; DatasetError if there is none."""
    documents = client.materials.thermo.search(
        thermo_types=[thermo_type],
        all_fields=False,
        fields=["material_id", "composition", "formation_energy_per_atom"],
    )
    rows = by_material(documents, formation_energy_of, left_out)
    known = [row for key, row in rows.items() if key in materials]
    if not known:
        raise DatasetError(f"the Materials Project has no phase of thermo type {thermo_type!r}")
    return _phases(known, left_out)


def _stable_phases(
    thermo_type: str, max_elements: int, cache_dir: Path | None, client: Client
) -> list[Phase]:
    query = json.dumps([thermo_type, max_elements, client.db_version or "unknown"])
    name = f"mp-stable-{content_hash(query, digits=16)}.json"
    cached = cache_dir / "hulls" / name if cache_dir else None
    phases, left_out = _cached_phases(cached) or _asked_phases(thermo_type, max_elements, client)
    if not phases:
        lost = "; ".join(left_out_texts(left_out))
        raise DatasetError(
            f"the Materials Project has no stable phase of thermo type {thermo_type!r}: "
            f"hull.thermo_type{f' ({lost})' if lost else ''}"
        )
    if cached:
        content = json.dumps({"phases": phases, "left_out": left_out})
        write_atomically(cached, content.encode())
    say_left_out(left_out, "stable phases")
    return phases


def _cached_phases(cached: Path | None) -> tuple[list[Phase], dict[str, Any]] | None:
    """Phases and what was left out, as they were kept; None if they were not, or are damaged."""
    if cached is None or not cached.is_file():
        return None
    try:
        stored = json.loads(cached.read_text())
        if isinstance(stored, list):  # of version 0.4 and before
            stored = {"phases": stored, "left_out": {}}
        phases = [(dict(composition), float(energy)) for composition, energy in stored["phases"]]
        return phases, dict(stored["left_out"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _asked_phases(
    thermo_type: str, max_elements: int, client: Client
) -> tuple[list[Phase], dict[str, Any]]:
    documents = client.materials.thermo.search(
        num_elements=(1, max_elements),
        thermo_types=[thermo_type],
        is_stable=True,
        all_fields=False,
        fields=["material_id", "composition", "formation_energy_per_atom"],
    )
    left_out = LeftOut()
    phases = _phases(map(as_mapping, documents), left_out)
    return phases, left_out.summary()


def _phases(rows: Iterable[Mapping[str, Any]], left_out: LeftOut) -> list[Phase]:
    """Phases of documents that have composition and energy."""
    phases: list[Phase] = []
    for number, row in enumerate(rows, start=1):
        name = str(row.get("material_id") or f"document {number}")
        composition, energy = composition_of(row), formation_energy_of(row)
        if composition is None:
            left_out.add(NO_COMPOSITION, name)
        elif energy is None:
            left_out.add(NO_ENERGY, name)
        else:
            phases.append((composition, energy))
    return phases
