"""Hashes are ids in stored databases and archives: each stays what it was, digit by digit."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import mongomock
import numpy as np
from mongomock.gridfs import enable_gridfs_integration

from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.files import Wanted, _key, _Source
from gen2dft.datasets.materials_project import Query
from gen2dft.engines.gpaw import presets as gpaw
from gen2dft.engines.mlip import presets as mlip
from gen2dft.engines.vasp import presets as vasp
from gen2dft.exchange.archive import ArchiveWriter
from gen2dft.generators import checkpoint
from gen2dft.generators.outer import hash_of_arrays
from gen2dft.generators.snapshot import snapshot_id
from gen2dft.generators.split import held_out
from gen2dft.hashing import ContentHash, content_hash
from gen2dft.loop.ids import candidate_id
from gen2dft.rounds.begin import campaign_id
from gen2dft.rounds.labelling import label_id
from gen2dft.serve.app import _policy_of
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull

enable_gridfs_integration()

SPEC = CampaignSpec.model_validate(
    {
        "name": "pinned",
        "targets": [{"property": "band_gap", "near": 1.5, "tolerance": 0.2}],
        "sampling": [{"method": "local", "num_points": 10}],
        # The defaults when the hashes were written down.
        "learning": {"acquisition": "greedy"},
        "hull": {"source": "dataset"},
    }
)


def crystals() -> CrystalTable:
    return CrystalTable(
        lattices=np.stack([4.0 * np.eye(3), 5.5 * np.eye(3)]),
        numbers=np.array([11, 17, 12, 8]),
        frac=np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0], [0.25, 0.5, 0.5]]),
        offsets=np.array([0, 2, 4]),
    )


def dataset() -> Dataset:
    labels = {"formation_energy": np.array([-2.0, np.nan]), "band_gap": np.array([5.0, 4.5])}
    return Dataset(crystals(), ("a", "b"), labels)


def hull(energy: float = -2.0) -> ReferenceHull:
    return ReferenceHull.build([{"Na": 1, "Cl": 1}, {"Mg": 1, "O": 1}], [energy, -3.0])


def test_crystals_and_dataset():
    assert crystals().content_hash() == "3b2d2e38ce33e65b"
    assert dataset().content_hash == "82bc111dc99344b6"


def test_hull():
    assert hull().hull_hash == "b4de0cd40072a8ae"


def test_campaign_id():
    elements = {"vasp": {"Na": -1.25, "Cl": -1.5}}
    plain = campaign_id(SPEC, dataset(), hull())
    full = campaign_id(SPEC, dataset(), hull(), hull(-2.5), {"a": "1", "b": "2"}, elements)
    assert SPEC.content_hash() == "b4f7cf550d10"
    assert (plain, full) == ("pinned-fe53f49d", "pinned-271cd853")


def test_candidate_id():
    assert candidate_id("snapshot", np.array([0.5, -1.0, 2.0], np.float32)) == "d6aae1ac822174c7"


def test_label_id():
    assert label_id("campaign", "candidate", "mlip", "settings") == "40376ca6f18ad23b38fdaf9c"


def test_blob_id():
    store = Store(mongomock.MongoClient()["test"])
    assert store.put_blob(b"content", "dataset") == "ed7002b439e9ac845f22357d822bac14"


def test_snapshot_id():
    assert snapshot_id(b"content") == "ed7002b439e9ac84"


def test_hash_of_arrays():
    arrays = {"b": np.arange(3, dtype=np.float32), "a": np.eye(2)}
    assert hash_of_arrays(arrays) == "d9be9614c3279dca"


def test_settings_hash_of_the_potential(monkeypatch):
    monkeypatch.setattr(mlip, "versions", lambda: {"chgnet": "0.4.0"})
    assert mlip.PRESETS["chgnet-v1"].settings_hash == "ce3329c0631d"


def test_settings_hash_of_gpaw(monkeypatch):
    monkeypatch.setattr(gpaw, "versions", lambda: {"gpaw": "25.1.0"})
    assert next(iter(gpaw.PRESETS.values())).settings_hash == "9dda75b750e8"


def test_settings_hash_of_vasp(monkeypatch):
    base = {"INCAR": {"ISMEAR": -5}, "POTCAR": {"Na": "Na_pv"}, "POTCAR_FUNCTIONAL": "PBE"}
    monkeypatch.setattr(vasp, "base_settings", lambda: base)
    assert replace(vasp.PRESETS["mp-ggau-v1"], elements=("Na",)).settings_hash == "4da79ecc7ea4"


def test_fingerprint_of_a_training(monkeypatch):
    monkeypatch.setattr(checkpoint, "version", lambda _: "3.0")
    made = [
        checkpoint.training_fingerprint(
            ["v1"], dataset(), SPEC.generator, ["band_gap"], 7, warm, mask
        )
        for warm, mask in ((None, None), ("warm", np.array([True, False])))
    ]
    assert made == ["fcb5dddbeb06c8aa", "3f6b920e7c6b1a3e"]


def test_held_out_crystals():
    chosen = held_out([f"crystal-{i}" for i in range(40)], 0.2)
    assert np.flatnonzero(chosen).tolist() == [6, 11, 18, 19, 33, 35, 36, 39]


def test_digests_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        writer = ArchiveWriter(file)
        writer.add("table.csv", [b"a,b\n", b"1,2\n"])
    entry = writer.files["table.csv"]
    assert (entry.size, entry.sha256) == (
        8,
        "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470",
    )


def test_policy_of_a_page():
    script = "sha256-5KYv+PUboo5h+0+YAtGRPbwv5d/QxzHslP4YGnUaxRw="
    style = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    policy = _policy_of("<script>go()</script><style></style>")
    assert f"script-src '{script}'; style-src '{style}'" in policy


def test_what_the_cache_of_read_files_is_named(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("id,cif\n")
    assert _key(_Source(file, None), Wanted({"id": "name"})) == "1730298dc48fe782194d69a1c17c9bd5"


def test_what_the_cache_of_a_query_is_named():
    assert Query(max_sites=10).content_hash("2025.1") == "f48c921347cc43ef"


def test_parts_are_joined():
    content = ContentHash()
    content.add(b"one")
    content.add(b"two")
    assert (content.size, content.digits()) == (6, content_hash("onetwo"))
    assert content_hash("one", b"two", digits=8) == content_hash("onetwo")[:8]


def test_text_is_hashed_as_utf_8():
    assert content_hash("\u00c5") == content_hash(b"\xc3\x85")
