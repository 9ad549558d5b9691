"""Crystals and labels of the Materials Project (CC BY 4.0), through mp-api, cached by query and
database version.

Energies are pinned to the thermo type GGA_GGA+U with MP2020 corrections: the summary end point
mixes in r2SCAN, and the two must not meet on one hull. GNoME's crystals are left out, their licence
(CC BY-NC) being another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystal_documents import structure_of
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SettingsError
from gen2dft.hashing import content_hash

THERMO_TYPE = "GGA_GGA+U"
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
    own = _by_id(listed).keys()
    phases = {kind: _phases_of(kind, own, client) for kind in thermo_types}
    return AllPhases(client.db_version or "unknown", phases)


def _phases_of(
    thermo_type: str, material_ids: Collection[str], client: Client
) -> list[tuple[dict[str, float], float]]:
    """Phases of one thermo type among materials; DatasetError if there is none."""
    documents = client.materials.thermo.search(
        thermo_types=[thermo_type],
        all_fields=False,
        fields=["material_id", "composition", "formation_energy_per_atom"],
    )
    rows = [row for row in _fields(documents) if str(row["material_id"]) in material_ids]
    if not rows:
        raise DatasetError(f"the Materials Project has no phase of thermo type {thermo_type!r}")
    return [_phase(row) for row in rows if row["formation_energy_per_atom"] is not None]


def _stable_phases(
    thermo_type: str, max_elements: int, cache_dir: Path | None, client: Client
) -> list[tuple[dict[str, float], float]]:
    query = json.dumps([thermo_type, max_elements, client.db_version or "unknown"])
    name = f"mp-stable-{content_hash(query, digits=16)}.json"
    cached = cache_dir / "hulls" / name if cache_dir else None
    if cached and cached.is_file():
        stored = json.loads(cached.read_text())
        return [(dict(composition), float(energy)) for composition, energy in stored]
    documents = client.materials.thermo.search(
        num_elements=(1, max_elements),
        thermo_types=[thermo_type],
        is_stable=True,
        all_fields=False,
        fields=["composition", "formation_energy_per_atom"],
    )
    phases = [_phase(row) for row in _fields(documents)]
    if not phases:
        raise DatasetError(
            f"the Materials Project has no stable phase of thermo type {thermo_type!r}: "
            "hull.thermo_type"
        )
    if cached:
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(json.dumps(phases))
    return phases


def _phase(row: Mapping[str, Any]) -> tuple[dict[str, float], float]:
    composition = {}
    for element, number in dict(row["composition"]).items():
        # An Element in a model, a symbol in a dictionary.
        symbol = getattr(element, "symbol", element)
        composition[str(symbol)] = float(number)
    return composition, float(row["formation_energy_per_atom"])


def read_structures(material_ids: Sequence[str], client: Client | None = None) -> dict[str, Any]:
    """Structures of given ids; those that the Materials Project does not have are left out."""
    with _asking(client) as database:
        return _structures(material_ids, database)


def _structures(material_ids: Sequence[str], client: Client) -> dict[str, Any]:
    documents = client.materials.summary.search(
        material_ids=list(material_ids), all_fields=False, fields=["material_id", "structure"]
    )
    found = _by_id(documents)
    return {name: _structure(row["structure"]) for name, row in found.items()}


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
    lowest: dict[str, tuple[float, str, Any]] = {}
    for name, row in _by_id(documents).items():
        structure, above = _structure(row["structure"]), row.get("energy_above_hull")
        formula = structure.composition.reduced_formula
        entry = (float("inf") if above is None else float(above), name, structure)
        if formula not in lowest or entry[:2] < lowest[formula][:2]:
            lowest[formula] = entry
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
    if cached and cached.is_file():
        return Dataset.load(cached)
    dataset = _download(query, version, client)
    if cached:
        dataset.save(cached)
    return dataset


def _download(query: Query, version: str, client: Client) -> Dataset:
    energies = _energies(query, client)
    found = _crystals(query, client)
    common = sorted(found.keys() & energies.keys(), key=id_order)
    structures = {name: _structure(found[name]["structure"]) for name in common}
    ids = [name for name, structure in structures.items() if structure.is_ordered]
    if not ids:
        raise DatasetError(
            f"the Materials Project (version {version}) has no crystal for {asdict(query)}"
        )
    crystals = CrystalTable.from_structures(structures[name] for name in ids)
    with_energy = [energies[name] for name in ids]
    labels = {
        "formation_energy": _column("formation_energy_per_atom", with_energy),
        "e_above_hull": _column("energy_above_hull", with_energy),
        "band_gap": _column("band_gap", [found[name] for name in ids]),
    }
    provenance = {
        "source": "materials-project",
        "database_version": version,
        "query": asdict(query),
        "licence": "Materials Project, CC BY 4.0",
        "n_read": len(found),
        "skipped_reasons": {
            f"no_{query.thermo_type}_energy": len(found) - len(structures),
            "partially_occupied": len(structures) - len(ids),
        },
    }
    return Dataset(crystals, tuple(ids), labels, provenance)


def _crystals(query: Query, client: Client) -> dict[str, Mapping[str, Any]]:
    """Summary documents by material id."""
    documents = client.materials.summary.search(
        num_elements=query.num_elements,
        num_sites=(1, query.max_sites),
        deprecated=False,
        include_gnome=False,
        all_fields=False,
        fields=["material_id", "structure", "band_gap"],
    )
    return _by_id(documents)


def _energies(query: Query, client: Client) -> dict[str, Mapping[str, Any]]:
    """Thermo documents of the pinned type by material id."""
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
    return _by_id(documents)


def _by_id(documents: Iterable[Any]) -> dict[str, Mapping[str, Any]]:
    return {str(row["material_id"]): row for row in _fields(documents)}


def _fields(documents: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Documents as mappings, whether the client gives models or dictionaries."""
    rows = []
    for document in documents:
        is_plain = isinstance(document, Mapping)
        rows.append(document if is_plain else document.model_dump())
    return rows


def _column(key: str, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """(n,) values of one key; NaN where there is none."""
    return np.array([row.get(key) for row in rows], dtype=np.float64)


def _structure(content: Any) -> Any:
    if isinstance(content, Mapping):
        return structure_of(dict(content))
    return content


def id_order(name: str) -> tuple[int, str]:
    """Key that sorts mp-2 before mp-10."""
    digits = name.rpartition("-")[2]
    number = int(digits) if digits.isdigit() else 10**12
    return number, name
