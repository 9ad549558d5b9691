import pytest
from pydantic import Field

from gen2dft.campaign import CampaignSpec, builtin_campaigns, load_campaign, parse_campaign
from gen2dft.campaign.part import LATER, Part
from gen2dft.errors import CampaignError

MINIMAL = """
name: test
targets: [{property: band_gap, near: 1.5, tolerance: 0.2}]
sampling: [{method: local, num_points: 10}]
"""


def test_the_papers_demonstrations_ship_with_the_project():
    assert {"formation-energy", "photovoltaic", "thermoelectric"} <= set(builtin_campaigns())


@pytest.mark.parametrize("name", builtin_campaigns())
def test_every_campaign_that_ships_is_valid_and_named_as_its_file(name):
    assert load_campaign(name).name == name


def test_spec_survives_the_way_through_the_database():
    spec = load_campaign("thermoelectric")
    assert CampaignSpec.model_validate(spec.model_dump(mode="json", by_alias=True)) == spec


def test_spec_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        parse_campaign(MINIMAL, "x").seed = 3


def test_hash_sees_what_decides_results_and_not_resources():
    base = parse_campaign(MINIMAL, "x").content_hash()
    assert parse_campaign(MINIMAL, "x", {"seed": 1}).content_hash() != base
    assert parse_campaign(MINIMAL, "x", {"resources.train": {"cores": 7}}).content_hash() == base


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "learning: {round: 2}", r"learning\.round: unknown key; did you mean 'rounds'"),
        (
            MINIMAL + "screening: {surrogate: {chunks: 2}}",
            r"screening\.surrogate\.chunks.*did you mean 'chunk'",
        ),
        (MINIMAL + "sampler: []", "sampler: unknown key; did you mean 'sampling'"),
        (MINIMAL + "resources: {validat: {cores: 1}}", "did you mean 'validate'"),
        (
            MINIMAL + "screening: {charge_balance: stric}",
            r"charge_balance: .*False or 'strict' \(given: 'stric'\)",
        ),
        (MINIMAL + "seed: -1", r"seed: .*greater than or equal to 0 \(given: -1\)"),
        (MINIMAL.replace("band_gap", "bandgap"), "Did you mean 'band_gap'"),
        (MINIMAL.replace(", tolerance: 0.2", ""), "`near` and `tolerance` go together"),
        (
            MINIMAL.replace("near: 1.5, tolerance: 0.2", "min: 2, max: 1"),
            "min 2.0 is above max 1.0",
        ),
        (MINIMAL.replace(", near: 1.5, tolerance: 0.2", ""), "asks for nothing"),
        ("name: [", "my.yaml is not valid YAML"),
        ("- 1", "must be a mapping"),
    ],
)
def test_bad_files_are_refused_with_the_place_and_the_remedy(text, message):
    with pytest.raises(CampaignError, match=message):
        parse_campaign(text, "my.yaml")


def test_unknown_campaign_names_the_nearest():
    with pytest.raises(CampaignError, match="Did you mean 'thermoelectric'"):
        load_campaign("termoelectric")


def test_missing_file():
    with pytest.raises(CampaignError, match="does not exist"):
        load_campaign("nowhere.yaml")


def test_overrides_are_checked_too():
    with pytest.raises(CampaignError, match="did you mean 'rounds'"):
        load_campaign("thermoelectric", {"learning.rnds": 2})


def test_the_generators_have_defaults_of_their_own():
    text = MINIMAL + "generator: {name: imatgen, epochs: 7}"
    spec = parse_campaign(text, "x").generator
    assert (spec.latent_dim, spec.batch_size, spec.beta, spec.epochs) == (500, 64, 1e-6, 7)
    assert spec.imatgen.channels == 64
    assert parse_campaign(MINIMAL, "x").generator.latent_dim == 192


def test_the_published_variant_is_another_one_of_each_generator():
    own = "variant: published, imatgen: {strain: 0.01}"
    images, ftcp = (
        parse_campaign(MINIMAL + f"generator: {{name: {name}, {own}}}", "x").generator
        for name in ("imatgen", "ftcp")
    )
    assert (images.latent_dim, images.batch_size, ftcp.latent_dim, ftcp.batch_size) == (
        500,
        64,
        256,
        256,
    )
    own = images.imatgen
    assert (own.normalised_codes, own.image_loss, own.least_peak, own.strain) == (
        False,
        "mse",
        0.02,
        0.01,
    )
    assert ftcp.model_dump()["imatgen"]["image_loss"] == "cross_entropy"


def test_epochs_of_all_networks_count():
    text = (
        MINIMAL
        + "generator: {name: imatgen, epochs: 7, imatgen: {autoencoder_epochs: 3, pretrain_epochs: "
        "2}}"
    )
    spec = parse_campaign(text, "x").generator
    assert spec.total_epochs(warm=False) == 3 + 3 + 2 + 7
    assert spec.total_epochs(warm=True) == 50
    assert parse_campaign(MINIMAL, "x").generator.total_epochs(warm=False) == 80


@pytest.mark.parametrize(("settings", "message"), [
    ("thresholds: {bandgap: 1}", "Did you mean 'band_gap'"),
    ("elements: []", "generator.imatgen.elements"),
    ("channel: 3", "did you mean 'channels'"),
])  # fmt: skip
def test_wrong_settings_of_imatgen_are_refused(settings, message):
    with pytest.raises(CampaignError, match=message):
        parse_campaign(
            MINIMAL + f"generator: {{name: imatgen, imatgen: {{{settings}}}}}", "my.yaml"
        )


def test_a_later_key_is_dumped_only_when_it_is_used():
    """Else the id of a campaign that does not use it would change with the version."""

    class Some(Part):
        old: int = 1
        new: int = Field(2, json_schema_extra=LATER)
        named: int = Field(3, json_schema_extra=LATER, alias="called")

    assert Some().model_dump(mode="json", by_alias=True) == {"old": 1}
    assert Some(new=5, called=4).model_dump(by_alias=True) == {"old": 1, "new": 5, "called": 4}
