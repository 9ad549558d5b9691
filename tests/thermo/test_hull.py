import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, StoreError, ThermoError
from gen2dft.thermo.hull import ReferenceHull

PHASES = {"Li2O": -2.0, "LiO": -1.6, "Li1O3": -0.2, "CaO": -3.2, "Li2CaO2": -2.6}


@pytest.fixture
def hull() -> ReferenceHull:
    return ReferenceHull.build(map(Composition, PHASES), PHASES.values())


def test_stable_phases_lie_on_the_hull_and_others_above(hull: ReferenceHull):
    above = hull.e_above_hull_many([Composition(f) for f in PHASES], list(PHASES.values()))
    # LiO3 lies above the line from LiO to O2, whose value there is -1.6 * 2 / 4.
    assert above == pytest.approx([0, 0, 0.6, 0, 0], abs=1e-9)
    assert (above >= -1e-12).all()


def test_distance_is_measured_along_the_energy(hull: ReferenceHull):
    assert hull.e_above_hull({"Li": 4, "O": 2}, -1.9) == pytest.approx(0.1)
    assert hull.e_above_hull({"Li": 2, "O": 1}, -2.3) == pytest.approx(-0.3)


def test_between_phases_the_hull_is_their_mixture(hull: ReferenceHull):
    # Li3O2 = Li2O + LiO, 3 and 2 of 5 atoms.
    assert hull.hull_energy(Composition("Li3O2")) == pytest.approx((3 * -2.0 + 2 * -1.6) / 5)


def test_the_elements_are_always_there(hull: ReferenceHull):
    assert hull.e_above_hull(Composition("Ca"), 0.07) == pytest.approx(0.07)
    # No compound of Li and Ca alone is known: they are measured against the elements.
    assert hull.e_above_hull(Composition("LiCa"), -0.4) == pytest.approx(-0.4)


def test_an_element_that_the_reference_does_not_know_gives_no_number(hull: ReferenceHull):
    with pytest.raises(
        ThermoError, match="Fe-Li-O is not covered: no phase of the reference holds Fe; no distance"
    ):
        hull.e_above_hull(Composition("LiFeO2"), -2.0)
    above = hull.e_above_hull_many(
        [Composition("LiFeO2"), Composition("Li2O"), {"W": 1}], [-2.0, -2.0, 0.1]
    )
    assert np.isnan(above).tolist() == [True, False, True]
    with pytest.raises(ThermoError, match="no phase of the reference holds C, W"):
        ReferenceHull.build([], []).hull_energy({"W": 2, "C": 1})


def test_a_strict_hull_wants_a_compound_of_the_system():
    strict = ReferenceHull.build(map(Composition, PHASES), PHASES.values(), coverage="compounds")
    assert strict.gap(["Li", "O"]) is None
    assert strict.gap(["Li", "Ca", "O"]) is None
    assert strict.gap(["O"]) is None
    with pytest.raises(
        ThermoError, match="system Ca-Li is not covered: the reference has no compound of these"
    ):
        strict.e_above_hull(Composition("LiCa"), -0.4)


def test_lengths_must_fit(hull: ReferenceHull):
    with pytest.raises(ThermoError, match="1 compositions and 2 formation energies do not fit"):
        hull.e_above_hull_many([Composition("Li2O")], [-2.0, -1.0])


def test_a_polymorph_above_another_changes_nothing(hull: ReferenceHull):
    more = ReferenceHull.build(map(Composition, [*PHASES, "Li4O2"]), [*PHASES.values(), -1.7])
    assert more.hull_hash == hull.hull_hash


def test_hash_is_of_the_content_not_of_the_order(hull: ReferenceHull):
    backwards = ReferenceHull.build(map(Composition, reversed(PHASES)), reversed(PHASES.values()))
    assert backwards.hull_hash == hull.hull_hash
    other = ReferenceHull.build(map(Composition, PHASES), [*list(PHASES.values())[:-1], -2.61])
    assert other.hull_hash != hull.hull_hash


def test_bytes_keep_everything(hull: ReferenceHull):
    full = ReferenceHull.build(
        map(Composition, PHASES),
        PHASES.values(),
        scale="gpaw:PBE",
        coverage="compounds",
        known_stable=[Composition("Li4O2")],
    )
    copy = ReferenceHull.from_bytes(full.to_bytes())
    assert (copy.scale, copy.coverage, copy.known_stable) == (
        "gpaw:PBE",
        "compounds",
        ((("Li", 2), ("O", 1)),),
    )
    assert copy.hull_hash == full.hull_hash != hull.hull_hash
    again = ReferenceHull.from_bytes(hull.to_bytes())
    assert (again.hull_hash, again.num_entries) == (hull.hull_hash, 5)
    assert again.e_above_hull(Composition("LiCaO2"), -1.0) == hull.e_above_hull(
        Composition("LiCaO2"), -1.0
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"format": 1, "entries": [["Li2O"]]}',
        b'{"format": 1, "entries": 3}',
        b'{"format": 1, "entries": [["Li2 O1", "x"]]}',
        b'{"format": 2, "entries": [["Li2 O", -1.0]]}',
    ],
)
def test_damaged_bytes_are_refused(data: bytes):
    with pytest.raises(StoreError, match="hull of round 3 is not a gen2dft hull or is damaged"):
        ReferenceHull.from_bytes(data, "hull of round 3")


def test_hulls_of_the_first_format_are_read():
    hull = ReferenceHull.from_bytes(
        b'{"format": 1, "unit": "eV/atom", "entries": [["Li2 O1", -2.0]]}'
    )
    assert (hull.num_entries, hull.scale, hull.coverage) == (1, None, "elements")


def test_a_hull_of_another_format_is_refused():
    with pytest.raises(StoreError, match="has format 9, this version reads 2"):
        ReferenceHull.from_bytes(b'{"format": 9, "entries": []}')


@pytest.mark.parametrize("composition", [{}, {"Li": 0.5, "O": 1}, {"Li": 0, "O": 1}])
def test_a_composition_without_whole_atoms_is_refused(composition: dict):
    with pytest.raises(DatasetError, match="whole numbers of atoms"):
        ReferenceHull.build([composition], [-1.0])


def salts(**labels: list[float]) -> Dataset:
    cells = [
        Structure(Lattice.cubic(4), [x, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for x in ("Na", "K", "Rb")
    ]
    columns = {name: np.array(values) for name, values in labels.items()}
    return Dataset(CrystalTable.from_structures(cells), ("a", "b", "c"), columns)


def test_hull_of_a_dataset_leaves_out_what_has_no_energy():
    hull = ReferenceHull.from_dataset(salts(formation_energy=[-2.0, -2.1, np.nan]))
    assert hull.num_entries == 2
    assert hull.e_above_hull(Composition("NaCl"), -2.0) == pytest.approx(0)
    assert hull.gap(["Rb", "Cl"]) is not None


def test_labelled_distances_bring_in_the_hull_of_the_source():
    hull = ReferenceHull.from_dataset(
        salts(formation_energy=[-2.0, -2.1, -2.2], e_above_hull=[0.05, np.nan, -0.1])
    )
    above = hull.e_above_hull_many(
        [Composition(f) for f in ("NaCl", "KCl", "RbCl")], [-2.0, -2.1, -2.2]
    )
    assert above == pytest.approx([0.05, 0, 0])
