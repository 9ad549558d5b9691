import numpy as np
import pytest
from pymatgen.core import Composition

from gen2dft.datasets.prototypes import load_prototypes
from gen2dft.datasets.starter import load_starter
from gen2dft.errors import ThermoError
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_check import self_test

PHASES = {"Li2O": -2.0, "LiO": -1.6, "Li1O3": -0.2, "CaO": -3.2}


def build(stable: list[str], **fields) -> ReferenceHull:
    known = [Composition(formula) for formula in stable]
    return ReferenceHull.build(
        map(Composition, PHASES), PHASES.values(), known_stable=known, **fields
    )


def test_known_stable_phases_come_back_at_zero():
    assert self_test(build(["Li2O", "LiO", "CaO"])) == 3


def test_a_stable_phase_above_the_hull_is_named():
    with pytest.raises(
        ThermoError,
        match=r"fails its self-test: 1 of 2 .* Li1 O3 at \+0\.600.*raise `hull.tolerance`",
    ):
        self_test(build(["Li2O", "LiO3"]))
    assert self_test(build(["Li2O", "LiO3"]), tolerance=0.61) == 2


def test_without_known_phases_nothing_may_lie_below_the_hull():
    assert self_test(build([])) == len(PHASES)


def test_an_empty_reference_is_refused():
    with pytest.raises(ThermoError, match="the reference hull is empty: its source has no crystal"):
        self_test(ReferenceHull.build([], []))


def test_joined_phases_make_other_phases_stable():
    hull = build(["Li2O", "LiO"]).joined_by([Composition("LiO")], [-2.5])
    assert self_test(hull) == len(PHASES)
    assert hull.e_above_hull(Composition("LiO"), -1.6) == pytest.approx(0.9)


@pytest.mark.parametrize("load", [load_starter, load_prototypes])
def test_the_sets_that_ship_pass(load):
    hull = ReferenceHull.from_dataset(load())
    assert len(hull.known_stable) > 100
    assert self_test(hull) == min(1000, len(hull.known_stable))
    assert np.isfinite([entry.formation_energy for entry in hull.entries]).all()
