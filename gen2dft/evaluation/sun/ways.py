"""The ways of drawing that are compared: the campaign's generators, the published variant of FTCP,
generators that learn nothing, and a learned one beside one of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gen2dft.campaign import CampaignSpec, GeneratorSpec, read_generator
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.evaluation.setting import variant_of

FTCP, PUBLISHED = "ftcp", "published"
SUBSTITUTION = "substitution"
UNTRAINED = (SUBSTITUTION, "prototypes")
BOTH = "both"


@dataclass(frozen=True)
class Way:
    """One way of drawing.

    Parameters
    ----------
    name
        For people.
    sources
        Settings of its generators, which share the draws equally.
    """

    name: str
    sources: tuple[GeneratorSpec, ...]


def choose_ways(campaign: CampaignSpec, names: Sequence[str]) -> list[Way]:
    """The ways of these names in their order, all unless given; CampaignError for others."""
    ways = all_ways(campaign)
    for name in names:
        if name not in ways:
            raise CampaignError(not_one_of("way", name, ways))
    return [ways[name] for name in names or ways]


def all_ways(campaign: CampaignSpec) -> Mapping[str, Way]:
    """Every way that a campaign has, by name.

    A source of the campaign has the campaign's settings, others have their defaults.
    """
    trained = [source for source in campaign.sources if source.name not in UNTRAINED]
    ways = {source.label: Way(source.label, (source,)) for source in trained}
    for source in trained:
        if source.name == FTCP and variant_of(source) != PUBLISHED:
            ways[PUBLISHED] = Way(PUBLISHED, (published_variant(source),))
    untrained = {name: _settings(campaign, name) for name in UNTRAINED}
    for name, settings in untrained.items():
        ways[name] = Way(name, (settings,))
    if trained:
        ways[BOTH] = Way(BOTH, (trained[0], untrained[SUBSTITUTION]))
    return ways


def published_variant(source: GeneratorSpec) -> GeneratorSpec:
    """FTCP as published, with the settings that the campaign gives and its own other defaults."""
    given = source.model_dump(mode="json", include=source.model_fields_set)
    settings: GeneratorSpec = read_generator(given | {"variant": PUBLISHED, "label": PUBLISHED})
    return settings


def _settings(campaign: CampaignSpec, name: str) -> GeneratorSpec:
    """Settings of a generator: the campaign's, or its defaults."""
    for source in campaign.sources:
        if source.name == name:
            return source
    settings: GeneratorSpec = read_generator({"name": name})
    return settings
