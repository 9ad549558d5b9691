"""The OPTIMADE server passes the official validator and finds what is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from urllib.parse import quote

import numpy as np
import pytest
from example_campaign import CAMPAIGN_ID, HITS, add_chances, candidate_id, example_store
from pymatgen.core import Structure

from gen2dft.serve import optimade
from gen2dft.serve.app import build_app
from gen2dft.serve.optimade import (
    STABILITY_FIELDS,
    build_optimade,
    entries_of,
    field_descriptions,
    known_in,
)
from gen2dft.store.store import Store
from tests.serve.conftest import get, served


def ask(base: str, query: str = "") -> list[dict]:
    """Entries that a filter finds."""
    url = f"{base}optimade/v1/structures?page_limit=100" + (
        f"&filter={quote(query)}" if query else ""
    )
    answer = get(url)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)["data"]


# The validator asks for a field of an unknown provider, and the server warns of it, as it must.
@pytest.mark.filterwarnings("ignore:Field '_crazyprovider_field' has an unrecognised prefix")
def test_the_official_validator_passes(base: str) -> None:
    command = [
        sys.executable,
        "-c",
        "from optimade.validator import validate; validate()",
        f"{base}optimade/v1",
    ]
    environment = {**os.environ, "OPTIMADE_LOG_DIR": os.devnull}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert "Passed" in run.stdout


def test_a_filter_finds_the_right_crystals(base: str, store: Store) -> None:
    found = {entry["id"] for entry in ask(base, 'elements HAS "Se" AND nelements=3')}
    elements = {
        x.id: set(Structure.from_dict(x.structure).symbol_set) for x in store.labels(CAMPAIGN_ID)
    }
    wanted = {label for label, symbols in elements.items() if "Se" in symbols and len(symbols) == 3}
    assert found == wanted != set()


def test_an_entry_says_where_its_values_are_from(base: str, store: Store) -> None:
    label = store.label(f"label-{candidate_id(0, 3)}")
    (entry,) = (e["attributes"] for e in ask(base) if e["id"] == label.id)
    assert entry["_gen2dft_e_above_hull"] == label.values["e_above_hull"]
    assert (entry["_gen2dft_engine"], entry["_gen2dft_is_dft"], entry["_gen2dft_is_hit"]) == (
        "mlip",
        False,
        True,
    )
    assert entry["_gen2dft_evidence"] == "surrogate"
    assert entry["_gen2dft_hull"] == label.hull_id
    assert entry["_gen2dft_snapshot"] == store.round(CAMPAIGN_ID, 0).snapshot_id
    assert entry["_gen2dft_candidate_id"] == candidate_id(0, 3)
    assert entry["_gen2dft_targets"]["e_above_hull"] == "at most 0.03 eV/atom"
    # Only predicted, so it is not served as a value.
    assert entry["_gen2dft_band_gap"] is None and entry["_gen2dft_predicted"]["band_gap"] == 0.8
    lattice = Structure.from_dict(label.structure).lattice
    np.testing.assert_allclose(entry["lattice_vectors"], lattice.matrix)


def test_our_fields_can_be_searched_and_are_described_with_units(base: str) -> None:
    found = ask(base, '_gen2dft_engine="mlip" AND _gen2dft_e_above_hull<0.03')
    assert len(found) >= len(HITS)
    info = json.loads(get(f"{base}optimade/v1/info/structures").text)["data"]["properties"]
    assert info["_gen2dft_e_above_hull"]["unit"] == "eV/atom"
    assert all(info[f"_gen2dft_{field['name']}"]["description"] for field in field_descriptions())


def test_only_hits_unless_all_are_asked_for_and_new_ones_appear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimade, "LOOK_EVERY", 0.0)
    store = example_store()
    with served(
        lambda b: build_app(store, optimade=build_optimade(store, "hits", f"{b}optimade"))
    ) as base:
        assert {entry["attributes"]["_gen2dft_candidate_id"] for entry in ask(base)} == {
            candidate_id(*hit) for hit in HITS
        }
        new = store.labels(CAMPAIGN_ID, candidate_id=candidate_id(0, 0))[0]
        hit = {
            **store.database.hits.find_one(),
            "_id": f"{CAMPAIGN_ID}:new",
            "candidate_id": new.candidate_id,
        }
        store.database.hits.insert_one({**hit, "label_id": new.id})
        assert new.id in {entry["id"] for entry in ask(base)}


def test_a_candidate_that_becomes_a_hit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimade, "LOOK_EVERY", 0.0)
    store = example_store()
    gone = store.hits()[0]
    store.database.hits.delete_one({"_id": gone.id})
    with served(
        lambda b: build_app(store, optimade=build_optimade(store, "computed", f"{b}optimade"))
    ) as base:
        told = {e["id"]: e["attributes"]["_gen2dft_is_hit"] for e in ask(base)}
        assert told[gone.label_id] is False
        store.insert_new(gone)
        again = {e["id"]: e["attributes"]["_gen2dft_is_hit"] for e in ask(base)}
        assert again == told | {gone.label_id: True}


def test_an_entry_says_what_dft_is_expected_to_find() -> None:
    store = example_store()
    records = add_chances(store)
    hits = store.hit_labels()
    labels = {store.label(key).candidate_id: key for key in hits}
    for place, record in zip(HITS, records, strict=True):
        (entry,) = entries_of(store, [labels[candidate_id(*place)]], hits)
        assert entry["e_above_hull"] == record.corrected
        assert entry["e_above_hull_potential"] == record.potential
        assert entry["e_above_hull_error"] == record.error
        assert (entry["chance"], entry["chance_of"]) == (record.chance, 0.03)
        assert entry["composition_unlike"] is record.unlike
        assert entry["stability_correction"] == "chgnet-2025 0123456789abcdef"


def test_every_field_of_an_entry_is_described() -> None:
    store = example_store()
    described = {field["name"]: field for field in field_descriptions(known_in(store))}
    (entry, *_) = entries_of(store, store.hit_labels(), store.hit_labels())
    assert set(STABILITY_FIELDS) <= set(described)
    assert {entry[name] for name in STABILITY_FIELDS} == {None}
    assert described["e_above_hull_error"]["unit"] == "eV/atom"


def test_composition_is_read_from_the_labels_and_the_same_without() -> None:
    store = example_store()
    keys = [label.id for label in store.labels(CAMPAIGN_ID)]
    fields = ("elements", "nelements", "nsites")

    def told() -> list[dict[str, object]]:
        return [{name: entry[name] for name in fields} for entry in entries_of(store, keys, {})]

    of_labels = told()
    store.database.labels.update_many({}, {"$unset": dict.fromkeys(fields, 1)})
    assert told() == of_labels
    store.database.labels.update_many({}, {"$set": {"nsites": 99}})
    assert {entry["nsites"] for entry in told()} == {99}
