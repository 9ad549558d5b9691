"""Several generators in a campaign, and generators without a latent space."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from gen2dft import generators
from gen2dft.campaign import CampaignSpec, GeneratorSpec, parse_campaign
from gen2dft.errors import CampaignError
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.generators.unlearned import UnlearnedGenerator

START = "name: test\ntargets: [{property: band_gap, near: 1.5, tolerance: 0.2}]\n"
SAMPLING = "sampling: [{method: local, num_points: 10}, {method: slerp, num_points: 5}]\n"
BOTH = START + SAMPLING + "generators: [{name: ftcp}, {name: spheres}]\n"
REFINED = BOTH + "validation: {refine: {preset: fine, max_e_above_hull: {local: 1, slerp: 2"


class SphereSettings(GeneratorSpec):
    name: str = "spheres"
    radius: float = 1.0


class Spheres(UnlearnedGenerator[SphereSettings]):
    name = "spheres"
    Settings: ClassVar = SphereSettings

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        return Proposal.of_draws([])


@pytest.fixture(autouse=True)
def _spheres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "spheres", lambda: Spheres)


def parsed(text: str) -> CampaignSpec:
    return parse_campaign(text, "my.yaml")


def test_one_generator_is_one_source() -> None:
    spec = parsed(START + SAMPLING)
    assert spec.sources == (spec.generator,) and spec.sources[0].label == "ftcp"
    assert spec.sources[0].share == 1.0 and spec.only_generator is spec.sources[0]
    assert spec.num_draws == 15


def test_sources_share_equally_unless_told() -> None:
    equal = parsed(BOTH)
    assert [source.share for source in equal.sources] == [0.5, 0.5] and equal.generator is None
    told = parsed(BOTH.replace("{name: ftcp}", "{name: ftcp, share: 0.9}").replace(
        "{name: spheres}", "{name: spheres, share: 0.1, radius: 2}"))  # fmt: skip
    assert [(s.label, s.share) for s in told.sources] == [("ftcp", 0.9), ("spheres", 0.1)]
    assert told.sources[1].radius == 2.0


def test_two_of_one_name_are_told_apart_by_their_labels() -> None:
    spec = parsed(START + SAMPLING + "generators: [{name: ftcp}, {name: ftcp, label: long}]")
    assert [source.label for source in spec.sources] == ["ftcp", "long"]
    with pytest.raises(CampaignError, match=r"has the generators \['ftcp', 'long'\]: give a camp"):
        _ = spec.only_generator


@pytest.mark.parametrize(
    "text", [BOTH, START + "generator: {name: spheres, label: balls}\ndraws: 7\n"]
)
def test_they_survive_the_way_through_the_database(text: str) -> None:
    spec = parsed(text)
    stored = spec.model_dump(mode="json", by_alias=True)
    assert CampaignSpec.model_validate(stored) == spec
    assert ("generators" in stored) != ("generator" in stored)
    assert ("draws" in stored) != ("sampling" in stored)


def test_shares_and_labels_decide_results_but_not_trainings() -> None:
    first = parsed(BOTH)
    named = parsed(BOTH.replace("{name: spheres}", "{name: spheres, label: balls}"))
    assert first.content_hash() != named.content_hash()
    settings = [spec.sources[1].training_settings() for spec in (first, named)]
    assert settings == [{"name": "spheres", "properties": [], "radius": 1.0}] * 2


def test_heads_are_those_that_any_source_asks_for() -> None:
    spec = parsed(BOTH.replace("{name: spheres}", "{name: spheres, properties: [e_above_hull]}"))
    assert spec.head_properties == ("band_gap", "e_above_hull")


def test_without_a_latent_space_there_are_draws() -> None:
    assert parsed(START + "generator: {name: spheres}\ndraws: 7").num_draws == 7


def test_keys_of_a_source_in_a_list_can_be_set() -> None:
    spec = parse_campaign(BOTH, "my.yaml", {"generators.1.radius": 3, "sampling.0.num_points": 2})
    assert spec.sources[1].radius == 3.0 and spec.num_draws == 7
    with pytest.raises(CampaignError, match=r"generators\.2\.radius: '2' is no place in a list"):
        parse_campaign(BOTH, "my.yaml", {"generators.2.radius": 3})


def test_a_campaign_can_be_read_where_one_of_them_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = parsed(BOTH).model_dump(mode="json", by_alias=True)
    monkeypatch.delitem(generators.GENERATORS, "spheres")
    there = CampaignSpec.model_validate(stored)
    assert there.model_dump(mode="json", by_alias=True) == stored
    assert [source.share for source in there.sources] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            BOTH.replace("{name: ftcp}", "{name: ftcp, share: 0.4}"),
            r"1 of 2 sources have a `share`",
        ),
        (
            START
            + SAMPLING
            + "generators: [{name: ftcp, share: 0.4}, {name: spheres, share: 0.5}]",
            r"generators: the shares of the sources must add up to 1, and \[0\.4, 0\.5\] do not",
        ),
        (BOTH.replace("{name: ftcp}", "{name: ftcp, share: 0}"), r"generators\.0\.share: .*than 0"),
        (BOTH.replace("spheres", "ftcp"), r"two sources are called 'ftcp': give each a `label`"),
        (BOTH.replace("spheres}", "spheres, label: a b}"), r"generators\.1\.label: .*pattern"),
        (BOTH.replace("spheres", "sphere"), r"generators\.1\.name: .*Did you mean 'spheres'"),
        (
            BOTH.replace("spheres}", "spheres, radios: 2}"),
            r"generators\.1\.radios: unknown key of generator 'spheres'; did you mean 'radius'",
        ),
        (BOTH + "generator: {name: ftcp}", r"give `generator` or `generators`, one of the two"),
        (START + SAMPLING + "generators: []", r"give `generator` or `generators`, one of the two"),
        (START + SAMPLING + "generator: {share: 0.5}", r"`share` is a key of `generators`"),
        (START, r"`sampling` is missing: .*latent space of 'ftcp'"),
        (START + SAMPLING + "generator: {name: spheres}", r"'spheres' has none: give `draws`"),
        (START + "generator: {name: spheres}", r"`draws` is missing"),
        (BOTH + "draws: 3", r"`draws` and `sampling` do not go together"),
        (REFINED + "}}}", r"max_e_above_hull has no limit for sampling by spheres"),
        (REFINED + ", spheres: 1, rndom: 2}}}", r"way of sampling 'rndom' .*mean 'random'"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        parsed(text)


def test_a_refinement_has_limits_by_method_or_by_source() -> None:
    refine = parsed(REFINED + ", spheres: 3}}}").validation.refine
    assert refine is not None
    assert refine.limit("slerp") == 2.0 and refine.limit("lattice", "spheres") == 3.0
