from __future__ import annotations

import numpy as np
from example_crystals import example_table

from gen2dft.crystals import CrystalTable
from gen2dft.generators.keras_setup import load_keras
from gen2dft.representations import FTCP

load_keras()

from gen2dft.generators.ftcp.staged import blocks as reading  # noqa: E402  # after the backend
from gen2dft.generators.ftcp.staged.make import (  # noqa: E402
    cell_lengths,
    columns_of_sites,
    likely_counts,
    one_hot,
)

REP = FTCP()


def read(table: CrystalTable) -> dict[str, np.ndarray]:
    return {
        name: np.asarray(value)
        for name, value in vars(reading.read_blocks(REP, REP.encode(table))).items()
    }


def test_blocks_say_what_the_crystals_are():
    table = example_table()
    blocks = read(table)
    assert (blocks["counts"].argmax(axis=2).sum(axis=1) == table.num_sites).all()
    assert (blocks["is_site"].sum(axis=1) == table.num_sites).all()
    np.testing.assert_allclose(blocks["fractions"].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(
        np.exp(blocks["lengths"][:, 0]), table.volumes / table.num_sites, rtol=1e-4
    )
    assert (blocks["elements"].sum(axis=2) == 1).all()


def test_classes_and_rests_give_angles_and_positions_back():
    table = example_table()
    blocks, matrices = read(table), REP.encode(table)
    angles = reading.FIRST_ANGLE + reading.ANGLE_STEP * (
        blocks["angle_classes"].argmax(-1) + blocks["angle_rests"]
    )
    np.testing.assert_allclose(angles, matrices[:, REP.lattice_rows.start + 1, :3], atol=1e-4)
    steps = blocks["position_classes"].argmax(-1) + blocks["position_rests"] / 2
    apart = steps / reading.POSITION_CLASSES - blocks["positions"]
    np.testing.assert_allclose(apart - np.round(apart), 0, atol=1e-6)
    assert (
        np.abs(blocks["position_rests"]).max() <= 1 and np.abs(blocks["angle_rests"]).max() <= 0.5
    )


def test_symmetric_values_are_the_centres_of_classes():
    cubic = CrystalTable.from_arrays([4 * np.eye(3)], [[11, 17]], [[[0, 0, 0], [0.5, 0.25, 1 / 3]]])
    blocks = read(cubic)
    np.testing.assert_allclose(blocks["angle_rests"], 0, atol=1e-5)
    np.testing.assert_allclose(blocks["position_rests"][:, :2], 0, atol=1e-5)


def test_cells_come_back_from_volume_and_shape():
    table = example_table()
    matrices = REP.encode(table)
    lengths, degrees = (
        matrices[:, row, :3] for row in range(REP.lattice_rows.start, REP.lattice_rows.stop)
    )
    logs = read(table)["lengths"]
    np.testing.assert_allclose(cell_lengths(logs, degrees, table.num_sites), lengths, rtol=1e-4)


def test_angles_that_make_no_cell_make_no_lengths():
    degrees = np.array([[30.0, 30.0, 150.0]], np.float32)
    assert (cell_lengths(np.zeros((1, 4), np.float32), degrees, np.array([3])) == 0).all()


def test_every_element_that_is_there_has_a_site_and_no_other():
    rng = np.random.default_rng(0)
    scores = 5 * rng.standard_normal((200, 3, 21)).astype(np.float32)
    is_empty = rng.random((200, 3)) < 0.3
    numbers = likely_counts(scores, is_empty, 20)
    assert (numbers[is_empty] == 0).all() and (numbers.sum(axis=1) <= 20).all()
    roomy = (scores[..., 1:].argmax(-1) + 1) * ~is_empty
    fits = roomy.sum(axis=1) <= 20
    assert fits.any() and (numbers[fits] == roomy[fits]).all()


def test_sites_are_filled_column_by_column():
    columns = columns_of_sites(np.array([[2, 0, 1]]), 4)
    assert (columns[0] == [*one_hot(np.array([0, 0, 2]), 3).tolist(), [0, 0, 0]]).all()
