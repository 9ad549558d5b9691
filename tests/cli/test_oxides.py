"""gen2dft oxides: the paper's tables from a stored campaign, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from example_campaign import empty_store
from example_oxides import SPEC, example_oxide_set
from rich.console import Console

from gen2dft.campaign import load_campaign
from gen2dft.cli import oxides
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.snapshot import snapshot_id, to_bytes
from gen2dft.rounds.begin import begin_campaign
from gen2dft.store.documents import CandidateDoc, SnapshotDoc
from gen2dft.store.store import Store, candidate_key
from gen2dft.thermo.vanadium_oxides import known_hull


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    found = empty_store()
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: found)
    monkeypatch.setattr(oxides, "console", Console(width=220))
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path))
    return found


def begin(store: Store, **overrides: object) -> str:
    spec = load_campaign("vanadium-oxide", overrides)
    return begin_campaign(store, spec, example_oxide_set(), known_hull())[0].id


def untrained() -> bytes:
    """A snapshot with fresh networks."""
    load_keras()
    from gen2dft.generators.imatgen.generator import ImatgenGenerator
    from gen2dft.generators.imatgen.trained import (
        Classes,
        TrainedImatgen,
        build_networks,
        representation_of,
    )

    classes = Classes(("formation_energy",), np.array([-1.5]), np.array([[-2.0, -1.0]]))
    zeros = np.zeros(SPEC.latent_dim, np.float32)
    fields = {"networks": build_networks(SPEC, 1), "latent_mean": zeros, "latent_std": zeros}
    trained = TrainedImatgen(
        representation_of(SPEC), SPEC, 0, classes, training_set_hash="-", **fields
    )
    return to_bytes(ImatgenGenerator.from_state(trained.config(), trained.arrays()))


def test_all_tables_of_the_paper_and_three_figures(store: Store, invoke, tmp_path: Path) -> None:
    key = begin(store, generator=SPEC.model_dump(mode="json"))
    data = untrained()
    blob = store.put_blob(data, "snapshot")
    store.insert_new(
        SnapshotDoc(
            id=snapshot_id(data),
            blob_id=blob,
            generator="imatgen",
            properties=["formation_energy"],
            training_set_hash="-",
        )
    )
    figures = {"accuracy_formation_energy": 0.75, "larger_class_formation_energy": 0.5}
    store.update_round(
        key,
        0,
        snapshot_id=snapshot_id(data),
        training={"figures": figures},
        repairs={"merged_O": 7, "dropped_O": 0},
    )
    for row, formula in enumerate(("O5 V2", "O2 V1", "O1 V1")):
        place = {
            "campaign_id": key,
            "round_index": 0,
            "sampler": "slerp",
            "parents": [],
            "latent_row": row,
        }
        store.insert_new(
            CandidateDoc(
                id=candidate_key(key, str(row)), candidate_id=str(row), formula=formula, **place
            )
        )
    output = invoke("oxides", "--crystals", "3").output
    for text in ("figure S11", "figure S2", "figure S3", "S8 to S10", "75.0%", "merged O 7"):
        assert text in output
    assert len(list(tmp_path.rglob("*.png"))) == 3
    found = {
        table["name"]: table
        for table in json.loads(invoke("oxides", "--crystals", "3", "--json").output)
    }
    decoded = {row["name"]: row["figures"]["decoded"] for row in found["sections"]["rows"]}
    assert decoded == {
        "slerp: composition in the reference, in the set": 1,  # VO2
        "slerp: composition in the reference, not in the set": 1,  # V2O5
        "slerp: composition not in the reference, in the set": 1,  # VO
        "slerp: composition not in the reference, not in the set": 0,
    }


def test_a_campaign_without_generator_or_with_another_is_refused(store: Store, invoke) -> None:
    begin(store)
    refused = invoke("oxides")
    assert refused.exit_code == 1 and "has trained no generator yet" in refused.output
    key = begin(store, generator={"name": "ftcp"}, name="other")
    store.update_round(key, 0, snapshot_id="none")
    assert "only `imatgen` has images" in invoke("oxides", "-c", key).output
