"""Generator `prototypes`: random charge-balanced elements on known prototypes."""

from types import SimpleNamespace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft import chemistry
from gen2dft.generators import prototypes
from gen2dft.generators.contract import example_request
from gen2dft.generators.decorations import decorations
from gen2dft.generators.prototypes import (
    NO_PROTOTYPE,
    NOT_BALANCED,
    PrototypesGenerator,
    PrototypesSettings,
)
from gen2dft.generators.volumes import predicted_volumes
from gen2dft.screening.charge import charge_gate
from gen2dft.screening.geometry import GeometrySettings, geometry_gate
from gen2dft.testing.generators import GeneratorSuite
from tests.toys import toy_dataset


def entry(label, spacegroup, edge, species, positions):
    crystal = Structure.from_spacegroup(spacegroup, Lattice.cubic(edge), species, positions)
    return {"snl": SimpleNamespace(structure=crystal), "tags": {"aflow": label}}


LIBRARY = [
    entry("AB_cF8", "Fm-3m", 5.6, ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    entry("AB_cP2", "Pm-3m", 4.1, ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]),
    entry("AB2_cF12", "Fm-3m", 5.5, ["Ca", "F"], [[0, 0, 0], [0.25] * 3]),
    entry("BiF3", "Fm-3m", 6.0, ["Bi", "F", "F"], [[0, 0, 0], [0.25] * 3, [0.5] * 3]),
]


@pytest.fixture(autouse=True)
def few_prototypes(monkeypatch):
    monkeypatch.setattr(
        prototypes, "_library", lambda max_sites: tuple(decorations(max_sites, LIBRARY))
    )


def fitted(**settings):
    generator = PrototypesGenerator()
    generator.fit(toy_dataset(), PrototypesSettings(**settings), [], seed=0)
    return generator


def propose(number=60, seed=0, limits=None, **settings):
    request = example_request(toy_dataset().crystals, number)
    request = SimpleNamespace(**{**vars(request), **(limits or {})})
    return fitted(**settings).propose(request, np.random.default_rng(seed))


class TestContract(GeneratorSuite):
    @pytest.fixture
    def generator(self):
        return fitted()

    @pytest.fixture
    def table(self):
        return toy_dataset().crystals


def test_all_draws_are_charge_balanced():
    proposal = propose()
    assert len(proposal.crystals) == len(proposal)
    for structure in proposal.crystals.structures():
        amounts = structure.composition.reduced_composition.get_el_amt_dict()
        assert chemistry.is_charge_balanced(amounts)
    assert charge_gate(proposal.crystals) == [None] * len(proposal)


def test_each_crystal_is_drawn_once_and_tells_its_prototype():
    proposal = propose(300)
    assert len(set(proposal.keys)) == len(proposal) < 300
    assert len(set(proposal.recipes)) == len(proposal)
    assert all(text.split(" on the sites of ")[1] for text in proposal.recipes)


def test_volumes_are_those_of_bonds():
    crystals = propose().crystals
    assert np.array_equal(crystals.volumes.round(6), predicted_volumes(crystals).round(6))
    reasons = geometry_gate(crystals, GeometrySettings())
    assert reasons.count(None) > 0.8 * len(reasons)


def test_split_prototypes_give_ternaries():
    three = {"num_elements": frozenset({3})}
    assert propose(limits=three).reasons == (NO_PROTOTYPE,)
    proposal = propose(limits=three, split=True, attempts=3000)
    assert set(proposal.crystals.num_elements.tolist()) == {3}


def test_no_prototype_within_the_limits_is_told():
    proposal = propose(limits={"num_elements": frozenset({5})})
    assert proposal.reasons == (NO_PROTOTYPE,)
    assert proposal.remarks[0].startswith("no prototype has [5] elements")


def test_elements_that_cannot_be_balanced_are_told():
    proposal = propose(5, limits={"elements": frozenset({11, 19})})
    assert set(proposal.reasons) == {NOT_BALANCED} and len(proposal) == 5
