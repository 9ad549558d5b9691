"""A campaign in a store and bench-loop's loop in memory decide alike: same view, same batch.

Both call the same `propose`, `choose` and `tell`. This guards what each of them puts around these:
how a view is read or begun, how verdicts are made, in what order they come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mongomock
import numpy as np
import pytest
from mongomock.gridfs import enable_gridfs_integration
from pymatgen.core import Structure
from toy_views import LISTED, TOY, content_of, listed_registered, view_of

from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.engines.kit import run_task
from gen2dft.evaluation.journal import Journal, Relax
from gen2dft.evaluation.loop import batch_of, begin
from gen2dft.evaluation.plans import PLANS, LoopBudget, Run
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.split import Split
from gen2dft.loop.choose import choose
from gen2dft.loop.ids import id_of
from gen2dft.loop.learn import tell
from gen2dft.loop.propose import Proposed, propose
from gen2dft.loop.shortlist import DISTANCE, ENERGY
from gen2dft.loop.verdicts import Verdict, unscreened
from gen2dft.loop.view import View
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.learner import as_labels, earlier_labels
from gen2dft.rounds.propose import propose as propose_in_store
from gen2dft.rounds.round import Round
from gen2dft.rounds.screen import finish_screen, screen_chunk
from gen2dft.rounds.select import chosen_once, select
from gen2dft.rounds.train import train
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import surrogate_screen
from gen2dft.store.documents import StoredVerdict
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

BATCH, SEED = 4, 3
# So few relaxations that the second round finds something new among 48 rock salts.
LIMITS = {**toys.TOY_CAMPAIGN["screening"]["surrogate"], "max_relaxations": 12}
SCREENING = {"surrogate": LIMITS}
LOOPS = ("loop-probability", "loop-thompson")


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    enable_gridfs_integration()
    with toys.toys_registered():
        yield


def run_of(plan: str) -> Run:
    """A run of bench-loop whose known crystals are those that it learns from, as a campaign's."""
    learning = {"rounds": 2, "batch": BATCH, "ensemble": 4}
    content = {**toys.TOY_CAMPAIGN, "learning": learning, "screening": SCREENING}
    base, held_out = toys.toy_dataset(), toys.dataset_of([("Na", "F")])
    setting = Setting(
        specs={"gen2dft": CampaignSpec.model_validate(content)},
        dataset=base.extend(Dataset(held_out.crystals, ("held-out",), held_out.labels)),
        split=Split(np.arange(len(base)), np.array([len(base)]), "by hand"),
        known=base.crystals,
        hull=ReferenceHull.from_dataset(base),
    )
    budget = LoopBudget(calls=2 * BATCH, rounds=2, points=100, num_seeds=8, epochs_warm=2)
    return Run(plan, PLANS[plan], SEED, setting, budget, oracle_of(setting))


def oracle_of(setting: Setting) -> Relax:
    """The surrogate of the campaign, as the oracle."""
    limits = setting.any_spec.screening.surrogate
    known = StructureIndex.from_table(setting.known)
    return lambda crystal: surrogate_screen(crystal, limits, setting.hull, known)


def campaign_of(run: Run) -> Round:
    """The same run as a campaign in a store: its first round, as far as the candidates."""
    store = Store(mongomock.MongoClient(tz_aware=True)["test"])
    campaign, _ = begin_campaign(store, run.spec, run.setting.train, run.setting.hull)
    return proposed_in(Round(store, campaign.id, 0))


def proposed_in(context: Round) -> Round:
    train(context)
    propose_in_store(context)
    return context


def shortlisted(context: Round) -> list[str]:
    """Ids of the candidates that the surrogate is to relax, in the order of the store."""
    found = context.store.candidates(
        context.campaign_id, round_index=context.index, state="sampled"
    )
    return [candidate.candidate_id for candidate in found]


def screen(context: Round) -> None:
    keys = shortlisted(context)
    screen_chunk(context, keys)
    select(context, finish_screen(context, keys).model_dump())


def pass_unscreened(context: Round) -> None:
    """Let all candidates through as drawn: a store has no other way to say that none was asked."""
    keys = shortlisted(context)
    nothing = StoredVerdict(engine="toy", preset="toy-v1").model_dump()
    for key in keys:
        context.store.set_candidate(context.campaign_id, key, surrogate=nothing)
    select(context, finish_screen(context, keys).model_dump())


def queued(context: Round) -> list[str]:
    found = context.store.candidates(context.campaign_id, round_index=context.index, state="queued")
    return [candidate.candidate_id for candidate in found]


def screened(verdicts: list[Verdict], oracle: Relax) -> list[Verdict]:
    """Verdicts that the oracle lets through, as a campaign's screen does."""
    found = []
    for verdict in verdicts:
        answer = oracle(verdict.crystal)
        if answer.reason is None:
            values = {ENERGY: answer.formation_energy, DISTANCE: answer.e_above_hull}
            found.append(replace(verdict, crystal=answer.structure, values=values))
    return found


