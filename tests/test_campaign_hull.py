"""Which hull a campaign has that names none, and that stored campaigns keep theirs."""

from __future__ import annotations

import pytest
import yaml

from gen2dft.campaign import CampaignSpec, builtin_campaigns, load_campaign, parse_campaign
from gen2dft.campaign.hull import ON_ITS_SCALE, WHOLE_HULL
from gen2dft.datasets.sources import BUILTIN
from gen2dft.errors import CampaignError
from gen2dft.thermo.materials_project import NAME


def campaign(dataset: str = "starter", **hull: str) -> CampaignSpec:
    content = {
        "name": "whole",
        "targets": [{"property": "e_above_hull", "max": 0.03}],
        "dataset": {"source": dataset},
        "sampling": [{"method": "local", "num_points": 10}],
    }
    if hull:
        content["hull"] = hull
    return parse_campaign(yaml.safe_dump(content), "a test")


@pytest.mark.parametrize("dataset", BUILTIN)
def test_data_on_the_materials_projects_scale_are_measured_against_its_whole_hull(
    dataset: str,
) -> None:
    assert dataset in ON_ITS_SCALE
    assert campaign(dataset).hull.source == WHOLE_HULL == NAME


def test_a_file_is_so_if_it_says_what_its_energies_are_measured_on() -> None:
    assert campaign("mine.csv").hull.source == "dataset"
    assert campaign("mine.csv", scale="gpaw:PBE").hull.source == "dataset"
    assert campaign("mine.csv", scale="materials-project").hull.source == WHOLE_HULL


@pytest.mark.parametrize("source", ["dataset", "engine", "materials-project", "vanadium-oxides"])
def test_a_hull_that_is_named_stays(source: str) -> None:
    assert campaign(source=source).hull.source == source


def test_auto_is_the_default_and_is_never_stored() -> None:
    spec = campaign(source="auto")
    assert spec == campaign()
    stored = spec.model_dump(mode="json", by_alias=True)
    assert stored["hull"]["source"] == WHOLE_HULL
    assert "hash" not in stored["hull"]  # a later key: ids of older campaigns do not change


def test_a_stored_campaign_keeps_the_hull_of_its_data() -> None:
    stored = campaign().model_dump(mode="json", by_alias=True)
    stored["hull"]["source"] = "dataset"  # as every version before wrote the default
    spec = CampaignSpec.model_validate(stored)
    assert spec.hull.source == "dataset"
    assert spec.model_dump(mode="json", by_alias=True) == stored


def test_the_thermo_type_is_the_apis_alone() -> None:
    assert campaign(thermo_type="R2SCAN").hull.source == WHOLE_HULL
    assert campaign(source="materials-project").hull.thermo_type == "GGA_GGA+U"


@pytest.mark.parametrize("name", builtin_campaigns())
def test_campaigns_that_ship_use_it_but_for_the_oxides(name: str) -> None:
    wanted = "vanadium-oxides" if name == "vanadium-oxide" else WHOLE_HULL
    assert load_campaign(name).hull.source == wanted


def test_a_hash_is_sixteen_hexadecimal_digits() -> None:
    assert campaign(source="mine.json", hash="69aa40435fda0fb1").hull.hash == "69aa40435fda0fb1"
    with pytest.raises(CampaignError, match=r"hull\.hash"):
        campaign(source="mine.json", hash="69AA")
