"""The starter set that ships: real crystals with published labels."""

from __future__ import annotations

import numpy as np
import pytest

from gen2dft.campaign import DatasetSpec, load_campaign
from gen2dft.chemistry import EXCLUDED_ELEMENTS
from gen2dft.datasets import load_dataset, starter
from gen2dft.datasets.prototypes import ID_PREFIX
from gen2dft.datasets.starter import load_starter
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount
from gen2dft.geometry import closest_contacts
from gen2dft.shipped.starter_build import StarterPlan
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import whole_hull

WANTED_FACTORS = 500


def test_it_holds_two_thousand_small_binaries_and_ternaries_near_the_hull() -> None:
    dataset = load_starter()
    crystals, plan = dataset.crystals, StarterPlan()
    assert len(dataset) == plan.size
    assert set(crystals.num_elements.tolist()) == {2, 3}
    assert crystals.num_sites.max() <= plan.max_sites
    assert dataset.label("e_above_hull").min() >= 0
    assert dataset.label("e_above_hull").max() <= plan.max_e_above_hull
    assert closest_contacts(crystals).ratio.min() > 0.5


def test_its_ids_are_the_materials_projects() -> None:
    ids = load_starter().ids
    assert all(name.startswith(("mp-", "mvc-")) for name in ids)
    assert not any(name.startswith(ID_PREFIX) for name in ids)


def test_every_crystal_has_energies_and_a_gap() -> None:
    names = ["formation_energy", "e_above_hull", "band_gap"]
    labels = load_starter().label_matrix(names)
    assert np.isfinite(labels).all()


def test_it_is_spread_over_chemistry() -> None:
    crystals = load_starter().crystals
    formulas = crystals.formulas()
    parts = " ".join(formulas).split()
    symbols = {part.rstrip("0123456789") for part in parts}
    assert len(symbols) > 60
    assert not symbols & EXCLUDED_ELEMENTS
    assert len(set(formulas)) > 0.9 * len(formulas)
    systems = {frozenset(crystals.numbers[crystals.sites(row)]) for row in range(len(crystals))}
    assert len(systems) > 0.8 * len(crystals)


@pytest.mark.parametrize("name", ["thermoelectric", "thermoelectric-gpaw"])
def test_the_thermoelectric_campaigns_learn_from_published_power_factors(name: str) -> None:
    spec = load_campaign(name)
    dataset = load_dataset(spec.dataset, seed=0, definition=spec.transport.definition)
    assert dataset.num_labels()["power_factor"] >= WANTED_FACTORS


def test_rock_salt_is_as_published() -> None:
    """Of the Materials Project, eV/atom and eV; of Ricci et al., 300 K, 1e18 cm^-3, holes."""
    dataset = load_starter()
    row = dataset.ids.index("mp-22862")
    assert dataset.crystals.formulas()[row] == "Cl1 Na1"
    found = {name: dataset.label(name)[row] for name in dataset.labels}
    assert found == {
        "band_gap": pytest.approx(5.145, abs=1e-3),
        "e_above_hull": 0.0,
        "formation_energy": pytest.approx(-2.110, abs=1e-3),
        "power_factor": pytest.approx(0.503, abs=1e-3),
    }


def test_its_provenance_names_command_counts_and_licences() -> None:
    provenance = load_starter().provenance
    (count,) = map(StageCount.model_validate, provenance["counts"])
    assert count.n_out == len(load_starter())
    assert provenance["command"].startswith("gen2dft data build starter --source ")
    assert "CC BY 4.0" in provenance["licences"] and "CC0" in provenance["licences"]
    assert provenance["source"] == "starter"


def test_its_own_hull_lies_where_the_materials_projects_does() -> None:
    """Published distances carry the whole hull, so its own one does not flatter its crystals."""
    dataset = load_starter()
    hull = ReferenceHull.from_dataset(dataset)
    rows = range(0, len(dataset), 50)
    compositions = [dataset.crystals.structure(row).composition for row in rows]
    energies = dataset.label("formation_energy")[list(rows)]
    distances = hull.e_above_hull_many(compositions, energies)
    published = dataset.label("e_above_hull")[list(rows)]
    assert np.abs(distances - published).max() < 0.01


def test_the_whole_hull_throws_none_of_its_crystals_away() -> None:
    dataset = load_starter()
    compositions = [crystal.composition for crystal in dataset.crystals.structures()]
    distances = whole_hull().e_above_hull_many(compositions, dataset.label("formation_energy"))
    assert np.isfinite(distances).all()
    assert distances.min() > -0.3


def test_a_definition_that_the_table_does_not_answer_is_refused_or_left_open() -> None:
    with pytest.raises(DatasetError, match=r"do not answer the definition 'ftcp'.*prototypes"):
        load_dataset(DatasetSpec(), seed=0, definition="ftcp")
    left_open = load_dataset(DatasetSpec(few_labels="leave-open"), seed=0, definition="ftcp")
    assert left_open.num_labels()["power_factor"] == 0
    assert "ftcp" in left_open.provenance["open"]


def test_a_missing_file_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "FILE", "gone")
    with pytest.raises(DatasetError, match="gen2dft data build starter --source TABLE"):
        load_starter.__wrapped__()
