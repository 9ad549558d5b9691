import gzip
import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from gen2dft.datasets.files import DatasetWarning, read_dataset
from gen2dft.errors import DatasetError


def crystal(a=4.0, species=("Na", "Cl")):
    return Structure(Lattice.cubic(a), list(species), [[0, 0, 0], [0.5, 0.5, 0.5]])


def cif(a=4.0):
    return str(CifWriter(crystal(a)))


def frame(n=3, **columns):
    table = {"material_id": [f"mp-{i}" for i in range(n)], "cif": [cif(4 + i) for i in range(n)]}
    return pd.DataFrame({**table, "formation_energy_per_atom": np.arange(n) * -0.5, **columns})


def write(tmp_path, table, name="set.csv"):
    path = tmp_path / name
    if name.endswith(".parquet"):
        table.to_parquet(path)
    elif ".json" in name:
        text = json.dumps(table.to_dict("records")).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    "name", ["set.csv", "set.csv.gz", "set.json", "set.json.gz", "set.parquet"]
)
def test_every_kind_of_table_gives_the_same_dataset(tmp_path, name):
    dataset = read_dataset(write(tmp_path, frame(), name))
    assert dataset.ids == ("mp-0", "mp-1", "mp-2")
    assert dataset.label("formation_energy").tolist() == [0, -0.5, -1.0]
    assert np.allclose(dataset.crystals.volumes, [64, 125, 216])


def test_json_may_hold_structures_as_objects(tmp_path):
    path = tmp_path / "set.json"
    path.write_text(json.dumps([{"id": "x", "structure": crystal().as_dict(), "band_gap": None}]))
    dataset = read_dataset(path)
    assert dataset.ids == ("x",)
    assert np.isnan(dataset.label("band_gap")).all()


def test_named_columns_win_over_usual_names(tmp_path):
    path = write(tmp_path, frame(band_gap=[9, 9, 9], mine=[1, 2, 3], name=["a", "b", "c"]))
    dataset = read_dataset(path, {"band_gap": "mine", "id": "name"})
    assert dataset.ids == ("a", "b", "c")
    assert dataset.label("band_gap").tolist() == [1, 2, 3]


def test_missing_column_names_the_nearest(tmp_path):
    with pytest.raises(DatasetError, match=r"no column 'bandgab'.*did you mean 'band_gap'"):
        read_dataset(write(tmp_path, frame(band_gap=[1, 2, 3])), {"band_gap": "bandgab"})
    with pytest.raises(
        DatasetError, match=r"no structure column such as structure or cif; it has material_id"
    ):
        read_dataset(write(tmp_path, frame().drop(columns="cif")))


def test_unknown_property_in_columns_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"'bandgap' is not one of .* Did you mean 'band_gap'"):
        read_dataset(write(tmp_path, frame()), {"bandgap": "x"})


def test_unusable_crystals_are_skipped_counted_and_named(tmp_path):
    table = frame(4)
    table.loc[1, "cif"] = "rubbish"
    table.loc[2, "cif"] = Structure(
        Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]
    ).to_json()
    with pytest.warns(DatasetWarning, match=r"2 crystals left out: mp-1: unreadable"):
        dataset = read_dataset(write(tmp_path, table))
    assert dataset.ids == ("mp-0", "mp-3")
    assert dataset.provenance["skipped_reasons"] == {"unreadable": 1, "partially_occupied": 1}
    assert dataset.provenance["n_read"] == len(dataset) + 2


def test_labels_missing_infinite_or_text(tmp_path):
    assert (
        read_dataset(write(tmp_path, frame(band_gap=[1.0, np.nan, 2.0]))).num_labels()["band_gap"]
        == 2
    )
    with pytest.raises(DatasetError, match=r"band_gap is infinite for 1 rows: mp-1"):
        read_dataset(write(tmp_path, frame(band_gap=[1.0, np.inf, 2.0])))
    with pytest.raises(DatasetError, match=r"'band_gap' is not a number for mp-2 \('wide'\)"):
        read_dataset(write(tmp_path, frame(band_gap=["1", "2", "wide"])))


def test_duplicate_ids_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"1 ids occur more than once: mp-7"):
        read_dataset(write(tmp_path, frame(material_id=["mp-7", "mp-7", "mp-8"])))


def test_rows_without_an_id_are_numbered(tmp_path):
    assert read_dataset(write(tmp_path, frame().drop(columns="material_id"))).ids == (
        "set-0",
        "set-1",
        "set-2",
    )


