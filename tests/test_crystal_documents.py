"""Crystals from documents: what pymatgen writes is read back, what is malformed is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pymatgen.core import Element, Lattice, Species, Structure

from gen2dft.crystal_documents import structure_of
from gen2dft.datasets.starter import load_starter
from gen2dft.errors import CrystalError
from tests.toys import rock_salt

CELL = Lattice.from_parameters(3, 4, 5, 80, 95, 110)
SALT = rock_salt("Na", "Cl", 5.6)
SHAPES = {
    "plain": SALT,
    "charged species": Structure(CELL, ["Fe3+", "O2-"], [[0, 0, 0], [0.5] * 3]),
    "spins": Structure(CELL, [Species("Fe", 3, spin=5), Species("O", -2)], [[0] * 3, [0.5] * 3]),
    "species without a charge": Structure(CELL, [Species("Fe", None, spin=5)], [[0] * 3]),
    "shared site": Structure(CELL, [{"Si": 0.5, "Ge": 0.25}], [[0] * 3]),
    "shared by ions": Structure(CELL, [{"Fe3+": 0.5, "Fe2+": 0.5}], [[0] * 3]),
    "charge": Structure(CELL, ["Li+"], [[0] * 3], charge=1),
    "moments": Structure(CELL, ["Fe"], [[0] * 3], site_properties={"magmom": [5]}),
    "vectors": Structure(CELL, ["Fe"], [[0] * 3], site_properties={"velocities": [[0, 0, 1.5]]}),
    "flags": Structure(CELL, ["Fe"], [[0] * 3], site_properties={"selective": [[True] * 3]}),
    "slab": Structure(Lattice(CELL.matrix, pbc=(True, True, False)), ["C"], [[0] * 3]),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("verbosity", [0, 1])
def test_what_pymatgen_writes_is_read_back(shape, verbosity):
    crystal = SHAPES[shape]
    stored = json.loads(json.dumps(crystal.as_dict(verbosity=verbosity)))
    assert structure_of(stored) == crystal
    assert structure_of(stored).as_dict() == Structure.from_dict(stored).as_dict()


def test_the_crystals_that_ship_are_read_as_pymatgen_reads_them():
    for crystal in load_starter().crystals.select(range(0, 2000, 20)).structures():
        assert structure_of(crystal.as_dict(verbosity=0)) == crystal


def test_lengths_and_angles_do_for_a_lattice():
    document = SALT.as_dict()
    del document["lattice"]["matrix"]
    assert structure_of(document).volume == pytest.approx(SALT.volume)


def test_deuterium_is_hydrogen():
    document = changed("sites.0.species.0.element", "D")
    assert structure_of(document)[0].specie == Element("H")


def test_the_document_is_left_as_it_is():
    document = SHAPES["vectors"].as_dict()
    before = json.dumps(document)
    structure_of(document)
    assert json.dumps(document) == before


def test_only_numeric_site_properties_are_kept():
    document = SALT.as_dict()
    document["properties"] = {"note": {"@module": "os", "@class": "system"}}
    document["sites"][0]["properties"] = {
        "magmom": 2.5, "name": "x", "made": {"@module": "a", "@class": "B"}, "mixed": [1, "x"],
    }  # fmt: skip
    crystal = structure_of(document)
    assert crystal.properties == {}
    assert crystal[0].properties == {"magmom": 2.5}
    assert crystal[1].properties == {"magmom": None}


def test_numbers_of_numpy_in_a_dictionary_that_was_never_stored_are_read():
    moments = {"magmom": np.array([5.0, -5.0]), "vector": np.ones((2, 3))}
    crystal = SALT.copy(site_properties=moments)
    document = crystal.as_dict()
    document["charge"] = np.float64(0)
    document["sites"][0]["species"][0]["occu"] = np.int64(1)
    read = structure_of(document)
    assert read.site_properties == {"magmom": [5.0, -5.0], "vector": [[1.0] * 3] * 2}


REMOVED = object()


def changed(path, value):
    """The salt's document with one value changed."""
    document = json.loads(json.dumps(SALT.as_dict()))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = document
    for part in way:
        place = place[part]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return document


