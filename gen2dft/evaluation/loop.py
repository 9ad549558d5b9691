"""The loop with an oracle in memory: the same `propose`, `choose` and `tell` as a campaign's."""

from __future__ import annotations

from dataclasses import replace

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.evaluation.plans import Call, Run
from gen2dft.generators.snapshot import snapshot_id, to_bytes
from gen2dft.loop import targets
from gen2dft.loop.choose import choose
from gen2dft.loop.labels import Label
from gen2dft.loop.learn import Lesson, fit_head, learnt, tell
from gen2dft.loop.propose import propose
from gen2dft.loop.shortlist import DISTANCE, ENERGY
from gen2dft.loop.verdicts import Verdict, unscreened
from gen2dft.loop.view import Arm, Model, View
from gen2dft.screening.novelty import StructureIndex
from gen2dft.streams import Stream
from gen2dft.thermo.placing import IMPLAUSIBLE_ENERGY


def simulate(run: Run) -> list[Call]:
    """All rounds of one run; the same seed, data and budget make the same calls.

    Raises
    ------
    DatasetError
        If not one crystal passes the gates.
    """
    view = begin(run)
    known = StructureIndex.from_table(run.setting.known)
    sizes = run.budget.batches(run.plan)
    for index, size in enumerate(sizes):
        asked = batch_of(replace(view, calls_left=size))
        for verdict in asked:
            run.setting.progress(f"{run.name}, seed {run.seed}", len(run.calls), run.budget.calls)
            ask(run, index, verdict, known)
        if index + 1 < len(sizes):
            view = tell(view, run.labels, CrystalTable.from_structures(v.crystal for v in asked))
    if not run.calls:
        raise DatasetError(
            f"plan {run.name}, seed {run.seed}: none of {run.budget.points} latent points per "
            "round passed the gates; give more --points, or loosen the screening"
        )
    return run.calls


def begin(run: Run) -> View:
    """The first view: the generator is trained once per variant, whatever the seed of the run."""
    spec, setting = run.spec, run.setting
    learner = learnt(spec, setting.train, [])
    source, properties = spec.sources[0], learner.heads(spec)
    generator = setting.trained(source, setting.train, properties)
    lesson = Lesson(spec, source, setting.train, len(setting.train), properties)
    # Crystals of the source that are held out of training are known all the same.
    view = View(spec, 0, (), setting.train, setting.known, setting.hull)
    head = fit_head(lesson, generator, view.streams.rng(Stream.ENSEMBLE))
    model = Model(source, generator, head, snapshot_id(to_bytes(generator)))
    return replace(view, arms=(Arm(learner, model, 1.0),))


def batch_of(view: View) -> list[Verdict]:
    """The batch of a round: the oracle is the surrogate here, so nothing is screened before."""
    verdicts = unscreened(view, propose(view))
    chosen = {choice.candidate_id for choice in choose(view, verdicts) if choice.by}
    return [verdict for verdict in verdicts if verdict.candidate_id in chosen]


def ask(run: Run, index: int, verdict: Verdict, known: StructureIndex) -> None:
    """One oracle call, and what it teaches; `known` also keeps the hits of the run."""
    answer = run.oracle(verdict.crystal)
    told = {ENERGY: answer.formation_energy, DISTANCE: answer.e_above_hull}
    values = {name: value for name, value in told.items() if value is not None}
    relaxed = answer.structure
    meets = answer.is_stable and targets.missed_target(run.spec.targets, values) is None
    hit = meets and relaxed is not None and not known.contains(relaxed)
    formula = verdict.crystal.composition.reduced_formula
    run.calls.append(Call(run.name, run.seed, index, formula, answer.reason, values, hit))
    if relaxed is None or not answer.converged or answer.reason == IMPLAUSIBLE_ENERGY:
        return  # as in a campaign, whose ingest gives such a candidate up
    if hit:
        table = CrystalTable.from_structures([relaxed])
        known.add(table, 0, table.formulas()[0])
    run.labels.append(Label(f"{len(run.calls):06d}", relaxed, values, is_hit=hit))
