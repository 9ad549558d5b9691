import numpy as np
import pytest

from gen2dft.errors import DatasetError
from gen2dft.generators.imatgen.tensor import codes_of, tensors_of

RNG = np.random.default_rng(0)
CELL = RNG.uniform(-1, 1, (3, 20)).astype(np.float32)
BASIS = RNG.uniform(-1, 1, (3, 2, 200)).astype(np.float32)


def test_codes_come_back():
    tensors = tensors_of(CELL, BASIS)
    assert tensors.shape == (3, 1, 200, 6)
    cell, basis = codes_of(tensors, 2)
    assert cell == pytest.approx(CELL, abs=1e-6)
    assert np.array_equal(basis, BASIS)


def test_slots_of_elements_that_are_not_there_are_empty():
    tensors = tensors_of(CELL, BASIS)
    assert not tensors[..., 2:5].any()
    assert np.array_equal(tensors[0, 0, :10, 5], np.full(10, CELL[0, 0]))


@pytest.mark.parametrize("cell, basis, message", [
    (CELL[:, :19], BASIS, r"\(3, 19\).*a cell code has 20"),
    (CELL, BASIS[..., :100], "a basis code 200 per element"),
    (CELL, BASIS[:, 0], "200 per element"),
    (CELL, BASIS[:2], "basis codes of 2 crystals"),
    (CELL, np.concatenate([BASIS] * 3, axis=1), "1 to 5 elements"),
])  # fmt: skip
def test_codes_of_a_wrong_length_are_refused(cell, basis, message):
    with pytest.raises(DatasetError, match=message):
        tensors_of(cell, basis)


def test_tensors_of_another_shape_are_refused():
    with pytest.raises(DatasetError, match=r"\(n, 1, 200, 6\) is expected"):
        codes_of(np.zeros((2, 200, 6), np.float32), 2)