def validate(context: Round) -> None:
    """Label the whole batch and close the round."""
    for key in queued(context):
        document = context.store.candidate(context.campaign_id, key)
        start = Structure.from_dict(document.structure or {})
        assert begin_attempt(context, key)
        relaxed = run_task("relax", toys.TOY_ENGINE, "toy-v1", start, None)
        ingest(
            context, key, [relaxed, run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)]
        )
    assert try_close(context)


def ids(verdicts: list[Verdict]) -> list[str]:
    return [verdict.candidate_id for verdict in verdicts]


@pytest.mark.parametrize("plan", LOOPS)
def test_recorded_verdicts_give_the_batch_of_the_campaign(plan: str, tmp_path: Path) -> None:
    run = run_of(plan)
    context = campaign_of(run)
    view = replace(begin(run), calls_left=BATCH)
    drawn = unscreened(view, propose(view))
    assert ids(drawn) == shortlisted(context)
    assert len(drawn) == 12
    screen(context)
    path = tmp_path / "relaxations.jsonl"
    screened(drawn, Journal(path, run.oracle, "toys"))
    recorded = Journal(path, no_oracle, "toys")
    choices = choose(view, screened(drawn, recorded))
    assert choices == chosen_once(context)
    batch = sorted(choice.candidate_id for choice in choices if choice.by)
    assert batch == queued(context)
    assert len(batch) == BATCH < len(choices)


def no_oracle(_: Structure) -> None:
    raise AssertionError("the verdict was not recorded")


@pytest.mark.parametrize("plan", LOOPS)
def test_the_loop_in_memory_takes_the_batches_of_the_campaign(plan: str) -> None:
    run = run_of(plan)
    context = campaign_of(run)
    view = replace(begin(run), calls_left=BATCH)
    for index in range(2):
        drawn = unscreened(view, propose(view))
        assert ids(drawn) == shortlisted(context)
        pass_unscreened(context)
        batch = batch_of(view)
        assert ids(batch) == queued(context)
        assert choose(view, drawn) == chosen_once(context)
        assert len(batch) == BATCH < len(drawn)
        if index == 0:
            validate(context)
            context = proposed_in(Round(context.store, context.campaign_id, 1))
            view = told(view, context, drawn)


def told(view: View, second: Round, drawn: list[Verdict]) -> View:
    """The next view: what the labels of the campaign teach, and all that came to its screen."""
    labels = as_labels(second, earlier_labels(second))
    assert len(labels) > 1
    crystals = CrystalTable.from_structures(verdict.crystal for verdict in drawn)
    return tell(view, labels, crystals)


def test_another_seed_gives_another_batch() -> None:
    run = run_of("loop-probability")
    other = replace(run, seed=SEED + 1)
    views = [replace(begin(found), calls_left=BATCH) for found in (run, other)]
    first, second = (ids(batch_of(view)) for view in views)
    assert set(first).isdisjoint(second)


def fates(view: View, proposed: Proposed) -> dict[str, str | None]:
    """Id of every draw to its reason."""
    found = {}
    for part in proposed.parts:
        for row, reason in enumerate(part.reasons):
            found[id_of(view, part.drawn, row)] = reason
    return found


def stored_fates(context: Round) -> dict[str, str | None]:
    documents = context.store.candidates(context.campaign_id, round_index=context.index)
    return {document.candidate_id: document.standing.reason for document in documents}


def test_several_sources_learn_alike_in_memory_and_in_the_store() -> None:
    """Bench-loop begins with one source; `tell` and the store go on with as many as there are."""
    learning = {"rounds": 2, "batch": 6, "ensemble": 4}
    shares = (TOY, 0.5), (LISTED, 0.5)
    view = view_of(content_of(*shares, learning=learning, screening=SCREENING))
    with listed_registered():
        store = Store(mongomock.MongoClient(tz_aware=True)["test"])
        campaign, _ = begin_campaign(store, view.spec, view.base, view.screen_hull)
        context = proposed_in(Round(store, campaign.id, 0))
        drawn = unscreened(view, propose(view))
        assert ids(drawn) == shortlisted(context)
        pass_unscreened(context)
        assert choose(view, drawn) == chosen_once(context)
        # The listed source learns nothing and has one snapshot for good: its head must not stay.
        validate(context)
        context = proposed_in(Round(store, campaign.id, 1))
        view = told(view, context, drawn)
        proposed = propose(view)
        assert fates(view, proposed) == stored_fates(context)
        drawn = unscreened(view, proposed)
        pass_unscreened(context)
        assert choose(view, drawn) == chosen_once(context)
