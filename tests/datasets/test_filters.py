import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import DatasetSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets import check_labels, filter_dataset
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount

SPECIES = [
    ["Na", "Cl"],
    ["Na"],
    ["Na", "Cl", "O"],
    ["Mg", "O"] * 3,
    ["Ca", "O"],
    ["Ba", "S"],
    ["Sr", "S"],
]
DISTANCE = [0.0, 0.0, np.nan, 0.0, 0.04, 0.2, np.nan]


def dataset():
    structures = [
        Structure(Lattice.cubic(6), s, np.linspace(0, 0.9, len(s))[:, None] * [1, 1, 1])
        for s in SPECIES
    ]
    labels = {"e_above_hull": np.array(DISTANCE), "formation_energy": np.arange(7.0)}
    return Dataset(
        CrystalTable.from_structures(structures), tuple("abcdefg"), labels, {"source": "test"}
    )


def test_each_crystal_is_counted_under_its_first_reason():
    spec = DatasetSpec(source="x", num_elements=(2,), max_sites=4, max_e_above_hull=0.05)
    kept = filter_dataset(dataset(), spec, seed=0)
    assert kept.ids == ("a", "e")
    count = StageCount.model_validate(kept.provenance["filter"])
    assert count.reasons == {
        "num_elements": 2,
        "max_sites": 1,
        "above_hull": 1,
        "no_e_above_hull": 1,
    }
    assert (count.n_in, count.n_out) == (7, 2)


def test_without_a_limit_unlabelled_crystals_stay():
    assert len(filter_dataset(dataset(), DatasetSpec(source="x"), seed=0)) == 6


def test_part_of_a_size_is_seeded_and_in_order():
    spec = DatasetSpec(source="x", max_crystals=3)
    parts = {seed: filter_dataset(dataset(), spec, seed).ids for seed in range(8)}
    assert filter_dataset(dataset(), spec, 3).ids == parts[3]
    assert len(set(parts.values())) > 1
    assert all(list(ids) == sorted(ids) and len(ids) == 3 for ids in parts.values())
    assert filter_dataset(dataset(), spec, 3).provenance["filter"]["reasons"]["not_sampled"] == 3


def test_nothing_left_is_an_error_with_the_reasons():
    with pytest.raises(DatasetError, match=r"no crystal of dataset 'x' passes.*\(num_elements 7\)"):
        filter_dataset(dataset(), DatasetSpec(source="x", num_elements=(5,)), seed=0)


def test_too_few_labels_name_property_count_and_remedy():
    check_labels(dataset(), ["formation_energy"], 7)
    with pytest.raises(
        DatasetError, match=r"power_factor: 0 of 7 crystals; join published labels"
    ) as caught:
        check_labels(dataset(), ["formation_energy", "power_factor", "e_above_hull"], 6)
    assert "e_above_hull: 5 of 7" in str(caught.value)
    assert "formation_energy" not in str(caught.value)
