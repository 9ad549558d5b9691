"""Generator `substitution`: parents, limits, recipes and volumes."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.generators.contract import example_request
from gen2dft.generators.proposals import Request
from gen2dft.generators.substitution.generator import NO_EXCHANGE, SubstitutionGenerator
from gen2dft.generators.substitution.settings import SubstitutionSettings
from gen2dft.screening.charge import NOT_BALANCED, charge_gate
from gen2dft.testing.generators import GeneratorSuite
from tests.toys import rock_salt, toy_dataset

ALL = frozenset(range(1, 97))
CUBIC = Lattice.cubic(2.99)


def caesium_chloride(one, other):
    return Structure(CUBIC, [one, other], [[0, 0, 0], [0.5] * 3])


def dataset_of(*structures):
    ids = tuple(f"mp-{row}" for row in range(len(structures)))
    return Dataset(CrystalTable.from_structures(structures), ids, {})


def fitted(dataset=None, **settings):
    generator = SubstitutionGenerator()
    generator.fit(dataset or toy_dataset(), SubstitutionSettings(**settings), [], seed=0)
    return generator


def asked(known, number=20, **limits):
    merit = limits.pop("merit", np.zeros(len(known)))
    limits = {"elements": ALL, "num_elements": frozenset({2}), **limits}
    return Request(number=number, targets=(), known=known, merit=merit, **limits)


def propose(request, seed=0, **settings):
    generator = fitted(request.known, **settings)
    return generator.propose(request, np.random.default_rng(seed))


class TestContract(GeneratorSuite):
    @pytest.fixture
    def generator(self):
        return fitted()

    @pytest.fixture
    def table(self):
        return toy_dataset().crystals


class TestContractOfIntermetallics(GeneratorSuite):
    @pytest.fixture
    def generator(self):
        return fitted()

    @pytest.fixture
    def table(self):
        pairs = [("Ti", "Co"), ("Zr", "Ni"), ("Hf", "Rh"), ("Sc", "Pd"), ("Y", "Ag")]
        return CrystalTable.from_structures([caesium_chloride(*pair) for pair in pairs])

    @pytest.fixture
    def wanted(self, table):
        return replace(example_request(table), elements=ALL)


def test_ion_exchange_gives_neutral_crystals_of_new_formulas():
    known = toy_dataset()
    proposal = propose(asked(known, 50))
    formulas = proposal.crystals.formulas()
    assert len(formulas) == len(set(formulas)) == 50
    assert set(proposal.methods) == {"ion-exchange"}
    assert not set(formulas) & set(known.crystals.formulas())
    assert all(Composition(formula).oxi_state_guesses() for formula in formulas)


def test_the_best_by_the_targets_are_the_parents():
    known = toy_dataset()
    merit = np.arange(8.0)
    merit[2] = 100.0
    proposal = propose(asked(known, merit=merit), num_seeds=2)
    assert proposal.parents[:4] == ((2,), (7,), (2,), (7,))
    assert {row for (row,) in proposal.parents} == {2, 7}


def test_further_parents_follow_once_these_have_no_exchange_left():
    known = toy_dataset()
    narrow = frozenset({12, 20, 8, 16})  # Mg, Ca, O, S: two formulas of four are known
    merit = -np.arange(8.0)  # the first ones, of other elements, are no use
    proposal = propose(asked(known, merit=merit, elements=narrow), num_seeds=1)
    assert set(proposal.crystals.formulas()) == {"Mg1 S1", "Ca1 O1"}


def test_limits_hold_while_drawing_and_a_forbidden_element_is_exchanged():
    known = toy_dataset()
    proposal = propose(asked(known, 100, elements=ALL - {11, 17}))
    assert not {11, 17} & set(proposal.crystals.numbers.tolist())
    assert (0,) in proposal.parents  # NaCl itself


def test_where_only_semiconductors_pass_none_but_their_formulas_are_drawn():
    intermetallic = dataset_of(caesium_chloride("Ti", "Co"), rock_salt("Mg", "O", 4.2))
    any_formula = propose(asked(intermetallic, 100))
    strict = propose(asked(intermetallic, 100, semiconducting=True))
    assert set(any_formula.parents) == {(0,), (1,)}
    assert len(strict.crystals) > 0
    assert charge_gate(strict.crystals, strict=True) == [None] * len(strict.crystals)
    assert set(charge_gate(any_formula.crystals, strict=True)) == {None, NOT_BALANCED}


def test_large_cells_and_other_numbers_of_elements_are_no_parents():
    spinel = Structure(Lattice.cubic(8), ["Mg", "Al", "O"], [[0, 0, 0], [0.5] * 3, [0.25] * 3])
    known = dataset_of(rock_salt("Na", "Cl", 5.6) * (2, 1, 1), rock_salt("Mg", "O", 4.2), spinel)
    proposal = propose(asked(known, max_sites=2))
    assert set(proposal.parents) == {(1,)}


def test_what_is_taken_is_not_drawn_unless_polymorphs_are_wanted():
    known = toy_dataset()
    first = propose(asked(known, 30))
    taken = frozenset(first.crystals.formulas())
    again = propose(asked(known, 30, taken=taken))
    assert not taken & set(again.crystals.formulas())
    any_formula = propose(asked(known, 300, taken=taken), polymorphs=True)
    assert taken <= set(any_formula.crystals.formulas())


def test_parent_and_exchange_are_told():
    known = dataset_of(rock_salt("Zn", "S", 5.1))
    proposal = propose(asked(known, 5, elements=frozenset({48, 16})))
    assert proposal.recipes == ("ion exchange in mp-0 (ZnS): Zn -> Cd, probability 0.026",)
    assert proposal.methods == ("ion-exchange",) and proposal.parents == ((0,),)
    assert proposal.keys == (b"mp-0 ion-exchange [16, 48]",)


def test_an_intermetallic_is_exchanged_with_neighbours():
    known = dataset_of(caesium_chloride("Ti", "Co"))
    proposal = propose(asked(known, 5, elements=frozenset({40, 22, 27})))
    expected = "exchange with neighbours in mp-0 (TiCo): Ti -> Zr, 2 places on Mendeleev's scale"
    assert proposal.recipes == (expected,)
    assert proposal.methods == ("neighbour-exchange",)
    assert proposal.crystals.formulas() == ["Co1 Zr1"]


def test_cells_grow_and_shrink_with_their_atoms():
    known = dataset_of(rock_salt("Na", "Cl", 5.64))
    proposal = propose(asked(known, 400), min_probability=1e-5)
    volume = dict(zip(proposal.crystals.formulas(), proposal.crystals.volumes, strict=True))
    # Edges of the cubic cells, which hold four formula units, Angstrom, as measured.
    for formula, edge in (("Cl1 K1", 6.29), ("Br1 Na1", 5.97), ("Cl1 Li1", 5.14)):
        assert volume[formula] == pytest.approx(edge**3 / 4, rel=0.2)


def test_positions_and_shape_are_the_parents():
    cell = rock_salt("Na", "Cl", 5.64) * (1, 1, 2)
    known = dataset_of(cell)
    proposal = propose(asked(known, 3))
    for structure in proposal.crystals.structures():
        assert np.allclose(structure.frac_coords, cell.frac_coords)
        assert structure.lattice.angles == pytest.approx(cell.lattice.angles)


def test_flat_cells_are_reduced_and_stay_the_same_crystal():
    layered = Structure.from_spacegroup(
        "R-3m",
        Lattice.hexagonal(2.9, 18.0),
        ["Na", "Cr", "O"],
        [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.235]],
    )
    # The rhombohedral cell, with an angle of 27 degrees.
    steep = Lattice.rhombohedral(6.23, 26.9)
    flat = Structure(steep, ["Na", "Cr", "O", "O"], [[0.5] * 3, [0] * 3, [0.235] * 3, [-0.235] * 3])
    assert StructureMatcher(primitive_cell=True).fit(flat, layered)
    known = dataset_of(flat)
    request = asked(known, 5, num_elements=frozenset({3}), elements=frozenset({11, 19, 24, 8}))
    (crystal,) = propose(request).crystals.structures()
    assert min(crystal.lattice.angles) > 45 and max(crystal.lattice.angles) < 135
    assert crystal.composition.reduced_formula == "KCrO2"
    crystal.replace_species({"K": "Na"})
    assert StructureMatcher().fit(crystal, flat)


def test_nothing_left_is_told_as_a_reason():
    known = toy_dataset()
    proposal = propose(asked(known, elements=frozenset({11, 17})))
    assert proposal.reasons == (NO_EXCHANGE,) and len(proposal.crystals) == 0
    assert proposal.remarks[0].startswith("none of 8 known crystals has an exchange left")


def test_a_dataset_of_elements_is_refused():
    iron = Structure(CUBIC, ["Fe"], [[0, 0, 0]])
    with pytest.raises(DatasetError, match=r"none of 1 crystals can be a parent .* compounds"):
        fitted(dataset_of(iron))


def test_intermetallics_alone_are_refused_without_neighbours():
    known = dataset_of(caesium_chloride("Ti", "Co"))
    with pytest.raises(DatasetError, match="max_steps of the generator above 0"):
        fitted(known, max_steps=0)