MALFORMED = [
    ("lattice", REMOVED, r"the crystal has no `lattice`"),
    ("sites", REMOVED, r"the crystal has no `sites`"),
    ("sites", [], r"the crystal has no sites"),
    ("sites", {"a": 1}, r"`sites` is an object, but must be a list"),
    ("lattice", [1, 2], r"`lattice` is a list, but must be an object"),
    ("lattice.matrix", [[1, 0], [0, 1]], r"`lattice.matrix` must be 3 x 3 numbers"),
    ("lattice.matrix", "unit", r"`lattice.matrix` must be 3 x 3 numbers"),
    ("lattice.matrix.0.0", float("nan"), r"`lattice.matrix` is not finite"),
    ("lattice.matrix.0.0", float("inf"), r"`lattice.matrix` is not finite"),
    ("lattice.matrix.0.0", 10**400, r"`lattice.matrix` must be 3 x 3 numbers"),
    ("lattice.matrix.0.0", None, r"`lattice.matrix` must be 3 x 3 numbers"),
    ("lattice.pbc", [1, 1], r"`lattice.pbc` must be three times true or false"),
    ("sites.1", 7, r"site 2 is the number 7, but must be an object"),
    ("sites.1.abc", REMOVED, r"site 2 has no `abc`"),
    ("sites.1.abc", [0, 0], r"`abc` of site 2 must be 3 numbers"),
    ("sites.1.abc", ["0", "0", "0"], r"`abc` of site 2 must be 3 numbers"),
    ("sites.1.abc.2", float("nan"), r"`abc` of site 2 is not finite"),
    ("sites.1.species", REMOVED, r"site 2 has no `species`"),
    ("sites.1.species", [], r"site 2 is occupied 0 times"),
    ("sites.1.species", "Cl", r"`species` of site 2 is the text 'Cl', but must be a list"),
    ("sites.1.species.0", "Cl", r"`species` of site 2 is the text 'Cl', but must be an object"),
    ("sites.1.species.0.element", REMOVED, r"site 2 has no `element`"),
    ("sites.1.species.0.element", "X", r"site 2 holds 'X', which is no element"),
    ("sites.1.species.0.element", "T", r"site 2 holds 'T', which is no element"),
    ("sites.1.species.0.element", "Vac", r"site 2 holds 'Vac', which is no element"),
    ("sites.1.species.0.element", "X" * 10**6, r"site 2 holds 'X{40}', which is no element$"),
    ("sites.1.species.0.element", 17, r"the element of site 2 is the number 17"),
    ("sites.1.species.0.element", {"@class": "x"}, r"the element of site 2 is an object$"),
    ("sites.1.species.0.occu", 2, r"site 2 is occupied 2 times, but at most once"),
    ("sites.1.species.0.occu", -0.5, r"`occu` of site 2 is negative"),
    ("sites.1.species.0.occu", 0, r"site 2 is occupied 0 times"),
    ("sites.1.species.0.occu", float("nan"), r"`occu` of site 2 is the number nan"),
    ("sites.1.species.0.occu", "1", r"`occu` of site 2 is the text '1'"),
    ("sites.1.species.0.oxidation_state", "two", r"`oxidation_state` of site 2 is the text 'two'"),
    ("charge", "plus", r"`charge` is the text 'plus', but must be a finite number"),
    ("charge", 10**500, r"`charge` is the number 1000"),
    ("charge", True, r"`charge` is the number True, but must be a finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), MALFORMED)
def test_a_malformed_document_is_named(path, value, message):
    with pytest.raises(CrystalError, match=message):
        structure_of(changed(path, value))


def test_a_matrix_that_the_volume_beside_it_contradicts_is_named():
    document = json.loads(json.dumps(SALT.as_dict()))
    document["lattice"]["matrix"][1][1] = 2.0
    with pytest.raises(CrystalError, match=r"`lattice.volume` is .* `lattice.matrix` spans"):
        structure_of(document)
    for nothing_said in (None, "nan", float("nan"), True):
        document["lattice"]["volume"] = nothing_said
        assert structure_of(document).lattice.matrix[1][1] == 2.0


@pytest.mark.parametrize("document", [None, 3, "text", [], {}, [SALT.as_dict()]])
def test_what_is_no_document_at_all_is_named(document):
    with pytest.raises(CrystalError, match="the crystal"):
        structure_of(document)
