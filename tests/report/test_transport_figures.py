"""Figures of transport show every curve, with units and what was assumed."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands
from matplotlib.text import Text

from gen2dft.errors import CampaignError
from gen2dft.report.style import png
from gen2dft.report.transport_figures import (
    against_doping,
    against_temperature,
    bands_along_path,
    beside_reference,
)
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.settings import TransportSettings

SETTINGS = TransportSettings(
    temperatures=(300.0, 500.0, 600.0),
    dopings=(1e17, 1e18, 1e19),
    grid_spacing=0.06,
    max_spacing=0.3,
    hall=False,
)


@pytest.fixture(scope="module")
def doc() -> TransportDoc:
    return compute_transport(cosine_bands((8, 8, 8)), SETTINGS)


@pytest.fixture(scope="module")
def reference() -> TransportDoc:
    return compute_transport(cosine_bands((8, 8, 8), mass=(0.5, 0.5, 0.5)), SETTINGS)


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_curves_against_doping_are_those_of_the_document(doc: TransportDoc):
    figure = against_doping(doc)
    assert len(figure.axes) == 6
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        "Seebeck coefficient",
        "conductivity over \u03c4",
    ]
    assert figure.axes[3].get_ylabel().startswith("electrons: ")
    lines = figure.axes[2].lines
    assert [line.get_label() for line in lines] == ["300 K", "600 K"]
    assert np.allclose(lines[1].get_ydata(), doc.table("p", "power_factor_mean")[2])
    electrons = figure.axes[3].lines[0]
    assert np.allclose(electrons.get_ydata(), doc.table("n", "seebeck_mean")[0])
    assert png(figure).startswith(b"\x89PNG")


def test_bands_are_those_of_the_document(doc: TransportDoc):
    figure = bands_along_path(doc)
    assert figure is not None
    axes, path = figure.axes[0], doc.path
    assert np.allclose([line.get_ydata() for line in axes.lines], path.energies)
    assert axes.lines[0].get_color() != axes.lines[1].get_color()  # occupied and empty
    assert [text.get_text() for text in axes.get_xticklabels()][:2] == ["\u0393", "X"]
    assert "X|M" in [text.get_text() for text in axes.get_xticklabels()]  # where the path is broken
    assert "eV" in axes.get_ylabel() and "1.00 eV" in axes.get_title(loc="left")


def test_a_document_without_bands_has_no_figure_of_them(doc: TransportDoc):
    assert bands_along_path(doc.model_copy(update={"path": None})) is None


def test_curves_against_temperature_are_those_of_the_document(doc: TransportDoc):
    figure = against_temperature(doc)
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == [
        "10\u00b9\u2078 cm\u207b\u00b3",
        "10\u00b9\u2079 cm\u207b\u00b3",
    ]
    assert np.allclose(lines[0].get_ydata(), doc.table("p", "seebeck_mean")[:, 1])
    assert figure.axes[-1].get_xlabel() == "temperature (K)"


@pytest.mark.parametrize(
    "draw", [against_doping, against_temperature, lambda doc: beside_reference(doc, doc)]
)
def test_units_and_assumption_are_said(doc: TransportDoc, draw):
    shown = texts(draw(doc))
    for unit in (
        "\u00b5V K\u207b\u00b9",
        "S m\u207b\u00b9 s\u207b\u00b9",
        "\u00b5W cm\u207b\u00b9 K\u207b\u00b2",
    ):
        assert unit in shown
    assert "constant relaxation time, 10\u207b\u00b9\u2074 s" in shown


def test_a_hit_beside_its_reference(doc: TransportDoc, reference: TransportDoc):
    figure = beside_reference(doc, reference)
    lines = figure.axes[2].lines
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-", "--"]
    assert np.allclose(lines[1].get_ydata(), reference.table("p", "power_factor_mean")[0])


def test_a_reference_at_other_temperatures_or_times_is_refused(
    doc: TransportDoc, reference: TransportDoc
):
    with pytest.raises(
        CampaignError, match=r"\[900.0\] K were not computed; there are \[300.0, 500.0, 600.0\] K"
    ):
        beside_reference(doc, reference, temperatures=(900.0,))
    slow = reference.model_copy(update={"relaxation_time": 1e-13})
    with pytest.raises(CampaignError, match="relaxation times of 1e-14 and 1e-13 s"):
        beside_reference(doc, slow)
