from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from gen2dft.campaign import DatasetSpec, PropertySpec
from gen2dft.campaign.properties import defined
from gen2dft.datasets import builtin_datasets, check_labels, load_dataset, sources
from gen2dft.errors import DatasetError
from tests.datasets.test_computed_labels import file_of, record
from tests.toys import toy_dataset


@pytest.fixture
def file(tmp_path):
    toy_dataset().save(tmp_path / "toy.npz")
    return str(tmp_path / "toy.npz")


def test_files_of_computed_labels_join_by_the_campaigns_definition(file, tmp_path):
    dataset = toy_dataset()
    path = tmp_path / "labels.jsonl"
    path.write_bytes(
        file_of(record(dataset, 3, band_gap=1.0, power_factor={"ricci2017": 2.0, "ftcp": 9.0}))
    )
    spec = DatasetSpec(source=file, labels=(str(path),))
    assert load_dataset(spec, seed=0).label("power_factor")[3] == 2.0
    assert load_dataset(spec, seed=0, definition="ftcp").label("power_factor")[3] == 9.0


def test_tables_of_labels_that_do_not_exist_are_refused():
    with pytest.raises(
        ValueError, match=r"'ricci' is not one of .*A file of labels ends in .jsonl"
    ):
        DatasetSpec(labels=("ricci",))


def test_builtin_sources_are_those_that_load_dataset_knows():
    assert [source.name for source in builtin_datasets()] == [
        sources.STARTER,
        sources.PROTOTYPES,
        sources.VANADIUM_OXIDES,
        sources.MATERIALS_PROJECT,
    ]


def test_file_is_read_and_filtered(file):
    dataset = load_dataset(DatasetSpec(source=file, max_crystals=3), seed=1)
    assert len(dataset) == 3
    assert dataset.provenance["filter"]["n_in"] == len(toy_dataset())


def test_published_labels_are_joined_before_filtering(file, monkeypatch):
    table = pd.DataFrame({"mp_id": [toy_dataset().ids[0]], "PF_p": [4.0]})
    monkeypatch.setattr("gen2dft.datasets.ricci.transport_table", lambda: table)
    dataset = load_dataset(DatasetSpec(source=file, labels=("ricci2017",)), seed=0)
    assert np.isfinite(dataset.label("power_factor")).sum() == 1


def test_materials_project_is_asked_for_what_the_campaign_takes(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "gen2dft.datasets.materials_project.read_materials_project",
        lambda query, cache: asked.append(query) or toy_dataset(),
    )
    load_dataset(
        DatasetSpec(
            source="materials-project", num_elements=(4, 2), max_sites=12, max_e_above_hull=None
        ),
        seed=0,
    )
    assert (asked[0].num_elements, asked[0].max_sites) == ((2, 4), 12)


def test_missing_file_names_the_choices():
    with pytest.raises(
        DatasetError, match=r"gone.csv does not exist; give `starter`, `materials-project`"
    ):
        load_dataset(DatasetSpec(source="gone.csv"), seed=0)


HALVES = [[0, 0, 0], [0.5, 0.5, 0.5]]
HARDNESS = {"hardness": PropertySpec(unit="GPa", column="Hv", transform="log1p")}


def table(folder, **columns):
    cifs = [str(CifWriter(Structure(Lattice.cubic(4 + i), ["Na", "Cl"], HALVES))) for i in range(3)]
    frame = pd.DataFrame({"id": ["a", "b", "c"], "cif": cifs, **columns})
    frame.to_csv(folder / "set.csv", index=False)
    return str(folder / "set.csv")


def test_a_column_of_a_file_becomes_labels_of_a_property_of_ones_own(tmp_path):
    source = DatasetSpec(source=table(tmp_path, Hv=[1.0, None, 3.0]))
    dataset = load_dataset(source, seed=0, cache_dir=tmp_path, properties=HARDNESS)
    assert np.array_equal(dataset.label("hardness"), [1.0, np.nan, 3.0], equal_nan=True)
    assert dataset.properties["hardness"].unit == "GPa"
    cached = load_dataset(source, seed=0, cache_dir=tmp_path, properties=HARDNESS)
    assert cached.content_hash == dataset.content_hash
    assert "hardness" not in load_dataset(source, seed=0, cache_dir=tmp_path).labels


