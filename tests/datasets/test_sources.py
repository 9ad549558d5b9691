import numpy as np
import pandas as pd
import pytest

from gen2dft.campaign import DatasetSpec
from gen2dft.datasets import builtin_datasets, load_dataset, sources
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
