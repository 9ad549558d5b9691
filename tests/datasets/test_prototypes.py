from importlib import resources

import numpy as np
import pytest

from gen2dft.datasets import prototypes
from gen2dft.datasets.computed_labels import read_labels
from gen2dft.datasets.prototypes import load_prototypes, load_vanadium_oxides
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount
from gen2dft.geometry import closest_contacts
from gen2dft.properties import TRANSPORT_DEFINITIONS
from gen2dft.representations.images import CrystalImages
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.vanadium_oxides import known_hull

# What `min_labels` of the campaigns that ship asks for.
MIN_LABELS = 50
# uW cm^-1 K^-2 at tau = 1e-14 s
PUBLISHED = {
    "starter-BeS-1": 1.593,
    "starter-CdSe-1": 1.253,
    "starter-RbI-2": 1.136,
    "starter-BP-1": 2.269,
}


def num_elements(dataset):
    crystals = dataset.crystals
    return np.array(
        [len(np.unique(crystals.numbers[crystals.sites(i)])) for i in range(len(crystals))]
    )


def test_size_and_composition():
    dataset = load_prototypes()
    assert len(dataset) >= 2000
    assert set(num_elements(dataset)) == {2, 3}
    assert (num_elements(dataset) == 3).mean() > 0.6
    assert dataset.crystals.num_sites.max() <= 20
    assert len(set(dataset.crystals.formulas())) > 1000


def test_every_crystal_has_sane_labels_and_geometry():
    dataset = load_prototypes()
    assert np.isfinite(dataset.label_matrix(["formation_energy", "e_above_hull"])).all()
    assert np.abs(dataset.label("formation_energy")).max() < 5
    assert 0 <= dataset.label("e_above_hull").min() <= dataset.label("e_above_hull").max() <= 0.5
    assert closest_contacts(dataset.crystals).ratio.min() > 0.6


def test_distances_are_those_to_the_own_hull():
    dataset = load_prototypes()
    hull = ReferenceHull.from_dataset(dataset)
    for i in np.random.default_rng(0).choice(len(dataset), 25, replace=False):
        composition = dataset.crystals.structure(i).composition
        distance = hull.e_above_hull(composition, dataset.label("formation_energy")[i])
        assert distance == pytest.approx(dataset.label("e_above_hull")[i], abs=1e-4)


def test_provenance_tells_how_it_was_made_and_what_was_left_out():
    dataset = load_prototypes()
    relaxation, selection = (
        StageCount.model_validate(count) for count in dataset.provenance["counts"]
    )
    assert relaxation.n_out == selection.n_in
    assert selection.n_out == len(dataset)
    assert dataset.provenance["command"].startswith(
        "gen2dft data build prototypes --seed 0 --size "
    )
    assert dataset.provenance["versions"]["chgnet"]


def shipped_labels():
    return read_labels(resources.files("gen2dft.datasets") / prototypes.LABELS)


def test_band_gaps_and_power_factors_are_computed_ones():
    dataset, labels = load_prototypes(), shipped_labels()
    assert (labels.settings.engine, labels.settings.relaxation_time) == ("gpaw", 1e-14)
    assert labels.settings.versions["gpaw"]
    assert "not relaxed" in labels.settings.cells
    counts = labels.counts()
    assert dataset.num_labels()["power_factor"] == counts["labelled"] >= MIN_LABELS
    assert dataset.num_labels()["band_gap"] == counts["labelled"] + counts["metal"]
    assert "gpaw" in dataset.provenance["labels"]["power_factor"]
    for record in labels.records:
        assert (record.reason is None) == (
            set(record.power_factor) == set(labels.settings.definitions)
        )
        assert (record.reason == "metal") == (record.band_gap == 0)
        if record.reason is None:
            assert 0 < record.band_gap < 15
            assert all(0 < factor < 100 for factor in record.power_factor.values())
            assert record.spacing <= 0.15


def test_the_definition_of_the_power_factor_is_the_callers():
    by_id = {record.id: record for record in shipped_labels().records}
    for definition in TRANSPORT_DEFINITIONS:
        dataset = load_prototypes(definition)
        factors = dataset.label("power_factor")
        for i in np.flatnonzero(np.isfinite(factors)):
            assert factors[i] == by_id[dataset.ids[i]].power_factor[definition]
    assert load_prototypes("ftcp").content_hash != load_prototypes("ricci2017").content_hash


def test_known_semiconductors_are_as_published():
    """Ricci et al.'s table, p-type, 300 K, 1e18 cm^-3; the cells here are CHGNet's."""
    dataset = load_prototypes()
    for name, published in PUBLISHED.items():
        assert dataset.label("power_factor")[dataset.ids.index(name)] == pytest.approx(
            published, rel=0.25
        )


@pytest.mark.parametrize(
    ("name", "remedy"), [("FILE", "gen2dft data build"), ("LABELS", "gen2dft data label")]
)
def test_missing_files_name_the_remedy(monkeypatch, name, remedy):
    monkeypatch.setattr(prototypes, name, "gone")
    with pytest.raises(DatasetError, match=f"{remedy} prototypes"):
        load_prototypes.__wrapped__()


def test_the_vanadium_oxides_that_ship_fit_their_generator():
    dataset = load_vanadium_oxides()
    assert len(dataset) == dataset.provenance["counts"][-1]["n_out"] > 100
    assert np.isfinite(
        dataset.label_matrix(["formation_energy", "e_above_hull", "vanadium_state"])
    ).all()
    misfits = CrystalImages().misfits(dataset.crystals)
    assert sum(reason is None for reason in misfits) >= 0.95 * len(dataset)
    again = known_hull()
    for row in (0, len(dataset) - 1):
        composition = dataset.crystals.structure(row).composition
        above = again.e_above_hull(composition, dataset.label("formation_energy")[row])
        assert above == pytest.approx(dataset.label("e_above_hull")[row])


def test_metals_have_a_gap_of_zero_and_no_power_factor():
    data = load_prototypes()
    is_metal = data.label("band_gap") == 0
    assert is_metal.any()
    assert np.isnan(data.label("power_factor")[is_metal]).all()
