from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.representations import DECODE_REASONS, FTCP, REPRESENTATIONS
from gen2dft.representations.contract import validate_representation
from gen2dft.representations.ftcp import heaviest_class
from gen2dft.representations.reciprocal import reciprocal_points

REP = FTCP()
TRICLINIC = np.array([[5.0, 0.3, 0.1], [0.4, 6.0, -0.7], [-1.0, 0.5, 7.0]])


def random_table(n: int = 40, sites: int = 20, elements: int = 3) -> CrystalTable:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, sites + 1, n)
    kinds = [rng.choice(np.arange(1, 95), elements, replace=False) for _ in counts]
    return CrystalTable.from_arrays(
        TRICLINIC + 0.3 * rng.standard_normal((n, 3, 3)),
        [rng.choice(kind, count) for kind, count in zip(kinds, counts, strict=True)],
        [rng.uniform(-1, 2, (count, 3)) for count in counts],
    )


def one_crystal(numbers: list[int], frac: list[list[float]]) -> CrystalTable:
    return CrystalTable.from_arrays([TRICLINIC], [numbers], [np.array(frac)])


@pytest.mark.parametrize("name", REPRESENTATIONS)
@pytest.mark.parametrize("table", [example_table(), random_table()], ids=["prototypes", "random"])
def test_every_representation_keeps_its_contract(name: str, table: CrystalTable):
    validate_representation(REPRESENTATIONS[name](), table)


def test_other_sizes_keep_the_contract():
    validate_representation(FTCP(max_elements=4, max_sites=40), random_table(sites=40, elements=4))
    validate_representation(FTCP(max_elements=2), random_table(elements=2))


def test_paper_shape():
    assert REP.shape == (240, 62)
    assert REP.property_rows.stop - REP.property_rows.start == 92


def test_views_of_a_matrix_do_not_overlap_and_share_its_memory():
    matrices = np.zeros((2, *REP.shape))
    views = [REP.element_columns, REP.lengths, REP.angles, REP.coordinates, REP.occupancy]
    views += [REP.g_lengths, REP.property_vectors, REP.structure_factors]
    for view in views:
        view(matrices)[:] += 1
    padding = REP.shape[0] - REP.property_rows.stop
    never_written = 2 * (REP.g_row * 59 + 3 + padding * 62)
    assert (np.bincount(matrices.astype(int).ravel())).tolist() == [
        never_written,
        matrices.size - never_written,
    ]


def test_structure_factors_are_the_equation():
    table = random_table(5)
    tensors = REP.encode(table)
    for i in range(len(table)):
        s = table.sites(i)
        z = REP.features[table.numbers[s] - 1]
        f = z.T @ np.exp(-2j * np.pi * table.frac[s] @ reciprocal_points().T)
        np.testing.assert_allclose(tensors[i, REP.property_rows, 3:], np.abs(f), atol=2e-4)
        g = reciprocal_points() @ np.linalg.inv(table.lattices[i]).T
        np.testing.assert_allclose(tensors[i, REP.g_row, 3:], np.linalg.norm(g, axis=1), rtol=1e-5)


def test_reciprocal_points_are_nearest_first_and_unique():
    points = reciprocal_points()
    norms = np.abs(points).sum(axis=1)
    assert points.shape == (59, 3)
    assert len(np.unique(points, axis=0)) == 59
    assert (np.diff(norms) >= 0).all() and norms[0] == 1


def test_reciprocal_part_does_not_change_when_the_origin_moves():
    table = random_table()
    moved = CrystalTable(
        table.lattices, table.numbers, table.frac + np.array([0.21, 0.37, 0.55]), table.offsets
    )
    a, b = (REP.encode(t)[:, REP.g_row :, 3:] for t in (table, moved))
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_tensor_does_not_change_when_the_crystal_turns():
    table = random_table()
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    turned = CrystalTable(table.lattices @ turn, table.numbers, table.frac, table.offsets)
    np.testing.assert_allclose(REP.encode(table), REP.encode(turned), atol=1e-3)


def test_element_columns_are_ordered_by_electronegativity():
    tensor = REP.encode(
        one_crystal([8, 8, 8, 22, 38], np.random.default_rng(0).random((5, 3)).tolist())
    )[0]
    assert (tensor[REP.element_rows, :3].argmax(axis=0) + 1).tolist() == [38, 22, 8]
    assert tensor[REP.occupancy_rows, :3].sum(axis=0).tolist() == [1, 1, 3]


