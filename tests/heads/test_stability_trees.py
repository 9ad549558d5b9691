"""The correction of a potential's distances: what it learns, says, keeps and refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.heads import stability_trees
from gen2dft.heads.stability_trees import (
    Known,
    Potential,
    StabilityTrees,
    brier,
    chances,
    folds_of,
    packed,
    stability_model,
    unpacked,
)

POTENTIAL = Potential("toy", ("toy-v1",))
METALS, ANIONS = ("Li", "Na", "K", "Mg", "Ca"), ("O", "S", "Se", "F", "Cl")


def rock_salt(cation: str, anion: str, a: float = 5.0) -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ).get_primitive_structure()


def known(each: int = 6) -> Known:
    """Rock salts whose potential lies 0.2 eV/atom too low with oxygen, else 0.05."""
    rng = np.random.default_rng(3)
    structures, shifts = [], []
    for cation in METALS:
        for anion in ANIONS:
            for _ in range(each):
                structures.append(rock_salt(cation, anion, rng.uniform(4.5, 5.5)))
                shifts.append(0.2 if anion == "O" else 0.05)
    number = len(structures)
    distances = rng.uniform(-0.1, 0.3, number)
    by_dft = distances + np.array(shifts) + rng.normal(0, 0.01, number)
    energies = distances - 1.0
    return Known(CrystalTable.from_structures(structures), energies, distances, by_dft)


@pytest.fixture(scope="module")
def model() -> StabilityTrees:
    return StabilityTrees.fit(known(), "toy-2025", POTENTIAL, "made up", np.random.default_rng(0))


def test_it_learns_by_how_much_the_potential_lies_too_low(model: StabilityTrees):
    oxide, chloride = model.estimate(
        [rock_salt("Mg", "O"), rock_salt("Na", "Cl")], [-1.0, -1.0], [0.0, 0.0]
    )
    assert oxide.e_above_hull == pytest.approx(0.2, abs=0.03)
    assert chloride.e_above_hull == pytest.approx(0.05, abs=0.03)
    assert 0.01 < chloride.error < 0.1
    assert chloride.chance(0.1) > 0.8 > 0.2 > oxide.chance(0.1)


def test_a_supercell_is_the_same_crystal(model: StabilityTrees):
    crystal = rock_salt("K", "Se")
    one, many = model.estimate([crystal, crystal * (2, 1, 1)], [-0.5, -0.5], [0.1, 0.1])
    assert one == many


def test_an_element_that_was_never_fitted_is_unlike_and_less_sure(model: StabilityTrees):
    (seen, unseen) = model.estimate(
        [rock_salt("Ca", "S"), rock_salt("Ba", "S")], [-1.0, -1.0], [0.0, 0.0]
    )
    assert (seen.unlike, unseen.unlike) == (False, True)
    certain = dataclasses.replace(model, seen=np.full(119, 1000))
    (sure,) = certain.estimate([rock_salt("Ba", "S")], [-1.0], [0.0])
    assert unseen.error == pytest.approx(stability_trees.UNLIKE_WIDER * sure.error)
    assert unseen.e_above_hull == sure.e_above_hull


def test_no_crystals_give_no_estimates(model: StabilityTrees):
    assert model.estimate([], [], []) == []


def test_bytes_give_the_same_model(model: StabilityTrees):
    data = packed(model)
    back = unpacked(data, "test")
    assert packed(back) == data
    assert back.model_hash == model.model_hash
    crystal = rock_salt("Li", "F")
    assert back.estimate([crystal], [-2.0], [0.1]) == model.estimate([crystal], [-2.0], [0.1])


def test_the_same_crystals_and_randomness_give_the_same_model(model: StabilityTrees):
    again = StabilityTrees.fit(known(), "toy-2025", POTENTIAL, "made up", np.random.default_rng(0))
    assert again.model_hash == model.model_hash


def test_a_cut_file_is_named(model: StabilityTrees):
    data = packed(model)
    with pytest.raises(SnapshotError, match=r"x\.npz\.gz cannot be read .* data build stability"):
        unpacked(data[: len(data) // 2], "x.npz.gz")


def test_a_changed_number_is_named(model: StabilityTrees):
    import gzip

    content = bytearray(gzip.decompress(packed(model)))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(SnapshotError, match="is damaged"):
        StabilityTrees.from_bytes(bytes(content), "x.npz.gz")


def test_too_few_crystals_are_refused():
    few = known().select(np.arange(20))
    with pytest.raises(DatasetError, match=r"20 crystals with published energies; .* needs 50"):
        StabilityTrees.fit(few, "few", POTENTIAL, "", np.random.default_rng(0))


def test_an_energy_that_is_no_number_is_refused():
    broken = known()
    broken.formation_energies[7] = np.nan
    with pytest.raises(DatasetError, match="1 crystals lack an energy, the first in row 7"):
        StabilityTrees.fit(broken, "broken", POTENTIAL, "", np.random.default_rng(0))


def test_crystals_of_a_system_share_a_fold():
    systems = known().systems()
    folds = folds_of(systems, np.random.default_rng(1))
    for system in np.unique(systems):
        assert len(set(folds[systems == system])) == 1
    assert set(folds) == set(range(stability_trees.FOLDS))


def test_chances_and_their_score():
    given = chances(np.array([0.1, 0.0, 0.3]), np.array([0.05, 0.05, 0.1]))
    assert given == pytest.approx([0.5, 0.9772, 0.0228], abs=1e-3)
    assert brier(given, [True, True, False]) == pytest.approx((0.25 + 2 * 0.0228**2) / 3, abs=1e-4)


def test_the_model_that_ships_is_of_chgnet():
    model = stability_model("mlip", "chgnet-screen-v1")
    assert model is stability_model("mlip", "chgnet-v1")
    assert model.name == "chgnet-2025"
    (estimate,) = model.estimate([rock_salt("Mg", "O", 4.21)], [-3.0], [0.0])
    # CHGNet lies 0.13 eV/atom below on the mean of the crystals that it was fitted to.
    assert 0.0 < estimate.e_above_hull < 0.3
    assert stability_model("gpaw", "gpaw-v2") is None
    assert stability_model("mlip", "other") is None
