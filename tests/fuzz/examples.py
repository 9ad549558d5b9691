"""The valid inputs that are damaged: a training set, crystals, a database and its archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from example_campaign import HULL, empty_store, example_store
from pymongo import MongoClient

import tests.conftest  # noqa: F401  mongomock learns what pymongo asks of it
from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.exchange.credits import Credits
from gen2dft.exchange.export import Choice, export_campaign
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.round import Round
from gen2dft.store.documents import HullDoc
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests.rounds.test_steps import up_to_dispatch, validate_all
from tests.toys import TOY_CAMPAIGN, rock_salt, toy_dataset, toys_registered, wide_dataset

PAIRS = (("Na", "Cl", 5.64), ("K", "Br", 6.6), ("Mg", "O", 4.21), ("Ca", "S", 5.69),
         ("Ba", "O", 5.52), ("Li", "F", 4.03), ("Mn", "O", 4.44), ("Sr", "Se", 6.24))  # fmt: skip


@cache
def training_set() -> bytes:
    """A small data set with labels for every target of the shipped campaigns."""
    toys = wide_dataset()
    rows = np.arange(len(toys), dtype=float)
    labels = {
        **{name: toys.label(name) for name in toys.labels},
        "band_gap": 0.2 + 0.1 * rows,
        "e_above_hull": 0.01 * rows,
        "power_factor": 1.0 + rows,
    }
    dataset = Dataset(toys.crystals, toys.ids, labels)
    with tempfile.TemporaryDirectory() as folder:
        dataset.save(Path(folder) / "toy.npz")
        return (Path(folder) / "toy.npz").read_bytes()


@cache
def records() -> tuple[dict[str, Any], ...]:
    """Crystals with labels, as the rows of a table; `structure` is pymatgen's JSON."""
    found = []
    for row, (cation, anion, length) in enumerate(PAIRS):
        crystal = rock_salt(cation, anion, length)
        crystal.remove_oxidation_states()
        found.append(
            {
                "material_id": f"mine-{row}",
                "structure": crystal.as_dict(),
                "formation_energy_per_atom": -1.0 - 0.25 * row,
                "band_gap": 0.5 * row,
            }
        )
    return tuple(found)


@cache
def cifs() -> dict[str, str]:
    """Id to CIF text, half of them with symmetry."""
    from pymatgen.core import Structure
    from pymatgen.io.cif import CifWriter

    found = {}
    for row, record in enumerate(records()):
        crystal = Structure.from_dict(record["structure"])
        found[record["material_id"]] = str(CifWriter(crystal, symprec=0.01 if row % 2 else None))
    return found


@cache
def table() -> CrystalTable:
    """The same crystals."""
    from pymatgen.core import Structure

    return CrystalTable.from_structures([Structure.from_dict(r["structure"]) for r in records()])


@cache
def database() -> Store:
    """The example campaign, to be read only."""
    store = example_store(hull_id=HULL.hull_hash)
    store.database.hulls.delete_many({})
    # Archives are only taken if the hull's id is the hash of its content.
    store.database.labels.update_many({}, {"$set": {"hull_id": HULL.hull_hash}})
    hull = store.put_blob(HULL.to_bytes(), "hull")
    about = {"source": "starter", "num_entries": HULL.num_entries, "scale": HULL.scale}
    store.insert_new(HullDoc(id=HULL.hull_hash, blob_id=hull, **about))
    return store


@cache
def archive() -> bytes:
    """A finished campaign of toys as `gen2dft export` writes it.

    The example campaign is too loose: an archive's ids must fit their content.
    """
    with toys_registered(), tempfile.TemporaryDirectory() as folder:
        store, campaign_id = _finished_campaign()
        path = Path(folder) / "mine.zip"
        export_campaign(store, campaign_id, path, Credits(), Choice(False, False))
        return path.read_bytes()


def _finished_campaign() -> tuple[Store, str]:
    """A store with one campaign of one round."""
    store, dataset = empty_store(), toy_dataset()
    learning = {"rounds": 1, "batch": 6}
    spec = CampaignSpec.model_validate({**TOY_CAMPAIGN, "learning": learning})
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    context = Round(store, campaign.id, 0)
    up_to_dispatch(context)
    validate_all(context)
    try_close(context)
    return store, campaign.id


def empty_database() -> Store:
    """A database for one import."""
    return empty_store()


@contextmanager
def served_database() -> Iterator[dict[str, str]]:
    """An embedded server with the example campaign; the variables that name it."""
    from gen2dft.store.embedded import embedded_uri, stop_server

    with tempfile.TemporaryDirectory() as folder:
        uri = embedded_uri(Path(folder))
        try:
            _copy(database(), Store(MongoClient(uri)["gen2dft"]))
            yield {"GEN2DFT_DATABASE": uri, "GEN2DFT_DATABASE_NAME": "gen2dft"}
        finally:
            stop_server(Path(folder))


def _copy(source: Store, target: Store) -> None:
    """All documents and blobs of one database into another."""
    target.ensure_indices()
    for name in source.database.list_collection_names():
        documents = list(source.database[name].find())
        if documents:
            target.database[name].insert_many(documents)
