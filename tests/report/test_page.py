"""The page is whole, self-contained, escaped and honest."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from example_campaign import CAMPAIGN_ID, example_store, spec
from pymatgen.core import Structure

from gen2dft.errors import OutputError, StoreError
from gen2dft.report.data import ReportData, load_report_data
from gen2dft.report.figures import FIGURES
from gen2dft.report.page import render, write_report
from gen2dft.store.store import Store


class Reader(HTMLParser):
    """Collects tags, links and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "stop", "circle", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(data: ReportData) -> str:
    """The example's page without its figures, which other tests draw."""
    return render(data, {})


def test_report_holds_page_figures_and_crystals(report: Path, data: ReportData) -> None:
    assert report.name == "report.html"
    assert {f.stem for f in (report.parent / "figures").iterdir()} == set(FIGURES)
    assert len(list((report.parent / "cif").iterdir())) == len(data.hits)
    reader = Reader(report.read_text(encoding="utf-8"))
    pictures = [
        base64.b64decode(link.partition(",")[2])
        for link in reader.links
        if link.startswith("data:image/png")
    ]
    assert set(pictures) == {f.read_bytes() for f in (report.parent / "figures").iterdir()}
    assert reader.open == []


def test_nothing_is_fetched_and_nothing_is_executed(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    reader = Reader(page)
    assert all(link.startswith(("data:", "#")) for link in reader.links)
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert "url(http" not in page


def test_an_open_value_does_not_look_computed(data: ReportData) -> None:
    hit = data.hits[0]
    basis = {**hit.basis, "band_gap": "open"}
    values = {**hit.values, "band_gap": None}
    opened = hit.model_copy(update={"basis": basis, "values": values})
    page = render(dataclasses.replace(data, hits=[opened]), {})
    assert '<span class="basis ">open</span>' in page


def test_every_hit_has_picture_values_basis_and_cif(data: ReportData, page: str) -> None:
    reader = Reader(page)
    crystals = [link for link in reader.links if link.startswith("data:chemical/x-cif")]
    formulas = {
        Structure.from_str(_decoded(link), fmt="cif").composition.reduced_formula
        for link in crystals
    }
    assert formulas == {hit.formula for hit in data.hits}
    assert reader.tags.count("svg") == len(data.hits)
    assert reader.text.count("mlip (surrogate)") == len(data.hits)
    assert all(
        hit.candidate_id in reader.text and hit.spacegroup in reader.text for hit in data.hits
    )


def _decoded(link: str) -> str:
    return base64.b64decode(link.partition(",")[2]).decode()


def test_hits_tell_the_compounds_of_their_system_and_known_formulas(data: ReportData) -> None:
    first, *others = data.hits
    marked = first.model_copy(update={"compounds": 17, "known_formula": True})
    text = Reader(render(dataclasses.replace(data, hits=[marked, *others]), {})).text
    assert text.count("compounds in its system") == 1
    assert "17 compounds in its system" in text
    assert "known formula" in text


def test_ids_of_gradients_are_unique(page: str) -> None:
    ids = re.findall(r'<radialGradient id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_page_says_what_is_not_dft_and_what_is_predicted(page: str) -> None:
    text = Reader(page).text
    assert "only on a surrogate (mlip), not on DFT" in text
    assert "the generator's own predictions" in text
    assert "(DFT)" not in text


def test_power_factors_from_bands_are_in_a_table(report: Path) -> None:
    text = " ".join(Reader(report.read_text(encoding="utf-8")).text.split())
    assert "300 K, 10\u00b9\u2078 cm\u207b\u00b3" in text
    assert text.count("gpaw (DFT), gpaw-quick-v1") == 2
    assert "8\u00d78\u00d78" in text


def test_provenance_is_complete(data: ReportData, page: str) -> None:
    text = Reader(page).text
    for wanted in (
        data.campaign.dataset_hash,
        data.campaign.hull_id,
        data.campaign.spec_hash,
        "chgnet 0.4.2",
        "c0ffee12",
    ):
        assert wanted in text
    assert all(snapshot.id in text for snapshot in data.snapshots)
    assert "power_factor" in text  # the campaign's file


def test_funnel_tables_add_up(report: Path, data: ReportData) -> None:
    text = report.read_text(encoding="utf-8")
    rows = re.findall(
        r'<tr><td>([^<]+)</td><td class="n">([\d,]+)</td>\s*<td '
        r'class="n">([\d,]+)</td><td class="reasons">(.*?)</td>',
        text,
    )
    assert len(rows) == sum(len(r.funnel) for r in data.rounds)
    for _, n_in, n_out, reasons in rows:
        stopped = sum(int(n.replace(",", "")) for n in re.findall(r" ([\d,]+)</span>", reasons))
        assert int(n_in.replace(",", "")) == int(n_out.replace(",", "")) + stopped


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"]
)
def test_texts_of_the_database_are_escaped(evil: str) -> None:
    resolved = {**spec().model_dump(mode="json", by_alias=True), "description": evil}
    store = example_store(spec=resolved, stop_reason=evil)
    store.database.hits.update_many(
        {}, {"$set": {"formula": evil, "spacegroup": evil, "hull_id": evil}}
    )
    page = render(load_report_data(store, CAMPAIGN_ID), {})
    reader = Reader(page)
    assert "script" not in reader.tags
    assert "img" not in reader.tags
    assert evil in reader.text


def test_a_campaign_without_hits_says_so(data: ReportData) -> None:
    data.hits.clear()
    text = Reader(render(data, {})).text
    assert "No candidate has met all targets" in text
    assert "surrogate (mlip)" not in text


def test_unknown_campaign(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no-such"):
        write_report(store, "no-such", tmp_path)


def test_folder_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"taken.*choose a folder"):
        write_report(store, CAMPAIGN_ID, tmp_path / "taken")


def test_a_round_at_work_is_reported_as_far_as_it_is(store: Store, tmp_path: Path) -> None:
    store.database.hits.delete_many({})
    store.update_round(
        CAMPAIGN_ID, 1, state="proposing", funnel=[], training={}, latents_id=None, snapshot_id=None
    )
    store.update_round(CAMPAIGN_ID, 1, seconds={}, dispatch_size=0)
    text = Reader(render(load_report_data(store, CAMPAIGN_ID), {})).text
    assert "No candidate has met all targets" in text
    assert "10oracle calls" in text  # of the first round alone
