"""Bands along a path are the interpolated ones, in the cell as it is."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands, tetragonal
from pymatgen.core import Lattice, Structure

from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import BandPath, TransportDoc
from gen2dft.transport.settings import TransportSettings

SETTINGS = TransportSettings(
    temperatures=(300.0,),
    dopings=(1e17, 1e18, 1e19),
    grid_spacing=0.06,
    max_spacing=0.3,
    hall=False,
)
MIRRORED = Structure(Lattice(np.diag([3.0, 3.0, -3.0])), ["Po"], [[0, 0, 0]])  # left-handed


def path_of(structure: Structure) -> BandPath:
    found = compute_transport(cosine_bands((8, 8, 8), structure=structure), SETTINGS).path
    assert found is not None
    return found


@pytest.mark.parametrize(
    "structure", [tetragonal(), tetragonal(3.0, 3.6), MIRRORED], ids=["cubic", "tall", "mirrored"]
)
def test_the_path_leads_from_gamma_where_the_edges_are(structure: Structure) -> None:
    path = path_of(structure)
    valence, conduction = (np.array(energies) for energies in path.energies)
    assert path.points[0] == (0.0, "G")
    assert valence[0] == pytest.approx(0.0, abs=1e-3) and conduction[0] == pytest.approx(
        1.0, abs=1e-3
    )
    assert valence.max() <= 1e-3 and conduction.min() >= 1.0 - 1e-3
    assert len(path.distances) == len(valence) and sorted(path.distances) == list(path.distances)


def test_the_bands_on_it_are_those_of_the_closed_form() -> None:
    path = path_of(tetragonal())
    ends = {name: place for place, name in path.points[:2]}
    # From Gamma to X, half a reciprocal vector of 2 pi / 3 A: hbar^2 / (m a^2) (1 - cos k a) with m
    # = 0.3.
    assert ends["X"] == pytest.approx(np.pi / 3.0, abs=1e-4)
    k = np.array(path.distances)
    leg = k <= ends["X"]
    expected = 1.0 + 2 * 3.80998208 / 0.3 / 9.0 * (1 - np.cos(3.0 * k[leg]))
    assert np.allclose(np.array(path.energies[1])[leg], expected, atol=0.02)


def test_documents_of_older_versions_have_no_path() -> None:
    document = compute_transport(cosine_bands((8, 8, 8)), SETTINGS)
    older = document.model_dump(mode="json", exclude={"path"})
    assert TransportDoc.model_validate(older).path is None
