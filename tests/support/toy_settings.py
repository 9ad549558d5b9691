"""A setting of toys."""

from __future__ import annotations

from typing import Any

import numpy as np

from gen2dft.campaign import CampaignSpec
from gen2dft.dataset import Dataset
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.split import Split
from gen2dft.thermo.hull import ReferenceHull
from tests.toys import TOY_CAMPAIGN, wide_dataset

DATA = wide_dataset()
HULL = ReferenceHull.from_dataset(DATA, scale="materials-project")


def toy_setting(dataset: Dataset = DATA, **fields: Any) -> Setting:
    """Rock salts with many cations, all but the last two to train on."""
    rows = np.arange(len(dataset))
    campaign = TOY_CAMPAIGN | {
        "generator": {**TOY_CAMPAIGN["generator"], "name": "wide-toy", "label": "toy"}
    }
    return Setting(
        specs={"gen2dft": CampaignSpec.model_validate(campaign)},
        dataset=dataset,
        split=Split(rows[:-2], rows[-2:], "by hand"),
        known=dataset.crystals,
        hull=HULL,
        **fields,
    )
