import pytest

from gen2dft.campaign import CampaignSpec
from gen2dft.errors import CampaignError
from gen2dft.evaluation.sun.ways import all_ways, choose_ways

CAMPAIGN = {
    "name": "ways",
    "targets": [{"property": "formation_energy", "near": -0.5, "tolerance": 0.1}],
    "sampling": [{"method": "local", "num_points": 10}],
}


def campaign(**fields) -> CampaignSpec:
    return CampaignSpec.model_validate(CAMPAIGN | fields)


def test_a_campaign_without_generators_compares_ftcp_with_all_others():
    ways = all_ways(campaign())
    assert list(ways) == ["ftcp", "published", "substitution", "prototypes", "both"]
    assert [source.label for source in ways["both"].sources] == ["ftcp", "substitution"]


def test_the_published_variant_keeps_what_the_campaign_gives_and_has_its_own_defaults():
    (published,) = all_ways(campaign(generator={"epochs": 7}))["published"].sources
    assert (published.variant, published.epochs, published.latent_dim) == ("published", 7, 256)
    (own,) = all_ways(campaign(generator={"epochs": 7}))["ftcp"].sources
    assert (own.variant, own.latent_dim) == ("gen2dft", 192)


def test_a_campaign_with_the_published_variant_has_it_once():
    ways = all_ways(campaign(generator={"variant": "published"}))
    assert list(ways) == ["ftcp", "substitution", "prototypes", "both"]


def test_sources_of_the_campaign_keep_their_settings():
    ways = all_ways(
        campaign(generators=[{"name": "ftcp"}, {"name": "substitution", "max_steps": 1}])
    )
    (source,) = ways["substitution"].sources
    assert source.max_steps == 1
    assert ways["both"].sources[1].max_steps == 1


def test_without_a_learned_generator_there_is_nothing_to_mix():
    alone = {key: value for key, value in CAMPAIGN.items() if key != "sampling"}
    spec = CampaignSpec.model_validate(
        alone | {"generator": {"name": "prototypes", "max_sites": 4}, "draws": 5}
    )
    ways = all_ways(spec)
    assert list(ways) == ["substitution", "prototypes"]
    assert ways["prototypes"].sources[0].max_sites == 4


def test_ways_are_chosen_by_name():
    chosen = choose_ways(campaign(), ["both", "ftcp"])
    assert [way.name for way in chosen] == ["both", "ftcp"]
    with pytest.raises(CampaignError, match=r"way 'substituton' is not one of .*'substitution'"):
        choose_ways(campaign(), ["substituton"])
