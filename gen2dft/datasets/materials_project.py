"""Crystals and labels of the Materials Project (CC BY 4.0), through mp-api, cached by query and
database version.

Energies are pinned to the thermo type GGA_GGA+U with MP2020 corrections: the summary end point
mixes in r2SCAN, and the two must not meet on one hull. GNoME's crystals are left out, their licence
(CC BY-NC) being another.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gen2dft.atomic import write_atomically
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.mp_documents import (
    LeftOut,
    as_mapping,
    by_material,
    composition_of,
    finite,
    material_key,
    say_left_out,
)
from gen2dft.datasets.remarks import DatasetWarning, left_out_texts, warning_texts
from gen2dft.datasets.structure_text import PartialOccupancy, UnreadableStructure, parse_structure
from gen2dft.errors import DatasetError, SettingsError
from gen2dft.hashing import content_hash

if TYPE_CHECKING:
    from pymatgen.core import Structure

THERMO_TYPE = "GGA_GGA+U"
NO_ENERGY, NO_COMPOSITION = "energy_that_is_no_number", "no_composition"
NO_STRUCTURE = "no_structure_that_can_be_read"
PARTIAL = "partially_occupied"
Phase = tuple[dict[str, float], float]
"""Composition and formation energy, eV/atom."""
KEY_HELP = (
    "get a key (free) at https://next-gen.materialsproject.org/api, then `export MP_API_KEY=...` "
    "or `pmg config --add PMG_MAPI_KEY ...`"
)


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


class Endpoint(Protocol):
    """One end point of the client."""

    def search(self, **query: Any) -> Iterable[Any]:
        """Documents that match."""


class Materials(Protocol):
    """The end points used here."""

    thermo: Endpoint
    summary: Endpoint


class Client(Protocol):
    """The part of `mp_api.client.MPRester` that is used."""

    db_version: str | None
    materials: Materials


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
    with _asking(client) as database:
        return _read(query, cache_dir, database)


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
    with _asking(client) as database:
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
    with _asking(client) as database:
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
    rows = by_material(documents, _energy, left_out)
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
        composition, energy = composition_of(row), _energy(row)
        if composition is None:
            left_out.add(NO_COMPOSITION, name)
        elif energy is None:
            left_out.add(NO_ENERGY, name)
        else:
            phases.append((composition, energy))
    return phases


def _energy(row: Mapping[str, Any]) -> float | None:
    """Formation energy of a document, eV/atom; None where it has none."""
    return finite(row.get("formation_energy_per_atom"))


def read_structures(material_ids: Sequence[str], client: Client | None = None) -> dict[str, Any]:
    """Structures of given ids; those that the Materials Project does not have are left out."""
    with _asking(client) as database:
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
    with _asking(client) as database:
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


def has_key() -> bool:
    """Whether an API key is set."""
    from pymatgen.core import SETTINGS

    return bool(os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY"))


def api_key() -> str:
    """The key in MP_API_KEY or in pymatgen's settings (PMG_MAPI_KEY).

    SettingsError if there is none.
    """
    from pymatgen.core import SETTINGS

    key = os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY") or ""
    if not key:
        raise SettingsError(
            f"the dataset materials-project needs an API key, and MP_API_KEY is not set: {KEY_HELP}"
        )
    return str(key)


def _connect(key: str) -> Client:
    from mp_api.client import MPRester

    client: Client = MPRester(key, use_document_model=False, mute_progress_bars=True)
    return client


@contextmanager
def _asking(client: Client | None) -> Iterator[Client]:
    """The client that is given, or one of this user's key; what goes wrong is explained."""
    if client is not None:
        with _explained(None):
            yield client
        return
    key = api_key()
    with _explained(key):
        yield _connect(key)


@contextmanager
def _explained(key: str | None) -> Iterator[None]:
    """Turn errors of a request into a DatasetError, without the key that some messages repeat."""
    from mp_api.client.core import MPRestError
    from requests import RequestException

    try:
        yield
    except (MPRestError, RequestException, ConnectionError, TimeoutError) as error:
        text = str(error)
        if key:
            text = text.replace(key, "<key>")
        # `from None`: the original message may hold the key.
        raise DatasetError(
            f"the Materials Project could not be queried: {text[:300]}. Check network and key: "
            f"{KEY_HELP}"
        ) from None


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
    with_energy: dict[str, Mapping[str, Any]] = {}
    for key in sorted(found, key=id_order):
        if key in left_out.contradicted:
            continue
        if key not in energies:
            left_out.add(no_energy, str(found[key]["material_id"]))
        elif _energy(energies[key]) is None:
            left_out.add(NO_ENERGY, str(found[key]["material_id"]))
        else:
            with_energy[key] = found[key]
    structures = _structures_of(with_energy, left_out)
    if not structures:
        raise DatasetError(
            f"the Materials Project (version {version}) has no crystal for {asdict(query)}"
            f"{_instead(left_out)}"
        )
    keys = list(structures)
    labels = {
        "formation_energy": _column("formation_energy_per_atom", [energies[key] for key in keys]),
        "e_above_hull": _column("energy_above_hull", [energies[key] for key in keys]),
        "band_gap": _column("band_gap", [found[key] for key in keys]),
    }
    provenance = {
        "source": "materials-project",
        "database_version": version,
        "query": asdict(query),
        "licence": "Materials Project, CC BY 4.0",
        "n_read": len(found),
        "skipped_reasons": {no_energy: 0, PARTIAL: 0, **left_out.counts()},
        "left_out": left_out.summary(),
    }
    ids = tuple(str(found[key]["material_id"]) for key in keys)
    crystals = CrystalTable.from_structures(structures.values())
    return Dataset(crystals, ids, labels, provenance)


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
    """Key to the ordered crystal of a document."""
    structures: dict[str, Structure] = {}
    for key, row in rows.items():
        try:
            structures[key] = parse_structure(_plain(row.get("structure")))
        except PartialOccupancy:
            left_out.add(PARTIAL, str(row["material_id"]))
        except UnreadableStructure:
            left_out.add(NO_STRUCTURE, str(row["material_id"]))
    return structures


def _plain(content: Any) -> Any:
    """A structure as plain values, which one reader reads, checks and judges."""
    return content.as_dict() if hasattr(content, "as_dict") else content


def id_order(name: str) -> tuple[int, str]:
    """Key that sorts mp-2 before mp-10."""
    digits = name.rpartition("-")[2]
    number = int(digits) if digits.isdigit() else 10**12
    return number, name
