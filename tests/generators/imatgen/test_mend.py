import numpy as np
import pytest
from example_oxides import O, V

from gen2dft.crystals import CrystalTable
from gen2dft.generators.imatgen.mend import mend

EDGE = 6.0


def crystal(*atoms: tuple[int, float, float, float]) -> CrystalTable:
    """Atoms of a cube: number and Cartesian coordinates, Angstrom."""
    numbers, places = [a[0] for a in atoms], np.array([a[1:] for a in atoms]) / EDGE
    return CrystalTable.from_arrays([EDGE * np.eye(3)], [numbers], [places])


FAR = [(V, 3, 3, 3), (O, 1, 3, 3), (O, 3, 1, 3)]  # VO2, all far apart


@pytest.mark.parametrize(("extra", "what", "left"), [
    ((V, 3, 3, 4.5), "merged_V", 3),  # inside the cell
    ((V, 3, 3, 4.7), None, 4),
    ((O, 1, 3, 4.2), "merged_O", 3),
    ((O, 1, 3, 4.4), None, 4),
    ((O, 3, 3, 4.1), "dropped_O", 3),
    ((O, 3, 3, 4.3), None, 4),
])  # fmt: skip
def test_atoms_too_close_become_one(extra, what, left):
    mended = mend(crystal(*FAR, extra))
    assert len(mended.crystals.numbers) == left
    done = {name for name, count in mended.counts.items() if count and name != "crystals_changed"}
    assert done == ({what} if what else set())
    assert mended.counts["crystals_changed"] == int(what is not None)


def test_atoms_are_merged_across_the_faces_of_the_cell():
    mended = mend(crystal(*FAR, (O, 5.5, 5.5, 5.5), (O, 0.2, 0.1, 0.2)))
    assert mended.counts["merged_O"] == 1
    assert mended.crystals.frac[-1] * EDGE == pytest.approx(
        [5.5, 5.5, 5.5]
    )  # the first, higher peak stays


def test_merging_is_no_chain():
    row = [
        (V, 1 + 1.5 * i, 5, 5) for i in range(3)
    ]  # the third is near the second alone, and that goes
    mended = mend(crystal(*row, (O, 1, 1, 1)))
    assert mended.counts["merged_V"] == 1
    assert (mended.crystals.numbers == V).sum() == 2


@pytest.mark.parametrize(("atoms", "valid"), [
    (FAR, True),
    ([*FAR[:2]], True),  # VO: 2
    ([*FAR, (O, 3, 3, 5), (O, 5, 1, 1)], False),  # VO4: 8
    ([*FAR[:2], (V, 5, 1, 1)], False),  # V2O: 1
])  # fmt: skip
def test_vanadium_needs_a_valid_state(atoms, valid):
    assert mend(crystal(*atoms)).valid.tolist() == [valid]


def test_several_crystals_at_once():
    table = CrystalTable.concatenate(
        [crystal(*FAR), crystal(*FAR, (O, 3, 3, 4)), crystal(*FAR[:2])]
    )
    mended = mend(table)
    assert mended.crystals.num_sites.tolist() == [3, 3, 2]
    assert mended.counts == {
        "merged_V": 0, "merged_O": 0, "merged_others": 0, "dropped_O": 1, "crystals_changed": 1
    }  # fmt: skip
