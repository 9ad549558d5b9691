from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.generators.ftcp.published.scaler import RangeScaler
from gen2dft.generators.ftcp.scalers import MatrixScaler, PropertyScaler, ReciprocalScaler
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
    np.testing.assert_allclose(
        scaler.unscale(scaler.scale(np.full((4, 1), value))), value, atol=1e-6
    )


def test_the_reciprocal_part_gets_unit_spread_and_the_rest_stays():
    matrices = REP.encode(example_table())
    scaled = ReciprocalScaler.fit(REP, np.array_split(matrices, 3)).scale(REP, matrices.copy())
    np.testing.assert_allclose(scaled[:, REP.property_rows, 3:].std(), 1, rtol=1e-3)
    np.testing.assert_allclose(scaled[:, REP.g_row, 3:].std(), 1, rtol=1e-3)
    assert (scaled[:, :, :3] == matrices[:, :, :3]).all()


def test_every_row_lies_between_0_and_1_and_comes_back():
    matrices = REP.encode(example_table())
    scaler = RangeScaler.fit(REP, np.array_split(matrices, 3))
    scaled = scaler.scale(REP, matrices.copy())
    assert scaled.min() >= -1e-6 and scaled.max() <= 1 + 1e-6
    back = scaler.unscale(REP, scaled)
    np.testing.assert_allclose(back[:, : REP.g_row, :3], matrices[:, : REP.g_row, :3], atol=2e-4)
    assert REP.decode(back).crystals.formulas() == example_table().formulas()


@pytest.mark.parametrize("kind", [ReciprocalScaler, RangeScaler])
def test_chunks_do_not_matter(kind: type[MatrixScaler]):
    matrices = REP.encode(example_table())
    whole, parts = (kind.fit(REP, np.array_split(matrices, n)).arrays() for n in (1, 7))
    assert all(np.allclose(whole[name], parts[name], rtol=1e-6) for name in whole)


@pytest.mark.parametrize("kind", [ReciprocalScaler, RangeScaler])
def test_arrays_hold_everything(kind: type[MatrixScaler]):
    scaler = kind.fit(REP, [REP.encode(example_table())])
    copy = kind.from_arrays(scaler.arrays())
    assert all((copy.arrays()[k] == v).all() for k, v in scaler.arrays().items())
    with pytest.raises(KeyError):
        kind.from_arrays({})
