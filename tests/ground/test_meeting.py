"""Energies of two kinds on one hull are named, with the key that mends it; others are not."""

from __future__ import annotations

from typing import Any

import pytest

from gen2dft.campaign import CampaignSpec, load_campaign
from gen2dft.ground.meeting import LOUD, energies_that_meet
from gen2dft.thermo.scales import MATERIALS_PROJECT


def spec(**changes: Any) -> CampaignSpec:
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return load_campaign("thermoelectric", given)


def test_a_file_of_unknown_scale_and_a_potential_are_named() -> None:
    found = energies_that_meet(spec(dataset__source="/somewhere/mine.csv"), None)
    assert len(found) == 1
    assert found[0].startswith(LOUD)
    energies = ("mine.csv", "mlip", f"scale {MATERIALS_PROJECT}", "tenths of an eV/atom")
    remedies = ("hull.scale: materials-project", "hull.source: materials-project-2025")
    assert all(part in found[0] for part in (*energies, *remedies))


def test_own_energies_said_to_be_comparable_are_named_too() -> None:
    own = spec(dataset__source="mine.csv", hull__scale=MATERIALS_PROJECT)
    (found,) = energies_that_meet(own, MATERIALS_PROJECT)
    assert "remove hull.scale" in found


def test_own_energies_that_only_train_need_no_word() -> None:
    own = spec(dataset__source="mine.csv", hull__source="materials-project-2025")
    assert energies_that_meet(own, MATERIALS_PROJECT) == ()


def test_a_potential_that_joins_a_hull_of_dft_is_named() -> None:
    (found,) = energies_that_meet(spec(hull__own_phases=True), MATERIALS_PROJECT)
    assert "hull.own_phases: false" in found
    of_a_potential = spec(
        hull__own_phases=True, hull__source="dataset", dataset__source="prototypes"
    )
    assert energies_that_meet(of_a_potential, MATERIALS_PROJECT) == ()


def test_dft_on_a_hull_of_a_potential_is_named() -> None:
    changes = {"hull.source": "dataset", "dataset.source": "prototypes"}
    vasp = {"validation.engine": "vasp", "validation.preset": None,
            "validation.correction": "mp2020-v1"}  # fmt: skip
    (found,) = energies_that_meet(
        load_campaign("thermoelectric", changes | vasp), MATERIALS_PROJECT
    )
    assert "labels of vasp (DFT)" in found
    assert "hull.source: materials-project-2025" in found


@pytest.mark.parametrize("name", ["thermoelectric", "thermoelectric-gpaw", "vanadium-oxide"])
def test_campaigns_that_ship_need_no_word(name: str) -> None:
    assert energies_that_meet(load_campaign(name), MATERIALS_PROJECT) == ()
