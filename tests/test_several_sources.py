"""A campaign with several generators tells of each candidate who drew it: ledger, status, hits,
show, conditions.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from example_campaign import CAMPAIGN_ID, HITS, candidate_id, empty_store, example_store
from rich.console import Console
from two_sources import TOY, WIDE, two_source_round
from typer.testing import CliRunner

from gen2dft.cli import ledger as ledger_verb
from gen2dft.cli import results, status
from gen2dft.cli.app import app
from gen2dft.errors import QueryError
from gen2dft.exchange.credits import Credits
from gen2dft.exchange.export import Choice, export_campaign
from gen2dft.exchange.restore import import_archive
from gen2dft.ledger import BANDS, FAILED, SCREEN, VALIDATE, read_ledger
from gen2dft.query import find_hits, sources_of_hits
from gen2dft.report.by_source import by_source
from gen2dft.report.ledger_table import rows
from gen2dft.report.page import write_report
from gen2dft.store.documents import CampaignDoc, CandidateDoc, SnapshotDoc, StoredVerdict
from gen2dft.store.store import Store
from tests.toys import toys_registered

Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """One round of two toys, which no test changes."""
    with toys_registered():
        yield two_source_round().store


@pytest.fixture
def campaign(store: Store) -> CampaignDoc:
    return store.find_campaign()


@pytest.fixture
def candidates(store: Store, campaign: CampaignDoc) -> list[CandidateDoc]:
    return list(store.candidates(campaign.id))


@pytest.fixture
def invoke(store: Store, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs `gen2dft` on the campaign, on a terminal wide enough for every table."""
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    for module in (results, status, ledger_verb):
        monkeypatch.setattr(module, "console", Console(width=220))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def row_of(output: str, name: str) -> list[str]:
    """Cells of the line that begins with a name."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"{name} ")]
    return line.split()


def test_costs_by_source_add_up_to_the_whole(store: Store, campaign: CampaignDoc):
    ledger = read_ledger(store, campaign.id)
    assert set(ledger.sources) == {TOY, WIDE}
    for stage in (SCREEN, VALIDATE, FAILED, BANDS):
        parts = sum(account.hours[stage] for account in ledger.sources.values())
        assert parts == pytest.approx(ledger.whole.hours[stage])
    assert ledger.whole.hours[SCREEN] > 0
    for name in ("oracle_calls", "labels", "failures", "hits"):
        parts = sum(getattr(account, name) for account in ledger.sources.values())
        assert parts == getattr(ledger.whole, name) > 0


def test_the_account_of_a_source_is_that_of_its_own_candidates(
    store: Store, campaign: CampaignDoc, candidates: list[CandidateDoc]
):
    ledger = read_ledger(store, campaign.id)
    hits = Counter(candidate.source for candidate in candidates if candidate.state == "hit")
    assert {source: account.hits for source, account in ledger.sources.items()} == hits


def test_candidates_that_name_no_source_are_of_the_only_generator():
    store = example_store()
    store.database.candidates.update_many({}, {"$unset": {"source": ""}})
    ledger = read_ledger(store, CAMPAIGN_ID)
    assert list(ledger.sources) == ["ftcp"]
    assert ledger.sources["ftcp"].hits == len(HITS)
    (counts,) = by_source(store, store.campaign(CAMPAIGN_ID)).values()
    assert counts.hits == len(HITS)


def test_the_ledger_has_lines_of_sources_where_there_are_several(
    store: Store, campaign: CampaignDoc, invoke: Invoke
):
    titles = [row[0] for row in rows(read_ledger(store, campaign.id))]
    assert titles == ["round 1", "round 2", TOY, WIDE, "local", "random", "whole campaign"]
    assert "ftcp" not in [row[0] for row in rows(read_ledger(example_store(), CAMPAIGN_ID))]
    assert row_of(invoke("ledger").output, WIDE)[1:3] == ["\u2013", "\u2013"]
    found = json.loads(invoke("ledger", "--json").output)
    assert found["sources"][TOY]["hits"] + found["sources"][WIDE]["hits"] == found["whole"]["hits"]


def test_a_crystal_that_two_sources_drew_counts_for_both(
    store: Store, campaign: CampaignDoc, candidates: list[CandidateDoc]
):
    counts = by_source(store, campaign)
    assert sum(count.drawn for count in counts.values()) == len(candidates)
    for source, count in counts.items():
        mine = [c for c in candidates if c.source == source or source in c.also_from]
        assert count.hits == sum(c.state == "hit" for c in mine)
        assert count.computed == sum(c.state in ("hit", "labelled") for c in mine)
    shared_hits = [c for c in candidates if c.state == "hit" and c.also_from]
    assert shared_hits
    total = sum(count.hits for count in counts.values())
    assert total == len(store.hits(campaign.id)) + len(shared_hits)


def test_the_counts_are_those_of_the_funnel(
    store: Store, campaign: CampaignDoc, candidates: list[CandidateDoc]
):
    counts = by_source(store, campaign).values()
    funnel = {stage.stage: stage for stage in store.round(campaign.id, 0).funnel}
    screened = [candidate for candidate in candidates if candidate.surrogate is not None]
    passed = [candidate for candidate in screened if candidate.verdict.reason is None]
    assert len(screened) == funnel["shortlist"].n_in
    assert len(passed) == funnel["select"].n_in
    # Those that several sources drew are one in the funnel.
    assert sum(count.passed_gates for count in counts) == sum(map(num_sources, screened))
    assert sum(count.passed_surrogate for count in counts) == sum(map(num_sources, passed))


def num_sources(candidate: CandidateDoc) -> int:
    return 1 + len(candidate.also_from)


@pytest.mark.parametrize(
    ("state", "verdict", "passed"),
    [
        ("rejected:known_formula", None, (0, 0)),
        ("rejected:not_shortlisted", None, (1, 0)),
        ("sampled", None, (1, 0)),
        ("rejected:above_hull", "above_hull", (1, 0)),
        ("sampled", "above_hull", (1, 0)),  # until the audit of the gate is drawn
        ("queued", "above_hull", (1, 1)),  # the audit let it through
        ("rejected:not_selected", "", (1, 1)),
        ("labelled", "", (1, 1)),
    ],
)
def test_how_far_a_candidate_came_is_told_by_state_and_verdict(
    state: str, verdict: str | None, passed: tuple[int, int]
):
    store = example_store()
    store.database.candidates.delete_many({})
    screened = None if verdict is None else StoredVerdict(reason=verdict or None)
    store.insert_new(
        CandidateDoc(
            id=f"{CAMPAIGN_ID}:one",
            campaign_id=CAMPAIGN_ID,
            round_index=0,
            candidate_id="one",
            sampler="local",
            parents=[],
            state=state,
            surrogate=screened,
        )
    )
    (count,) = by_source(store, store.campaign(CAMPAIGN_ID)).values()
    assert (count.passed_gates, count.passed_surrogate) == passed


def test_status_has_a_line_per_source(store: Store, campaign: CampaignDoc, invoke: Invoke):
    output = invoke("status", "toy").output
    for source, count in by_source(store, campaign).items():
        assert row_of(output, source)[1:] == [str(number) for number in vars(count).values()]
    found = json.loads(invoke("status", "toy", "--json").output)
    assert found["sources"][TOY]["drawn"] == 50


def test_status_of_one_generator_has_sources_in_json_alone(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: example_store())
    assert "passed the surrogate" not in invoke("status", "thermoelectric").output
    found = json.loads(invoke("status", "thermoelectric", "--json").output)
    assert found["sources"]["ftcp"]["hits"] == len(HITS)


def test_lists_of_candidates_name_the_source(invoke: Invoke):
    listed = json.loads(invoke("status", "toy", "-s", "hit", "--json").output)
    output = invoke("status", "toy", "-s", "hit").output
    for candidate in listed:
        assert f"{candidate['source']}: {candidate['sampler']}" in output


def test_hits_have_a_column_of_sources(store: Store, campaign: CampaignDoc, invoke: Invoke):
    output = invoke("hits").output
    assert re.search(r"^id .* round +source +", output, re.MULTILINE)
    shared = [doc for doc in store.candidates(campaign.id, state="hit") if doc.also_from]
    for candidate in shared:
        assert f"{TOY}, {WIDE}" in " ".join(row_of(output, candidate.candidate_id))
    written = list(csv.DictReader(io.StringIO(invoke("hits", "--csv").output)))
    assert {row["id"]: row["also from"] for row in written if row["also from"]} == {
        candidate.candidate_id: WIDE for candidate in shared
    }
    for hit in json.loads(invoke("hits", "--json").output):
        stored = store.candidate(campaign.id, hit["candidate_id"])
        assert (hit["source"], hit["also_from"]) == (stored.source, stored.also_from)


def test_hits_of_one_generator_have_no_such_column(invoke: Invoke, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: example_store())
    assert "source" not in invoke("hits").output
    assert "source" not in invoke("hits", "--csv").output.splitlines()[0]
    assert {hit["source"] for hit in json.loads(invoke("hits", "--json").output)} == {"ftcp"}


def test_show_names_all_who_drew_a_crystal(store: Store, campaign: CampaignDoc, invoke: Invoke):
    shared = next(doc for doc in store.candidates(campaign.id, state="hit") if doc.also_from)
    output = invoke("show", shared.id).output
    assert f"{TOY}: {shared.sampler}" in output
    assert row_of(output, "also drawn by")[3:] == [WIDE]
    assert json.loads(invoke("show", shared.id, "--json").output)["also_from"] == [WIDE]
    alone = next(doc for doc in store.candidates(campaign.id) if not doc.also_from)
    assert "also drawn by" not in invoke("show", alone.id).output


def test_show_of_one_generator_does_not_name_it(invoke: Invoke, monkeypatch: pytest.MonkeyPatch):
    one = example_store()
    one.database.candidates.update_many({}, {"$set": {"source": "ftcp"}})
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: one)
    assert "ftcp" not in invoke("show", candidate_id(1, 1)).output


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (f'source == "{TOY}"', lambda sources: TOY in sources),
        (f'source != "{TOY}"', lambda sources: TOY not in sources),
        (f'not source == "{WIDE}"', lambda sources: WIDE not in sources),
        (f'source in ["{TOY}", "nobody"]', lambda sources: TOY in sources),
        (f'source not in ["{WIDE}"]', lambda sources: WIDE not in sources),
        ('source == "nobody"', lambda _: False),
        (f'source == "{TOY}" and source == "{WIDE}"', lambda sources: len(sources) == 2),
        (f'source == "{TOY}" or round == 1', lambda _: True),
    ],
)
def test_conditions_on_the_source(
    store: Store, campaign: CampaignDoc, where: str, wanted: Callable[[tuple[str, ...]], bool]
):
    drawn_by = sources_of_hits(store, campaign)
    hits = {hit.id for hit in store.hits(campaign.id)}
    expected = {hit for hit in hits if wanted(drawn_by[hit])}
    assert {hit.id for hit in find_hits(store, where, campaign.id)} == expected
    assert {hit.id for hit in find_hits(store, where)} == expected


def test_the_conditions_tell_the_hits_of_the_two_toys_apart(store: Store, campaign: CampaignDoc):
    of_toy = find_hits(store, f'source == "{TOY}"', campaign.id)
    of_wide_alone = find_hits(store, f'source != "{TOY}"', campaign.id)
    assert of_toy
    assert of_wide_alone
    assert len(of_toy) + len(of_wide_alone) == len(store.hits(campaign.id))


def test_the_only_generator_is_the_source_of_all_hits():
    store = example_store()
    assert len(find_hits(store, 'source == "ftcp"', CAMPAIGN_ID)) == len(HITS)
    assert find_hits(store, 'source != "ftcp"', CAMPAIGN_ID) == []


def test_a_hit_whose_candidate_is_not_moved_yet_has_a_source(invoke: Invoke):
    with toys_registered():
        context = two_source_round()
    first = context.store.hits(context.campaign_id)[0]
    context.store.database.candidates.update_one({"_id": first.id}, {"$set": {"state": "labelled"}})
    campaign = context.store.campaign(context.campaign_id)
    assert first.id in sources_of_hits(context.store, campaign)


def test_sources_have_no_order(store: Store, campaign: CampaignDoc):
    with pytest.raises(QueryError, match="source has no order; use ==, != or in"):
        find_hits(store, f'source > "{TOY}"', campaign.id)


def test_the_report_names_the_sources(store: Store, campaign: CampaignDoc, tmp_path: Path) -> None:
    page = write_report(store, campaign.id, tmp_path).read_text()
    assert "By source, all rounds" in page
    numbers = [f"{number:,}" for number in vars(by_source(store, campaign)[WIDE]).values()]
    cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
    assert f"<tr><td>{WIDE}</td>{cells}</tr>" in page
    drawn_by = sources_of_hits(store, campaign)
    for hit in store.hits(campaign.id):
        row = page.split(f'<span class="mono">{hit.candidate_id}</span>')[1]
        assert row.startswith(f"<br>drawn by {', '.join(drawn_by[hit.id])}")


def test_an_archive_holds_the_snapshots_of_all_sources(
    store: Store, campaign: CampaignDoc, tmp_path: Path
) -> None:
    path = tmp_path / "two.zip"
    with toys_registered():
        export_campaign(store, campaign.id, path, Credits(), Choice(snapshots=True))
        other = empty_store()
        import_archive(other, path)
    with zipfile.ZipFile(path) as archive:
        table = list(csv.DictReader(io.StringIO(archive.read("hits.csv").decode())))
    assert {row["source"] for row in table} <= {TOY, WIDE} and table
    document = other.rounds(campaign.id)[0]
    assert set(document.snapshot_ids) == {TOY, WIDE}
    for snapshot in document.snapshots:
        assert other.get_blob(other.get(SnapshotDoc, snapshot).blob_id)
    for head in document.head_ids.values():
        assert other.get_blob(head)
