"""A campaign that draws from a latent space and by substitution side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from two_sources import TOY, two_source_round
from typer.testing import CliRunner

from gen2dft.campaign import parse_campaign
from gen2dft.cli import crystal, lineage
from gen2dft.cli.app import app
from gen2dft.report.by_source import by_source
from gen2dft.review.trace import trace as follow
from gen2dft.store.documents import CandidateDoc
from gen2dft.store.store import Store
from tests.toys import toys_registered

PAGE = Path(__file__).resolve().parents[1] / "docs" / "substitution.md"
RECIPE = re.compile(r"ion exchange in toy-\w+ \(\w+\): \w+ -> \w+.*, probability 0\.\d+")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """One round, which no test changes."""
    with toys_registered():
        yield two_source_round({"name": "substitution", "share": 0.5}).store


@pytest.fixture
def drawn(store: Store) -> list[CandidateDoc]:
    """Candidates by substitution."""
    every = store.candidates(store.find_campaign().id)
    return [candidate for candidate in every if candidate.source == "substitution"]


def test_parents_and_recipes_are_stored(drawn: list[CandidateDoc]):
    assert len(drawn) > 10
    for candidate in drawn:
        (parent,) = candidate.parents
        assert candidate.recipe is not None
        assert RECIPE.fullmatch(candidate.recipe)
        assert f" in {parent} " in candidate.recipe
        assert candidate.sampler == "ion-exchange"
        assert candidate.latent_row is None


def test_no_draw_is_lost_to_known_formulas(drawn: list[CandidateDoc]):
    # The other source may well draw the same crystal in this round.
    assert "rejected:duplicate_of_known" not in {candidate.state for candidate in drawn}


def test_both_sources_are_counted(store: Store, drawn: list[CandidateDoc]):
    counts = by_source(store, store.find_campaign())
    assert counts["substitution"].drawn == len(drawn)
    assert counts[TOY].drawn > 0


@pytest.mark.parametrize("verb", ["show", "trace"])
def test_verbs_tell_the_exchange(
    verb: str, store: Store, drawn: list[CandidateDoc], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    for module in (crystal, lineage):
        monkeypatch.setattr(module, "console", Console(width=220), raising=False)
    result = CliRunner().invoke(app, [verb, drawn[0].candidate_id])
    assert result.exit_code == 0, result.output
    assert drawn[0].recipe is not None
    assert drawn[0].recipe in " ".join(result.output.split())


def test_the_campaign_of_the_page_is_valid():
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    spec = parse_campaign(text, "docs/substitution.md")
    assert [(source.label, source.share) for source in spec.sources] == [
        ("ftcp", 0.5),
        ("substitution", 0.5),
    ]
    assert spec.num_draws == 1000


def test_a_draw_can_be_repeated_from_the_store(store: Store, drawn: list[CandidateDoc]):
    for candidate in drawn[:3]:
        assert follow(store, candidate).redecoded.is_same