def test_rounding_noise_does_not_reorder_sites():
    frac = np.array([[0.0, 0.5, 0.0], [0.0, 0.25, 0.5], [1 / 16, 0.75, 0.25], [1 / 16, 0.1, 0.0]])
    noise = 1e-9 * np.random.default_rng(0).standard_normal(frac.shape)
    clean, noisy = (REP.encode(one_crystal([8] * 4, f.tolist()))[0] for f in (frac, frac + noise))
    apart = (clean - noisy)[REP.coordinate_rows, :3]
    np.testing.assert_allclose(apart - np.round(apart), 0, atol=1e-6)


def test_hydrogen_is_not_empty():
    table = one_crystal([3, 1], [[0, 0, 0], [0.5, 0.5, 0.5]])
    result = REP.decode(REP.encode(table))
    assert sorted(result.crystals.numbers) == [1, 3]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (one_crystal([8] * 21, [[0, 0, i / 21] for i in range(21)]), "more than 20 sites"),
        (one_crystal([3, 8, 9, 11], [[0, 0, i / 4] for i in range(4)]), "more than 3 elements"),
        (one_crystal([3, 110], [[0, 0, 0], [0, 0, 0.5]]), "an element outside the vocabulary"),
        (
            CrystalTable.from_arrays([np.zeros((3, 3))], [[3]], [[[0, 0, 0]]]),
            "a cell without volume",
        ),
        (one_crystal([3], [[0, np.nan, 0]]), "a position that is not a number"),
        (one_crystal([], []), "no sites"),
    ],
)
def test_crystals_that_do_not_fit_are_named(table: CrystalTable, problem: str):
    good = one_crystal([3], [[0, 0, 0]])
    with pytest.raises(DatasetError, match=rf"1 of 3 crystals.*{problem}.*index 1"):
        REP.encode(CrystalTable.concatenate([good, table, good]))


def spoil(row: int, column: int, value: float) -> str | None:
    tensor = REP.encode(one_crystal([3, 8], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    tensor[0, row, column] = value
    return REP.decode(tensor).reasons[0]


def test_decode_names_one_reason():
    lattice = REP.lattice_rows.start
    assert spoil(0, 3, np.nan) is None  # the reciprocal part is not read
    assert spoil(REP.coordinate_rows.start, 0, np.nan) == "non_finite"
    assert spoil(lattice, 1, -4.0) == "bad_lattice"
    assert spoil(lattice + 1, 1, 180.0) == "bad_lattice"
    assert spoil(lattice + 1, 2, 175.0) == "bad_lattice"  # three angles that close no cell
    empty = REP.encode(example_table().select([0]))
    empty[:, REP.occupancy_rows] = 0
    assert REP.decode(empty).reasons == ["no_atoms"]
    assert {"non_finite", "bad_lattice", "no_atoms"} <= set(DECODE_REASONS)


def test_an_element_without_site_is_dropped():
    tensor = REP.encode(one_crystal([3, 8], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    tensor[0, 25, 2] = 1.0
    assert sorted(REP.decode(tensor).crystals.numbers) == [3, 8]


def test_a_site_cannot_take_an_empty_element_column():
    tensor = REP.encode(one_crystal([3, 8], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    tensor[0, REP.occupancy_rows.start, :3] = [0.3, 0.1, 0.6]
    assert sorted(REP.decode(tensor).crystals.numbers) == [3, 8]


def test_positions_are_wrapped():
    tensor = REP.encode(one_crystal([3, 8], [[0, 0, 0], [0.5, 0.5, 0.5]])).astype(float)
    tensor[0, REP.coordinate_rows.start, :3] = [-1e-18, 1.25, -0.25]
    np.testing.assert_allclose(REP.decode(tensor).crystals.frac[0], [0, 0.25, 0.75])


def test_stored_features_are_used():
    other = FTCP(features=np.ones_like(REP.features))
    table = example_table().select([0])
    assert (other.encode(table)[0, REP.property_rows, :2] == 1).all()
    with pytest.raises(ValueError, match=r"do not fit 103 elements"):
        FTCP(features=np.ones((3, 92), dtype=np.float32))


def test_a_network_that_wavers_between_elements_still_means_one():
    assert heaviest_class(np.array([0.4, 0.3, 0.2])) == 1
    assert heaviest_class(np.array([0.1, 0.3, 0.0])) == 0
    assert heaviest_class(np.array([0.4, 0.3, 0.2]), np.array([False, True, True])) == 2
