from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from ase.calculators.calculator import Calculator
from pymatgen.core import Lattice, Structure

from gen2dft.engines.mlip import calculator
from gen2dft.engines.mlip import engine as mlip
from gen2dft.errors import CalculationFailed, CampaignError

pytest.importorskip("chgnet")
SCREEN = mlip.PRESETS["chgnet-screen-v1"]
NACL = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
NACL = NACL.get_primitive_structure()


def stretched(factor: float) -> Structure:
    structure = NACL.copy()
    structure.scale_lattice(structure.volume * factor)
    return structure


def test_static_agrees_with_chgnet_itself():
    from gen2dft.engines.mlip.calculator import calculator

    crystal = Structure(
        Lattice.from_parameters(4, 5, 6, 80, 95, 105),
        ["Fe", "O", "Ti"],
        [[0, 0, 0], [0.4, 0.5, 0.1], [0.5, 0.1, 0.55]],
    )
    expected = calculator("0.3.0").model.predict_structure(crystal)
    result = mlip.static(crystal)
    assert result.energy_per_atom == pytest.approx(float(expected["e"]), abs=1e-5)
    np.testing.assert_allclose(result.forces, expected["f"], atol=1e-4)
    np.testing.assert_allclose(result.stress, expected["s"], atol=1e-3)
    np.testing.assert_allclose(result.magmoms, expected["m"], atol=1e-5)
    np.testing.assert_array_equal(result.structure.frac_coords, crystal.frac_coords)


def test_relaxation_finds_the_volume_of_rock_salt():
    result = mlip.relax(stretched(1.2), "chgnet-v1")
    assert result.converged
    assert result.max_force < 0.05
    assert result.structure.volume == pytest.approx(NACL.volume, rel=0.04)
    assert result.energy_per_atom == mlip.static(result.structure).energy_per_atom
    assert mlip.formation_energy(NACL.composition, result.energy_per_atom) == pytest.approx(
        -2.1, abs=0.1
    )


def test_out_of_steps_is_told():
    result = mlip.relax(stretched(1.3), replace(SCREEN, max_steps=2))
    assert not result.converged
    assert result.num_steps == 2
    assert "not converged after 2 steps" in result.warnings[0]


def test_structure_and_input_are_left_alone():
    structure = stretched(1.1)
    before = structure.copy()
    mlip.relax(structure, SCREEN)
    assert structure == before


def test_close_atoms_are_refused_before_the_potential_sees_them():
    crystal = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.2]])
    with pytest.raises(CalculationFailed, match=r"atoms_too_close: Na1 Cl1: 0\.80 Angstrom"):
        mlip.static(crystal)


def test_atoms_that_come_close_in_the_relaxation_are_refused():
    guards = replace(SCREEN.guards, min_distance=2.9)
    with pytest.raises(CalculationFailed, match="atoms_too_close_after_relaxation"):
        mlip.relax(stretched(1.2), replace(SCREEN, guards=guards))


@pytest.mark.parametrize(
    ("guard", "reason"),
    [
        ({"formation_energy": (-1.0, 5.0)}, "energy_out_of_range: formation energy -2"),
        ({"volume_per_atom": (4.0, 20.0)}, "volume_out_of_range"),
        ({"max_force": -1.0}, "force_too_large"),
        ({"max_seconds": 0.0}, "out_of_time"),
    ],
)
def test_what_is_out_of_bounds_fails(guard: dict, reason: str):
    with pytest.raises(CalculationFailed, match=reason):
        mlip.relax(NACL, replace(SCREEN, guards=replace(SCREEN.guards, **guard)))


class Said(Calculator):
    """A potential that says what it is told."""

    implemented_properties: ClassVar = ["energy", "forces", "stress"]

    def __init__(self, energy: float, force: float) -> None:
        super().__init__()
        self.said = {"energy": energy, "forces": np.full((2, 3), force), "stress": np.zeros(6)}

    def calculate(self, *_: object, **__: object) -> None:
        self.results = dict(self.said)


@pytest.mark.parametrize(
    ("energy", "force", "reason"),
    [
        (np.nan, 0.0, "not_finite: the potential gave a NaN"),
        (-6.7, np.nan, "not_finite: the potential gave a NaN"),
        (-120.0, 0.0, "energy_out_of_range: formation energy -"),
        (-6.7, 500.0, "force_too_large"),
    ],
)
@pytest.mark.parametrize("compute", [mlip.static, mlip.relax])
def test_a_potential_out_of_its_depth_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, compute: Callable, energy: float, force: float, reason: str
):
    monkeypatch.setattr(calculator, "calculator", lambda _: Said(energy, force))
    with pytest.raises(CalculationFailed, match=reason):
        compute(NACL, SCREEN)


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (stretched(6), "volume_out_of_range"),
        (Structure(Lattice.cubic(4.6), ["Cm"], [[0, 0, 0]]), "element_not_supported"),
        (Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]), "disordered"),
        (Structure(Lattice.cubic(4), ["Na"], [[np.nan, 0, 0]]), "not_finite"),
    ],
)
def test_structures_that_cannot_be_computed_fail_with_a_reason(structure: Structure, reason: str):
    with pytest.raises(CalculationFailed, match=reason):
        mlip.relax(structure, SCREEN)


def test_an_atom_without_neighbours_fails():
    guards = replace(SCREEN.guards, volume_per_atom=(4.0, 400.0))
    with pytest.raises(CalculationFailed, match="isolated_atoms"):
        mlip.static(
            Structure(Lattice.cubic(7), ["Na"], [[0, 0, 0]]), replace(SCREEN, guards=guards)
        )


def test_settings_hash_changes_with_every_setting():
    variants = [
        SCREEN,
        replace(SCREEN, fmax=0.2),
        replace(SCREEN, max_steps=7),
        replace(SCREEN, model="0.2.0"),
        replace(SCREEN, guards=replace(SCREEN.guards, max_force=50.0)),
    ]
    assert len({preset.settings_hash for preset in variants}) == len(variants)


def test_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(CampaignError, match="Did you mean 'chgnet-v1'"):
        mlip.relax(NACL, "chgnet-v2")
