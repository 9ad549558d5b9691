"""UniformBands: what is refused and with which words; edges; reduction to irreducible k-points."""

from __future__ import annotations

import numpy as np
import pytest
from example_bands import cosine_bands, cosine_energies, full_mesh, tetragonal
from pymatgen.core import Lattice, Structure

from gen2dft.errors import CalculationFailed
from gen2dft.transport.bands import uniform_bands


def make(kpoints, energies, electrons=2.0, degeneracy=2, structure=None):
    return uniform_bands(
        structure or tetragonal(), kpoints, energies, electrons, degeneracy, "here"
    )


def energies_on(kpoints, gap=1.0):
    return cosine_energies(tetragonal(), kpoints, (0.3, 0.3, 0.3), gap)[None]


def test_a_full_mesh_is_reduced_and_its_weights_add_up():
    bands = cosine_bands((6, 6, 6))
    assert bands.mesh.size == (6, 6, 6)
    assert len(bands.kpoints) == 20  # irreducible points of a simple cubic 6 x 6 x 6 mesh
    assert bands.mesh.weights.sum() == pytest.approx(1)
    assert bands.spacing == pytest.approx(2 * np.pi / 3 / 6)


def test_irreducible_points_give_the_same_mesh_as_all_of_them():
    whole = cosine_bands((6, 6, 6))
    again = make(whole.kpoints, whole.energies)
    assert again.mesh.size == whole.mesh.size
    assert np.array_equal(again.kpoints, whole.kpoints)
    assert again.mesh.weights == pytest.approx(whole.mesh.weights)


def test_a_shifted_mesh_is_known_as_such():
    kpoints = full_mesh((4, 4, 4)) + 1 / 8
    assert make(kpoints, energies_on(kpoints)).mesh.shift == (0.5, 0.5, 0.5)


def test_digits_that_were_cut_off_do_not_matter():
    kpoints = np.round(full_mesh((7, 7, 7)), 6)
    assert make(kpoints, energies_on(kpoints)).mesh.size == (7, 7, 7)


def test_edges_need_no_fermi_level():
    edges = cosine_bands(gap=0.7).edges()
    assert (edges.valence, edges.conduction, edges.occupied) == (0.0, pytest.approx(0.7), (1,))
    assert edges.gap == pytest.approx(0.7)


def test_electrons_are_shared_out_between_spins_so_that_a_gap_is_left():
    kpoints = full_mesh((4, 4, 4))
    up, down = energies_on(kpoints)[0], energies_on(kpoints)[0] + 5.0
    down[0] = 30.0  # spin down is empty, spin up holds both electrons
    up[1] = up[0] + 0.5
    edges = make(kpoints, np.stack([up, down]), electrons=2.0, degeneracy=1).edges()
    assert edges.occupied == (2, 0)


def test_a_path_is_no_mesh():
    kpoints = np.linspace([0, 0, 0], [0.5, 0, 0], 20)
    with pytest.raises(
        CalculationFailed,
        match=r"mesh_not_uniform: here: the 20 k-points .* path of bands cannot be",
    ):
        make(kpoints, energies_on(kpoints))


def test_a_mesh_with_holes_is_no_mesh():
    kpoints = full_mesh((4, 4, 4))[1:]  # without Gamma
    with pytest.raises(
        CalculationFailed, match=r"4 x 4 x 4 different coordinates, but are 63 points"
    ):
        make(kpoints, energies_on(kpoints))


def test_a_mesh_with_less_symmetry_than_the_crystal_is_refused():
    kpoints = full_mesh((4, 4, 6))  # of a cubic crystal
    with pytest.raises(CalculationFailed, match=r"mesh_not_uniform.*less symmetry"):
        make(kpoints, energies_on(kpoints))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda e: e[:, :, :-1],
            r"no band energies for its 64 k-points \(found an array \(1, 3, 63\)\)",
        ),
        (lambda e: e[:, :0], "no band energies"),
        (
            lambda e: np.where(np.arange(e.shape[-1]) == 5, np.nan, e),
            "3 of 192 band energies are NaN",
        ),
    ],
)
def test_missing_eigenvalues_are_counted(change, message):
    kpoints = full_mesh((4, 4, 4))
    with pytest.raises(CalculationFailed, match=message) as caught:
        make(kpoints, change(energies_on(kpoints)))
    assert caught.value.reason == "no_eigenvalues"


def test_no_kpoints_at_all():
    with pytest.raises(CalculationFailed, match="no_eigenvalues: here has no list of k-points"):
        make(np.zeros((0, 3)), np.zeros((1, 1, 0)))


