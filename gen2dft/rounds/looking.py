"""What the first look at a candidate decides, and what is then known of it without computing
more.
"""

from __future__ import annotations

from typing import Any

from gen2dft.campaign import CampaignSpec, Target
from gen2dft.campaign.spec import OF_THE_ENGINE
from gen2dft.engines.base import CalculationDoc, CalculationFailure, Outcome
from gen2dft.loop.look import Stop, can_stop, why_stop
from gen2dft.property_steps import provided, step_names
from gen2dft.rounds.round import Round


def judged_by_engine(spec: CampaignSpec) -> list[Target]:
    """The targets whose values the campaign's engine or its steps compute."""
    computed = provided(spec, spec.validation.engine)
    judged = [target for target in spec.targets if target.property in computed]
    return [target for target in judged if target.by in OF_THE_ENGINE]


def looks_first(spec: CampaignSpec) -> bool:
    """Whether a look could end anything: a campaign without a target for a gap does without."""
    return can_stop(judged_by_engine(spec))


def stop_of(context: Round, look: Outcome | None) -> Stop | None:
    """Why nothing more is computed of a candidate after its look; None: go on.

    A look that failed is no reason: its own failure is.
    """
    if not isinstance(look, CalculationDoc):
        return None
    return why_stop(judged_by_engine(context.spec), look.band_gap)


def all_that_is_known(spec: CampaignSpec, look: CalculationDoc, stop: Stop) -> dict[str, Any]:
    """The look as the only calculation, with the reason, and the outcome of every property step
    that is left out.
    """
    said = f"{stop.reason}: {stop.detail}"
    told = look.model_copy(update={"warnings": [*look.warnings, said]})
    failure = CalculationFailure(reason=stop.reason, detail=stop.detail)
    outcomes = dict.fromkeys(sorted(step_names(spec)), failure)
    return {"calculations": [told], "outcomes": outcomes}
