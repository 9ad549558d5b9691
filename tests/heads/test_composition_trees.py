"""The head predicts from the composition alone, and knows where it does not know."""

import numpy as np
import pytest

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.heads.composition import composition_features
from gen2dft.heads.composition_trees import TREES, CompositionTrees
from gen2dft.heads.contract import validate_head
from gen2dft.heads.element_table import NAMES, element_table

METALS = [3, 4, 11, 12, 13, 19, 20, 22, 24, 26, 28, 30, 37, 38, 40, 56]
ANIONS = [7, 8, 9, 15, 16, 17, 33, 34, 35, 53]
PROPERTIES = ("formation_energy", "power_factor")


def compounds(size: int, seed: int, metals: list[int] = METALS) -> CrystalTable:
    rng = np.random.default_rng(seed)
    numbers = [
        [rng.choice(metals)] * rng.integers(1, 4) + [rng.choice(ANIONS)] * rng.integers(1, 4)
        for _ in range(size)
    ]
    frac = [np.zeros((len(atoms), 3)) for atoms in numbers]
    return CrystalTable.from_arrays([4 * np.eye(3)] * size, numbers, frac)


def truth(table: CrystalTable) -> np.ndarray:
    """A formation energy and a power factor that the electronegativities decide."""
    x = composition_features(table, element_table())
    mean, deviation = x[:, NAMES.index("X")], x[:, len(NAMES) + NAMES.index("X")]
    return np.column_stack([0.5 - 2 * deviation, np.exp(3 * (mean - 2.0))])


@pytest.fixture(scope="module")
def data() -> Dataset:
    table = compounds(700, seed=0)
    labels = truth(table)
    rng = np.random.default_rng(1)
    labels[:, 0] += 0.1 * rng.standard_normal(700)
    labels[rng.random(700) < 0.6, 1] = np.nan
    columns = {name: labels[:, i] for i, name in enumerate(PROPERTIES)}
    return Dataset(table, tuple(map(str, range(700))), columns)


@pytest.fixture(scope="module")
def head(data) -> CompositionTrees:
    rng = np.random.default_rng(2)
    return CompositionTrees.fit(data.crystals, data.label_matrix(PROPERTIES), PROPERTIES, rng)


def test_it_keeps_the_contract(head):
    validate_head(head, compounds(20, seed=3))


def test_it_predicts_what_it_has_not_seen_in_the_units_of_the_labels(head):
    table = compounds(200, seed=4)
    prediction = head.predict(table)
    for i, name in enumerate(PROPERTIES):
        expected = truth(table)[:, i]
        error = np.abs(prediction.values[name] - expected).mean()
        assert error < 0.25 * np.abs(expected - expected.mean()).mean()
        assert prediction.members[name].shape == (8, 200)
    assert (prediction.members["power_factor"] >= 0).all()


def test_members_are_as_far_apart_as_the_head_errs(head):
    table = compounds(400, seed=5)
    noise = 0.1 * np.random.default_rng(6).standard_normal(400)
    prediction = head.predict(table)
    error = prediction.values["formation_energy"] - truth(table)[:, 0] - noise
    members = prediction.members["formation_energy"]
    ratio = np.sqrt(members.var(axis=0, ddof=1).mean() / np.mean(error**2))
    assert 0.6 < ratio < 1.7
    assert np.allclose(members.mean(axis=0), prediction.values["formation_energy"])


def test_members_differ_more_where_nothing_is_known(head):
    strange = head.predict(compounds(200, seed=7, metals=[58, 72, 78, 92]))
    usual = head.predict(compounds(200, seed=7))
    spread = [part.members["power_factor"].std(axis=0).mean() for part in (strange, usual)]
    assert spread[0] > spread[1]


def test_the_same_seed_gives_the_same_bytes_and_another_others(data, head):
    labels = data.label_matrix(PROPERTIES)
    again, other = (
        CompositionTrees.fit(data.crystals, labels, PROPERTIES, np.random.default_rng(seed))
        for seed in (2, 3)
    )
    assert again.to_bytes() == head.to_bytes() != other.to_bytes()


def test_a_missing_label_is_left_out_of_its_property_alone(data):
    labels = data.label_matrix(PROPERTIES)
    fewer = labels.copy()
    fewer[:400, 1] = np.nan
    one, other = (
        CompositionTrees.fit(data.crystals, part, PROPERTIES, np.random.default_rng(2), members=3)
        for part in (labels, fewer)
    )
    table = compounds(30, seed=8)
    a, b = one.predict(table).values, other.predict(table).values
    assert np.array_equal(a["formation_energy"], b["formation_energy"])
    assert not np.array_equal(a["power_factor"], b["power_factor"])


def test_the_number_of_members_is_the_campaigns(data):
    labels = data.label_matrix(PROPERTIES[:1])
    head = CompositionTrees.fit(
        data.crystals, labels, PROPERTIES[:1], np.random.default_rng(0), members=5
    )
    assert head.predict(compounds(3, seed=9)).members["formation_energy"].shape == (5, 3)
    assert TREES <= len(head.forests[0].roots) < TREES + 5


def test_a_handful_of_crystals_is_enough(data):
    few = data.select(np.arange(5))
    labels = few.label_matrix(PROPERTIES[:1])
    head = CompositionTrees.fit(few.crystals, labels, PROPERTIES[:1], np.random.default_rng(0))
    validate_head(head, data.crystals.select(np.arange(9)))


def test_too_few_labels_are_refused_by_the_name_of_the_property(data):
    labels = data.label_matrix(PROPERTIES)
    labels[4:, 1] = np.nan
    with pytest.raises(DatasetError, match=r"property 'power_factor' has [0-4] labels, .* needs 5"):
        CompositionTrees.fit(data.crystals, labels, PROPERTIES, np.random.default_rng(0))


def test_damaged_bytes_and_those_of_another_head_are_refused(head):
    with pytest.raises(SnapshotError, match="blob x is damaged"):
        CompositionTrees.from_bytes(head.to_bytes()[:-300], "blob x")
    from gen2dft.generators.snapshot import write_archive

    other = write_archive({"format": "head-ensemble-1"}, {})
    with pytest.raises(SnapshotError, match="blob x is of format 'head-ensemble-1', not 'compos"):
        CompositionTrees.from_bytes(other, "blob x")


def test_a_label_with_a_large_error_moves_it_less(data):
    moved = data.label_matrix(PROPERTIES)
    moved[:60, 0] += 3.0
    heavy = np.ones(moved.shape)
    light = heavy.copy()
    light[:60, 0] = 0.05
    fits = [
        CompositionTrees.fit(
            data.crystals, moved, PROPERTIES, np.random.default_rng(2), weights=weights
        )
        for weights in (heavy, light)
    ]
    some = data.crystals.select(np.arange(60))
    right = truth(some)[:, 0]
    full, little = (np.abs(fit.predict(some).values[PROPERTIES[0]] - right).mean() for fit in fits)
    assert little < 0.5 * full
