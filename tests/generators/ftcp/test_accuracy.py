import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.generators.ftcp.accuracy import MatrixErrors, matrix_errors
from gen2dft.representations import FTCP

REP = FTCP(max_sites=5)
# A half-Heusler (3 sites) and a perovskite (5 sites).
TRUTH = REP.encode(example_table().select([40, 100]))


def test_true_matrices_have_no_error():
    figures = matrix_errors(REP, TRUTH, TRUTH).figures()
    assert figures["elements_right"] == figures["sites_right"] == figures["num_sites_right"] == 1.0
    assert not any(
        value for key, value in figures.items() if key.endswith(("mae", "pmae", "periodic"))
    )


def test_each_error_is_counted_where_it_is():
    found = TRUTH.copy()
    found[0, REP.lattice_rows.start, :3] *= 1.1
    found[1, REP.lattice_rows.start + 1, :3] *= 0.98
    found[1, REP.coordinate_rows.start : REP.coordinate_rows.start + 5, :3] += 0.9
    errors = matrix_errors(REP, TRUTH, found)
    assert errors.length == pytest.approx([10, 0], abs=1e-4) and errors.angle == pytest.approx(
        [0, 2], abs=1e-4
    )
    assert errors.coordinate == pytest.approx(
        [0, 0.9]
    ) and errors.coordinate_periodic == pytest.approx([0, 0.1])
    # Over all eight sites, five of which are off.
    assert errors.figures()["coordinate_mae"] == pytest.approx(0.9 * 5 / 8)


def test_positions_of_sites_that_are_not_there_do_not_count():
    found = TRUTH.copy()
    found[0, REP.coordinate_rows.stop - 1, :3] = 0.5
    assert matrix_errors(REP, TRUTH, found).figures()["coordinate_mae"] == 0.0


def test_a_wrong_element_makes_sites_wrong_but_not_their_number():
    found = TRUTH.copy()
    found[0, REP.element_rows, 0] = np.roll(found[0, REP.element_rows, 0], 1)
    errors = matrix_errors(REP, TRUTH, found)
    assert errors.elements_right.tolist() == errors.sites_right.tolist() == [False, True]
    assert errors.num_sites_right.all()


def test_a_lost_site_is_seen():
    found = TRUTH.copy()
    found[1, REP.occupancy_rows.start + 4, :3] = 0.0
    errors = matrix_errors(REP, TRUTH, found)
    assert errors.num_sites_right.tolist() == errors.sites_right.tolist() == [True, False]


def test_chunks_and_selections_add_up():
    errors = matrix_errors(REP, TRUTH, TRUTH)
    both = MatrixErrors.concatenate([errors, errors])
    assert len(both) == 4 and len(both.select(np.array([0, 3]))) == 2
    assert both.select(np.array([], dtype=np.int64)).figures() == {}


def test_an_element_taken_for_empty_is_wrong_unless_every_column_is_named():
    found = TRUTH.copy()
    found[0, REP.element_rows, 0] *= 0.4
    found[1, REP.element_rows, 1] = np.roll(found[1, REP.element_rows, 1], 1)
    errors = matrix_errors(REP, TRUTH, found)
    assert errors.elements_right.tolist() == [False, False]
    assert errors.elements_named.tolist() == [True, False]
