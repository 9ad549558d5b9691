from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.generators.scalers import MatrixScaler, PropertyScaler
from gen2dft.representations import FTCP

REP = FTCP()
NAMES = ("formation_energy", "power_factor")


def labels() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.normal(-1, 1, 500), rng.lognormal(1, 1, 500)])
    values[::3, 1] = np.nan
    return values


def test_properties_come_back_within_the_range_of_the_labels():
    values = labels()
    low, high = np.nanquantile(values, [0.01, 0.99], axis=0)
    inside = (values > low) & (values < high)
    scaler = PropertyScaler.fit(values, NAMES)
    back = scaler.unscale(scaler.scale(values))
    np.testing.assert_allclose(back[inside], values[inside], rtol=1e-3, atol=1e-3)


def test_scaled_properties_leave_the_sigmoid_its_slope():
    scaled = PropertyScaler.fit(labels(), NAMES).scale(labels())
    known = scaled[np.isfinite(scaled)]
    assert known.min() >= 0.01 and known.max() <= 0.99
    assert np.mean((known >= 0.1) & (known <= 0.9)) > 0.98
    assert (np.isnan(scaled) == np.isnan(labels())).all()


def test_one_outlier_does_not_squeeze_the_rest():
    values = np.concatenate([np.linspace(-1, 1, 999), [1e6]])[:, None]
    scaled = PropertyScaler.fit(values, ("formation_energy",)).scale(values)
    assert scaled[:999].max() - scaled[:999].min() > 0.7


def test_predictions_beyond_the_labels_are_possible_but_never_negative_power():
    scaler = PropertyScaler.fit(labels(), NAMES)
    most, least = scaler.unscale(np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert (most > np.nanquantile(labels(), 0.995, axis=0)).all()
    assert least[1] == 0.0


@pytest.mark.parametrize("value", [0.0, -2.5])
def test_a_constant_property_comes_back(value: float):
    scaler = PropertyScaler.fit(np.full((4, 1), value), ("formation_energy",))
    np.testing.assert_allclose(scaler.unscale(scaler.scale(np.full((4, 1), value))), value, atol=1e-6)


def test_matrices_have_unit_scale():
    matrices = REP.encode(example_table())
    scaled = MatrixScaler.fit(REP, matrices).scale(REP, matrices.copy())
    lattice = scaled[:, REP.lattice_rows, :3]
    np.testing.assert_allclose(lattice.mean(axis=(0, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(lattice.std(axis=(0, 2)), 1, rtol=1e-3)
    np.testing.assert_allclose(scaled[:, REP.property_rows, 3:].std(), 1, rtol=1e-3)


def test_certain_scores_give_the_crystals_back():
    table = example_table()
    matrices = REP.encode(table)
    scaler = MatrixScaler.fit(REP, matrices)
    scores = scaler.scale(REP, matrices.copy())
    for rows in (REP.element_rows, REP.occupancy_rows):
        scores[:, rows, :3] = 40 * scores[:, rows, :3] - 20
    back = scaler.unscale(REP, scores)
    np.testing.assert_allclose(back[:, : REP.g_row, :3], matrices[:, : REP.g_row, :3], atol=2e-4)
    assert REP.decode(back).crystals.formulas() == table.formulas()


def test_low_scores_everywhere_mean_empty():
    scaler = MatrixScaler.fit(REP, REP.encode(example_table()))
    scores = np.zeros((1, *REP.shape))
    scores[:, REP.element_rows] = scores[:, REP.occupancy_rows] = -9.0
    assert REP.decode(scaler.unscale(REP, scores)).reasons == ["no_atoms"]


def test_large_scores_do_not_overflow():
    scaler = MatrixScaler.fit(REP, REP.encode(example_table()))
    out = scaler.unscale(REP, np.full((1, *REP.shape), 1e5))
    assert np.isfinite(out).all()


def test_arrays_hold_everything():
    scaler = MatrixScaler.fit(REP, REP.encode(example_table()))
    copy = MatrixScaler.from_arrays(scaler.arrays())
    assert all((copy.arrays()[k] == v).all() for k, v in scaler.arrays().items())
