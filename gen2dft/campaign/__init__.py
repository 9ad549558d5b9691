"""One goal pursued in rounds: what a campaign file says, and reading it."""

from gen2dft.campaign.generator import GeneratorSpec, ImatgenSpec
from gen2dft.campaign.part import Part
from gen2dft.campaign.reading import (
    builtin_campaigns,
    load_campaign,
    parse_campaign,
    stored_campaign,
)
from gen2dft.campaign.screening import ScreeningSpec, SurrogateSpec
from gen2dft.campaign.spec import (
    PUBLISHED_LABELS,
    BudgetSpec,
    CampaignSpec,
    DatasetSpec,
    HullSpec,
    LearningSpec,
    RefineSpec,
    ResourcesSpec,
    SamplingSpec,
    StageResources,
    Target,
    TransportSpec,
    ValidationSpec,
)

__all__ = [
    "PUBLISHED_LABELS",
    "BudgetSpec",
    "CampaignSpec",
    "DatasetSpec",
    "GeneratorSpec",
    "HullSpec",
    "ImatgenSpec",
    "LearningSpec",
    "Part",
    "RefineSpec",
    "ResourcesSpec",
    "SamplingSpec",
    "ScreeningSpec",
    "StageResources",
    "SurrogateSpec",
    "Target",
    "TransportSpec",
    "ValidationSpec",
    "builtin_campaigns",
    "load_campaign",
    "parse_campaign",
    "stored_campaign",
]
