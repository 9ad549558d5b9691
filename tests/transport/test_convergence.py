"""Refining the mesh: when it ends, and what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from example_bands import cosine_bands, tetragonal

from gen2dft.errors import CalculationFailed
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.convergence import (
    MeshSize,
    mesh_of_spacing,
    refinement,
    relative_change,
    stated_error,
    step_of,
    summary_of,
)
from gen2dft.transport.document import Convergence, ConvergenceStep
from gen2dft.transport.settings import TransportSettings

# The series starts coarse, which is refused elsewhere.
SETTINGS = TransportSettings(
    temperatures=(300.0,), dopings=(1e18,), grid_spacing=0.06, max_spacing=np.inf, hall=False
)
MESHES: list[MeshSize] = [(4, 4, 4), (6, 6, 6), (8, 8, 8), (10, 10, 10), (12, 12, 12)]


def series(meshes: list[MeshSize], tolerance: float, **bands: Any) -> Convergence:
    """Transport on finer and finer meshes until the power factor stands still."""
    steps: list[ConvergenceStep] = []
    for mesh in meshes:
        steps.append(step_of(compute_transport(cosine_bands(mesh, **bands), SETTINGS), "ricci2017"))
        if summary_of(steps, "ricci2017", tolerance).converged:
            break
    return summary_of(steps, "ricci2017", tolerance)


def test_refining_ends_when_the_power_factor_stands_still():
    found = series(MESHES, tolerance=0.05)
    assert found.converged
    assert 2 <= len(found.steps) < len(MESHES)
    assert found.relative_error == stated_error(found.steps)
    assert found.relative_error is not None
    assert found.relative_error < 0.05


def test_the_stated_error_is_more_than_the_last_change_and_holds():
    whole = series(MESHES, tolerance=1e-9)
    limit = whole.steps[-1].power_factor
    for end in (2, 3, 4):
        known = whole.steps[:end]
        change, error = relative_change(known), stated_error(known)
        assert change is not None
        assert error is not None
        assert error > change
        last = known[-1].power_factor
        assert abs(last - limit) <= error * last


@pytest.mark.parametrize("factors", [(2.0, 2.0), (1.0, 2.0), (3.0, 2.0)])
def test_errors_that_fall_with_the_square_of_the_spacing_are_bounded(factors: tuple[float, float]):
    at_infinity, slope = factors[0], factors[1] - factors[0]
    sizes = (10, 12, 14)
    steps = [
        ConvergenceStep(mesh=(n, n, n), spacing=1 / n, power_factor=at_infinity + 40 * slope / n**2)
        for n in sizes
    ]
    error = stated_error(steps)
    assert error is not None
    last = steps[-1].power_factor
    assert abs(last - at_infinity) / last <= error
    # The bound is no more generous than it has to be.
    assert error == pytest.approx(1.25 * abs(last - at_infinity) / last + 0.01)


def test_meshes_that_hardly_differ_do_not_make_the_error_infinite():
    steps = [
        ConvergenceStep(mesh=mesh, spacing=0.1, power_factor=factor)
        for mesh, factor in (((10, 10, 10), 1.0), ((10, 10, 10), 1.1))
    ]
    assert refinement(steps[0].mesh, steps[1].mesh) == 0.2
    assert stated_error(steps) == pytest.approx(1.25 * (0.1 / 1.1) / 0.2 + 0.01)


def test_the_budget_ends_it_too_and_that_is_said():
    found = series(MESHES[:3], tolerance=1e-9)
    assert not found.converged
    assert [step.mesh for step in found.steps] == MESHES[:3]
    assert found.relative_error is not None


def test_one_mesh_has_no_error_estimate():
    found = series(MESHES[:1], tolerance=0.05)
    assert found.relative_error is None
    assert not found.converged


def test_finer_meshes_come_closer_to_the_limit():
    found = series(MESHES, tolerance=1e-9)
    values = np.array([step.power_factor for step in found.steps])
    errors = np.abs(values[:-1] / values[-1] - 1)
    assert errors[-1] < 0.1 * errors[0]


def test_a_metal_ends_it_at_once():
    with pytest.raises(CalculationFailed, match="metal"):
        series(MESHES, tolerance=0.05, gap=-0.1, direct=False)


def test_meshes_are_even_as_fine_as_asked_and_alike_along_like_axes():
    crystal = tetragonal(3.0, 4.0)
    a, b, c = mesh_of_spacing(crystal, 0.15)
    assert a == b == 14  # linked by the fourfold axis
    assert c == 12
    lengths = np.array(crystal.lattice.reciprocal_lattice.abc)
    assert (lengths / (a, b, c) <= 0.15).all()
