"""`properties:` of a campaign file."""

import math

import pytest
from example_steps import SIZE, SQUARE
from pydantic import ValidationError

from gen2dft import property_steps
from gen2dft.campaign import CampaignSpec, parse_campaign
from gen2dft.campaign.properties import RESERVED, PropertySpec
from gen2dft.errors import CampaignError, PluginMissing
from gen2dft.query.fields import FIELDS

FILE = """
name: test
targets: [{property: hardness, min: 20}]
sampling: [{method: local, num_points: 10}]
properties: {hardness: {unit: GPa, column: Hv, transform: log1p, title: Vickers hardness}}
"""
BUILT_IN = FILE.split("properties:")[0].replace("hardness", "band_gap")
SIZED = BUILT_IN.replace("band_gap", "size")


@pytest.fixture
def plugged(monkeypatch):
    """A package that computes `size` is installed."""
    monkeypatch.setitem(property_steps.STEPS, "size", lambda: SIZE)


def stored(spec: CampaignSpec) -> dict:
    return spec.model_dump(mode="json", by_alias=True)


def test_a_property_of_ones_own_is_defined():
    prop = parse_campaign(FILE, "x").known_properties["hardness"]
    assert (prop.unit, prop.title, prop.transform) == ("GPa", "Vickers hardness", "log1p")


def test_a_campaign_without_the_key_is_stored_as_ever():
    spec = parse_campaign(BUILT_IN, "x")
    assert "properties" not in stored(spec)
    assert CampaignSpec.model_validate(stored(spec)) == spec


def test_the_definition_is_part_of_what_decides_the_results():
    other = parse_campaign(FILE.replace("log1p", "identity"), "x")
    assert other.content_hash() != parse_campaign(FILE, "x").content_hash()


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("{}", r"'hardness' is not one of .*To define one, give its unit .* under `properties:`"),
        (
            "{hardness: {column: Hv}}",
            r"properties\.hardness needs a `unit` .*unless a package computes it",
        ),
        ("{hardness: {units: GPa}}", r"properties\.hardness\.units: unknown key"),
        ("{is_dft: {unit: ''}}", r"'is_dft' cannot name a property"),
        ("{lambda: {unit: ''}}", r"'lambda' cannot name a property"),
        ("{a-b: {unit: ''}}", r"'a-b' cannot name a property"),
        ("{band_gap: {unit: K}}", r"properties\.band_gap is built in, in eV"),
        (
            "{hardness: {package: gen2dft-hardness}}",
            r"computed by package gen2dft-hardness, which is not installed here",
        ),
    ],
)
def test_bad_definitions_are_refused_with_the_remedy(properties: str, message: str):
    with pytest.raises(CampaignError, match=message):
        parse_campaign(FILE.split("properties:")[0] + f"properties: {properties}", "x")


def test_names_that_conditions_on_hits_use_are_not_free():
    # The beginning of a dotted name, `symmetry.number`, is none of a property either.
    assert {name.partition(".")[0] for name in FIELDS} <= RESERVED


def test_a_head_must_be_defined_too():
    text = BUILT_IN + "generator: {properties: [hardness]}"
    with pytest.raises(CampaignError, match=r"'hardness' is not one of"):
        parse_campaign(text, "x")


@pytest.mark.usefixtures("plugged")
def test_what_a_package_computes_needs_no_definition():
    spec = parse_campaign(SIZED, "x")
    entry = spec.properties["size"]
    assert (entry.unit, entry.transform, entry.package) == ("A^3/atom", "log1p", "gen2dft")
    assert spec.known_properties["size"].title == "volume per atom"


@pytest.mark.usefixtures("plugged")
def test_what_a_step_waits_for_is_defined_too(monkeypatch):
    monkeypatch.setitem(property_steps.STEPS, "size_squared", lambda: SQUARE)
    spec = parse_campaign(BUILT_IN.replace("band_gap", "size_squared"), "x")
    assert set(spec.properties) == {"size", "size_squared"}
    assert spec.known_properties["size"].unit == "A^3/atom"


@pytest.mark.usefixtures("plugged")
def test_a_column_and_settings_join_the_packages_definition():
    entry = parse_campaign(
        SIZED + "properties: {size: {column: V, settings: {factor: 2}}}", "x"
    ).properties["size"]
    assert (entry.column, entry.unit, entry.settings) == ("V", "A^3/atom", {"factor": 2})


@pytest.mark.usefixtures("plugged")
def test_another_package_than_the_file_names_is_refused():
    with pytest.raises(CampaignError, match=r"it is package gen2dft that computes it, not other"):
        parse_campaign(SIZED + "properties: {size: {package: other}}", "x")


@pytest.mark.usefixtures("plugged")
def test_another_unit_than_the_packages_is_refused():
    with pytest.raises(CampaignError, match=r"computes it in 'A\^3/atom', not in 'nm\^3'"):
        parse_campaign(SIZED + "properties: {size: {unit: nm^3}}", "x")


def test_a_stored_campaign_is_read_where_the_package_is_missing(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(property_steps.STEPS, "size", lambda: SIZE)
        spec = parse_campaign(SIZED, "x")
    with pytest.raises(CampaignError, match=r"'size' is not one of"):
        parse_campaign(SIZED, "x")
    again = CampaignSpec.model_validate(stored(spec))
    assert again == spec and again.content_hash() == spec.content_hash()
    assert again.known_properties["size"].unit == "A^3/atom"


def test_a_package_that_is_broken_is_named(monkeypatch):
    def load():
        raise ImportError("no such library")

    monkeypatch.setitem(property_steps.STEPS, "size", load)
    with pytest.raises(PluginMissing, match=r"'size' .* ImportError: no such library"):
        parse_campaign(SIZED, "x")


def test_a_property_of_ones_own_may_have_bounds():
    spec = PropertySpec(unit="GPa", min=0)
    assert spec.definition("hardness").possible == (0, math.inf)
    with pytest.raises(ValidationError, match=r"min 2\.0 is above max 1\.0"):
        PropertySpec(unit="GPa", min=2, max=1)


def test_bounds_do_not_change_the_id_of_a_campaign_without_them():
    assert not {"min", "max"} & PropertySpec(unit="GPa").model_dump().keys()
