"""One candidate's way through an engine: (look) -> relax -> static -> (refine) -> (property steps)
-> ingest.

Blind to the engine and to the properties. Steps follow the static calculation of the last stage
that a candidate goes through. A look that shows that it cannot be a hit ends the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gen2dft.flows.common import open_round, tag
from gen2dft.flows.competing import compete, flow_of
from jobflow import Flow, Job, Maker, OnMissing, Response, job

from gen2dft.engines import installed_engine, load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CampaignError, PluginMissing
from gen2dft.properties import STATIC
from gen2dft.property_steps import Compute, computes
from gen2dft.rounds import ingest as ingesting
from gen2dft.rounds import looking
from gen2dft.rounds.competing import COMPETING, plan_for
from gen2dft.rounds.known_crystals import ingest_known, known_label
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.store.documents import LabelDoc


def expand(context: Round, candidate_id: str, package: str | None = None) -> Flow | None:
    """The calculations of a dispatched candidate, on the worker that picks it up.

    Parameters
    ----------
    package
        Where the engine is from, for the message of a worker that lacks it.

    Returns
    -------
    None if there is nothing to compute: the candidate is closed, its crystal is known, or it was
    given up because it used up its attempts or this worker lacks a package.
    """
    if not ingesting.begin_attempt(context, candidate_id):
        return None
    try:
        # First: every step after it takes the engine for granted.
        installed_engine(context.spec.validation.engine, package)
        known = known_label(context, candidate_id)
        if known is not None:
            return _from_known(context, candidate_id, known)
        return CandidateMaker.of_campaign(context).make(context, candidate_id)
    except PluginMissing as lack:
        ingesting.give_up(context, candidate_id, ingesting.PLUGIN_MISSING, str(lack))
        return None


def _from_known(
    context: Round, candidate_id: str, known: LabelDoc | CalculationFailure
) -> Flow | None:
    """What is left to compute of a candidate whose crystal was computed before: its competing
    phases, if any. None: it is ingested.
    """
    if isinstance(known, LabelDoc) and context.spec.validation.competing:
        plan = plan_for(context, known)
        if not plan.phases:
            ingest_known(context, candidate_id, asdict(plan.told))
            return None
        phases = flow_of(context, candidate_id, plan)
        last = ingest_again(context.campaign_id, context.index, candidate_id, phases.output)
        flow = Flow([phases, last], output=last.output, name=f"compete {candidate_id}")
        return _whatever_happens(flow, [last], context, candidate_id)
    ingesting.write(context, candidate_id, known)
    return None


@dataclass
class CandidateMaker(Maker):
    """Flow that validates one candidate.

    Parameters
    ----------
    relax, static
        Makers of an engine; `make(structure, prev)` yields a CalculationDoc or a
        CalculationFailure.
    fine_relax, fine_static
        Those of the second stage, which candidates near the hull go on to; None: there is only one.
    look
        Maker of what comes before everything else; None: the relaxation comes first.
    steps
        Property to what its step comes after and what builds its jobs, in the order in which they
        run.
    competes
        Whether competing phases are computed, after everything else.
    name
        Name of the flow.
    """

    relax: Maker
    static: Maker
    fine_relax: Maker | None = None
    fine_static: Maker | None = None
    look: Maker | None = None
    steps: Mapping[str, tuple[str, Compute]] = field(default_factory=dict)
    competes: bool = False
    name: str = "validate"

    @classmethod
    def of_campaign(cls, context: Round) -> CandidateMaker:
        """The Maker for the engine, the presets and the properties that the campaign names.

        PluginMissing if one of its steps is from a package that is not here.
        """
        validation = context.spec.validation
        engine = load_engine(validation.engine)
        makers = makers_of(engine, validation.preset, validation.cpu_minutes)
        look = makers.look if looking.looks_first(context.spec) else None
        rest: dict[str, Any] = {"look": look, "competes": validation.competing}
        if validation.refine is None:
            steps = computes(context.spec, validation.preset)
            return cls(makers.relax, makers.static, steps=steps, **rest)
        fine = makers_of(engine, validation.refine.preset)
        steps = computes(context.spec, validation.refine.preset)
        return cls(makers.relax, makers.static, fine.relax, fine.static, steps=steps, **rest)

    def make(self, context: Round, candidate_id: str) -> Flow:
        """The flow of one candidate, from its decoded or, better, its screened structure."""
        candidate = context.store.candidate(context.campaign_id, candidate_id)
        key = (context.campaign_id, context.index, candidate_id)
        start = start_of(candidate)
        if self.look is None:
            relax = self.relax.make(start)
            later, calculations, rest = self._after_relaxation(relax, key)
            last = ingest(*key, calculations, **rest)
            parts: list[Job | Flow] = [relax, *later, last]
        else:
            look = self.look.make(start)
            rest_of_way = go_on(*key, look.output)
            last = ingest_looked(*key, look.output, rest_of_way.output)
            parts = [look, rest_of_way, last]
        flow = Flow(parts, output=last.output, name=f"{self.name} {candidate_id}")
        return _whatever_happens(flow, parts[1:], context, candidate_id)

    def after_look(self, context: Round, candidate_id: str, look: CalculationDoc) -> Flow:
        """Everything after the look; its output is what `ingest_looked` takes."""
        key = (context.campaign_id, context.index, candidate_id)
        relax = self.relax.make(prev=look)
        later, calculations, rest = self._after_relaxation(relax, key, look)
        last = collect(calculations, **rest)
        flow = Flow([relax, *later, last], output=last.output, name=f"go on {candidate_id}")
        return _whatever_happens(flow, [*later, last], context, candidate_id)

    def _after_relaxation(
        self, relax: Job, key: tuple[str, int, str], *before: CalculationDoc
    ) -> tuple[list[Job | Flow], list[Any], dict[str, Any]]:
        """What follows the relaxation, all calculations of the first stage, and the outputs of what
        follows them, by argument of `ingest`.
        """
        static = self.static.make(prev=relax.output)
        calculations = [*before, relax.output, static.output]
        if self.fine_relax is not None:
            second = refine(*key, calculations)
            return [static, second], calculations, {"refined": second.output}
        later, outcomes = self._steps_after(static, key, calculations)
        return [static, *later], calculations, {"outcomes": outcomes}

    def second_stage(self, context: Round, candidate_id: str, prev: Any) -> Flow:
        """The finer calculations of one candidate, from where `prev`, the last of the first stage,
        ended.
        """
        if self.fine_relax is None or self.fine_static is None:
            raise CampaignError("this campaign has no second stage: validation.refine is not set")
        relax = self.fine_relax.make(prev=prev)
        static = self.fine_static.make(prev=relax.output)
        calculations = [relax.output, static.output]
        key = (context.campaign_id, context.index, candidate_id)
        steps, outcomes = self._steps_after(static, key, calculations)
        last = collect(calculations, outcomes)
        later = [static, *steps, last]
        flow = Flow([relax, *later], output=last.output, name=f"refine {candidate_id}")
        return _whatever_happens(flow, later, context, candidate_id)

    def _steps_after(
        self, static: Job, key: tuple[str, int, str], calculations: list[Any]
    ) -> tuple[list[Job | Flow], dict[str, Any]]:
        """The jobs or flows of all steps, each after the one that it waits for, then competing
        phases; and their outputs by name.
        """
        made: dict[str, Job | Flow] = {}
        for name, (after, compute) in self.steps.items():
            before = None if after == STATIC else made[after].output
            made[name] = compute(static.output, before)
        outcomes = {name: step.output for name, step in made.items()}
        if self.competes:
            phases = compete(*key, calculations, outcomes)
            made[COMPETING] = phases
            outcomes = {**outcomes, COMPETING: phases.output}
        return list(made.values()), outcomes


def _whatever_happens(
    flow: Flow, later: Iterable[Job | Flow], context: Round, candidate_id: str
) -> Flow:
    """Tag the flow, and let it run on: a calculation that crashed leaves nothing, but the candidate
    its reason.
    """
    for part in later:
        for each in _jobs_of(part):
            each.config.on_missing_references = OnMissing.NONE
    tag(flow, context, "validate", candidate_id)
    return flow


def _jobs_of(part: Job | Flow) -> list[Job]:
    if isinstance(part, Job):
        return [part]
    found = []
    for inner in part.jobs:
        found += _jobs_of(inner)
    return found


@job
def refine(
    campaign_id: str, index: int, candidate_id: str, calculations: list[Any]
) -> Response[dict[str, Any]]:
    """Near enough to the hull: replace itself by the second stage and what it gives.

    Nothing without that stage.
    """
    context = open_round(campaign_id, index)
    if not ingesting.wants_refinement(context, candidate_id, calculations):
        return Response(output={})
    maker = CandidateMaker.of_campaign(context)
    last = calculations[-1]
    second_stage = maker.second_stage(context, candidate_id, last)
    return Response(replace=second_stage)


@job
def go_on(campaign_id: str, index: int, candidate_id: str, look: Any) -> Response[dict[str, Any]]:
    """After the look: replace itself by all that follows, or say what is known without it."""
    context = open_round(campaign_id, index)
    stop = looking.stop_of(context, look)
    if stop is not None:
        output = looking.all_that_is_known(context.spec, look, stop)
        return Response(output=output)
    if not isinstance(look, CalculationDoc):
        return Response(output={"calculations": [look], "outcomes": {}})
    maker = CandidateMaker.of_campaign(context)
    return Response(replace=maker.after_look(context, candidate_id, look))


@job
def collect(
    calculations: list[Any],
    outcomes: dict[str, Any] | None = None,
    refined: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What a stage gives: its calculations, those too that left nothing, and the outcomes of the
    property steps, or what the second stage gives.
    """
    given = {"calculations": calculations, "outcomes": outcomes or {}}
    return given if refined is None else {**given, "refined": refined}


