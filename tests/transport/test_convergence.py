"""Refining the mesh: when it ends, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands, tetragonal

from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.convergence import MeshSize, converge, mesh_of_spacing, mesh_series
from gen2dft.transport.settings import TransportSettings

SETTINGS = TransportSettings(temperatures=(300.0,), dopings=(1e18,), grid_spacing=0.06, hall=False)
MESHES: list[MeshSize] = [(4, 4, 4), (6, 6, 6), (8, 8, 8), (10, 10, 10), (12, 12, 12)]


class Bands:
    """Gives bands on a mesh, and remembers for which it was asked."""

    def __init__(self) -> None:
        self.asked: list[MeshSize] = []

    def __call__(self, mesh: MeshSize) -> UniformBands:
        self.asked.append(mesh)
        return cosine_bands(mesh)


def test_refining_ends_when_the_power_factor_stands_still():
    bands = Bands()
    doc = converge(bands, MESHES, tolerance=0.05, settings=SETTINGS)
    found = doc.convergence
    assert found is not None
    assert found.converged
    assert bands.asked == MESHES[: len(found.steps)]
    assert 2 <= len(found.steps) < len(MESHES)
    last, before = found.steps[-1].power_factor, found.steps[-2].power_factor
    assert found.relative_error == pytest.approx(abs(last - before) / last)
    assert found.relative_error is not None
    assert found.relative_error < 0.05
    assert doc.mesh == found.steps[-1].mesh


def test_the_budget_ends_it_too_and_that_is_said():
    doc = converge(Bands(), MESHES[:3], tolerance=1e-9, settings=SETTINGS)
    assert doc.convergence is not None
    assert not doc.convergence.converged
    assert [step.mesh for step in doc.convergence.steps] == MESHES[:3]
    assert doc.convergence.relative_error is not None


def test_one_mesh_has_no_error_estimate():
    doc = converge(Bands(), MESHES[:1], settings=SETTINGS)
    assert doc.convergence is not None
    assert doc.convergence.relative_error is None
    assert not doc.convergence.converged


def test_finer_meshes_come_closer_to_the_limit():
    doc = converge(Bands(), MESHES, tolerance=1e-9, settings=SETTINGS)
    assert doc.convergence is not None
    values = np.array([step.power_factor for step in doc.convergence.steps])
    errors = np.abs(values[:-1] / values[-1] - 1)
    assert errors[-1] < 0.1 * errors[0]


def test_no_mesh_at_all():
    with pytest.raises(
        CalculationFailed, match="no_mesh: a convergence series needs at least one mesh"
    ):
        converge(Bands(), [], settings=SETTINGS)


def test_a_metal_ends_it_at_once():
    with pytest.raises(CalculationFailed, match="metal"):
        converge(lambda mesh: cosine_bands(mesh, gap=-0.1, direct=False), MESHES, settings=SETTINGS)


def test_meshes_are_even_as_fine_as_asked_and_alike_along_like_axes():
    crystal = tetragonal(3.0, 4.0)
    a, b, c = mesh_of_spacing(crystal, 0.15)
    assert a == b == 14  # linked by the fourfold axis
    assert c == 12
    lengths = np.array(crystal.lattice.reciprocal_lattice.abc)
    assert (lengths / (a, b, c) <= 0.15).all()


def test_a_series_goes_from_coarse_to_fine_without_repeats():
    series = mesh_series(tetragonal(), (0.1, 0.2, 0.199, 0.15))
    assert series == [(12, 12, 12), (14, 14, 14), (22, 22, 22)]
