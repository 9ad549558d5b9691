"""How readily ions and elements replace each other."""

import numpy as np
import pytest
from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability
from pymatgen.core import Element, Species

from gen2dft.generators.substitution.scales import (
    ion_scale,
    least_chance,
    neighbour_scale,
    steps_taken,
)


def chance(scale, new, old):
    return scale.chances[scale.places[new], scale.places[old]]


@pytest.mark.parametrize(("new", "old"), [("Cd2+", "Zn2+"), ("Zn2+", "Cd2+"), ("O2-", "S2-")])
def test_ions_have_the_probabilities_of_pymatgen(new, old):
    model = SubstitutionProbability()
    pair = [(ion.Z, round(ion.oxi_state)) for ion in map(Species.from_str, (new, old))]
    expected = model.cond_prob(Species.from_str(new), Species.from_str(old))
    assert chance(ion_scale(), *pair) == pytest.approx(expected, rel=1e-9)


def test_something_stands_where_an_ion_stood():
    assert np.allclose(ion_scale().chances.sum(axis=0), 1.0)


def test_nearer_elements_are_likelier_whichever_comes_first():
    scale = neighbour_scale()
    assert np.array_equal(scale.chances, scale.chances.T)
    assert np.all(np.diag(scale.chances) == 1)
    one, next_to_it, beyond = (Element(symbol).Z for symbol in ("Ti", "Hf", "Zr"))
    assert chance(scale, (next_to_it, 0), (one, 0)) > chance(scale, (beyond, 0), (one, 0)) > 0


@pytest.mark.parametrize(("one", "other"), [("Li", "Ba"), ("Be", "Tl"), ("O", "N"), ("C", "Se")])
def test_neighbours_of_other_size_or_greed_are_not_alike(one, other):
    scale = neighbour_scale()
    assert chance(scale, (Element(one).Z, 0), (Element(other).Z, 0)) == 0


def test_chances_tell_how_many_places_were_taken():
    scale = neighbour_scale()
    zirconium, titanium, hafnium = Element("Zr"), Element("Ti"), Element("Hf")
    both = chance(scale, (zirconium.Z, 0), (titanium.Z, 0)) * chance(
        scale, (zirconium.Z, 0), (hafnium.Z, 0)
    )
    places = abs(zirconium.mendeleev_no - titanium.mendeleev_no)
    places += abs(zirconium.mendeleev_no - hafnium.mendeleev_no)
    assert steps_taken(both) == places
    assert least_chance(places - 1) > both > least_chance(places)
