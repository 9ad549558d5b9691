"""Crystals and labels of the Materials Project (CC BY 4.0), through mp-api, cached by query and
database version.

Energies are pinned to the thermo type GGA_GGA+U with MP2020 corrections: the summary end point
mixes in r2SCAN, and the two must not meet on one hull. GNoME's crystals are left out, their licence
(CC BY-NC) being another.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystal_check import PARTLY_OCCUPIED
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.mp_client import Client, asking, has_key
from gen2dft.datasets.mp_documents import (
    NO_ENERGY,
    LeftOut,
    by_material,
    finite,
    formation_energy_of,
    material_key,
    say_left_out,
)
from gen2dft.datasets.mp_phases import read_stable_phases
from gen2dft.datasets.refused import UNREADABLE
from gen2dft.datasets.remarks import DatasetWarning, warning_texts
from gen2dft.datasets.structure_text import read_all
from gen2dft.errors import DatasetError
from gen2dft.hashing import content_hash

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = [
    "THERMO_TYPE",
    "Client",
    "Query",
    "has_key",
    "id_order",
    "read_lowest_structures",
    "read_materials_project",
    "read_stable_phases",
    "read_structures",
]

THERMO_TYPE = "GGA_GGA+U"
NO_STRUCTURE = "no_structure_that_can_be_read"


@dataclass(frozen=True)
class Query:
    """Which crystals of the Materials Project are read.

    Parameters
    ----------
    num_elements
        Smallest and largest number of elements.
    max_sites
        Largest number of sites in the cell.
    max_e_above_hull
        eV/atom; None takes all.
    thermo_type
        Family of calculations that the energies come from.
    """

    num_elements: tuple[int, int] = (2, 3)
    max_sites: int = 20
    max_e_above_hull: float | None = None
    thermo_type: str = THERMO_TYPE

    def content_hash(self, database_version: str) -> str:
        """Hash of query and database version, the name of the cached result.

        16 hexadecimal digits.
        """
        content = json.dumps([asdict(self), database_version], sort_keys=True)
        return content_hash(content, digits=16)


def read_materials_project(
    query: Query, cache_dir: Path | None = None, client: Client | None = None
) -> Dataset:
    """Crystals with formation energy and e_above_hull (eV/atom) and PBE band gap (eV).

    Parameters
    ----------
    query
        Which crystals.
    cache_dir
        Folder for the result, found again by the hash of query and database version.
    client
        A connected MPRester; by default one with the user's key, which is kept nowhere else.

    Raises
    ------
    SettingsError
        Without an API key; the message says how to get one.
    DatasetError
        If the server cannot be reached or refuses, or nothing matches.
    """
    with asking(client) as database:
        return _read(query, cache_dir, database)


def read_structures(material_ids: Sequence[str], client: Client | None = None) -> dict[str, Any]:
    """Structures of given ids; those that the Materials Project does not have are left out."""
    with asking(client) as database:
        return _structures(material_ids, database)


def _structures(material_ids: Sequence[str], client: Client) -> dict[str, Any]:
    documents = client.materials.summary.search(
        material_ids=list(material_ids), all_fields=False, fields=["material_id", "structure"]
    )
    left_out = LeftOut()
    found = by_material(documents, lambda row: row.get("structure"), left_out)
    structures = _structures_of(found, left_out)
    say_left_out(left_out.summary(), "structures")
    # Under the ids that were asked for, whichever style the documents have.
    keys = {name: material_key(name) for name in material_ids}
    return {name: structures[key] for name, key in keys.items() if key in structures}


def read_lowest_structures(
    formulas: Sequence[str], client: Client | None = None
) -> dict[str, tuple[str, Any]]:
    """Reduced formula to id and structure of the lowest crystal; formulas without one are left out.

    Raises
    ------
    SettingsError, DatasetError
        As `read_materials_project`.
    """
    with asking(client) as database:
        return _lowest_structures(formulas, database)


def _lowest_structures(formulas: Sequence[str], client: Client) -> dict[str, tuple[str, Any]]:
    documents = client.materials.summary.search(
        formula=list(formulas),
        deprecated=False,
        include_gnome=False,
        all_fields=False,
        fields=["material_id", "structure", "energy_above_hull"],
    )
    left_out = LeftOut()
    found = by_material(documents, lambda row: row.get("energy_above_hull"), left_out)
    lowest: dict[str, tuple[float, str, Any]] = {}
    for key, structure in _structures_of(found, left_out).items():
        name, above = str(found[key]["material_id"]), finite(found[key].get("energy_above_hull"))
        formula = structure.composition.reduced_formula
        entry = (float("inf") if above is None else above, name, structure)
        if formula not in lowest or entry[:2] < lowest[formula][:2]:
            lowest[formula] = entry
    say_left_out(left_out.summary(), "structures by formula")
    return {formula: (name, structure) for formula, (_, name, structure) in lowest.items()}


def _read(query: Query, cache_dir: Path | None, client: Client) -> Dataset:
    version = client.db_version or "unknown"
    cached = cache_dir / "datasets" / f"mp-{query.content_hash(version)}.npz" if cache_dir else None
    dataset = _from_cache(cached)
    if dataset is None:
        dataset = _download(query, version, client)
        if cached:
            dataset.save(cached)
    for text in warning_texts(dataset.provenance):
        warnings.warn(f"Materials Project: {text}", DatasetWarning, stacklevel=2)
    return dataset


def _from_cache(cached: Path | None) -> Dataset | None:
    """An earlier download; None if there is none, or it is damaged."""
    try:
        return Dataset.load(cached) if cached is not None and cached.is_file() else None
    except DatasetError:
        return None


def _download(query: Query, version: str, client: Client) -> Dataset:
    left_out = LeftOut()
    energies, found = _energies(query, client, left_out), _crystals(query, client, left_out)
    _refuse_other_ids(energies, found)
    no_energy = f"no_{query.thermo_type}_energy"
    structures = _structures_of(_with_energy(found, energies, no_energy, left_out), left_out)
    if not structures:
        raise DatasetError(
            f"the Materials Project (version {version}) has no crystal for {asdict(query)}"
            f"{_instead(left_out)}"
        )
    with_energy, chosen = ([rows[key] for key in structures] for rows in (energies, found))
    labels = {
        "formation_energy": _column("formation_energy_per_atom", with_energy),
        "e_above_hull": _column("energy_above_hull", with_energy),
        "band_gap": _column("band_gap", chosen),
    }
    provenance = {
        "source": "materials-project",
        "database_version": version,
        "query": asdict(query),
        "licence": "Materials Project, CC BY 4.0",
        "n_read": len(found),
        "skipped_reasons": {no_energy: 0, PARTLY_OCCUPIED: 0, **left_out.counts()},
        "left_out": left_out.summary(),
    }
    ids = tuple(str(row["material_id"]) for row in chosen)
    crystals = CrystalTable.from_structures(structures.values())
    return Dataset(crystals, ids, labels, provenance)


def _with_energy(
    found: Mapping[str, Mapping[str, Any]],
    energies: Mapping[str, Mapping[str, Any]],
    no_energy: str,
    left_out: LeftOut,
) -> dict[str, Mapping[str, Any]]:
    """The crystals that have a formation energy, in the order of their ids."""
    kept = {}
    for key in sorted(found, key=id_order):
        name = str(found[key]["material_id"])
        if key in left_out.contradicted:
            continue
        if key not in energies:
            left_out.add(no_energy, name)
        elif formation_energy_of(energies[key]) is None:
            left_out.add(NO_ENERGY, name)
        else:
            kept[key] = found[key]
    return kept


def _instead(left_out: LeftOut) -> str:
    """What became of the documents that there are; empty if there are none."""
    counts = [
        f"{number} {reason.replace('_', ' ')}" for reason, number in left_out.counts().items()
    ]
    return f"; left out: {', '.join(counts)}" if counts else ""


def _refuse_other_ids(energies: Mapping[str, Any], crystals: Mapping[str, Any]) -> None:
    """DatasetError where no id of one end point is among those of the other."""
    if not energies or not crystals or energies.keys() & crystals.keys():
        return
    thermo, summary = (next(iter(rows.values()))["material_id"] for rows in (energies, crystals))
    raise DatasetError(
        f"the Materials Project's ids do not fit each other: energies are those of {thermo}, ..., "
        f"crystals are {summary}, ...; update mp-api and gen2dft, or report it"
    )


def _crystals(query: Query, client: Client, left_out: LeftOut) -> dict[str, Mapping[str, Any]]:
    """Summary documents by material."""
    documents = client.materials.summary.search(
        num_elements=query.num_elements,
        num_sites=(1, query.max_sites),
        deprecated=False,
        include_gnome=False,
        all_fields=False,
        fields=["material_id", "structure", "band_gap"],
    )
    return by_material(documents, _crystal_content, left_out)


def _crystal_content(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row.get("structure"), row.get("band_gap")


def _energy_content(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row.get("formation_energy_per_atom"), row.get("energy_above_hull")


def _energies(query: Query, client: Client, left_out: LeftOut) -> dict[str, Mapping[str, Any]]:
    """Thermo documents of the pinned type by material."""
    limit: dict[str, Any] = {}
    if query.max_e_above_hull is not None:
        limit["energy_above_hull"] = (0.0, query.max_e_above_hull)
    documents = client.materials.thermo.search(
        num_elements=query.num_elements,
        thermo_types=[query.thermo_type],
        all_fields=False,
        fields=["material_id", "formation_energy_per_atom", "energy_above_hull"],
        **limit,
    )
    return by_material(documents, _energy_content, left_out)


def _column(key: str, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """(n,) values of one key; NaN where there is none."""
    values = [finite(row.get(key)) for row in rows]
    return np.array(values, dtype=np.float64)


def _structures_of(
    rows: Mapping[str, Mapping[str, Any]], left_out: LeftOut
) -> dict[str, Structure]:
    """Key to the crystal of a document that can be used."""
    contents = {key: _plain(row.get("structure")) for key, row in rows.items()}
    structures, refused = read_all(contents)
    for key, problem in refused.items():
        reason, _, _ = problem.partition(":")
        why = NO_STRUCTURE if reason == UNREADABLE else reason
        left_out.add(why, str(rows[key]["material_id"]))
    return structures


def _plain(content: Any) -> Any:
    """A structure as plain values, which one reader reads, checks and judges."""
    return content.as_dict() if hasattr(content, "as_dict") else content


def id_order(name: str) -> tuple[int, str]:
    """Key that sorts mp-2 before mp-10."""
    digits = name.rpartition("-")[2]
    number = int(digits) if digits.isdigit() else 10**12
    return number, name
