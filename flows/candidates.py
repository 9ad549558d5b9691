"""One candidate's way through an engine: relax -> static -> (refine) -> (property steps) -> ingest.

Blind to the engine and to the properties. Steps follow the static calculation of the last stage
that a candidate goes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gen2dft.flows.common import open_round, tag
from jobflow import Flow, Job, Maker, OnMissing, Response, job

from gen2dft.engines import installed_engine, load_engine
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CampaignError, PluginMissing
from gen2dft.properties import STATIC
from gen2dft.property_steps import Compute, computes
from gen2dft.rounds import ingest as ingesting
from gen2dft.rounds.known_crystals import ingest_known
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round


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
        if ingest_known(context, candidate_id) is not None:
            return None
        return CandidateMaker.of_campaign(context).make(context, candidate_id)
    except PluginMissing as lack:
        ingesting.give_up(context, candidate_id, ingesting.PLUGIN_MISSING, str(lack))
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
    steps
        Property to what its step comes after and what builds its jobs, in the order in which they
        run.
    name
        Name of the flow.
    """

    relax: Maker
    static: Maker
    fine_relax: Maker | None = None
    fine_static: Maker | None = None
    steps: Mapping[str, tuple[str, Compute]] = field(default_factory=dict)
    name: str = "validate"

    @classmethod
    def of_campaign(cls, context: Round) -> CandidateMaker:
        """The Maker for the engine, the presets and the properties that the campaign names.

        PluginMissing if one of its steps is from a package that is not here.
        """
        validation = context.spec.validation
        engine = load_engine(validation.engine)
        makers = makers_of(engine, validation.preset)
        if validation.refine is None:
            steps = computes(context.spec, validation.preset)
            return cls(makers.relax, makers.static, steps=steps)
        fine = makers_of(engine, validation.refine.preset)
        steps = computes(context.spec, validation.refine.preset)
        return cls(makers.relax, makers.static, fine.relax, fine.static, steps)

    def make(self, context: Round, candidate_id: str) -> Flow:
        """The flow of one candidate, from its decoded or, better, its screened structure."""
        candidate = context.store.candidate(context.campaign_id, candidate_id)
        key = (context.campaign_id, context.index, candidate_id)
        relax = self.relax.make(start_of(candidate))
        static = self.static.make(prev=relax.output)
        calculations = [relax.output, static.output]
        if self.fine_relax is None:
            steps = self._steps_after(static)
            later: list[Job | Flow] = [static, *steps.values()]
            last = ingest(*key, calculations, outcomes=_outputs(steps))
        else:
            second = refine(*key, calculations)
            later = [static, second]
            last = ingest(*key, calculations, refined=second.output)
        later.append(last)
        flow = Flow([relax, *later], output=last.output, name=f"{self.name} {candidate_id}")
        return _whatever_happens(flow, later, context, candidate_id)

    def second_stage(self, context: Round, candidate_id: str, prev: Any) -> Flow:
        """The finer calculations of one candidate, from where `prev`, the last of the first stage,
        ended.
        """
        if self.fine_relax is None or self.fine_static is None:
            raise CampaignError("this campaign has no second stage: validation.refine is not set")
        relax = self.fine_relax.make(prev=prev)
        static = self.fine_static.make(prev=relax.output)
        calculations = [relax.output, static.output]
        steps = self._steps_after(static)
        last = collect(calculations, _outputs(steps))
        later = [static, *steps.values(), last]
        flow = Flow([relax, *later], output=last.output, name=f"refine {candidate_id}")
        return _whatever_happens(flow, later, context, candidate_id)

    def _steps_after(self, static: Job) -> dict[str, Job | Flow]:
        """The jobs or flows of all steps, each after the one that it waits for."""
        made: dict[str, Job | Flow] = {}
        for name, (after, compute) in self.steps.items():
            before = None if after == STATIC else made[after].output
            made[name] = compute(static.output, before)
        return made


def _outputs(steps: Mapping[str, Job | Flow]) -> dict[str, Any]:
    return {name: step.output for name, step in steps.items()}


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
def collect(calculations: list[Any], outcomes: dict[str, Any]) -> dict[str, Any]:
    """What a stage gives: its calculations, those too that left nothing, and the outcomes of the
    property steps.
    """
    return {"calculations": calculations, "outcomes": outcomes}


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
    fine = refined or {"calculations": [], "outcomes": outcomes or {}}
    context = open_round(campaign_id, index)
    refinement, outcomes = fine["calculations"], fine["outcomes"]
    return ingesting.ingest(context, candidate_id, calculations, refinement, outcomes)
