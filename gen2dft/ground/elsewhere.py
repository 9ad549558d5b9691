"""What a campaign whose results are told cannot ask for (`validation.engine: external`, or
`resources.validate.told: true`).
"""

from __future__ import annotations

from collections.abc import Iterator

from gen2dft.campaign import CampaignSpec
from gen2dft.campaign.engine_defaults import EXTERNAL, EXTERNAL_DFT
from gen2dft.errors import CampaignError
from gen2dft.thermo.corrections import NONE


def check_elsewhere(spec: CampaignSpec) -> None:
    """CampaignError for a key that needs an engine of gen2dft's where there is none."""
    if spec.screening.surrogate.engine == EXTERNAL:
        raise CampaignError(
            f"screening.surrogate.engine: {EXTERNAL!r} computes nothing, and the screen relaxes "
            "every survivor: choose mlip"
        )
    if spec.validation.engine == EXTERNAL_DFT:
        raise CampaignError(
            f"validation.engine: {EXTERNAL_DFT!r} is the name of single answers by DFT: choose "
            f"{EXTERNAL}, and say of each answer whether DFT computed it"
        )
    if not spec.validates_elsewhere:
        return
    for key, remedy in _needs_an_engine(spec):
        raise CampaignError(
            f"{key} needs an engine, and results of this campaign are told: {remedy}"
        )


def _needs_an_engine(spec: CampaignSpec) -> Iterator[tuple[str, str]]:
    """Keys of the campaign that nobody could serve, each with the remedy."""
    validation = spec.validation
    if validation.correction != NONE:
        given = f"validation.correction: {validation.correction}"
        yield given, "tell energies with their corrections, and name the scale"
    if validation.refine is not None:
        yield "validation.refine", "leave it out"
    if validation.competing:
        yield "validation.competing: true", "leave it out"
    if spec.hull.source == "engine" and validation.engine == EXTERNAL:
        remedy = "name a hull file or a dataset, with hull.scale"
        yield "hull.source: engine", remedy
