"""Named label definitions: which numbers of a document they take, in which unit."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands, tetragonal

from gen2dft.campaign import CampaignSpec, parse_campaign
from gen2dft.errors import CampaignError
from gen2dft.properties import PROPERTIES, TRANSPORT_DEFINITIONS
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import REDUCTIONS, get_reduction
from gen2dft.transport.settings import TransportSettings

CAMPAIGN = """{name: test-case, targets: [{property: power_factor, optimise: maximise}],
  sampling: [{method: random, num_points: 9}]"""


@pytest.fixture(scope="module")
def doc() -> TransportDoc:
    """An anisotropic crystal, so that the definitions differ."""
    settings = TransportSettings(
        temperatures=(300.0, 600.0),
        dopings=(1e18, 1e19),
        grid_spacing=0.05,
        max_spacing=0.3,
        hall=False,
    )
    return compute_transport(
        cosine_bands((8, 8, 6), (0.3, 0.3, 1.5), structure=tetragonal(3.0, 4.0)), settings
    )


def test_every_definition_has_its_reduction():
    assert set(REDUCTIONS) == set(TRANSPORT_DEFINITIONS)
    for name, reduction in REDUCTIONS.items():
        assert reduction.definition.name == name


def test_ricci_takes_the_mean_eigenvalue_at_300_kelvin(doc: TransportDoc):
    reduction = get_reduction("ricci2017")
    tensor = doc.at("p", "power_factor_per_tau", 300.0, 1e18)
    mean = np.linalg.eigvals(tensor).real.mean()
    assert reduction.power_factor(doc) == pytest.approx(mean * 1e-14 * 1e4)
    table = reduction.published(doc)
    assert set(table) == {
        f"{name}_{carrier}" for name in ("sigma", "S", "kappa", "PF", "m") for carrier in "pn"
    }
    assert table["PF_p"] == pytest.approx(mean / 1e9)
    # As the table of Ricci et al. is read: PF in GW K^-2 m^-1 s^-1 times 0.1 is uW cm^-1 K^-2 at
    # 1e-14 s.
    assert reduction.power_factor(doc) == pytest.approx(table["PF_p"] * 0.1)
    assert table["S_n"] < 0 < table["S_p"]
    assert table["m_p"] == pytest.approx((0.3 + 0.3 + 1.5) / 3, rel=0.05)


def test_ftcp_multiplies_means_at_600_kelvin(doc: TransportDoc):
    reduction = get_reduction("ftcp")
    s = np.trace(doc.at("p", "seebeck", 600.0, 1e19)) / 3
    sigma = np.trace(doc.at("p", "conductivity_per_tau", 600.0, 1e19)) / 3
    table = reduction.published(doc)
    assert table["Seebeck"] == pytest.approx(s)
    assert table["Powerfactor"] == pytest.approx((s * 1e-6) ** 2 * sigma / 1e8)
    # / 100 is uW cm^-1 K^-2 at 1e-14 s
    assert reduction.power_factor(doc) == pytest.approx(table["Powerfactor"] / 100)
    # the mass of the mean conductivity: harmonic mean of the masses
    assert table["mi-eff"] == pytest.approx(3 / (1 / 0.3 + 1 / 0.3 + 1 / 1.5), rel=0.05)


def test_units_are_said():
    assert PROPERTIES["power_factor"].unit == "uW cm^-1 K^-2 at tau = 1e-14 s"
    assert all(
        column.unit for reduction in REDUCTIONS.values() for column in reduction.columns.values()
    )


def test_an_unknown_definition_names_the_nearest():
    with pytest.raises(
        CampaignError,
        match=r"'ricci' is not one of \['ftcp', 'ricci2017'\]. Did you mean 'ricci2017'",
    ):
        get_reduction("ricci")


def test_a_campaign_names_its_definition():
    assert isinstance(
        parse_campaign(CAMPAIGN + ", transport: {definition: ftcp}}", "here"), CampaignSpec
    )
    with pytest.raises(
        CampaignError,
        match=r"transport: transport definition 'ricci2018' is not one of.*'ricci2017'",
    ):
        parse_campaign(CAMPAIGN + ", transport: {definition: ricci2018}}", "here")


def test_published_and_computed_labels_must_mean_the_same():
    text = CAMPAIGN + ", dataset: {labels: [ricci2017]}, transport: {definition: ftcp}}"
    with pytest.raises(
        CampaignError, match="define the power factor differently; use one definition"
    ):
        parse_campaign(text, "here")