@job
def ingest_looked(
    campaign_id: str, index: int, candidate_id: str, look: Any, rest: dict[str, Any] | None = None
) -> str:
    """As `ingest`, of a candidate that was looked at first; `rest` is the output of `go_on`."""
    # Without the rest there is no telling whether the look was to be all.
    found = rest or {"calculations": [look, None]}
    given = found["calculations"], found.get("refined"), found.get("outcomes")
    return _ingest(open_round(campaign_id, index), candidate_id, *given)


@job
def ingest(
    campaign_id: str,
    index: int,
    candidate_id: str,
    calculations: list[Any],
    refined: dict[str, Any] | None = None,
    outcomes: dict[str, Any] | None = None,
) -> str:
    """Write the label of one candidate, or why there is none; the candidate's new state."""
    context = open_round(campaign_id, index)
    return _ingest(context, candidate_id, calculations, refined, outcomes)


@job
def ingest_again(
    campaign_id: str, index: int, candidate_id: str, phases: dict[str, Any] | None = None
) -> str | None:
    """Ingest a candidate whose crystal was computed before, with its competing phases."""
    return ingest_known(open_round(campaign_id, index), candidate_id, phases)


def _ingest(
    context: Round,
    candidate_id: str,
    calculations: list[Any],
    refined: dict[str, Any] | None,
    outcomes: dict[str, Any] | None,
) -> str:
    fine = refined or {"calculations": [], "outcomes": outcomes or {}}
    refinement, outcomes = fine["calculations"], fine["outcomes"]
    return ingesting.ingest(context, candidate_id, calculations, refinement, outcomes)