def test_overlapping_bands_are_a_metal_and_it_says_why_that_matters():
    with pytest.raises(
        CalculationFailed, match=r"metal: .* overlap by 0.300 eV.*curve over doping has no meaning"
    ):
        cosine_bands(gap=-0.3, direct=False).edges()


def test_bands_that_touch_are_a_metal():
    with pytest.raises(CalculationFailed, match=r"metal: .*occupied and empty bands touch"):
        cosine_bands(gap=1e-6).edges()


def test_an_odd_electron_is_a_metal():
    kpoints = full_mesh((4, 4, 4))
    with pytest.raises(CalculationFailed, match=r"3 electrons fill 1.5 bands of 2"):
        make(kpoints, energies_on(kpoints), electrons=3.0).edges()


def test_without_empty_bands_there_is_no_gap_to_find():
    kpoints = full_mesh((4, 4, 4))
    with pytest.raises(
        CalculationFailed,
        match=r"too_few_bands: here: all 3 bands are occupied by 6 electrons; compute",
    ):
        make(kpoints, energies_on(kpoints), electrons=6.0).edges()


def test_bands_with_less_symmetry_than_the_crystal_are_refused():
    kpoints = full_mesh((4, 4, 4))
    energies = energies_on(kpoints)
    energies[0, 1] += 0.2 * kpoints[:, 0] ** 2
    with pytest.raises(CalculationFailed, match=r"symmetry_broken.*magnetic moments"):
        make(kpoints, energies)


def test_moments_lower_the_symmetry_so_that_such_bands_are_taken():
    # Two atoms that only their moments tell apart, along x: the x axis differs from the others.
    lattice = Lattice.tetragonal(3.0, 6.0).matrix[[2, 0, 1]]
    crystal = Structure(Lattice(lattice), ["Mn", "Mn"], [[0, 0, 0], [0.5, 0, 0]])
    kpoints = full_mesh((4, 8, 8))
    energies = np.repeat(cosine_energies(crystal, kpoints, (0.3, 0.4, 0.4), 1.0)[None], 2, axis=0)
    crystal.add_site_property("magmom", [5.0, -5.0])
    bands = uniform_bands(crystal, kpoints, energies, 2.0, 1, "antiferromagnet")
    assert bands.mesh.size == (4, 8, 8)
    assert len(bands.rotations) == 16


def test_two_atoms_on_one_place_have_no_symmetry():
    twice = Structure(Lattice.cubic(3.0), ["Po", "Po"], [[0, 0, 0], [0, 0, 0]])
    kpoints = full_mesh((4, 4, 4))
    with pytest.raises(CalculationFailed, match=r"no_symmetry: .*are two atoms on one place\?"):
        make(kpoints, energies_on(kpoints), structure=twice)


@pytest.mark.parametrize("electrons", [np.nan, np.inf, 0.0, -8.0])
def test_electrons_that_fill_no_band(electrons: float):
    kpoints = full_mesh((4, 4, 4))
    with pytest.raises(CalculationFailed, match=r"no_electrons: here: .* electrons occupy no band"):
        make(kpoints, energies_on(kpoints), electrons=electrons)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_crystal_that_is_no_longer_one(number: float):
    kpoints = full_mesh((4, 4, 4))
    bent = Structure([[number, 0, 0], [0, 3, 0], [0, 0, 3]], ["Po"], [[0, 0, 0]])
    lost = Structure(np.eye(3) * 3, ["Po"], [[0, number, 0]])
    flat = Structure([[0, 0, 0], [0, 3, 0], [0, 0, 3]], ["Po"], [[0, 0, 0]])
    for crystal in (bent, lost, flat):
        with pytest.raises(CalculationFailed, match=r"not_finite: here: the lattice or"):
            make(kpoints, energies_on(kpoints), structure=crystal)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_kpoints_that_are_no_numbers(number: float):
    kpoints = full_mesh((4, 4, 4))
    energies = energies_on(kpoints)
    kpoints[3, 0] = number
    with pytest.raises(CalculationFailed, match="no_eigenvalues: here: k-points are NaN"):
        make(kpoints, energies)


@pytest.mark.parametrize("number", [1e300, -2e4])
def test_energies_that_no_band_has(number: float):
    kpoints = full_mesh((4, 4, 4))
    energies = energies_on(kpoints)
    energies[0, 0, 0] = number
    with pytest.raises(CalculationFailed, match=r"no_eigenvalues: here: .* eV are no bands"):
        make(kpoints, energies)
    with pytest.raises(CalculationFailed, match="energies of 0 to 0 eV are no bands"):
        make(kpoints, np.zeros_like(energies))
