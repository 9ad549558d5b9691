"""One reference phase through an engine: relax -> static -> keep. Blind to which engine it is."""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.flows import jobs
from gen2dft.flows.common import mark
from gen2dft.flows.phases import calculations_of
from jobflow import Flow, Maker, OnMissing

from gen2dft.campaign import StageResources
from gen2dft.engines import load_engine
from gen2dft.engines.makers import makers_of
from gen2dft.ground.calibrate import Reference, fit_fields, phase_fields


@dataclass
class ReferenceMaker(Maker):
    """Flow that computes one reference phase; a molecule is computed as it is.

    Parameters
    ----------
    relax, static
        Makers of an engine; `make(structure, prev)` yields a CalculationDoc or a
        CalculationFailure.
    name
        Name of the flow.
    """

    relax: Maker
    static: Maker
    name: str = "reference"

    @classmethod
    def of_engine(cls, engine: str, preset: str) -> ReferenceMaker:
        """The Maker for an engine and a preset."""
        makers = makers_of(load_engine(engine), preset)
        return cls(makers.relax, makers.static)

    def make(self, reference: Reference, resources: StageResources) -> Flow:
        """The flow of one phase.

        Its last job also fits the correction, if the others are there already.
        """
        phase = reference.phase
        steps = calculations_of(phase, self.relax, self.static)
        outputs = [step.output for step in steps]
        fit = fit_fields(reference.fit)
        keep = jobs.keep_reference(reference.key, phase_fields(reference), outputs, fit)
        # A calculation that crashed leaves nothing; the rest still runs, so that there is a reason.
        for later in (*steps[1:], keep):
            later.config.on_missing_references = OnMissing.NONE
        name = f"{self.name} {phase.formula}"
        flow = Flow([*steps, keep], output=keep.output, name=name)
        belongs = {
            "campaign_id": work_of(reference.engine),
            "reference_id": reference.key,
            "stage": "validate",
        }
        mark(flow, belongs, resources)
        return flow


def work_of(engine: str) -> str:
    """What fireworks of an engine's references say instead of a campaign's id.

    Workers choose their work by it.
    """
    return f"references-{engine}"
