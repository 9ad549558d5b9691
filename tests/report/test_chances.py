"""What DFT is expected to say of hits: on the page, in tables and CIF files, in words."""

from __future__ import annotations

import csv
import io

import pytest
from example_campaign import CAMPAIGN_ID, HITS, add_chances, candidate_id
from pymatgen.core import Structure

from gen2dft.campaign import stored_campaign
from gen2dft.report import phase_diagram
from gen2dft.report.candidate import labels_of, weighed_text
from gen2dft.report.candidate_table import candidate_rows, candidates_csv, stability_of
from gen2dft.report.chances import counted_hits, heading, percent, stability_text
from gen2dft.report.cif import hit_cif
from gen2dft.report.data import load_report_data
from gen2dft.report.hit_table import STABILITY, hits_csv
from gen2dft.report.page import render
from gen2dft.report.wording import by_chance, honest_notes
from gen2dft.store.documents import StabilityRecord, StoredVerdict
from gen2dft.store.store import Store

NAMES = ("e_above_hull",)


@pytest.fixture
def records(store: Store) -> list[StabilityRecord]:
    return add_chances(store)


@pytest.mark.parametrize(
    ("chance", "text"),
    [(0.0, "< 1 %"), (0.004, "< 1 %"), (0.29, "29 %"), (0.996, "> 99 %"), (1.0, "> 99 %")],
)
def test_no_chance_is_certain(chance: float, text: str) -> None:
    assert percent(chance) == text


def test_a_record_in_one_line(records: list[StabilityRecord]) -> None:
    first, second, third, _ = map(stability_text, records)
    potential, corrected = records[0].potential, records[0].corrected
    assert first == (
        f"{potential:.3f} eV/atom above the hull by the potential; DFT is expected to find "
        f"{corrected:.3f} ± 0.062; at most 0.03 with a chance of 10 %; its composition is unlike "
        "all that the correction was fitted to (correction chgnet-2025, 0123456789abcdef)"
    )
    assert "unlike" not in second
    assert second.endswith("refined by 1 DFT label of the campaign)")
    assert third.endswith("refined by 2 DFT labels of the campaign)")


def test_only_hits_that_dft_has_not_judged_are_candidates_for_dft(store: Store) -> None:
    hits = store.hits(CAMPAIGN_ID)
    assert heading(hits) == "candidates for DFT"
    assert counted_hits(hits[:1]) == "1 candidate for DFT"
    partly = [hits[0].model_copy(update={"evidence": "mixed"}), *hits[1:]]
    assert counted_hits(partly) == f"{len(HITS)} hits"
    assert counted_hits(partly[:1]) == "1 hit"
    assert counted_hits([]) == "0 hits"


def test_notes_tell_how_many_dft_will_confirm(store: Store, records: list[StabilityRecord]) -> None:
    notes = " ".join(honest_notes(store.hits(CAMPAIGN_ID), {"mlip"}))
    expected = sum(record.chance for record in records)
    assert f"confirms the stability of about {expected:.1f} of {len(HITS)}." in notes
    assert "1 of them: the correction has seen no composition like it" in notes
    assert "they are candidates for DFT, not validated" in notes


def test_hits_by_chance_have_those_without_one_last(
    store: Store, records: list[StabilityRecord]
) -> None:
    hits = store.hits(CAMPAIGN_ID)
    judged = hits[0].model_copy(update={"stability": None})
    found = by_chance([judged, *hits[1:]])
    assert found[-1].id == judged.id
    chances = [hit.stability.chance for hit in found[:-1] if hit.stability]
    assert chances == sorted(chances, reverse=True)
    rising = by_chance([judged, *hits[1:]], down=False)
    assert [hit.id for hit in rising] == [*[hit.id for hit in found[-2::-1]], judged.id]


def test_the_table_has_every_digit_of_it(store: Store, records: list[StabilityRecord]) -> None:
    rows = list(csv.DictReader(io.StringIO(hits_csv(store.hits(CAMPAIGN_ID), NAMES, {"mlip"}))))
    by_id = {row["id"]: row for row in rows}
    for place, record in zip(HITS, records, strict=True):
        row = by_id[candidate_id(*place)]
        wanted = (record.potential, record.error, record.chance, record.most, record.unlike)
        assert [row[name] for name in STABILITY] == [*map(repr, wanted), record.model]
        assert row["e_above_hull error (eV/atom)"] == repr(record.error)


def test_without_a_correction_the_table_stays_as_it_was(store: Store) -> None:
    header = hits_csv(store.hits(CAMPAIGN_ID), NAMES, {"mlip"}).splitlines()[0]
    assert not any(name in header for name in STABILITY)


