import io
import json
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, OutputError
from gen2dft.properties import Properties, Property
from tests.toys import toy_dataset


def make(ids=("a", "b"), energy=(-1.0, np.nan)):
    crystals = CrystalTable.from_structures(
        Structure(Lattice.cubic(3 + i), ["Po"], [[0, 0, 0]]) for i in range(len(ids))
    )
    return Dataset(crystals, tuple(ids), {"formation_energy": np.array(energy)}, {"source": "test"})


def test_file_round_trip(tmp_path):
    dataset = make()
    dataset.save(tmp_path / "set.npz")
    again = Dataset.load(tmp_path / "set.npz")
    assert again.content_hash == dataset.content_hash
    assert again.provenance == {"source": "test"}
    assert [p.name for p in tmp_path.iterdir()] == ["set.npz"]


def test_equal_content_gives_equal_bytes():
    assert make().to_bytes() == make().to_bytes()


def test_content_hash_sees_labels_and_ids_but_not_provenance():
    base = make()
    assert make(energy=(-1.0, 0.5)).content_hash != base.content_hash
    assert make(ids=("a", "c")).content_hash != base.content_hash
    assert base.select([0, 1], note="same crystals").content_hash == base.content_hash


def test_extend_unites_label_columns():
    other = Dataset(make(("c",), (0,)).crystals, ("c",), {"band_gap": np.array([1.5])})
    both = make().extend(other)
    assert both.num_labels() == {"formation_energy": 1, "band_gap": 1}
    assert both.label_matrix(["band_gap", "e_above_hull"]).shape == (3, 2)


def test_duplicate_ids_are_named():
    with pytest.raises(DatasetError, match=r"1 duplicate ids, the first: a"):
        make(ids=("a", "a"))


def test_infinite_label_is_named():
    with pytest.raises(DatasetError, match=r"'formation_energy' is infinite for b; use NaN"):
        make(energy=(0.0, np.inf))


def test_unknown_label_names_the_nearest():
    with pytest.raises(DatasetError, match="Did you mean 'band_gap'"):
        Dataset(make().crystals, ("a", "b"), {"bandgap": np.zeros(2)})


def test_half_written_file_is_refused(tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(make().to_bytes()[:-200])
    with pytest.raises(DatasetError, match=r"set\.npz is not a gen2dft dataset or is damaged"):
        Dataset.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        Dataset.load(tmp_path / "none.npz")


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="choose a writable folder"):
        make().save(tmp_path / "file" / "set.npz")


HARDNESS = Properties([Property("hardness", "GPa", "Vickers hardness", "log1p")])


def hard(values=(20.0, np.nan)):
    base = make()
    labels = {**base.labels, "hardness": np.array(values)}
    return Dataset(base.crystals, base.ids, labels, base.provenance, HARDNESS)


def test_a_property_of_its_own_is_stored_with_the_data_and_kept_by_parts(tmp_path):
    hard().save(tmp_path / "set.npz")
    again = Dataset.load(tmp_path / "set.npz")
    assert again.properties == again.select([0]).properties == HARDNESS
    assert again.label("hardness")[0] == 20.0 and again.content_hash == hard().content_hash


def test_built_in_properties_leave_the_file_as_it_was():
    assert b"properties" not in make().to_bytes()
    assert make().knowing(Properties()).to_bytes() == make().to_bytes()


def test_a_property_without_labels_gets_a_column_for_those_to_come():
    known = make().knowing(HARDNESS)
    assert known.num_labels() == {"formation_energy": 1, "hardness": 0}
    assert hard().knowing(HARDNESS).num_labels()["hardness"] == 1


def test_extend_knows_the_properties_of_both():
    both = make(("c",), (0,)).extend(hard())
    assert both.properties == HARDNESS and both.num_labels()["hardness"] == 1
    other = Properties([Property("hardness", "kgf/mm^2", "hardness")])
    with pytest.raises(DatasetError, match="'hardness' is in 'GPa' in one set"):
        hard().extend(make(("c",), (0,)).knowing(other))


def weighted(*weights):
    return replace(make(), weights={"formation_energy": np.array(weights)})


def test_weights_are_stored_hashed_and_kept_by_parts(tmp_path):
    dataset = weighted(1.0, 0.25)
    dataset.save(tmp_path / "set.npz")
    again = Dataset.load(tmp_path / "set.npz")
    assert again.weight("formation_energy").tolist() == [1.0, 0.25]
    assert again.content_hash == dataset.content_hash != make().content_hash
    assert dataset.select([1]).weight("formation_energy").tolist() == [0.25]
    both = make(("c",), (0,)).extend(dataset)
    assert both.weight_matrix(["formation_energy", "band_gap"]).tolist() == [
        [1.0, 1.0], [1.0, 1.0], [0.25, 1.0],
    ]  # fmt: skip


def test_a_dataset_without_weights_has_the_bytes_it_always_had():
    assert b"weight_" not in make().to_bytes()
    assert make().weight("formation_energy").tolist() == [1.0, 1.0]


def test_weights_that_make_no_sense_are_named():
    with pytest.raises(DatasetError, match=r"weight 1\.5 of 'formation_energy' for b is not"):
        weighted(1.0, 1.5)
    with pytest.raises(DatasetError, match=r"weight nan of 'formation_energy' for a"):
        weighted(np.nan, 1.0)
    with pytest.raises(DatasetError, match=r"has shape \(1,\), expected \(2,\)"):
        weighted(1.0)
    with pytest.raises(DatasetError, match="weight column 'band_gap' is not one of"):
        replace(make(), weights={"band_gap": np.ones(2)})


def stored(**changes):
    """The bytes of a dataset with other arrays in it; None leaves one out."""
    with np.load(io.BytesIO(toy_dataset().to_bytes())) as arrays:
        found = {**arrays, **changes}
    buffer = io.BytesIO()
    kept = {name: array for name, array in found.items() if array is not None}
    np.savez_compressed(buffer, **kept)
    return buffer.getvalue()


def meta(**fields):
    return np.array(json.dumps({"format": 1, "provenance": {}, **fields}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"numbers": np.full(66, 300)}, "an atomic number is not between 0 and 255"),
        ({"numbers": np.full(66, 1.5)}, "no whole numbers"),
        ({"lattices": np.array(["x"] * 9)}, "could not convert"),
        ({"numbers": None}, "numbers is not a file in the archive"),
        ({"ids": np.arange(9.0)}, "its ids are no text"),
        ({"label_formation_energy": np.array(["a"] * 9)}, "holds no numbers"),
        ({"meta": np.array("{")}, "Expecting"),
        ({"meta": np.array("[]")}, "list indices"),
        ({"meta": meta(provenance=[])}, "its provenance is no object"),
        ({"meta": meta(properties=5)}, "not iterable"),
    ],
)
def test_a_file_that_others_changed_is_refused(changes, problem):
    with pytest.raises(DatasetError, match=f"mine.npz is not a gen2dft dataset .*{problem}"):
        Dataset.from_bytes(stored(**changes), "mine.npz")


def test_damaged_bytes_are_refused():
    whole = toy_dataset().to_bytes()
    flipped = bytes([*whole[:300], whole[300] ^ 255, *whole[301:]])
    for data in (b"", b"junk", whole[:-30], whole[100:], flipped):
        with pytest.raises(DatasetError, match="mine is not a gen2dft dataset or is damaged"):
            Dataset.from_bytes(data, "mine")


def test_a_device_is_no_dataset(tmp_path):
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match="is a device, not a file"):
        Dataset.load(tmp_path / "zero.npz")
