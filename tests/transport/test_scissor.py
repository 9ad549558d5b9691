"""A scissor opens the gap by exactly what is missing, and documents say so."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands

from gen2dft.definitions import definition_of
from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.reductions import factor_in, factors_by_definition, remarks_on
from gen2dft.transport.scissor import opened
from gen2dft.transport.settings import TransportSettings

SETTINGS = TransportSettings(
    temperatures=(300.0, 600.0),
    dopings=(1e18, 1e19),
    grid_spacing=0.06,
    max_spacing=0.3,
    hall=False,
)


@pytest.mark.parametrize("spins", [1, 2])
def test_the_gap_is_opened_to_exactly_that(spins: int):
    bands = cosine_bands((8, 8, 8), gap=0.1, spins=spins)
    wider, shift = opened(bands, 0.6)
    assert shift == pytest.approx(0.5)
    assert wider.edges().gap == pytest.approx(0.6)
    assert wider.edges().valence == bands.edges().valence
    moved = wider.energies - bands.energies
    assert np.allclose(moved[:, 1:], 0.5) and not moved[:, 0].any()


def test_a_gap_that_is_wide_enough_stays():
    bands = cosine_bands((8, 8, 8), gap=1.0)
    for gap in (None, 0.6):
        same, shift = opened(bands, gap)
        assert same is bands
        assert shift == 0


def test_a_metal_has_no_gap_to_open():
    with pytest.raises(CalculationFailed, match="is a metal here"):
        opened(cosine_bands((8, 8, 8), gap=-0.3, direct=False), 0.6)


def test_a_document_records_it_and_serves_that_definition_alone():
    definition = definition_of("ftcp-gap0.6")
    bands = cosine_bands((8, 8, 8), gap=0.1)
    doc = compute_transport(bands, SETTINGS.serving(definition))
    plain = compute_transport(bands, SETTINGS)
    assert doc.band_gap == pytest.approx(0.1)  # the label's gap is what was computed
    assert doc.scissor == pytest.approx(0.5)
    assert plain.scissor == 0
    assert set(factors_by_definition(doc, definition)) == {"ftcp-gap0.6"}
    # Electrons excited across a narrow gap compensate the holes.
    assert factor_in(doc, definition).value > factor_in(plain, definition_of("ftcp")).value
    said = "raised by 0.500 eV: a gap of 0.600 eV was assumed"
    assert said in " ".join(remarks_on(factor_in(doc, definition), definition, doc))
    with pytest.raises(CampaignError, match=r"needs conduction bands raised by 0.000 eV, but"):
        factor_in(doc, definition_of("ftcp"))
    with pytest.raises(CampaignError, match=r"raised by 0.500 eV, but .* 0.000 eV: compute it"):
        factor_in(plain, definition)