def test_without_a_column_it_is_found_by_its_name(tmp_path):
    source = DatasetSpec(source=table(tmp_path, Hardness=[1.0, 2.0, 3.0]))
    named = {"hardness": PropertySpec(unit="GPa")}
    assert load_dataset(source, seed=0, properties=named).num_labels()["hardness"] == 3


def test_without_labels_it_gets_an_empty_column():
    dataset = load_dataset(
        DatasetSpec(max_crystals=20), seed=0, properties={"hardness": PropertySpec(unit="GPa")}
    )
    assert dataset.num_labels()["hardness"] == 0
    plain = load_dataset(DatasetSpec(max_crystals=20), seed=0)
    assert "hardness" not in plain.labels


def test_a_column_that_is_not_there_is_named(tmp_path):
    source = DatasetSpec(source=table(tmp_path, H=[1.0, 2.0, 3.0]))
    with pytest.raises(DatasetError, match=r"no column 'Hv' \(for hardness\)"):
        load_dataset(source, seed=0, properties=HARDNESS)


def test_sources_that_are_no_files_have_no_columns():
    message = r"properties\.hardness\.column names a column of a file, but .* 'starter'"
    with pytest.raises(DatasetError, match=message):
        load_dataset(DatasetSpec(), seed=0, properties=HARDNESS)


def test_too_few_labels_of_a_property_of_ones_own_say_how_to_come_by_more():
    dataset = load_dataset(
        DatasetSpec(max_crystals=20), seed=0, properties={"hardness": PropertySpec(unit="GPa")}
    )
    message = r"hardness: 0 of 20 crystals; use a file that has it \(properties\.hardness\.column\)"
    with pytest.raises(DatasetError, match=message):
        check_labels(dataset, ["hardness"], 5)


def doubted(tmp_path):
    """A set whose labels are all equal."""
    dataset = toy_dataset()
    labels = {**dataset.labels, "formation_energy": np.full(len(dataset), -1.0)}
    replace(dataset, labels=labels).save(tmp_path / "doubted.npz")
    return str(tmp_path / "doubted.npz")


def test_improbable_labels_are_refused_until_the_campaign_accepts_them(tmp_path):
    source, name = doubted(tmp_path), "formation_energy.no_spread"
    with pytest.raises(DatasetError, match=rf"dataset\.accept: \[{name}\]"):
        load_dataset(DatasetSpec(source=source), seed=0)
    dataset = load_dataset(DatasetSpec(source=source, accept=(name,)), seed=0)
    assert dataset.provenance["accepted"] == [name]
    with pytest.raises(ValueError, match="accepted finding 'spread' is not one of"):
        DatasetSpec(accept=("formation_energy.spread",))


def test_computed_labels_pass_the_same_check(file, tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(file_of(record(toy_dataset(), 3, band_gap=5000.0)))
    spec = DatasetSpec(source=file, labels=(str(path),), few_labels="leave-open")
    with pytest.raises(DatasetError, match=r"labels\.jsonl: .*\n  band_gap: .*between 0 and 50 eV"):
        load_dataset(spec, seed=0)


def test_bounds_of_a_property_of_ones_own_are_those_of_the_campaign(tmp_path):
    hardness = PropertySpec(unit="GPa", max=10)
    dataset = toy_dataset().knowing(defined({"hardness": PropertySpec(unit="GPa")}))
    labels = {**dataset.labels, "hardness": np.arange(5.0, 5 + len(dataset))}
    replace(dataset, labels=labels).save(tmp_path / "hard.npz")
    with pytest.raises(DatasetError, match="hardness: values are at most 10 GPa"):
        load_dataset(
            DatasetSpec(source=str(tmp_path / "hard.npz")),
            seed=0,
            properties={"hardness": hardness},
        )
