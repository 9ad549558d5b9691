"""hits, show and report say what the store holds, with units and the basis of every value."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from example_campaign import (
    CAMPAIGN_ID,
    HITS,
    HULL,
    add_chances,
    candidate_id,
    empty_store,
    structure,
)
from pymatgen.core import Structure

from gen2dft.store.documents import StoredVerdict, SymmetryRecord
from gen2dft.store.store import Store


def test_hits_shows_every_hit_with_units_and_basis(example: Store, invoke) -> None:
    output = invoke("hits").output
    assert all(hit.candidate_id in output and hit.formula in output for hit in example.hits())
    assert "(eV/atom)" in output
    assert "at \u03c4 = 10\u207b\u00b9\u2074 s" in output
    assert output.count("mlip (surrogate)") == len(HITS)
    assert "only on a surrogate (mlip), not on DFT" in " ".join(output.split())


def test_hits_and_show_tell_of_power_factors_from_bands(example: Store, invoke) -> None:
    output = " ".join(invoke("hits").output.split())
    for found in example.from_bands(CAMPAIGN_ID):
        text = (
            "no power factor: metal: bands overlap"
            if found.reason
            else "by gpaw (DFT), gpaw-quick-v1"
        )
        assert f"from bands, {found.candidate_id}: {found.formula}: " in output
        assert text in " ".join(invoke("show", found.candidate_id).output.split())


def test_hits_of_dft_do_not_speak_of_surrogates(example: Store, invoke) -> None:
    basis = dict.fromkeys(("power_factor", "e_above_hull", "band_gap"), "vasp")
    example.database.hits.update_many(
        {}, {"$set": {"basis": basis, "is_dft": True, "evidence": "dft"}}
    )
    example.database.labels.update_many({}, {"$set": {"engine": "vasp", "is_dft": True}})
    output = invoke("hits").output
    assert "surrogate" not in output
    assert output.count("vasp (DFT)") == 3 * len(HITS)


def test_hits_are_filtered_by_their_evidence(example: Store, invoke) -> None:
    one = candidate_id(*HITS[0])
    example.database.hits.update_one({"candidate_id": one}, {"$set": {"evidence": "mixed"}})
    found = json.loads(invoke("hits", "--json", "--evidence", "mixed").output)
    assert [(hit["candidate_id"], hit["evidence"]) for hit in found] == [(one, "mixed")]
    assert "fits the query" in invoke("hits", "--evidence", "dft").output
    assert invoke("hits", "--evidence", "real").exit_code == 2
    rows = list(csv.DictReader(io.StringIO(invoke("hits", "--csv").output)))
    assert sorted(row["evidence"] for row in rows) == ["mixed", *["surrogate"] * (len(HITS) - 1)]
    assert "(1 mixed, 3 surrogate): gen2dft hits" in " ".join(
        invoke("status", CAMPAIGN_ID).output.split()
    )
    (row,) = json.loads(invoke("status", "--json").output)
    assert row["hits_by_evidence"] == {"mixed": 1, "surrogate": 3}


def test_an_energy_of_the_screen_is_never_shown_as_dft(example: Store, invoke) -> None:
    one = candidate_id(*HITS[0])
    basis = {"power_factor": "gpaw", "e_above_hull": "mlip", "band_gap": "gpaw"}
    label = {"engine": "gpaw", "is_dft": True, "basis": {"e_above_hull": "mlip"}}
    example.database.labels.update_many({}, {"$set": label})
    example.database.hits.update_many({}, {"$set": {"basis": basis, "evidence": "mixed"}})
    output = " ".join(invoke("hits").output.split())
    assert output.count("mlip (surrogate)") == len(HITS)
    assert output.count("gpaw (DFT)") >= 2 * len(HITS)
    assert "mlip (DFT)" not in output
    assert "mlip (surrogate)" in " ".join(invoke("show", one).output.split())


def test_hits_as_json_can_be_read_back(example: Store, invoke) -> None:
    found = json.loads(invoke("hits", "--json").output)
    stored = {hit.candidate_id: hit for hit in example.hits()}
    assert {hit["candidate_id"] for hit in found} == set(stored)
    for hit in found:
        value = hit["values"]["e_above_hull"]
        assert value == {
            "value": stored[hit["candidate_id"]].values["e_above_hull"],
            "unit": "eV/atom",
            "basis": "mlip (surrogate)",
        }
        assert Structure.from_dict(hit["structure"]).composition.reduced_formula == hit["formula"]


def test_hits_as_csv_has_a_unit_in_each_header(example: Store, invoke) -> None:
    rows = list(csv.DictReader(io.StringIO(invoke("hits", "--csv").output)))
    assert len(rows) == len(HITS)
    by_id = {hit.candidate_id: hit for hit in example.hits()}
    for row in rows:
        assert float(row["band_gap (eV)"]) == by_id[row["id"]].values["band_gap"]
        assert row["band_gap from"] == "predicted"


def test_hits_and_show_tell_errors_and_doubts(example: Store, invoke) -> None:
    assert "\u00b1" not in invoke("hits", "--csv").output
    hit = example.hits()[0]
    stated = {"errors": {"power_factor": 0.25}, "doubts": ["narrow_gap"]}
    values = {**hit.values, "power_factor": 4.0}
    example.set_hit(hit.id, values=values, **stated)
    example.set_label(hit.label_id, **stated)
    output = " ".join(invoke("hits").output.split())
    assert "4 \u00b1 0.25" in output
    assert f"doubtful, {hit.candidate_id}: narrow gap: " in output
    assert "power factor is doubtful: narrow gap" in " ".join(
        invoke("show", hit.candidate_id).output.split()
    )
    rows = list(csv.DictReader(io.StringIO(invoke("hits", "--csv").output)))
    header = next(name for name in rows[0] if name.startswith("power_factor error ("))
    by_id = {row["id"]: row for row in rows}
    assert by_id[hit.candidate_id][header] == "0.25"
    assert by_id[hit.candidate_id]["doubts"] == "narrow_gap"
    others = [row for row in rows if row["id"] != hit.candidate_id]
    assert {(row[header], row["doubts"]) for row in others} == {("", "")}


def test_hits_are_filtered_by_a_query(example: Store, invoke) -> None:
    wanted = [hit for hit in example.hits() if hit.values["e_above_hull"] < 0]
    found = json.loads(invoke("hits", "--json", "-q", '{"values.e_above_hull": {"$lt": 0}}').output)
    assert 0 < len(wanted) < len(HITS)
    assert {hit["candidate_id"] for hit in found} == {hit.candidate_id for hit in wanted}


def test_hits_that_are_one_crystal_say_so(example: Store, invoke) -> None:
    assert "same as" not in invoke("hits").output
    first, second = example.hits()[:2]
    example.set_hit(second.id, same_as=first.candidate_id)
    output = invoke("hits").output
    assert "same as" in output
    assert f"{len(HITS) - 1} distinct and new: --distinct" in output
    distinct = json.loads(invoke("hits", "--distinct", "--json").output)
    assert {hit["candidate_id"] for hit in distinct} == {
        hit.candidate_id for hit in example.hits()
    } - {second.candidate_id}
    rows = list(csv.DictReader(io.StringIO(invoke("hits", "--csv").output)))
    assert {row["id"]: row["same as"] for row in rows}[second.candidate_id] == first.candidate_id


def test_hits_whose_hull_lacks_phases_say_so(example: Store, invoke) -> None:
    assert "remark" not in invoke("hits").output + invoke("hits", "--csv").output
    hit = example.hits()[0]
    example.set_hit(hit.id, remarks=["hull_incomplete"])
    output = invoke("hits").output
    assert "hull incomplete" in output
    *others, last = csv.DictReader(io.StringIO(invoke("hits", "--csv").output))
    assert (last["id"], last["remark"]) == (hit.candidate_id, "hull incomplete")
    assert {row["remark"] for row in others} == {""}


def test_hits_tell_the_compounds_of_their_system_and_known_formulas(example: Store, invoke) -> None:
    assert "compounds" not in invoke("hits").output + invoke("hits", "--csv").output
    hit = example.hits()[0]
    example.set_hit(hit.id, compounds=17, known_formula=True, remarks=["hull_mixes_r2scan"])
    output = " ".join(invoke("hits").output.split())
    assert "17" in output
    assert "known formula" in output
    assert "1 of the 4 hits say \u201chull mixes r2scan\u201d" in output
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(invoke("hits", "--csv").output))}
    row = rows.pop(hit.candidate_id)
    assert row["compounds in system"] == "17"
    assert row["remark"] == "hull mixes r2scan, known formula"
    assert {other["compounds in system"] for other in rows.values()} == {""}
    found = {row["candidate_id"]: row for row in json.loads(invoke("hits", "--json").output)}
    assert found[hit.candidate_id]["known_formula"] is True
    assert found[hit.candidate_id]["compounds"] == 17


def test_a_hit_that_another_hull_takes_away_is_remarked(example: Store, invoke) -> None:
    hit = example.hits()[0]
    example.set_hit(hit.id, other_hulls={"aa": "hit", "bb": "misses_e_above_hull"})
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(invoke("hits", "--csv").output))}
    assert rows[hit.candidate_id]["remark"] == "no hit by hull bb"


def test_hits_are_filtered_by_a_condition(example: Store, invoke) -> None:
    wanted = {
        h.candidate_id
        for h in example.hits()
        if h.values["e_above_hull"] < 0 and h.values["power_factor"] > 1
    }
    found = json.loads(
        invoke("hits", "--json", "--where", "e_above_hull < 0 and power_factor > 1").output
    )
    assert 0 < len(wanted) < len(HITS)
    assert {hit["candidate_id"] for hit in found} == wanted
    both = invoke("hits", "--json", "-w", "e_above_hull < 0", "-q", '{"formula": "none"}')
    assert json.loads(both.output) == []
    assert "fits the query" in invoke("hits", "-w", "e_above_hull > 9").output
    result = invoke("hits", "-w", "e_hull < 0")
    assert result.exit_code == 1
    assert "'e_hull' is not one of" in result.stderr


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nonsense", "the filter 'nonsense' is not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"campaign_id": "x"}', "choose it by --campaign"),
        ('{"formula": {"$nope": 1}}', "'$nope' is not one of"),
    ],
)
def test_bad_queries_are_explained(example: Store, invoke, query: str, message: str) -> None:
    result = invoke("hits", "-q", query)
    assert result.exit_code == 1
    assert message in result.stderr


def test_hits_writes_cif_files_and_keeps_json_clean(example: Store, invoke, tmp_path: Path) -> None:
    result = invoke("hits", "--json", "--cif", str(tmp_path / "cif"))
    assert (
        len(json.loads(result.stdout)) == len(list((tmp_path / "cif").glob("*.cif"))) == len(HITS)
    )
    assert "4 CIF files" in result.stderr


def test_hits_says_where_cif_files_cannot_go(example: Store, invoke, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    result = invoke("hits", "--cif", str(tmp_path / "taken"))
    assert result.exit_code == 1
    assert "taken" in result.stderr
    assert "choose a folder" in result.stderr


def test_no_hits_and_no_fit_are_told_apart(example: Store, invoke) -> None:
    assert "fits the query" in invoke("hits", "-q", '{"formula": "Xx"}').output
    example.database.hits.delete_many({})
    assert f"no hit in {CAMPAIGN_ID}\n" in invoke("hits").output
    example.database.campaigns.update_one({}, {"$set": {"state": "running"}})
    assert "so far" in invoke("hits").output


def test_unknown_campaign_names_the_nearest(example: Store, invoke) -> None:
    result = invoke("hits", "-c", "thermoelectrics")
    assert result.exit_code == 1
    assert "Did you mean 'thermoelectric'?" in result.stderr


@pytest.mark.parametrize("verb", ["hits", "report"])
def test_without_a_campaign_the_first_step_is_named(
    invoke, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: empty_store())
    result = invoke(verb)
    assert result.exit_code == 1
    assert "gen2dft run --campaign" in result.stderr


def test_show_tells_everything_of_a_hit(example: Store, invoke) -> None:
    output = invoke("show", candidate_id(1, 1)[:8]).output
    for wanted in (
        "KVSb",
        "hit",
        CAMPAIGN_ID,
        "round 2",
        "local",
        "starter-0001",
        "met by prediction: 0.3 to 1.5 eV",
    ):
        assert wanted in output
    assert "mlip chgnet-v1 (surrogate, not DFT)" in output
    assert "12 atoms" in output
    assert "space group F-43m" in output
    assert output.index("queued 2026") < output.index("labelled 2026") < output.index("hit 2026")


def test_show_names_what_a_candidate_would_fall_apart_into(example: Store, invoke) -> None:
    output = " ".join(invoke("show", candidate_id(1, 1)).output.split())
    assert "known formula in the hull" in output
    assert f"3 compounds of K-Sb-V in hull {HULL.hull_hash}" in output
    assert "falls apart into 0.667 VSb* + 0.333 K3Sb + 0.333 V (0.44, 0.44, 0.11 of " in output
    assert "a product marked * has no GGA energy" in output
    found = json.loads(invoke("show", candidate_id(1, 1), "--json").output)["on_hull"]
    products = {product["formula"]: product for product in found["products"]}
    assert products["VSb"]["is_mixed"]
    assert products["K3Sb"]["amount"] == pytest.approx(1 / 3)
    assert found["known_to"] == ["hull"]
    assert found["compounds"] == 3


def test_show_tells_where_the_hull_gives_no_distance(example: Store, invoke) -> None:
    output = " ".join(invoke("show", candidate_id(0, 3)).output.split())
    assert "is not covered: no phase of the reference holds" in output
    assert "falls apart into" not in output


def test_show_tells_what_custodian_changed(example: Store, invoke) -> None:
    made = {
        "preset": "ggau-v1",
        "task": "relax",
        "handler": "LargeSigmaHandler",
        "errors": ["LargeSigma"],
        "actions": ["INCAR: SIGMA = 0.02"],
    }
    query, fields = (
        {"candidate_id": candidate_id(1, 1)},
        {"custodian": [made], "settings_changed": True},
    )
    example.database.labels.update_many(query, {"$set": fields})
    output = invoke("show", candidate_id(1, 1)).output
    assert "custodian, ggau-v1 relax, LargeSigma: INCAR: SIGMA = 0.02" in output
    assert "belongs to the settings that custodian changed" in output


def test_show_tells_why_a_candidate_was_given_up(example: Store, invoke) -> None:
    output = invoke("show", candidate_id(0, 8)).output
    assert "given_up:not_converged" in output
    assert "the relaxation did not converge" in output
    assert "relaxed by the screen (mlip, not DFT)" in output


def test_show_tells_which_gate_weighed_a_candidate(example: Store, invoke) -> None:
    weighed = {"not_charge_balanced": 0.36}
    example.set_candidate(CAMPAIGN_ID, candidate_id(1, 1), weighed=weighed)
    output = " ".join(invoke("show", candidate_id(1, 1)).output.split())
    assert "weighed not charge balanced, chance times 0.36" in output
    assert "weighed" not in invoke("show", candidate_id(0, 8)).output


def test_show_tells_what_the_screen_made_of_the_symmetry(example: Store, invoke) -> None:
    record = SymmetryRecord(
        space_group_before="P1",
        space_group="F-43m",
        num_sites_before=12,
        num_sites=3,
        tolerance=0.1,
        energy_difference=-0.0012,
        structure_as_relaxed={},
    )
    verdict = StoredVerdict(symmetry=record).model_dump(exclude_unset=True)
    example.set_candidate(CAMPAIGN_ID, candidate_id(1, 1), surrogate=verdict)
    output = " ".join(invoke("show", candidate_id(1, 1)).output.split())
    assert "was P1, cell of 12 atoms; is F-43m, cell of 3 atoms; -1.2 meV/atom" in output


def test_show_a_point_that_was_not_decoded(example: Store, invoke) -> None:
    fields = {
        "structure": None,
        "formula": None,
        "surrogate": None,
        "predicted": {},
        "state": "rejected:no_cell",
    }
    example.set_candidate(CAMPAIGN_ID, candidate_id(0, 25), **fields)
    assert "not decoded  rejected:no_cell" in invoke("show", candidate_id(0, 25)).output
    result = invoke("show", candidate_id(0, 25), "--cif")
    assert result.exit_code == 1
    assert "has no structure: its state is rejected:no_cell" in result.stderr


def test_show_as_json_holds_candidate_labels_and_hit(example: Store, invoke) -> None:
    found = json.loads(invoke("show", candidate_id(1, 1), "--json").output)
    assert (
        found["candidate_id"] == found["hit"]["candidate_id"] == found["labels"][0]["candidate_id"]
    )
    assert found["units"]["band_gap"] == "eV"


def test_show_as_cif_gives_the_labelled_structure(example: Store, invoke) -> None:
    text = invoke("show", candidate_id(1, 1), "--cif").output
    assert text.startswith("# campaign thermoelectric")
    assert Structure.from_str(text, fmt="cif").matches(structure(1))


def test_show_takes_the_id_of_a_hit_and_of_a_campaign(example: Store, invoke) -> None:
    assert "KVSb" in invoke("show", f"{CAMPAIGN_ID}:{candidate_id(1, 1)}").output
    assert "last failures" in invoke("show", CAMPAIGN_ID).output
    assert json.loads(invoke("show", "thermoelectric", "--json").output)["id"] == CAMPAIGN_ID


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("abc", "too short for an id: give at least 4 characters"),
        (candidate_id(1, 1)[:5] + "xyz", f"nearest: {candidate_id(1, 1)} (KVSb)"),
        ("thermoelctric", "Did you mean 'thermoelectric'?"),
    ],
)
def test_show_names_what_comes_nearest(
    example: Store, invoke, identifier: str, message: str
) -> None:
    result = invoke("show", identifier)
    assert result.exit_code == 1
    assert message in result.stderr


def test_show_lists_the_candidates_of_an_ambiguous_id(example: Store, invoke) -> None:
    document = example.candidate(CAMPAIGN_ID, candidate_id(1, 1))
    example.insert_new(
        document.model_copy(update={"id": f"other:{document.candidate_id}", "campaign_id": "other"})
    )
    result = invoke("show", document.candidate_id)
    assert result.exit_code == 1
    assert "fits 2 crystals" in result.stderr
    assert "KVSb" in invoke("show", document.id).output


def test_report_says_where_it_is(
    example: Store, invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gen2dft.report.page.draw_all", lambda _: {}
    )  # figures are drawn in tests/report
    output = invoke("report", "--out", str(tmp_path / "out")).output
    assert str(tmp_path / "out" / "report.html") in output
    assert (tmp_path / "out" / "report.html").is_file()
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "data"))
    assert (
        str(tmp_path / "data" / "reports" / CAMPAIGN_ID / "report.html") in invoke("report").output
    )


def test_hits_shows_both_distances_and_the_chance(example: Store, invoke) -> None:
    assert "chance" not in invoke("hits").output
    records = add_chances(example)
    output = invoke("hits").output
    assert f"{len(HITS)} candidates for DFT of {CAMPAIGN_ID}" in output
    assert "uncor-" in output
    for record in records:
        assert f"{record.potential:.3f}" in output
        assert f"{record.corrected:.3f} \u00b1 0.062" in output
        assert f"{100 * record.chance:.0f} %" in output


def test_hits_are_ordered_by_the_chance(example: Store, invoke) -> None:
    add_chances(example)
    found = json.loads(invoke("hits", "--sort", "chance", "--json").output)
    chances = [hit["stability"]["chance"] for hit in found]
    assert chances == sorted(chances, reverse=True)
    best = json.loads(invoke("hits", "--json").output)
    assert [hit["id"] for hit in best] != [hit["id"] for hit in found]
    assert "ordered by the chance that DFT confirms them" in " ".join(
        invoke("hits", "--sort", "chance").output.split()
    )


def test_show_tells_what_dft_is_expected_to_say(example: Store, invoke) -> None:
    records = add_chances(example)
    output = " ".join(invoke("show", candidate_id(*HITS[1])).output.split())
    assert f"{records[1].potential:.3f} eV/atom above the hull by the potential" in output
    assert "at most 0.03 with a chance of 30 %" in output
    assert "correction chgnet-2025" in output
    plain = json.loads(invoke("show", candidate_id(*HITS[1]), "--json").output)
    assert plain["hit"]["stability"] == records[1].model_dump()
