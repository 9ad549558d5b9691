"""What a campaign file becomes when crystals of one's own take the place of its generators."""

import pytest

from gen2dft.campaign import load_campaign, parse_campaign
from gen2dft.campaign.own_structures import Given, take_the_place
from gen2dft.errors import CampaignError

GIVEN = Given("0123456789abcdef", 7, ("Bi", "Te"))
LISTED = """
name: listed
targets: [{property: formation_energy, near: -1.0, tolerance: 0.3}]
generators:
  - {name: ftcp, properties: [band_gap]}
  - {name: imatgen, properties: [band_gap, formation_energy]}
sampling: [{method: local, num_points: 10}]
screening:
  gates: [default]
  charge_balance: false
  novelty: structure
validation:
  refine: {preset: chgnet-v1, max_e_above_hull: {local: 0.1, random: 0.2}}
learning: {rounds: 3, control: 0.2, gate_audit: 0.1}
"""


def loaded(given=GIVEN, name="thermoelectric", **asked):
    overrides = {key.replace("__", "."): value for key, value in asked.items()}

    def change(data):
        take_the_place(data, given, frozenset(overrides))

    if name == "listed":
        return parse_campaign(LISTED, name, overrides, change)
    return load_campaign(name, overrides, change)


@pytest.mark.parametrize(
    "name", ["thermoelectric", "photovoltaic", "formation-energy", "vanadium-oxide", "listed"]
)
def test_any_campaign_takes_crystals_in_the_place_of_its_generators(name):
    spec = loaded(name=name)
    (source,) = spec.sources
    assert (source.name, source.frozen_snapshot) == ("structures", GIVEN.snapshot)
    assert (spec.sampling, spec.draws) == ((), 7)
    assert spec.learning.rounds == 1
    assert spec.learning.batch == 7
    assert (spec.learning.audit, spec.learning.control) == (0.0, 0.0)
    assert spec.screening.surrogate.max_relaxations is None
    assert spec.dataset.few_labels == "leave-open"
    assert spec.screening.novelty == "none"
    assert not {"formula", "duplicates"} & {gate for gate, _ in spec.screening.plan}


def test_predicted_properties_stay():
    assert loaded().sources[0].properties == ("formation_energy",)
    assert loaded(name="listed").sources[0].properties == ("band_gap", "formation_energy")


def test_gates_do_not_compare_with_the_training_set():
    plan = dict(loaded().screening.plan)
    assert plan["elements"] == {"any_number": True}
    assert plan["geometry"]["angles"] == [10.0, 170.0]
    assert plan["charge"] == {"strict": True}
    assert loaded().screening.allowed_elements == ("Bi", "Te")
    assert "charge" not in dict(loaded(name="listed").screening.plan)


def test_elements_that_the_file_names_keep_judging():
    spec = loaded(screening__allowed_elements=["Si", "Ge"])
    assert spec.screening.allowed_elements == ("Si", "Ge")
    assert "Po" in spec.screening.excluded_elements


@pytest.mark.parametrize("novelty", ["formula", "structure"])
def test_novelty_comes_back_when_it_is_asked_for(novelty):
    by_file = loaded(Given("0123456789abcdef", 7, ("Bi",), novelty=True))
    assert by_file.screening.novelty == "formula"
    assert [name for name, _ in by_file.screening.plan][-2:] == ["formula", "duplicates"]
    asked = loaded(screening__novelty=novelty)
    assert asked.screening.novelty == novelty
    assert [name for name, _ in asked.screening.plan][-1] == "duplicates"


def test_all_leaves_only_what_is_no_crystal():
    spec = loaded(Given("0123456789abcdef", 7, ("Po", "Te"), everything=True))
    ((name, settings),) = spec.screening.plan
    assert (name, settings["angles"]) == ("geometry", [1.0, 179.0])
    assert spec.screening.surrogate.only_marks
    assert spec.screening.allowed_elements == ("Po", "Te")
    assert spec.screening.excluded_elements == ()


def test_the_command_line_has_the_last_word():
    spec = loaded(
        learning__batch=3,
        generator__max_sites=40,
        dataset__few_labels="refuse",
        screening__surrogate__max_relaxations=2,
        screening__angles=[30, 150],
        screening__charge_balance=False,
    )
    assert (spec.learning.batch, spec.learning.audit) == (3, 0.1)
    assert spec.sources[0].max_sites == 40
    assert spec.dataset.few_labels == "refuse"
    assert spec.screening.surrogate.max_relaxations == 2
    assert dict(spec.screening.plan)["geometry"]["angles"] == [30.0, 150.0]
    assert "charge" not in dict(spec.screening.plan)


def test_refinement_has_one_limit():
    assert loaded(name="listed").validation.refine.max_e_above_hull == 0.2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"generator__epochs": 3}, r"--set generator\.epochs and --structures do not go together"),
        ({"draws": 3}, "--set draws and --structures"),
        ({"learning__rounds": 2}, "--structures gives the crystals of one round"),
    ],
)
def test_what_given_crystals_do_not_have_is_refused(asked, message):
    with pytest.raises(CampaignError, match=message):
        loaded(**asked)


def test_the_snapshot_decides_the_campaign():
    other = Given("fedcba9876543210", 7, ("Bi", "Te"))
    assert loaded().content_hash() == loaded().content_hash() != loaded(other).content_hash()


def test_a_file_cannot_name_the_generator_without_crystals():
    def change(data):
        data["generator"] = {"name": "structures"}
        data["draws"] = 1
        del data["sampling"]

    with pytest.raises(CampaignError, match=r"generator.*snapshot"):
        load_campaign("thermoelectric", change=change)
