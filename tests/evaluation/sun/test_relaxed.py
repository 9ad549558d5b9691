from dataclasses import dataclass

import numpy as np
import pytest

from gen2dft.crystals import CrystalTable
from gen2dft.errors import OutputError
from gen2dft.evaluation.sun.known import Prototypes
from gen2dft.evaluation.sun.relaxed import Relaxed, chosen, judged, relax_all, relaxed
from gen2dft.screening.surrogate import SurrogateVerdict
from tests.toys import rock_salt

PAIRS = [("Mg", "O", 4.2), ("Sr", "Se", 6.2), ("Ca", "S", 5.7), ("Li", "F", 4.0)]
SAMPLES = CrystalTable.from_structures([rock_salt(*pair) for pair in PAIRS])
KNOWN = Prototypes(CrystalTable.from_structures([rock_salt("Na", "Cl", 5.6)]))


@dataclass(frozen=True)
class StandIn:
    """A correction by a constant."""

    e_above_hull: float
    unlike: bool = False

    def chance(self, most: float) -> float:
        return 1.0 if self.e_above_hull <= most else 0.25


class Constant:
    def estimate(self, structures, formation_energies, e_above_hulls):
        assert all(energy == -1.0 for energy in formation_energies)
        return [StandIn(value + 0.06) for value in e_above_hulls]


def verdict(structure, reason=None, e_above_hull=0.02):
    return SurrogateVerdict(
        reason, "toy", "toy-v1", structure, formation_energy=-1.0, e_above_hull=e_above_hull
    )


def test_a_crystal_above_the_limit_has_its_distance_all_the_same():
    one = relaxed(3, SAMPLES.structure(0), lambda s: verdict(s, "above_hull", 0.4))
    assert (one.row, one.failure, one.e_above_hull, one.rmsd) == (3, None, 0.4, 0.0)
    assert one.prototype == "AB_cF8_225_a_b" and not one.is_p1
    assert not one.within(0.1) and one.within(0.4)


@pytest.mark.parametrize(
    "reason", ["relaxation_unconverged", "implausible_energy", "hull_does_not_cover"]
)
def test_an_energy_that_is_not_believed_is_a_failure(reason):
    one = relaxed(0, SAMPLES.structure(0), lambda s: verdict(s, reason, -2.0))
    assert one.failure == reason
    assert not one.within(0.1)


def test_a_crystal_that_breaks_a_library_stops_nothing():
    def relax(structure):
        if "Se" in structure.formula:
            raise IndexError("out of range")
        return verdict(structure)

    found = relax_all(SAMPLES, [0, 1, 2], relax)
    assert [one.failure for one in found] == [None, "crashed: IndexError", None]


def test_a_full_disk_stops_everything():
    def relax(structure):
        raise OutputError("cannot write relaxations.jsonl: no space left")

    with pytest.raises(OutputError, match="no space left"):
        relax_all(SAMPLES, [0], relax)


def test_progress_is_told_to_the_end():
    told = []
    relax_all(SAMPLES, [0, 1], verdict, lambda *counts: told.append(counts))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_fewer_are_a_part_of_more_and_the_order_of_the_table_does_not_matter():
    rows = list(range(len(SAMPLES)))
    two, three = chosen(SAMPLES, rows, 2, 0), chosen(SAMPLES, rows, 3, 0)
    assert len(two) == 2 and set(two) < set(three)
    assert chosen(SAMPLES, rows, 9, 0) == rows
    turned = SAMPLES.select(rows[::-1])
    again = chosen(turned, rows, 2, 0)
    assert {turned.formulas()[row] for row in again} == {SAMPLES.formulas()[row] for row in two}


def test_another_seed_chooses_others():
    rows = list(range(len(SAMPLES)))
    drawn = {tuple(chosen(SAMPLES, rows, 2, seed)) for seed in range(10)}
    assert len(drawn) > 1


def test_what_relaxes_to_the_same_structure_is_unique_once():
    def relax(structure):
        return verdict(rock_salt("Mg", "O", 4.2)) if len(structure) == 2 else verdict(structure)

    found = relax_all(
        CrystalTable.from_structures([rock_salt("Mg", "O", a) for a in (4, 5)]), [0, 1], relax
    )
    told = judged(found, KNOWN, None)
    assert [one.is_unique for one in told] == [True, False]
    assert [one.is_new_prototype for one in told] == [False, False]
    assert [one.estimate for one in told] == [None, None]


def test_failures_stay_in_their_places_and_have_no_estimate():
    failed = Relaxed(7, "relaxation_exploded")
    ended = relaxed(2, SAMPLES.structure(2), verdict)
    told = judged([failed, ended], KNOWN, Constant())
    assert told[0] == failed
    assert told[1].estimate.e_above_hull == pytest.approx(0.08)
    assert (told[1].within(0.05), told[1].is_corrected_within(0.05)) == (True, False)
    assert told[1].is_corrected_within(0.1)


def test_nothing_relaxed_is_nothing_judged():
    assert judged([], KNOWN, Constant()) == []
    assert relax_all(SAMPLES, np.array([], dtype=int), verdict) == []
