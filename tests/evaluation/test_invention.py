import numpy as np
import pytest

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError
from gen2dft.evaluation.invention import (
    Sieve,
    invention_figures,
    relax_some,
    seed_rows,
    sift,
    standard_error,
)
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import SurrogateVerdict
from tests.toys import rock_salt, toy_dataset

KNOWN = StructureIndex.from_table(CrystalTable.from_structures([rock_salt("Na", "Cl", 5.6)]))
PAIRS = [("Na", "Cl", 5.5), ("Mg", "O", 4.2), ("Mg", "O", 4.3), ("Li", "F", 1.0), ("Sr", "Se", 6.2)]
SAMPLES = CrystalTable.from_structures([rock_salt(*pair) for pair in PAIRS])


def verdict(structure, reason=None, species=None):
    relaxed = structure.copy()
    if species:
        relaxed = rock_salt(*species, 5.0)
    return SurrogateVerdict(reason, "toy", "toy-v1", relaxed)


def test_valid_unique_and_novel_are_counted_apart():
    sieve = sift(SAMPLES, ScreeningSpec(), KNOWN)
    assert sieve.num_decoded == 5
    assert sieve.valid.tolist() == [0, 1, 2, 4]  # the lithium fluoride is crushed
    assert sieve.unique.tolist() == [0, 1, 4]  # the second magnesia is the first, larger
    assert sieve.novel.tolist() == [1, 2, 4]
    assert sieve.new.tolist() == [1, 4]


def test_relaxed_crystals_must_be_stable_and_again_unique_and_novel():
    table = SAMPLES.select([1, 2, 4])
    outcome = relax_some(table, verdict, KNOWN, None, np.random.default_rng(0))
    assert (outcome.num_relaxed, outcome.num_stable, outcome.num_sun) == (
        3,
        3,
        2,
    )  # the second magnesia again
    assert outcome.rmsds == pytest.approx([0, 0, 0], abs=1e-9)
    nothing = relax_some(
        table, lambda s: verdict(s, "above_hull"), KNOWN, None, np.random.default_rng(0)
    )
    assert (nothing.num_stable, nothing.num_sun, len(nothing.rmsds)) == (0, 0, 3)


def test_what_relaxes_to_a_known_crystal_is_not_new():
    known = StructureIndex.from_table(SAMPLES.select([4]))
    outcome = relax_some(SAMPLES.select([1, 4]), verdict, known, None, np.random.default_rng(0))
    assert (outcome.num_stable, outcome.num_sun) == (2, 1)


def test_failed_relaxations_count_as_relaxed_and_not_as_stable():
    failed = SurrogateVerdict("relaxation_out_of_time", "toy", "toy-v1")
    outcome = relax_some(
        SAMPLES.select([1]), lambda _: failed, KNOWN, None, np.random.default_rng(0)
    )
    assert (outcome.num_relaxed, outcome.num_stable, list(outcome.rmsds)) == (1, 0, [])


def test_a_limit_takes_a_seeded_random_part():
    seen = [[], []]
    for place in (0, 1):
        relax_some(
            SAMPLES,
            lambda s, p=place: seen[p].append(s.formula) or verdict(s),
            KNOWN,
            2,
            np.random.default_rng(3),
        )
    assert len(seen[0]) == 2 and seen[0] == seen[1]


def test_figures_are_per_thousand_and_estimated_from_the_part_that_was_relaxed():
    sieve = Sieve(90, np.arange(80), np.arange(60), np.arange(20, 80))
    table = SAMPLES.select([1, 4])
    outcome = relax_some(table, verdict, KNOWN, None, np.random.default_rng(0))
    figures = invention_figures(100, sieve, outcome)
    assert [figures[key] for key in ("decoded", "valid", "unique", "novel", "new")] == [
        900,
        800,
        600,
        600,
        400,
    ]
    assert (figures["stable"], figures["sun"], figures["sun_error"]) == (1.0, 400, 0.0)


def test_without_new_crystals_there_is_no_new_stable_one():
    sieve = Sieve(5, np.arange(5), np.arange(5), np.arange(0))
    nothing = relax_some(
        SAMPLES.select(np.arange(0)), verdict, KNOWN, None, np.random.default_rng(0)
    )
    figures = invention_figures(10, sieve, nothing)
    assert figures["sun"] == 0.0 and figures["stable"] is None and figures["rmsd"] is None


def test_the_standard_error_falls_to_zero_when_all_are_relaxed():
    assert standard_error(0.5, 101, 10**9) == pytest.approx(0.05, rel=1e-6)
    assert standard_error(0.5, 50, 100) < standard_error(0.5, 50, 1000)
    assert standard_error(0.5, 100, 100) == 0.0


def test_seeds_are_the_labelled_crystals_nearest_the_wanted_energy():
    data = toy_dataset()
    distance = np.abs(data.label("formation_energy") + 0.5)
    rows = seed_rows(data, number=3)
    assert sorted(distance[rows]) == sorted(distance)[:3]
    bare = type(data)(data.crystals, data.ids, {})
    with pytest.raises(
        DatasetError, match=r"no training crystal is labelled with one; name the column"
    ):
        seed_rows(bare)
