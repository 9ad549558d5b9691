from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.scalers import MatrixScaler
from gen2dft.representations import FTCP

load_keras()

from gen2dft.generators import losses  # noqa: E402  # needs the backend chosen first

REP = FTCP()


@pytest.fixture(scope="module")
def matrices() -> np.ndarray:
    encoded = REP.encode(example_table().select(range(60)))
    return MatrixScaler.fit(REP, encoded).scale(REP, encoded)


def perfect(matrices: np.ndarray) -> np.ndarray:
    """Decoder outputs that say exactly these matrices."""
    out = matrices.copy()
    for rows in (REP.element_rows, REP.occupancy_rows):
        out[:, rows, :3] = 100 * out[:, rows, :3] - 50
    return out


def reconstruction(matrices: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    return np.asarray(losses.reconstruction(REP, matrices, outputs))


def test_a_perfect_decoder_has_no_loss(matrices: np.ndarray):
    np.testing.assert_allclose(reconstruction(matrices, perfect(matrices)), 0, atol=1e-4)


@pytest.mark.parametrize("block", ["element_rows", "lattice_rows", "property_rows"])
def test_every_block_counts(matrices: np.ndarray, block: str):
    outputs = perfect(matrices)
    outputs[:, getattr(REP, block), :3] *= -1
    outputs[:, getattr(REP, block), :3] += 0.1
    assert (reconstruction(matrices, outputs) > 0.01).all()


def test_coordinates_of_empty_sites_do_not_count(matrices: np.ndarray):
    outputs = perfect(matrices)
    outputs[:, REP.coordinate_rows.stop - 1, :3] = 7.0
    np.testing.assert_allclose(reconstruction(matrices, outputs), 0, atol=1e-4)
    outputs[:, REP.coordinate_rows.start, 0] += 0.1
    assert (reconstruction(matrices, outputs) > 0.05).all()


def test_uncertainty_costs_the_logarithm_of_the_choices(matrices: np.ndarray):
    outputs = perfect(matrices)
    outputs[:, REP.occupancy_rows, :3] = 0.0
    np.testing.assert_allclose(reconstruction(matrices, outputs), 20 * np.log(4), rtol=1e-4)


def test_divergence_is_never_negative_and_zero_for_the_prior():
    rng = np.random.default_rng(0)
    values = np.asarray(losses.divergence(*rng.normal(0, 2, (2, 100, 5)).astype(np.float32)))
    assert (values >= 0).all()
    np.testing.assert_allclose(np.asarray(losses.divergence(np.zeros((1, 5)), np.zeros((1, 5)))), 0)


def test_unlabelled_properties_have_no_error():
    predicted = np.array([[0.2, 0.9], [0.4, 0.1]], np.float32)
    labels = np.array([[0.2, np.nan], [0.5, 123.0]], np.float32)
    mask = np.array([[1, 0], [1, 0]], np.float32)
    error = np.asarray(losses.property_error(predicted, labels, mask, np.array([2.0, 9.0], np.float32)))
    np.testing.assert_allclose(error, [0, 2 * 0.01], atol=1e-6)


def test_unlabelled_rows_give_the_head_no_gradient():
    tf = pytest.importorskip("tensorflow")
    predicted, weight = tf.constant([[0.2, 0.9], [0.4, 0.1]]), np.ones(2, np.float32)
    unknown, mask = np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), np.float32)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        error = losses.property_error(predicted, unknown, mask, weight)
    assert (tape.gradient(error, predicted).numpy() == 0).all()
