import numpy as np

from gen2dft.representations.sparse import SparseRows


def example() -> SparseRows:
    rows, places = np.array([2, 0, 2, 2, 0]), np.array([1, 3, 0, 1, 2])
    return SparseRows.from_entries(4, 5, rows, places, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))


def test_entries_at_one_place_add_up_and_rows_may_be_empty():
    expected = [[0, 0, 5, 2, 0], [0] * 5, [3, 5, 0, 0, 0], [0] * 5]
    assert example().dense().tolist() == expected
    assert example().dense([2, 0, 2]).tolist() == [expected[2], expected[0], expected[2]]


def test_a_selection_is_that_of_the_dense_rows():
    rows = np.array([3, 2, 0])
    assert np.array_equal(example().select(rows).dense(), example().dense(rows))


def test_rows_are_added_where_they_start():
    flat = np.ones(12, dtype=np.float32)
    example().add_to(flat, np.array([7, 1]), np.array([0, 2]))
    assert flat.tolist() == [1, 4, 6, 1, 1, 1, 1, 1, 1, 6, 3, 1]
