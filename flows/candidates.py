"""One candidate's way through an engine: relax -> static -> (refine) -> ingest. Blind to which engine it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gen2dft.flows import jobs
from jobflow import Flow, Job, Maker, OnMissing
from pymatgen.core import Structure

from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError
from gen2dft.rounds.context import RoundContext


@dataclass
class CandidateMaker(Maker):
    """Flow that validates one candidate.

    Parameters
    ----------
    relax, static
        Makers of an engine; `make(structure, prev)` yields a CalculationDoc or a CalculationFailure.
    fine_relax, fine_static
        Those of the second stage, which candidates near the hull go on to; None: there is only one.
    name
        Name of the flow.
    """

    relax: Maker
    static: Maker
    fine_relax: Maker | None = None
    fine_static: Maker | None = None
    name: str = "validate"

    @classmethod
    def of_campaign(cls, context: RoundContext) -> CandidateMaker:
        """The Maker for the engine and presets that the campaign names."""
        validation = context.spec.validation
        engine = load_engine(validation.engine)
        makers = engine.makers(validation.preset)
        if validation.refine is None:
            return cls(makers.relax, makers.static)
        fine = engine.makers(validation.refine.preset)
        return cls(makers.relax, makers.static, fine.relax, fine.static)

    def make(self, context: RoundContext, candidate_id: str) -> Flow:
        """The flow of one candidate, from its decoded or, better, its screened structure."""
        candidate = context.store.candidate(context.campaign_id, candidate_id)
        structure = Structure.from_dict((candidate.surrogate or {}).get("structure") or candidate.structure or {})
        key = (context.campaign_id, context.index, candidate_id)
        relax = self.relax.make(structure)
        static = self.static.make(prev=relax.output)
        steps = [relax, static]
        if self.fine_relax is None:
            ingest = jobs.ingest(*key, [relax.output, static.output])
        else:
            steps.append(refine := jobs.refine(*key, [relax.output, static.output]))
            ingest = jobs.ingest(*key, [relax.output, static.output], refined=refine.output)
        flow = Flow([*steps, ingest], output=ingest.output, name=f"{self.name} {candidate_id}")
        return self._whatever_happens(flow, [*steps[1:], ingest], context, candidate_id)

    def second_stage(self, context: RoundContext, candidate_id: str, prev: Any) -> Flow:
        """The finer calculations of one candidate, from where `prev`, the last of the first stage, ended."""
        if self.fine_relax is None or self.fine_static is None:
            raise CampaignError("this campaign has no second stage: validation.refine is not set")
        relax = self.fine_relax.make(prev=prev)
        static = self.fine_static.make(prev=relax.output)
        collect = jobs.collect([relax.output, static.output])
        flow = Flow([relax, static, collect], output=collect.output, name=f"refine {candidate_id}")
        return self._whatever_happens(flow, [static, collect], context, candidate_id)

    def _whatever_happens(self, flow: Flow, later: list[Job], context: RoundContext, candidate_id: str) -> Flow:
        """Tag the flow, and let it run on: a calculation that crashed leaves nothing, but the candidate its reason."""
        for job in later:
            job.config.on_missing_references = OnMissing.NONE
        jobs.tag(flow, context, "validate", candidate_id)
        return flow
