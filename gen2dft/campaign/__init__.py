"""One goal pursued in rounds: what a campaign file says, and reading it."""

from gen2dft.campaign.autoencoder import AutoencoderSettings
from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.hull import HullSpec
from gen2dft.campaign.part import Part
from gen2dft.campaign.properties import PropertySpec
from gen2dft.campaign.reading import (
    builtin_campaigns,
    load_campaign,
    parse_campaign,
    stored_campaign,
)
from gen2dft.campaign.screening import ScreeningSpec, SurrogateSpec
from gen2dft.campaign.sources import read_generator
from gen2dft.campaign.spec import (
    PUBLISHED_LABELS,
    BudgetSpec,
    CampaignSpec,
    DatasetSpec,
    LearningSpec,
    RefineSpec,
    ResourcesSpec,
    SamplingSpec,
    StageResources,
    Target,
    ValidationSpec,
)
from gen2dft.campaign.transport import TransportSpec

__all__ = [
    "PUBLISHED_LABELS",
    "AutoencoderSettings",
    "BudgetSpec",
    "CampaignSpec",
    "DatasetSpec",
    "GeneratorSpec",
    "HullSpec",
    "LearningSpec",
    "Part",
    "PropertySpec",
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
    "read_generator",
    "stored_campaign",
]
