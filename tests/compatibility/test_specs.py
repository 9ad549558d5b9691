"""Campaign files of version 0.1.0 keep their dump, its hash, and so the id of their campaign."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import stored
import yaml

from gen2dft import generators
from gen2dft.campaign import CampaignSpec, builtin_campaigns, load_campaign, parse_campaign
from gen2dft.rounds.begin import campaign_id
from gen2dft.rounds.prepare import prepare
from tests import toys

# Files that together set every key that version 0.1.0 had, and what that version made of them.
SPECS = stored.read_json("specs")
SHIPPED = {name.removeprefix("shipped "): SPECS[name] for name in SPECS if "shipped" in name}
DATASET = SimpleNamespace(content_hash="0123456789abcdef")
HULL = SimpleNamespace(hull_hash="fedcba9876543210")
SCREEN_HULL = SimpleNamespace(hull_hash="00112233445566aa")
CALIBRATIONS = {"ggau-v1": "c1", "ggau-refine-v1": "c2"}
ELEMENTS = {"toy-v1": {"Mg": -3.0, "O": -4.5}}


@pytest.fixture(autouse=True)
def _plugin(monkeypatch):
    """The generator of another package that one of the files names: it has no settings of its own,
    as none had then.
    """
    monkeypatch.setitem(generators.GENERATORS, "pca", lambda: toys.ToyGenerator)


def parsed_then(name):
    """A stored file as version 0.1.0 understood it."""
    text = SPECS[name]["yaml"]
    return parse_campaign(text, name, stored.left_out(text))


@pytest.mark.parametrize("name", SPECS)
def test_what_a_file_leaves_out_has_changed_in_three_places_alone(name):
    now = parse_campaign(SPECS[name]["yaml"], name).model_dump(mode="json", by_alias=True)
    for place in stored.left_out(SPECS[name]["yaml"]):
        part, _, key = place.partition(".")
        now[part][key] = SPECS[name]["dump"][part][key]
    assert now == SPECS[name]["dump"]


@pytest.mark.parametrize("name", SPECS)
def test_a_campaign_file_gives_the_same_dump_and_ids(name):
    wanted = SPECS[name]
    spec = parsed_then(name)
    assert spec.model_dump(mode="json", by_alias=True) == wanted["dump"]
    assert spec.content_hash() == wanted["hash"]
    assert campaign_id(spec, DATASET, HULL) == wanted["id"]
    everything = (SCREEN_HULL, CALIBRATIONS, ELEMENTS)
    assert campaign_id(spec, DATASET, HULL, *everything) == wanted["id with all"]
    assert list(spec.head_properties) == wanted["head_properties"]
    assert spec.generator.training_settings() == wanted["training_settings"]


@pytest.mark.parametrize("name", SPECS)
def test_a_stored_spec_is_read_as_what_it_was(name):
    wanted = SPECS[name]
    spec = CampaignSpec.model_validate(wanted["dump"])
    assert spec == parsed_then(name)
    assert spec.content_hash() == wanted["hash"]


# Files that were changed on purpose, to their new ids.
CHANGED = {
    "thermoelectric": "thermoelectric-c4373726",
    "photovoltaic": "photovoltaic-fe6bd11e",
    "formation-energy": "formation-energy-61e3e3f5",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_campaign_that_ships_is_carried_on_under_its_id(name):
    """Who changes a shipped file or the data on purpose begins a new campaign: add it above."""
    spec = load_campaign(name)
    assert (spec.content_hash() == SHIPPED[name]["hash"]) is (name not in CHANGED)
    wanted = CHANGED.get(name, SHIPPED[name]["shipped id"])
    assert campaign_id(spec, *prepare(with_data_of_then(spec))) == wanted


def with_data_of_then(spec: CampaignSpec) -> CampaignSpec:
    """In version 0.1 `starter` was the set that is called `prototypes` now."""
    if spec.dataset.source != "starter":
        return spec
    dataset = spec.dataset.model_copy(update={"source": "prototypes"})
    return spec.model_copy(update={"dataset": dataset})


def test_with_the_real_starter_set_another_campaign_begins():
    spec = load_campaign("formation-energy")
    now, then = (campaign_id(spec, *prepare(of)) for of in (spec, with_data_of_then(spec)))
    assert now != then


def test_all_that_shipped_still_ships():
    assert set(SHIPPED) <= set(builtin_campaigns())
    assert all(yaml.safe_load(wanted["yaml"])["name"] == name for name, wanted in SHIPPED.items())
