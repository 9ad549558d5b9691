"""One candidate's way through an engine: relax -> static -> ingest. Blind to which engine it is."""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.flows import jobs
from jobflow import Flow, Maker, OnMissing
from pymatgen.core import Structure

from gen2dft.engines import load_engine
from gen2dft.rounds.context import RoundContext


@dataclass
class CandidateMaker(Maker):
    """Flow that validates one candidate.

    Parameters
    ----------
    relax, static
        Makers of an engine; `make(structure, prev)` yields a CalculationDoc or a CalculationFailure.
    name
        Name of the flow.
    """

    relax: Maker
    static: Maker
    name: str = "validate"

    @classmethod
    def of_campaign(cls, context: RoundContext) -> CandidateMaker:
        """The Maker for the engine and preset that the campaign names."""
        validation = context.spec.validation
        makers = load_engine(validation.engine).makers(validation.preset)
        return cls(makers.relax, makers.static)

    def make(self, context: RoundContext, candidate_id: str) -> Flow:
        """The flow of one candidate, from its decoded or, better, its screened structure."""
        candidate = context.store.candidate(context.campaign_id, candidate_id)
        structure = Structure.from_dict((candidate.surrogate or {}).get("structure") or candidate.structure or {})
        relax = self.relax.make(structure)
        static = self.static.make(prev=relax.output)
        ingest = jobs.ingest(context.campaign_id, context.index, candidate_id, [relax.output, static.output])
        # A calculation that crashed leaves nothing; the rest still runs, so that the candidate gets its reason.
        for job in (static, ingest):
            job.config.on_missing_references = OnMissing.NONE
        flow = Flow([relax, static, ingest], output=ingest.output, name=f"{self.name} {candidate_id}")
        jobs.tag(flow, context, "validate", candidate_id)
        return flow
