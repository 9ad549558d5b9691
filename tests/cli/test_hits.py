"""hits, show, migrate: by elements, ordered by a field, by formula, and of older versions."""

from __future__ import annotations

import csv
import io
import json

import pytest
from example_campaign import CAMPAIGN_ID, HITS

from gen2dft.store.store import Store


def test_hits_are_searched_by_element_and_ordered_by_a_field(example: Store, invoke) -> None:
    everything = json.loads(invoke("hits", "--json").output)
    symbol = everything[0]["elements"][0]
    text = f'"{symbol}" in elements'
    found = json.loads(invoke("hits", "-w", text, "--sort", "band_gap:desc", "--json").output)
    gaps = [hit["values"]["band_gap"]["value"] for hit in found]
    wanted = {hit["id"] for hit in everything if symbol in hit["elements"]}
    assert {hit["id"] for hit in found} == wanted
    assert gaps == sorted(gaps, reverse=True)
    output = " ".join(invoke("hits", "--sort", "band_gap:desc").output.split())
    assert "ordered by band_gap, largest first" in output


def test_a_limit_says_how_many_are_left_out(example: Store, invoke) -> None:
    assert f"and {len(HITS) - 1} more (--limit)" in invoke("hits", "--limit", "1").output
    assert len(json.loads(invoke("hits", "--limit", "2", "--json").output)) == 2


def test_rounds_and_formulas_have_one_spelling(example: Store, invoke) -> None:
    (first, *_) = json.loads(invoke("hits", "--sort", "round", "--json").output)
    assert first["round"] == first["round_index"] + 1
    assert first["formula"] == first["formula_pretty"]
    for ask in (
        ("-w", f"round == {first['round']}"),
        ("-q", json.dumps({"round": first["round"]})),
    ):
        rows = list(csv.DictReader(io.StringIO(invoke("hits", "--csv", *ask).output)))
        assert first["candidate_id"] in {row["id"] for row in rows}
        assert {row["round"] for row in rows} == {str(first["round"])}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sort", "gap"), "'gap' is not one of"),
        (("-w", "elementz == 'Te'"), "Did you mean 'elements'"),
        (("-q", '{"band_gap": 1}'), "its value is in 'values.band_gap'"),
    ],
)
def test_unknown_fields_are_named(example: Store, invoke, options, message) -> None:
    result = invoke("hits", *options)
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())


def test_a_formula_stands_for_the_id_of_its_only_hit(example: Store, invoke) -> None:
    hits = example.hits(CAMPAIGN_ID)
    counts = [sum(other.formula == hit.formula for other in hits) for hit in hits]
    alone = hits[counts.index(1)]
    assert json.loads(invoke("show", alone.formula, "--json").output)["id"] == alone.id


def test_several_hits_of_a_formula_are_listed_with_the_command(example: Store, invoke) -> None:
    first, second, *_ = example.hits(CAMPAIGN_ID)
    example.database.hits.update_one({"_id": second.id}, {"$set": {"formula": first.formula}})
    output = invoke("show", first.formula).output
    assert first.candidate_id in output
    assert second.candidate_id in output
    assert f"gen2dft show {first.candidate_id}" in output
    assert len(json.loads(invoke("show", first.formula, "--json").output)) >= 2
    refused = invoke("show", first.formula, "--cif")
    assert refused.exit_code == 1
    assert "name one by its id" in " ".join(refused.stderr.split())


def test_a_query_over_documents_of_older_versions_says_so(
    example: Store, invoke, monkeypatch
) -> None:
    monkeypatch.setattr("gen2dft.store.connect.open_to_write", lambda _: example)
    example.database.hits.update_many({}, {"$unset": {"elements": 1, "nsites": 1, "round": 1}})
    asked = invoke("hits", "-w", "band_gap > 0", "--json")
    assert f"{len(HITS)} of the hits are of an older version" in asked.stderr
    assert asked.stderr.count("gen2dft migrate") == 1
    assert json.loads(asked.stdout)
    assert "hits: 4 to bring up to date" in invoke("migrate", "--dry-run").output
    assert "hits: 4 brought up to date" in invoke("migrate").output
    assert json.loads(invoke("migrate", "--json").output)["hits"]["outdated"] == 0
    assert "older version" not in invoke("hits", "-w", "band_gap > 0").stderr
