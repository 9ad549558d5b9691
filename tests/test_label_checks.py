"""Labels: the impossible is refused, the improbable unless it is accepted by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.prototypes import load_prototypes, load_vanadium_oxides
from gen2dft.datasets.starter import load_starter
from gen2dft.errors import DatasetError
from gen2dft.label_checks import check_dataset, check_names, findings
from gen2dft.properties import Properties, Property

SALTS = (("Na", "Cl"), ("Mg", "O"), ("Li", "F"), ("K", "Br"))


def crystal(*species: str) -> Structure:
    places = [[0, 0, 0], [0.5, 0.5, 0.5]][: len(species)]
    return Structure(Lattice.cubic(4), list(species), places)


def labelled(values, name="formation_energy", crystals=SALTS) -> Dataset:
    table = CrystalTable.from_structures(crystal(*species) for species in crystals)
    ids = tuple("".join(species) for species in crystals)
    return Dataset(table, ids, {name: np.array(values, dtype=float)})


def names_found(dataset: Dataset) -> list[str | None]:
    return [finding.name for finding in findings(dataset)]


@pytest.mark.parametrize("load", [load_starter, load_prototypes, load_vanadium_oxides])
def test_the_sets_that_ship_have_no_finding(load) -> None:
    assert findings(load()) == []


def test_usual_labels_pass() -> None:
    check_dataset(labelled([-2.1, -3.0, -3.1, math.nan]), (), "set.csv")


@pytest.mark.parametrize(
    ("values", "name", "problem"),
    [
        (
            [-2100, -3000, -3100, -2000],
            "formation_energy",
            r"between -6 and 50 eV/atom, but not of 4 crystals \(NaCl: -2100, MgO: -3000, LiF: "
            r"-3100, \.\.\.\); in meV/atom they could be right",
        ),
        ([-2.1, -3.0, -6.4, -2], "formation_energy", r"1 crystal \(LiF: -6\.4\); another unit"),
        ([-0.1, 4, 8, 5], "band_gap", r"band_gap: values are between 0 and 50 eV.*NaCl: -0\.1"),
        ([5000, 4000, 8000, 5000], "band_gap", "in meV they could be right"),
        ([25, 80, 0, 130], "e_above_hull", "in meV/atom or kJ/mol-atom they could be right"),
        ([-1, 1, 2, 3], "power_factor", "power_factor: values are between 0 and 1e"),
    ],
)
def test_impossible_labels_are_refused_whatever_is_accepted(values, name, problem) -> None:
    accepted = [f"{name}.{kind}" for kind in ("range", "total_energies", "sign", "no_spread")]
    with pytest.raises(DatasetError, match=problem) as refused:
        check_dataset(labelled(values, name), accepted, "set.csv")
    assert "--accept" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "name", "finding"),
    [
        ([-1, -1, -1, -1], "formation_energy", "no_spread"),
        ([1, 1, 1, 1], "band_gap", "no_spread"),
        ([2.1, 3.0, 3.1, 2.0], "formation_energy", "sign"),
        ([-4.2, -5.1, -4.9, -3.4], "formation_energy", "total_energies"),
        ([-3.6, -3, -3, -2], "formation_energy", "total_energies"),  # NaCl alone
        ([-2, -1, 0, 7], "formation_energy", "range"),
        ([-2, 0, 0, 0.1], "e_above_hull", "range"),
        ([0, 30, 1, 2], "band_gap", "range"),
    ],
)
def test_improbable_labels_are_refused_until_they_are_accepted(values, name, finding) -> None:
    dataset, accepted = labelled(values, name), f"{name}.{finding}"
    with pytest.raises(
        DatasetError, match=rf"set\.csv: .*\n  {name}: (.*\n)*.*--accept {accepted}"
    ):
        check_dataset(dataset, (), "set.csv")
    check_dataset(dataset, (accepted,), "set.csv")


def test_what_is_zero_for_every_stable_crystal_or_metal_is_usual() -> None:
    for name in ("e_above_hull", "band_gap"):
        check_dataset(labelled([0, 0, 0, 0], name), (), "set.csv")


def test_elements_are_the_zero_of_formation_energies() -> None:
    crystals = (*SALTS, ("Cu",))
    total = labelled([-2.1, -3.0, -3.1, -2.0, -3.7], crystals=crystals)
    with pytest.raises(DatasetError, match=r"elements have 0 .*\(Cu: -3\.7\).*total energies"):
        check_dataset(total, ("formation_energy.elements",), "set.csv")
    shifted = labelled([-2.1, -3.0, -3.1, -2.0, -0.4], crystals=crystals)
    assert names_found(shifted) == ["formation_energy.elements"]
    check_dataset(shifted, ("formation_energy.elements",), "set.csv")


def test_an_alloy_cannot_lie_as_low_as_an_oxide() -> None:
    alloys = (*SALTS, ("Cu", "Au"))
    dataset = labelled([-2.1, -3.0, -3.1, -2.0, -3.2], crystals=alloys)
    (found,) = findings(dataset)
    assert found.name == "formation_energy.total_energies"
    assert "1 crystal (CuAu: -3.2)" in found.text


def test_bounds_of_a_property_of_ones_own() -> None:
    hardness = Property("hardness", "GPa", "hardness", possible=(0, math.inf))
    table = labelled([-2, -3, -1, 0])
    dataset = Dataset(
        table.crystals,
        table.ids,
        {"hardness": np.array([5.0, -1, 2, 3])},
        properties=Properties([hardness]),
    )
    with pytest.raises(DatasetError, match=r"hardness: values are at least 0 GPa.*MgO: -1"):
        check_dataset(dataset, (), "set.csv")


def test_a_refusal_is_short_and_names_crystals_briefly() -> None:
    count = 500
    table = CrystalTable.from_structures([crystal("Cu")] * count)
    ids = tuple(f"{'x' * 300}{number}" for number in range(count))
    dataset = Dataset(table, ids, {"formation_energy": np.linspace(-9, -3, count)})
    with pytest.raises(DatasetError) as refused:
        check_dataset(dataset, (), "set.csv")
    lines = str(refused.value).splitlines()
    assert len(lines) < 10
    assert max(map(len, lines)) < 500


def test_only_findings_that_exist_can_be_accepted() -> None:
    check_names(["formation_energy.range", "hardness.no_spread"])
    for name in ("range", "formation_energy.spread", ".range"):
        with pytest.raises(ValueError, match="accepted finding"):
            check_names([name])