def test_a_cif_file_says_it(store: Store, records: list[StabilityRecord]) -> None:
    (hit,) = store.hits(CAMPAIGN_ID, candidate_id=candidate_id(*HITS[1]))
    head = [line for line in hit_cif(hit, {"mlip"}).splitlines() if line.startswith("#")]
    assert "# evidence: surrogate" in head
    assert any("at most 0.03 with a chance of 30 %" in line for line in head)


def test_the_page_shows_both_distances_and_the_chance(
    store: Store, records: list[StabilityRecord]
) -> None:
    page = render(load_report_data(store, CAMPAIGN_ID), {})
    assert '<h2 id="hits">Candidates for DFT</h2>' in page
    assert page.count("unlike all that the correction has seen") == 1
    for record in records:
        cells = (f"{record.potential:.3f}", percent(record.chance).replace("<", "&lt;"))
        assert '<td class="n">{}</td><td class="n">{}'.format(*cells) in page
        assert f"{record.corrected:.3f} ± 0.062" in page


def test_a_page_without_a_correction_has_no_such_columns(store: Store) -> None:
    page = render(load_report_data(store, CAMPAIGN_ID), {})
    assert "by the potential" not in page


def test_a_phase_diagram_draws_the_energy_that_belongs_to_the_distance(
    store: Store, records: list[StabilityRecord]
) -> None:
    (hit,) = store.hits(CAMPAIGN_ID, candidate_id=candidate_id(*HITS[0]))
    label = store.label(hit.label_id)
    elements = tuple(sorted(Structure.from_dict(hit.structure).symbol_set))
    points = phase_diagram._points(store, CAMPAIGN_ID, elements)
    drawn = {point.candidate_id: point for point in points}[hit.candidate_id]
    raised = label.values["formation_energy"] + 0.125
    assert drawn.formation_energy == pytest.approx(raised)
    assert drawn.e_above_hull == label.values["e_above_hull"]


def test_candidates_carry_it_too(store: Store, records: list[StabilityRecord]) -> None:
    campaign = stored_campaign(store.campaign(CAMPAIGN_ID))
    rows = candidate_rows(store, CAMPAIGN_ID, campaign)
    by_id = {row.candidate_id: row for row in rows}
    for place, record in zip(HITS, records, strict=True):
        row = by_id[candidate_id(*place)]
        assert row.stability == record
        assert row.as_dict(campaign.known_properties)["stability"] == record.model_dump()
    text = candidates_csv(rows, NAMES, campaign.known_properties)
    table = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert table[candidate_id(*HITS[0])]["composition unlike"] == "True"
    others = [row for key, row in table.items() if key not in {candidate_id(*hit) for hit in HITS}]
    assert {row["correction"] for row in others} == {""}


def test_a_distance_by_dft_takes_the_place_of_the_estimate(
    store: Store, records: list[StabilityRecord]
) -> None:
    candidate = store.candidate(CAMPAIGN_ID, candidate_id(*HITS[0]))
    (label,) = labels_of(store, candidate)
    by_dft = label.model_copy(update={"is_dft": True, "stability": None})
    assert stability_of(candidate, [by_dft, label]) is None
    assert stability_of(candidate, []) == records[0]


def test_energies_that_a_dft_label_took_from_the_screen_are_not_called_dft(store: Store) -> None:
    campaign = stored_campaign(store.campaign(CAMPAIGN_ID))
    key = candidate_id(*HITS[0])
    (label,) = labels_of(store, store.candidate(CAMPAIGN_ID, key))
    mixed = {"engine": "gpaw", "is_dft": True, "basis": {"e_above_hull": "mlip"}}
    store.set_label(label.id, **mixed, values={**label.values, "band_gap": 0.8})
    rows = candidate_rows(store, CAMPAIGN_ID, campaign)
    (row,) = [row for row in rows if row.candidate_id == key]
    assert row.values["e_above_hull"].basis == "mlip (surrogate)"
    assert row.values["band_gap"].basis == "gpaw (DFT)"


def test_the_chance_of_a_correction_supersedes_the_weight_of_a_gate(
    store: Store, records: list[StabilityRecord]
) -> None:
    candidate = store.candidate(CAMPAIGN_ID, candidate_id(1, 1))
    weighed = {"not_charge_balanced": 0.36, "known_formula": 0.5}
    alone = StoredVerdict(e_above_hull=0.05)
    judged = StoredVerdict(e_above_hull=0.05, stability=records[0])
    text = "not charge balanced, chance times 0.36; known formula, chance times 0.5"
    told = [
        weighed_text(candidate.model_copy(update={"weighed": weighed, "surrogate": verdict}))
        for verdict in (alone, judged)
    ]
    assert told == [text, f"{text}; superseded by the chance of the correction"]
