import numpy as np
import pytest
from example_oxides import O, V, example_oxides

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.geometry import cell_angles
from gen2dft.representations.contract import validate_representation
from gen2dft.representations.image_grids import BASIS_VOXELS, BOX, CELL_VOXELS, CUT, WIDTH
from gen2dft.representations.image_placing import centred_positions, from_lowest, standard_lattices
from gen2dft.representations.images import CrystalImages

IMAGES = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def gaussians(apart: np.ndarray) -> np.ndarray:
    """The published way: every voxel, its nearest image of 27, cut at 0.02."""
    values = np.exp(-((apart**2).sum(axis=-1).min(axis=1)) / (2 * WIDTH**2))
    return np.where(values >= CUT, values, 0)


def grid(size: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(size) / size] * 3, indexing="ij"), axis=-1).reshape(
        -1, 3
    )


def direct_images(table: CrystalTable, index: int) -> np.ndarray:
    lattice = standard_lattices(table.lattices)[0][index]
    parts = [gaussians((grid(CELL_VOXELS) - 0.5)[:, None] @ lattice + IMAGES @ lattice)]
    positions = centred_positions(table.select([index]), lattice[None]) + BOX / 2
    numbers = table.numbers[table.sites(index)]
    for z in (V, O):
        image = np.zeros(BASIS_VOXELS**3)
        for position in positions[numbers == z]:
            apart = grid(BASIS_VOXELS) * BOX - position
            apart -= BOX * np.round(apart / BOX)  # the nearest image in a cube
            image += gaussians(apart[:, None])
        parts.append(image)
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def table() -> CrystalTable:
    return example_oxides(4)


def test_the_contract_holds(table: CrystalTable):
    validate_representation(CrystalImages(), table)


def test_images_are_those_of_the_direct_evaluation(table: CrystalTable):
    images = CrystalImages().encode(table)
    for index in (0, 1):
        assert np.abs(images[index] - direct_images(table, index)).max() < 1e-6


def test_a_thin_skewed_cell_has_the_nearest_images():
    lattice = np.array([[3.0, 0, 0], [2.8, 1.6, 0], [0.2, 0.1, 9.0]])
    table = CrystalTable.from_arrays([lattice], [[V, O]], [[[0, 0, 0], [0.5, 0.5, 0.5]]])
    image = CrystalImages().cell_images(table).dense()[0]
    assert np.abs(image - direct_images(table, 0)[: CELL_VOXELS**3]).max() < 1e-6
    decoded = CrystalImages().decode(CrystalImages().encode(table)).crystals
    assert np.linalg.norm(decoded.lattices[0], axis=1) == pytest.approx(
        np.linalg.norm(lattice, axis=1), rel=1e-5
    )
    assert cell_angles(decoded.lattices) == pytest.approx(cell_angles(lattice[None]), abs=1e-3)


def test_sparse_images_take_a_hundredth_of_the_memory(table: CrystalTable):
    rep = CrystalImages()
    sparse = rep.cell_images(table).num_bytes + rep.basis_images(table).num_bytes
    assert sparse < 0.02 * rep.encode(table).nbytes


def test_whole_crystals_may_be_turned_and_moved(table: CrystalTable):
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    turned = CrystalTable(table.lattices @ turn, table.numbers, table.frac, table.offsets)
    assert np.abs(CrystalImages().encode(turned) - CrystalImages().encode(table)).max() < 1e-5


def crystal(lattice=4.0, numbers=(V, O), frac=((0, 0, 0), (0.5, 0.5, 0.5))) -> CrystalTable:
    return CrystalTable.from_arrays([np.diag(np.broadcast_to(lattice, 3))], [numbers], [frac])


@pytest.mark.parametrize(
    ("bad", "reason", "message"),
    [
        (crystal(numbers=(V, 26)), "foreign_element", "it holds other elements"),
        (crystal(numbers=(V, V)), "missing_element", "does not hold all"),
        (
            crystal(numbers=(V,) * 20 + (O,), frac=np.linspace(0, 0.9, 63).reshape(21, 3)),
            "too_many_sites",
            "20 sites",
        ),
        (crystal(lattice=(1.4, 9, 9)), "flat_cell", "closer than 1.45 Angstrom"),
        (crystal(lattice=(24, 4, 4)), "long_cell", "longer than 23.3 Angstrom"),
        (
            crystal(lattice=(16, 4, 4), frac=((0, 0, 0), (0.99, 0.5, 0.5))),
            "larger_than_box",
            "the box of 15 Angstrom",
        ),
    ],
)
def test_crystals_without_images_are_counted_and_named(table: CrystalTable, bad, reason, message):
    mixed = CrystalTable.concatenate([table, bad])
    assert CrystalImages().misfits(mixed) == [None] * 4 + [reason]
    with pytest.raises(
        DatasetError, match=rf"1 of 5 crystals.*{message}.*index 4|{message}.*1 of 5.*index 4"
    ):
        CrystalImages().encode(mixed)


def test_empty_images_give_reasons(table: CrystalTable):
    images = CrystalImages().encode(table)
    no_cell, no_atoms, no_oxygen = images[:1].copy(), images[:1].copy(), images[:1].copy()
    no_cell[:, : CELL_VOXELS**3] = 0
    no_atoms[:, CELL_VOXELS**3 :] = 0
    no_oxygen[:, CELL_VOXELS**3 + BASIS_VOXELS**3 :] = 0
    result = CrystalImages().decode(np.concatenate([no_cell, no_atoms, no_oxygen, images[:1]]))
    assert result.reasons == ["bad_lattice", "no_atoms", "missing_element", None]


def test_no_images_give_no_crystals(table: CrystalTable):
    images = CrystalImages().encode(table.select([]))
    assert images.shape == (0, *CrystalImages().shape)
    result = CrystalImages().decode(images)
    assert (len(result.crystals), result.reasons) == (0, [])


def test_atoms_that_meet_at_faces_are_found_in_their_places():
    frac = np.array([[0, 0, 0], [0.999, 0.3, 0.2], [0.5, 0.999, 0.6]])
    table = from_lowest(crystal(lattice=5.0, numbers=(V, O, O), frac=frac))
    decoded = CrystalImages().decode(CrystalImages().encode(table)).crystals
    places = [np.round(crystals.frac, 4).tolist() for crystals in (table, decoded)]
    assert sorted(places[0]) == sorted(places[1])
