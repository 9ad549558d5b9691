"""One candidate's way through an engine: relax -> static -> (refine) -> (bands -> transport) ->
ingest.

Blind to which engine it is. Bands are computed in the last stage that a campaign has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gen2dft.flows import jobs
from gen2dft.flows.power_factors import PowerFactorMaker
from jobflow import Flow, Job, Maker, OnMissing

from gen2dft.engines import load_engine
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CampaignError
from gen2dft.rounds.context import RoundContext
from gen2dft.rounds.power_factors import are_computed
from gen2dft.rounds.reuse import start_of


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
    power_factor
        What follows the static calculation of the last stage; None: power factors are not computed.
    name
        Name of the flow.
    """

    relax: Maker
    static: Maker
    fine_relax: Maker | None = None
    fine_static: Maker | None = None
    power_factor: PowerFactorMaker | None = None
    name: str = "validate"

    @classmethod
    def of_campaign(cls, context: RoundContext) -> CandidateMaker:
        """The Maker for the engine and presets that the campaign names."""
        validation = context.spec.validation
        engine = load_engine(validation.engine)
        makers = makers_of(engine, validation.preset)
        last = validation.preset if validation.refine is None else validation.refine.preset
        computed = are_computed(context.spec)
        bands = (
            PowerFactorMaker.of_engine(engine.name, last, context.spec.transport)
            if computed
            else None
        )
        if validation.refine is None:
            return cls(makers.relax, makers.static, power_factor=bands)
        fine = makers_of(engine, validation.refine.preset)
        return cls(makers.relax, makers.static, fine.relax, fine.static, bands)

    def make(self, context: RoundContext, candidate_id: str) -> Flow:
        """The flow of one candidate, from its decoded or, better, its screened structure."""
        structure = start_of(context.store.candidate(context.campaign_id, candidate_id))
        key = (context.campaign_id, context.index, candidate_id)
        relax = self.relax.make(structure)
        static = self.static.make(prev=relax.output)
        steps: list[Job | Flow] = [relax, static]
        later = [static]
        if self.fine_relax is None:
            bands = self._bands(static)
            steps += bands
            transport = bands[0].output if bands else None
            ingest = jobs.ingest(*key, [relax.output, static.output], transport=transport)
        else:
            refine = jobs.refine(*key, [relax.output, static.output])
            steps.append(refine)
            later.append(refine)
            ingest = jobs.ingest(*key, [relax.output, static.output], refined=refine.output)
        flow = Flow([*steps, ingest], output=ingest.output, name=f"{self.name} {candidate_id}")
        return self._whatever_happens(flow, [*later, ingest], context, candidate_id)

    def second_stage(self, context: RoundContext, candidate_id: str, prev: Any) -> Flow:
        """The finer calculations of one candidate, from where `prev`, the last of the first stage,
        ended.
        """
        if self.fine_relax is None or self.fine_static is None:
            raise CampaignError("this campaign has no second stage: validation.refine is not set")
        relax = self.fine_relax.make(prev=prev)
        static = self.fine_static.make(prev=relax.output)
        bands = self._bands(static)
        collect = jobs.collect([relax.output, static.output], bands[0].output if bands else None)
        flow = Flow(
            [relax, static, *bands, collect], output=collect.output, name=f"refine {candidate_id}"
        )
        return self._whatever_happens(flow, [static, collect], context, candidate_id)

    def _bands(self, static: Job) -> list[Flow]:
        """What computes the power factor after a static calculation, if anything does."""
        return [self.power_factor.after(static.output)] if self.power_factor else []

    def _whatever_happens(
        self, flow: Flow, later: list[Job], context: RoundContext, candidate_id: str
    ) -> Flow:
        """Tag the flow, and let it run on: a calculation that crashed leaves nothing, but the
        candidate its reason.
        """
        for job in later:
            job.config.on_missing_references = OnMissing.NONE
        jobs.tag(flow, context, "validate", candidate_id)
        return flow