def test_files_that_cannot_be_a_dataset(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere.csv does not exist; give `starter`"):
        read_dataset(tmp_path / "nowhere.csv")
    (tmp_path / "set.xlsx").write_text("x")
    with pytest.raises(DatasetError, match=r"unknown kind"):
        read_dataset(tmp_path / "set.xlsx")
    (tmp_path / "set.json").write_text('{"not": "records"}')
    with pytest.raises(DatasetError, match=r"cannot read the table .*expected a list of records"):
        read_dataset(tmp_path / "set.json")
    with pytest.raises(
        DatasetError, match=r"no usable crystal among 2; the first problem: unreadable"
    ):
        read_dataset(write(tmp_path, frame(2, cif=["a", "b"])))


def folder(tmp_path):
    for i, name in enumerate(("b", "a")):
        (tmp_path / f"{name}.cif").write_text(cif(4 + i))
    return tmp_path


def test_folder_of_cifs_with_labels(tmp_path):
    folder(tmp_path)
    (tmp_path / "broken.cif").write_bytes(b"\xff\xfe\x00")
    pd.DataFrame({"file": ["b.cif", "gone"], "band_gap": [1.0, 2.0]}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    with pytest.warns(DatasetWarning) as warned:
        dataset = read_dataset(tmp_path)
    assert dataset.ids == ("a", "b")
    assert dataset.label("band_gap").tolist()[1] == 1.0
    assert np.isnan(dataset.label("band_gap")[0])
    texts = " ".join(str(w.message) for w in warned)
    assert "broken: unreadable" in texts
    assert "1 rows have no .cif file: gone" in texts


def test_folder_without_labels_or_without_cifs(tmp_path):
    with pytest.raises(DatasetError, match=r"holds no .cif files"):
        read_dataset(tmp_path)
    assert read_dataset(folder(tmp_path)).num_labels() == {}


def test_twice_the_same_row_of_labels_is_refused(tmp_path):
    folder(tmp_path)
    pd.DataFrame({"id": ["a", "a.cif"], "band_gap": [1, 2]}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    with pytest.raises(DatasetError, match=r"labels.csv: 1 ids occur more than once: a"):
        read_dataset(tmp_path)


def test_saved_dataset_is_read_back(tmp_path):
    dataset = read_dataset(write(tmp_path, frame()))
    dataset.save(tmp_path / "kept.npz")
    assert read_dataset(tmp_path / "kept.npz").content_hash == dataset.content_hash


def test_cache_serves_equal_content_and_notices_changes(tmp_path, monkeypatch):
    path, cache = write(tmp_path, frame()), tmp_path / "cache"
    first = read_dataset(path, cache_dir=cache)
    monkeypatch.setattr("gen2dft.datasets.files._parse_structures", None)  # parsing now would fail
    assert read_dataset(path, cache_dir=cache).content_hash == first.content_hash
    monkeypatch.undo()
    write(tmp_path, frame(band_gap=[1, 2, 3]))
    assert "band_gap" in read_dataset(path, cache_dir=cache).labels
    assert len(list((cache / "datasets").iterdir())) == 2


def test_damaged_cache_is_written_anew(tmp_path):
    path, cache = write(tmp_path, frame()), tmp_path / "cache"
    read_dataset(path, cache_dir=cache)
    (kept,) = (cache / "datasets").iterdir()
    kept.write_bytes(b"broken")
    assert len(read_dataset(path, cache_dir=cache)) == 3
    assert len(kept.read_bytes()) > 100


def test_cache_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.warns(DatasetWarning, match=r"not cached"):
        assert len(read_dataset(write(tmp_path, frame()), cache_dir=tmp_path / "cache")) == 3


def test_progress_counts_to_the_end(tmp_path):
    calls = []
    read_dataset(write(tmp_path, frame()), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(3, 3)]


def test_parsing_in_several_processes_gives_the_same_dataset(tmp_path, monkeypatch):
    table = frame(6)
    table.loc[1, "cif"] = "rubbish"
    path = write(tmp_path, table)
    with pytest.warns(DatasetWarning, match="1 crystals left out: mp-1: unreadable"):
        alone = read_dataset(path)
    monkeypatch.setattr("gen2dft.datasets.files.PARSED_AT_ONCE", 1)
    seen = []
    with pytest.warns(DatasetWarning, match="1 crystals left out: mp-1: unreadable"):
        shared_out = read_dataset(path, progress=lambda done, total: seen.append((done, total)))
    assert shared_out.ids == alone.ids == ("mp-0", "mp-2", "mp-3", "mp-4", "mp-5")
    assert shared_out.content_hash == alone.content_hash
    assert seen == [(n, 6) for n in range(1, 7)]


def salts(tmp_path, *names):
    for place, name in enumerate(names):
        (tmp_path / name).write_text(cif(4 + place))
    return tmp_path


def labelled(tmp_path, text, *names):
    salts(tmp_path, *names)
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path


def test_ids_that_look_like_numbers_or_nothing_keep_their_labels(tmp_path):
    text = "id,formation_energy\n0001,-1\nNaN,-2\n1e5,-3\n101,-1.5\n,\n"
    path = labelled(tmp_path, text, "0001.cif", "NaN.cif", "1e5.cif", "101.cif")
    dataset = read_dataset(path)
    found = dict(zip(dataset.ids, dataset.label("formation_energy").tolist(), strict=True))
    assert found == {"0001": -1, "NaN": -2, "1e5": -3, "101": -1.5}


def test_a_blank_last_row_changes_nothing(tmp_path):
    table = write(tmp_path, frame(material_id=["0001", "101", "NaN"]))
    table.write_text(table.read_text() + ",,\n\n")
    assert read_dataset(table).ids == ("0001", "101", "NaN")


def test_rows_without_an_id_are_left_out_and_named(tmp_path):
    with pytest.warns(DatasetWarning, match=r"1 crystals left out: line 2: no_id"):
        dataset = read_dataset(write(tmp_path, frame(material_id=["", "b", "c"])))
    assert dataset.ids == ("b", "c")
    assert dataset.provenance["n_read"] == 3


def test_near_misses_are_named_the_second_time_too(tmp_path):
    (tmp_path / "set").mkdir()
    text = "id,formation_energy\n998,-1\n1000,-2\n"
    path, cache = labelled(tmp_path / "set", text, "0998.cif", "1000.cif"), tmp_path / "cache"
    for _ in range(2):
        with pytest.warns(DatasetWarning, match="1 rows have .*near misses: 998 beside 0998"):
            dataset = read_dataset(path, cache_dir=cache)
    assert dataset.num_labels() == {"formation_energy": 1}
    assert dataset.provenance["unlabelled"] == {"formation_energy": {"count": 1, "first": ["0998"]}}
    dataset.save(tmp_path / "kept.npz")
    with pytest.warns(DatasetWarning, match="near misses: 998 beside 0998"):
        read_dataset(tmp_path / "kept.npz")


def test_labels_of_which_none_finds_a_crystal_are_refused(tmp_path):
    path = labelled(tmp_path, "id,formation_energy\n1,-1\n2,-2\n", "01.cif", "02.cif")
    with pytest.raises(DatasetError, match=r"none of its 2 ids .*1, 2 \(1 beside 01, 2 beside 02"):
        read_dataset(path)


def test_files_that_are_not_read_are_named_and_part_of_the_cache_key(tmp_path):
    path, cache = salts(tmp_path, "A.CIF", "b.cif.gz"), tmp_path.parent / f"{tmp_path.name}-cache"
    (tmp_path / "b.cif.gz").write_bytes(gzip.compress(cif(5).encode()))
    (tmp_path / "c.mcif").write_bytes(("# Größe\n" + cif(6)).encode("latin-1"))
    assert read_dataset(path, cache_dir=cache).ids == ("A", "b", "c")
    (tmp_path / "POSCAR").write_text("x")
    with pytest.warns(DatasetWarning, match="1 files are not read: POSCAR"):
        read_dataset(path, cache_dir=cache)


def test_crystals_of_one_file_are_numbered(tmp_path):
    salts(tmp_path, "a.cif")
    (tmp_path / "two.cif").write_text(cif(4) + cif(5).replace("NaCl", "other", 1))
    (tmp_path / "labels.csv").write_text("id,band_gap\na,1\ntwo[2],3\n")
    found = read_dataset(tmp_path)
    assert found.ids == ("a", "two[1]", "two[2]")
    assert found.label("band_gap").tolist()[::2] == [1, 3]
    alone = read_dataset(tmp_path / "two.cif")
    assert alone.ids == ("two[1]", "two[2]")
    volumes = [alone.crystals.structure(row).volume for row in range(2)]
    assert volumes[0] < volumes[1]


def test_json_files_of_crystals_are_read(tmp_path):
    crystals = {"one": crystal(4).as_dict(verbosity=0), "two": crystal(5).as_dict()}
    (tmp_path / "named.json").write_text(json.dumps(crystals))
    assert read_dataset(tmp_path / "named.json").ids == ("one", "two")
    listed = [{**crystal, "band_gap": 2.0} for crystal in crystals.values()]
    (tmp_path / "listed.json").write_text(json.dumps(listed))
    found = read_dataset(tmp_path / "listed.json")
    assert found.ids == ("listed-0", "listed-1")
    assert found.label("band_gap").tolist() == [2, 2]
    (tmp_path / "single.json").write_text(json.dumps(crystals["one"]))
    assert len(read_dataset(tmp_path / "single.json")) == 1


def test_columns_are_converted_from_the_unit_that_is_named(tmp_path):
    path = tmp_path / "mine.csv"
    text = '"' + cif(4).replace('"', '""') + '"'
    path.write_text(f"id,cif,Ehull,gap:pbe\na,{text},50,1\n")
    named = {"e_above_hull": "Ehull:meV/atom", "band_gap": "gap:pbe"}
    found = read_dataset(path, named)
    assert found.label("e_above_hull").tolist() == pytest.approx([0.05])
    assert found.label("band_gap").tolist() == [1.0]


def test_pipes_and_devices_are_no_dataset(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    for name, kind in (("pipe.csv", "a named pipe"), ("zero.npz", "a device")):
        with pytest.raises(DatasetError, match=rf"{name} is {kind}, not a file"):
            read_dataset(tmp_path / name)
    with pytest.raises(DatasetError, match=r"no usable path: .*too long"):
        read_dataset("x" * 5000)


def test_columns_that_are_not_read_are_noted(tmp_path):
    dataset = read_dataset(write(tmp_path, frame(colour=[1, 2, 3])))
    assert dataset.provenance["columns_not_read"] == {"count": 1, "first": ["colour"]}


def with_one(broken, tmp_path):
    """A table of four crystals, one of which is another structure."""
    table = frame(4)
    table.loc[2, "cif"] = json.dumps(broken.as_dict())
    return write(tmp_path, table)


POISONED = {
    "overlap": Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.005]]),
    "no volume": Structure(Lattice([[4, 0, 0], [4, 0, 0], [0, 0, 4]]), ["Na"], [[0, 0, 0]]),
    "not finite": Structure(Lattice.cubic(4), ["Na"], [[0, 0, np.nan]]),
    "no element": Structure(Lattice.cubic(4), ["X"], [[0, 0, 0]]),
    "nanometres": Structure(Lattice.cubic(0.4), ["Na"], [[0, 0, 0]]),
}


@pytest.mark.parametrize("kind", POISONED)
def test_a_poisoned_crystal_costs_itself_alone(tmp_path, kind):
    with pytest.warns(DatasetWarning, match="1 crystals left out: mp-2: "):
        dataset = read_dataset(with_one(POISONED[kind], tmp_path))
    assert dataset.ids == ("mp-0", "mp-1", "mp-3")
    assert list(dataset.provenance["skipped"]) == ["mp-2"]


def test_what_was_left_out_is_named_from_the_cache_too(tmp_path, monkeypatch):
    path, cache = with_one(POISONED["overlap"], tmp_path), tmp_path / "cache"
    with pytest.warns(DatasetWarning, match="mp-2: atoms_too_close"):
        first = read_dataset(path, cache_dir=cache)
    monkeypatch.setattr("gen2dft.datasets.files._parse_structures", None)
    with pytest.warns(DatasetWarning, match="mp-2: atoms_too_close"):
        again = read_dataset(path, cache_dir=cache)
    assert again.provenance == first.provenance


def test_a_saved_dataset_is_checked_as_well(tmp_path):
    good = read_dataset(write(tmp_path, frame(3)))
    nanometres = good.crystals.lattices * np.array([1, 0.1, 1])[:, None, None]
    crystals = replace(good.crystals, lattices=nanometres)
    replace(good, crystals=crystals).save(tmp_path / "kept.npz")
    with pytest.warns(DatasetWarning, match="mp-1: volume_out_of_range"):
        read = read_dataset(tmp_path / "kept.npz")
    assert read.ids == ("mp-0", "mp-2")
    assert read.provenance["skipped_reasons"] == {"volume_out_of_range": 1}


def test_an_import_of_mostly_broken_crystals_stops(tmp_path):
    table = frame(30, cif=["rubbish"] * 16 + [cif()] * 14)
    with pytest.raises(DatasetError, match=r"16 of 30 crystals cannot be used, more than half"):
        read_dataset(write(tmp_path, table))
