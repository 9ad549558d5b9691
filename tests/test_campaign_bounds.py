"""Every number of a campaign file has bounds, whichever part or plugin brings it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from gen2dft.campaign import CampaignSpec, parse_campaign
from gen2dft.campaign.gate_list import GeometrySettings, WeighingSettings
from gen2dft.campaign.part import Part
from gen2dft.campaign.spec import LearningSpec, StageResources, Target
from gen2dft.errors import CampaignError
from gen2dft.plugins import SHIPPED, registry

MINIMAL = """
name: test
targets: [{property: band_gap, near: 1.5, tolerance: 0.2}]
sampling: [{method: local, num_points: 10}]
"""
NOT_FINITE = (math.nan, math.inf, -math.inf, "nan", "inf", "1e400", 10**400)


def registered_settings() -> Iterator[type[BaseModel]]:
    for group in ("gen2dft.generators", "gen2dft.gates"):
        for name in SHIPPED[group]:
            yield registry(group)[name]().Settings
    for name in SHIPPED["gen2dft.properties"]:
        settings = registry("gen2dft.properties")[name]().settings
        if settings is not None:
            yield settings


MODELS = (CampaignSpec, WeighingSettings, *dict.fromkeys(registered_settings()))


def unbounded(node: Any, place: str) -> Iterator[str]:
    """Places of numbers without a lower or an upper bound in a JSON schema."""
    if isinstance(node, list):
        for index, part in enumerate(node):
            yield from unbounded(part, f"{place}.{index}")
    if not isinstance(node, dict):
        return
    is_number = node.get("type") in ("integer", "number") and not {"enum", "const"} & set(node)
    has_low = "minimum" in node or "exclusiveMinimum" in node
    has_high = "maximum" in node or "exclusiveMaximum" in node
    if is_number and not (has_low and has_high):
        yield place
    for key, part in node.items():
        if key not in ("default", "examples"):
            yield from unbounded(part, f"{place}.{key}")


def parts() -> Iterator[type[Part]]:
    waiting: list[type[Part]] = [Part]
    while waiting:
        part = waiting.pop()
        waiting += part.__subclasses__()
        if part.__module__.startswith("gen2dft."):
            yield part


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_number_has_two_bounds(model: type[BaseModel]):
    assert list(unbounded(model.model_json_schema(), model.__name__)) == []


def test_the_walk_finds_a_number_without_bounds_wherever_it_is():
    class Loose(Part):
        deep: dict[str, tuple[float, ...]] = {}
        half: int | None = Field(None, ge=0)

    found = list(unbounded(Loose.model_json_schema(), "Loose"))
    assert [place for place in found if ".deep." in place]
    assert [place for place in found if ".half." in place]


@pytest.mark.parametrize("part", dict.fromkeys(parts()), ids=lambda part: part.__name__)
def test_no_part_takes_what_is_not_finite(part: type[Part]):
    assert part.model_config["allow_inf_nan"] is False
    schema = part.model_json_schema()["properties"]
    numbers = [name for name, node in schema.items() if '"number"' in str(node).replace("'", '"')]
    for name, value in itertools.product(numbers, NOT_FINITE):
        with pytest.raises(ValidationError) as refused:
            part.model_validate({name: value})
        assert name in {problem["loc"][0] for problem in refused.value.errors() if problem["loc"]}


@pytest.mark.parametrize("part", dict.fromkeys(parts()), ids=lambda part: part.__name__)
def test_lower_bounds_are_not_above_upper_ones(part: type[Part]):
    names = part.model_fields
    for low in names:
        high = "max" + low[3:] if low == "min" or low.startswith("min_") else ""
        if high in names:
            needed = {"property": "band_gap"} if part is Target else {}
            with pytest.raises(ValidationError, match=rf"{low} 2.0 is above {high} 1.0: swap them"):
                part.model_validate({**needed, low: 2.0, high: 1.0})


@pytest.mark.parametrize("key", ["volume_per_atom", "angles"])
def test_pairs_ascend(key: str):
    with pytest.raises(ValidationError, match="155 is above 25: give the lower end first"):
        GeometrySettings.model_validate({key: [155, 25]})


def test_numbers_of_other_packages_are_guarded_without_bounds_of_their_own():
    class Plugged(Part):
        factor: float = 1.0
        number: int = 1
        anything: dict[str, Any] = {}

    for key, value in (("factor", math.nan), ("factor", 1e308), ("factor", True), ("number", True)):
        with pytest.raises(ValidationError, match="number"):
            Plugged.model_validate({key: value})
    with pytest.raises(ValidationError, match="64 bits"):
        Plugged.model_validate({"number": 2**63})
    with pytest.raises(ValidationError, match="64 bits"):
        Plugged.model_validate({"anything": {"deep": [2**64]}})
    assert Plugged.model_validate({"factor": 10**19, "number": "12"}).number == 12


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31m", "a\x7f", "\ud800"])
def test_texts_hold_no_control_characters(text: str):
    with pytest.raises(ValidationError, match="cannot be part of a text here"):
        StageResources(category=text)


def test_texts_may_hold_any_letter():
    assert StageResources(category="käse \u00a0 日本").category == "käse \u00a0 日本"


@pytest.mark.parametrize(
    "walltime",
    ["99:99:99", "24:60:00", "0:00:00", "-1:00:00", "24", 24, "24:00", "\uff11:00:00", ""],
)
def test_a_walltime_that_does_not_exist_is_refused(walltime: object):
    with pytest.raises(ValidationError, match="walltime"):
        StageResources.model_validate({"walltime": walltime})


@pytest.mark.parametrize("walltime", ["24:00:00", "0:00:01", "168:00:00", "1000:59:59"])
def test_a_walltime_that_exists_is_taken(walltime: str):
    assert StageResources(walltime=walltime).walltime == walltime


def test_walltimes_need_no_quotes():
    spec = parse_campaign(MINIMAL + "resources: {train: {walltime: 12:30:00}}", "x")
    assert spec.resources.train.walltime == "12:30:00"


def test_audits_share_one_batch():
    with pytest.raises(ValidationError, match=r"audit and gate_audit .* add up to 1.4"):
        LearningSpec(audit=0.7, gate_audit=0.7)
    assert LearningSpec(audit=0.5, gate_audit=0.5, control=0.5).audit == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 9223372036854775808", "seed: a whole number beyond 64 bits"),
        ("learning: {rounds: true}", "learning.rounds: true is no number"),
        ("validation: {references: {Xx: 1}}", "element 'Xx' is not one of the 118 known"),
        ("generator: {name: imatgen, imatgen: {elements: [Q]}}", "element 'Q' is not one of"),
        ("hull: {thermo_type: GGA}", r"thermo type 'GGA' is not one of .*Did you mean 'GGA_GGA"),
        ("transport: {definition: n-1e999K-1e19}", "temperature inf is outside 50 to 2000 K"),
        ("transport: {definition: ftcp-gap99}", "gap 99 is outside 0 to 20 eV"),
        (
            "validation: {competing_structures: ~no-such-user/x, competing: true}",
            "home folder of nobody",
        ),
    ],
)
def test_values_that_no_campaign_can_have(text: str, message: str):
    with pytest.raises(CampaignError, match=message):
        parse_campaign(MINIMAL + text, "x")
