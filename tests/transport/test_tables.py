"""Reading transport between computed temperatures and dopings, by any definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from example_bands import cosine_bands, tetragonal

from gen2dft.definitions import Conditions, custom_definition, definition_of
from gen2dft.errors import CampaignError
from gen2dft.properties import TransportDefinition
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.reductions import factor_in, factor_of, remarks_on
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.tables import TransportTables

BANDS = cosine_bands((8, 8, 6), (0.3, 0.3, 1.5), structure=tetragonal(3.0, 4.0), direct=False)
SETTINGS = TransportSettings(
    temperatures=(300.0, 400.0, 500.0, 600.0, 700.0),
    dopings=tuple(10.0**power for power in (17, 17.5, 18, 18.5, 19, 19.5, 20, 20.5, 21)),
    grid_spacing=0.05,
    max_spacing=0.3,
    hall=False,
)


@pytest.fixture(scope="module")
def doc() -> TransportDoc:
    """A crystal whose holes and electrons differ."""
    return compute_transport(BANDS, SETTINGS)


def defined(*conditions: object) -> TransportDefinition:
    return custom_definition(Conditions(*conditions))  # type: ignore[arg-type]


@pytest.mark.parametrize("carrier", ["p", "n"])
def test_each_carrier_is_read_as_it_was_computed(doc: TransportDoc, carrier: str):
    factor = factor_in(doc, defined(carrier, 600, 1e19))
    assert factor.value == pytest.approx(float(doc.at(carrier, "power_factor_mean", 600, 1e19)))
    assert (factor.point.carrier, factor.point.doping) == (carrier, 1e19)
    assert not factor.is_interpolated


def test_best_is_the_larger_of_both(doc: TransportDoc):
    single = {kind: factor_in(doc, defined(kind, 600, 1e20)).value for kind in ("p", "n")}
    best = factor_in(doc, defined("best", 600, 1e20))
    assert best.value == max(single.values())
    assert single[best.point.carrier] == best.value
    assert single["p"] != single["n"]


def test_the_optimal_doping_is_the_argmax_over_its_range(doc: TransportDoc):
    served = compute_transport(BANDS, SETTINGS.serving(defined("n", 600, "optimal")))
    best = factor_in(served, defined("n", 600, "optimal"))
    within = np.array(served.dopings) > 0.99e18
    curve = served.table("n", "power_factor_mean")[3, within]
    dopings = np.array(served.dopings)[within]
    nearest = dopings[curve.argmax()]
    assert best.value >= curve.max()
    assert 10**-0.25 < best.point.doping / nearest < 10**0.25
    dense = np.geomspace(nearest / 3, nearest * 3, 41)
    many = replace(SETTINGS, dopings=(*dense, 1e21))  # to the same highest: the same bands
    exact = compute_transport(BANDS, many).table("n", "power_factor_mean")[3]
    assert best.value == pytest.approx(exact.max(), rel=0.005)
    low = factor_in(doc, defined("n", 600, "optimal", (1e17, 1e18)))
    assert low.point.doping == pytest.approx(1e18)  # the end of its range
    said = list(remarks_on(best, defined("n", 600, "optimal"), served))
    assert said == [f"best power factor: electrons at {best.point.doping:.2g} cm^-3, 600 K"]


@pytest.mark.parametrize(("temperature", "doping"), [(600, 2e19), (600, 7e18), (550, 1e20)])
@pytest.mark.parametrize("carrier", ["p", "n"])
def test_between_computed_points_it_agrees_with_the_exact_one(
    doc: TransportDoc, carrier: str, temperature: float, doping: float
):
    definition = defined(carrier, temperature, doping)
    read = factor_in(doc, definition)
    exact = factor_in(compute_transport(BANDS, SETTINGS.serving(definition)), definition)
    assert read.is_interpolated and not exact.is_interpolated
    assert read.value == pytest.approx(exact.value, rel=0.01)
    assert "interpolated" in " ".join(remarks_on(read, definition, doc))


def test_settings_that_serve_a_definition_compute_its_points():
    served = SETTINGS.serving(defined("n", 450, 3e19))
    assert 450.0 in served.temperatures and 3e19 in served.dopings
    ranged = SETTINGS.serving(defined("n", 600, "optimal"))
    inside = [d for d in ranged.dopings if 0.99e18 < d < 1.01e21]
    assert np.diff(np.log10(inside)).max() == pytest.approx(0.25)
    assert SETTINGS.serving(definition_of("ftcp-gap0.6")).gap == 0.6


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        (("p", 600, 1e22), r"p-type doping 1e\+22 is outside 1e\+17 to 1e\+21 carriers"),
        (("n", 200, 1e19), "temperature 200 is outside 300 to 700 K"),
        (("n", 600, "optimal", (1e15, 1e19)), r"sought, but transport of n was computed from 1e"),
    ],
)
def test_what_was_not_computed_is_refused_with_its_range(
    doc: TransportDoc, conditions: tuple[object, ...], problem: str
):
    with pytest.raises(CampaignError, match=problem):
        factor_in(doc, defined(*conditions))


def test_dopings_beyond_the_bands_are_refused(doc: TransportDoc):
    tables = TransportTables.of(doc)
    for kind in ("p", "n"):
        tables.carriers[kind].conductivity[:, -2:] = np.nan
    with pytest.raises(CampaignError, match=r"outside 1e\+17 to 1e\+20 carriers per cm"):
        factor_of(tables, defined("n", 600, 1e21))
    optimal = factor_of(tables, defined("n", 600, "optimal"))
    assert optimal.point.doping <= 1e20 * (1 + 1e-9)
