"""Definitions that users state: canonical names, limits, and the keys of campaign files."""

from __future__ import annotations

import pytest

from gen2dft.campaign import CampaignSpec, TransportSpec, parse_campaign
from gen2dft.definitions import Conditions, custom_definition, definition_of, with_gap_of
from gen2dft.errors import CampaignError
from gen2dft.properties import TRANSPORT_DEFINITIONS

CAMPAIGN = """{name: test-case, sampling: [{method: random, num_points: 9}],
  targets: [{property: power_factor, optimise: maximise}, {property: band_gap, %s}],
  transport: %s}"""
NAMES = {
    "n-600K-1e19": Conditions("n", 600, 1e19),
    "p-300.5K-2.5e19": Conditions("p", 300.5, 2.5e19),
    "best-600K-optimal": Conditions("best", 600, "optimal"),
    "p-800K-optimal-1e19-1e20": Conditions("p", 800, "optimal", (1e19, 1e20)),
}


def campaign(transport: str, gap: str = "min: 0.1") -> CampaignSpec:
    return parse_campaign(CAMPAIGN % (gap, transport), "here")


@pytest.mark.parametrize(("name", "conditions"), NAMES.items(), ids=NAMES)
def test_a_canonical_name_holds_the_whole_definition(name: str, conditions: Conditions):
    made = custom_definition(conditions)
    assert made.name == name
    for definition in (made, with_gap_of(made, 0.6)):
        assert definition_of(definition.name) == definition
    assert made.formula == "mean eigenvalue of S^2 sigma"


def test_what_a_published_definition_says_is_that_definition():
    assert custom_definition(Conditions("p", 300, 1e18)) is TRANSPORT_DEFINITIONS["ricci2017"]
    # ftcp averages otherwise
    assert custom_definition(Conditions("p", 600, 1e19)).name == "p-600K-1e19"


def test_keys_in_any_spelling_make_one_campaign():
    spellings = (
        "{carrier: n, temperature: 600, doping: 1e19}",
        "{carrier: n, temperature: 600.0, doping: 1.0e+19}",
        "{doping: 10000000000000000000, temperature: 6e2, carrier: n}",
        "{definition: n-600K-1e19}",
    )
    specs = [campaign(text) for text in spellings]
    assert {spec.transport.definition for spec in specs} == {"n-600K-1e19"}
    assert len({spec.content_hash() for spec in specs}) == 1
    assert specs[0].content_hash() != campaign("{carrier: p, temperature: 600}").content_hash()


def test_the_default_keeps_its_id_and_dump():
    plain = TransportSpec()
    assert plain == TransportSpec.model_validate({"carrier": "p"})
    assert set(plain.model_dump(mode="json")) == {"definition", "tolerance", "meshes"}


@pytest.mark.parametrize(
    "text",
    [
        "{carrier: best, temperature: 600, doping: optimal, doping_range: [1e19, 1e20], gap: 0.6}",
        "{definition: ftcp, gap: 0.6}",
        "{gap: from_target}",
        "{carrier: n}",
    ],
)
def test_a_spec_reads_back_as_it_was_written(text: str):
    spec = campaign(text)
    again = CampaignSpec.model_validate(spec.model_dump(mode="json", by_alias=True))
    assert again == spec
    assert again.content_hash() == spec.content_hash()


@pytest.mark.parametrize(
    ("target", "gap"), [("min: 0.4, max: 2", 0.4), ("near: [1.1, 1.5], tolerance: 0.2", 0.9)]
)
def test_a_gap_may_be_the_lowest_that_the_target_accepts(target: str, gap: float):
    transport = campaign("{gap: from_target}", target).transport
    assert transport.gap == pytest.approx(gap)
    assert transport.meaning.gap == pytest.approx(gap)
    assert transport.definition == f"ricci2017-gap{gap:g}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{doping: 1e25}", r"doping 1e25 is outside 1e14 to 1e22 carriers per cm\^3"),
        ("{temperature: 5}", "temperature 5 is outside 50 to 2000 K"),
        ("{doping: 1e19, doping_range: [1e18, 1e20]}", "goes with `doping: optimal` alone"),
        ("{doping: optimal, doping_range: [1e20, 1e18]}", r"\[1e\+20, 1e\+18\] must ascend"),
        ("{doping: optimal, doping_range: [1e10, 1e18]}", "doping_range 1e10 is outside 1e14"),
        ("{definition: ftcp, carrier: n}", "'ftcp' and the keys beside it.*'n-300K-1e18'"),
        ("{definition: ftcp-gap0.6, gap: 0.7}", "'ftcp-gap0.7', contradict each other"),
        ("{definition: m-600K-1e19}", "named by carriers, temperature and doping: n-600K-1e19"),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, problem: str):
    with pytest.raises(CampaignError, match=problem):
        campaign(text)


@pytest.mark.parametrize("target", ["max: 2", "near: [0.1], tolerance: 0.2"])
def test_a_target_without_a_lowest_gap_gives_none(target: str):
    with pytest.raises(CampaignError, match="from_target needs a target on band_gap"):
        campaign("{gap: from_target}", target)


def test_published_labels_do_not_mix_with_another_definition():
    text = CAMPAIGN % ("min: 0.1", "{carrier: n}, dataset: {labels: [ricci2017]}")
    with pytest.raises(CampaignError, match="'n-300K-1e18' define the power factor differently"):
        parse_campaign(text, "here")
