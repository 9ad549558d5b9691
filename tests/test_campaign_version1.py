"""Campaigns of the first version keep their ids, checkpoints and snapshots."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
import stored

from gen2dft import generators
from gen2dft.campaign import CampaignSpec, parse_campaign, read_generator
from gen2dft.errors import CampaignError

# The first version chose `greedy` where a file named no acquisition, and the hull of the data where
# it named no hull.
GREEDY = {"learning.acquisition": "greedy"}
HULL_OF_THE_DATA = {"hull.source": "dataset"}
MINIMAL = """
name: test
targets: [{property: band_gap, near: 1.5, tolerance: 0.2}]
sampling: [{method: local, num_points: 10}]
learning: {acquisition: greedy}
hull: {source: dataset}
"""
# Written by the first version: `content_hash()`, then hashes of the JSON text of
# `generator.training_settings()` and of the dumped generator.
SHIPPED = {
    "formation-energy": ("00e10122356d", "6ae45bd81bc3", "5121b9a58482"),
    "photovoltaic": ("5e9d6b78b49e", "d772b2e6bfe5", "e09b76f5bbaf"),
    "thermoelectric": ("0315bafacb17", "6304129647ca", "40b42cae8272"),
    "vanadium-oxide": ("ec5ed46e4028", "1671c59b42a7", "1671c59b42a7"),
}
WRITTEN = {
    "{}": ("6bc2705a0d6d", "2090f160403c", "3ce1e53c1d91"),
    "{name: ftcp, variant: published}": ("7c8965667c29", "cfea408963a4", "b7940af7499a"),
    "{name: ftcp, variant: published, epochs: 7, fourier: published_code, reads: real}": (
        "3463fc741376",
        "a84f062e4eb5",
        "58c8ef82b155",
    ),
    "{name: ftcp, imatgen: {strain: 0, elements: [V, O]}}": (
        "2b823b32de40",
        "2090f160403c",
        "5ee4cd1ff962",
    ),
    "{properties: [e_above_hull, formation_energy], latent_dim: 16, beta: 1}": (
        "8b77a74e9175",
        "490303da4e75",
        "ef1c9eef8415",
    ),
    "{name: imatgen}": ("6b760a6ad47f", "4a6d087beb2c", "4a6d087beb2c"),
    "{name: imatgen, variant: published}": ("f6adf3392b6e", "23ba7365adc4", "23ba7365adc4"),
    "{name: imatgen, variant: published, imatgen: {strain: 0.01}}": (
        "a23e06adb3b3",
        "74c6b16b41c4",
        "74c6b16b41c4",
    ),
    "{name: imatgen, epochs: 7, reads: real, imatgen: {autoencoder_crystals: 9, delta: 1}}": (
        "aadaeef52f41",
        "cb515dcef6db",
        "cb515dcef6db",
    ),
    "{name: imatgen, imatgen: {thresholds: {formation_energy: -1, e_above_hull: 0.5}}}": (
        "f03ffec8bff2",
        "865dd552c49f",
        "865dd552c49f",
    ),
    "{name: imatgen, property_weight: 1, holdout: 0.25, properties: [formation_energy]}": (
        "ac588f579fa0",
        "0783920a3134",
        "0783920a3134",
    ),
    "{name: pca, latent_dim: 8}": ("0ffc2b79511f", "3339efc9f4c0", "1bd8314ef464"),
    "{name: pca, variant: published, fourier: published_code, imatgen: {channels: 3}}": (
        "9ab969d67f34",
        "b1dbbbb244e4",
        "362e5762b431",
    ),
}


class WithoutSettings:
    """A generator of another package, as the first version asked for it."""

    encode = decode = None


@pytest.fixture
def _pca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "pca", lambda: WithoutSettings)


def hashes(spec: CampaignSpec) -> tuple[str, str, str]:
    texts = (
        json.dumps(data)
        for data in (spec.generator.training_settings(), spec.generator.model_dump(mode="json"))
    )
    return spec.content_hash(), *(hashlib.sha256(t.encode()).hexdigest()[:12] for t in texts)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_campaigns_keep_their_hashes(name: str) -> None:
    names_a_hull = name == "vanadium-oxide"
    defaults = GREEDY if names_a_hull else GREEDY | HULL_OF_THE_DATA
    text = stored.read_json("specs")[f"shipped {name}"]["yaml"]
    assert hashes(parse_campaign(text, name, defaults)) == SHIPPED[name]


@pytest.mark.usefixtures("_pca")
@pytest.mark.parametrize("generator", WRITTEN)
def test_campaigns_keep_their_hashes(generator: str) -> None:
    spec = parse_campaign(f"{MINIMAL}generator: {generator}", "x")
    assert hashes(spec) == WRITTEN[generator]
    stored = spec.model_dump(mode="json", by_alias=True)
    again = CampaignSpec.model_validate(stored)
    assert again == spec and hashes(again) == WRITTEN[generator]


def test_stored_campaigns_are_read_where_the_generators_package_is_missing() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(generators.GENERATORS, "pca", lambda: WithoutSettings)
        spec = parse_campaign(f"{MINIMAL}generator: {{name: pca, latent_dim: 8}}", "x")
    stored = spec.model_dump(mode="json", by_alias=True)
    there = CampaignSpec.model_validate(stored)
    assert there.generator.name == "pca" and there.content_hash() == spec.content_hash()


def test_a_file_with_a_generator_that_is_not_installed_is_refused() -> None:
    wrong = f"{MINIMAL}generator: {{name: fctp, depth: 3}}"
    with pytest.raises(CampaignError, match=r"generator\.name: generator 'fctp'.*mean 'ftcp'"):
        parse_campaign(wrong, "my.yaml")


@pytest.mark.usefixtures("_pca")
def test_a_generator_without_settings_gets_those_of_autoencoders() -> None:
    settings = read_generator({"name": "pca", "latent_dim": 8})
    assert (settings.latent_dim, settings.epochs, settings.variant) == (8, 80, "gen2dft")
    assert settings.total_epochs(warm=True) == 20


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        ("{epoch: 3}", r"generator\.epoch: unknown key of generator 'ftcp'; did you mean 'epochs'"),
        ("{name: imatgen, epoch: 3}", r"unknown key of generator 'imatgen'; did you mean 'epochs'"),
        ("{imatgen: {channel: 3}}", r"generator\.imatgen\.channel: .*did you mean 'channels'"),
        ("{fourier: none}", r"generator\.fourier: .*'modulus' or 'published_code'"),
        ("{name: imatgen, imatgen: 3}", r"generator\.imatgen: must be keys with values"),
        ("{name: imatgen, variant: published, imatgen: 3}", r"generator\.imatgen: must be keys"),
        ("{name: [ftcp]}", r"generator\.name: Input should be a valid string"),
        ("ftcp", r"generator: must be keys with values \(given: 'ftcp'\)"),
    ],
)
def test_wrong_keys_name_the_generator_and_the_nearest_key(generator: str, message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        parse_campaign(f"{MINIMAL}generator: {generator}", "my.yaml")


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImportError("no module named 'torch_scatter'")

    monkeypatch.setitem(generators.GENERATORS, "broken", broken)
    with pytest.raises(CampaignError, match=r"'broken' cannot be loaded \(ImportError: .*scatter"):
        parse_campaign(f"{MINIMAL}generator: {{name: broken}}", "my.yaml")


def test_settings_that_are_no_part_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type("Kind", (WithoutSettings,), {"Settings": dict})
    monkeypatch.setitem(generators.GENERATORS, "odd", lambda: kind)
    with pytest.raises(CampaignError, match=r"'odd': its `Settings` must derive from gen2dft\."):
        parse_campaign(f"{MINIMAL}generator: {{name: odd}}", "my.yaml")


def test_a_generator_of_neither_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "odd", lambda: object)
    with pytest.raises(CampaignError, match=r"'odd' has neither `propose` nor a latent space"):
        parse_campaign(f"{MINIMAL}generator: {{name: odd}}", "my.yaml")


def test_reading_a_campaign_loads_nothing_heavy() -> None:
    heavy = {"keras", "tensorflow", "scipy", "pymatgen", "pandas", "sklearn", "spglib"}
    code = (
        "import sys; from gen2dft.campaign import load_campaign; "
        f"load_campaign('vanadium-oxide'); print(*({heavy!r} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
