"""A correction of another package brings its own reference phases and fit; nothing in core knows
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.compatibility import Compatibility
from pymatgen.core import Composition
from pymatgen.core.entries import CompositionEnergyAdjustment, ComputedEntry

from gen2dft.campaign import CampaignSpec
from gen2dft.errors import ThermoError
from gen2dft.ground.calibrate import Reference, fit_calibration, fits_of, references_of
from gen2dft.ground.energies import fitted_of
from gen2dft.ground.hulls import require_calibration
from gen2dft.ground.phases import needed_phases, wanted_phases
from gen2dft.plugins import registry
from gen2dft.store.documents import CalibrationDoc, ReferenceDoc
from gen2dft.thermo.calibration import Calibration, FitResult
from gen2dft.thermo.corrections import GROUP, Correction, Fitted, get_correction
from gen2dft.thermo.reference_phases import ReferencePhase
from gen2dft.thermo.scales import MATERIALS_PROJECT
from tests import toys

NAME = "chlorides-v1"
TRUE_SHIFT = -0.61
SALTS = ("NaCl", "KCl", "LiCl")


class ChlorideCompatibility(Compatibility):
    """The same shift for every chlorine atom."""

    def __init__(self, shift: float) -> None:
        self.shift = shift

    def get_adjustments(self, entry: ComputedEntry) -> list[CompositionEnergyAdjustment]:
        atoms = entry.composition["Cl"]
        return [CompositionEnergyAdjustment(self.shift, atoms, name="chlorine", cls=self.as_dict())]

    def as_dict(self) -> dict[str, Any]:
        return {"shift": self.shift}


def known_energy(formula: str) -> float:
    """Formation energy that the corrected toy engine should find, eV/atom."""
    composition = Composition(formula)
    fraction = composition.get_atomic_fraction("Cl")
    return toys.formation_energy(composition) + TRUE_SHIFT * fraction


def fit(uncorrected: Mapping[str, float]) -> FitResult:
    """Mean of what is missing per chlorine atom; half of the atoms are chlorine."""
    shifts = [2 * (known_energy(formula) - energy) for formula, energy in uncorrected.items()]
    shift = float(np.mean(shifts))
    rows = []
    for formula, energy in uncorrected.items():
        known, corrected = known_energy(formula), energy + shift / 2
        rows.append({"formula": formula, "reference": known, "corrected": corrected})
    return FitResult({"shift": shift}, {"rms": float(np.std(shifts)) / 2}, tuple(rows))


def salt(formula: str) -> ReferencePhase:
    cation = formula.removesuffix("Cl")
    return ReferencePhase(
        formula,
        f"toy-{formula}",
        known_energy(formula),
        lambda: toys.rock_salt(cation, "Cl", 5.6),
        "made up",
    )


CORRECTION = Correction(
    NAME,
    "a test",
    "a shift per Cl",
    "chlorides",
    "nothing",
    MATERIALS_PROJECT,
    compatibility=lambda fitted: ChlorideCompatibility(fitted.values["shift"]),
    calibration=Calibration(
        phases=tuple(map(salt, SALTS)),
        elements=(),
        fit=fit,
        trial={"shift": 0.0},
        columns={"reference": "known", "corrected": "corrected"},
        describe=lambda values: f"shift = {values['shift']:.3f} eV per Cl",
    ),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry(GROUP), NAME, lambda: CORRECTION)


def spec() -> CampaignSpec:
    validation = {"engine": "toy", "preset": "toy-v1", "correction": NAME}
    return CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "validation": validation})


def computed(reference: Reference) -> ReferenceDoc:
    """Document of a reference that the toy engine has computed."""
    phase = reference.phase
    return ReferenceDoc(
        id=reference.key,
        formula=phase.formula,
        name=phase.name,
        origin=phase.origin,
        known_stable=True,
        engine=reference.engine,
        preset=reference.preset,
        settings_hash="toyhash",
        structure=phase.structure.as_dict(),
        energy_per_atom=toys.formation_energy(phase.structure.composition),
    )


def calibrated(store) -> CalibrationDoc:
    found, missing = wanted_phases(spec())
    assert missing == []
    references = references_of(spec(), found)
    for reference in references:
        assert fits_of(store, references) == []  # not before all are there
        store.insert_new(computed(reference))
    (document,) = fits_of(store, references)
    return document


def test_its_reference_phases_are_those_that_are_computed():
    assert [phase.formula for phase in needed_phases(spec())] == list(SALTS)


def test_its_parameter_is_fitted_stored_and_applied(store):
    document = calibrated(store)
    assert document.parameters == {"shift": pytest.approx(TRUE_SHIFT)}
    assert document.rms == pytest.approx(0.0, abs=1e-12)
    assert document.complete
    assert [row["name"] for row in document.rows] == ["toy-NaCl", "toy-KCl", "toy-LiCl"]
    stored = store.database.calibrations.find_one({"_id": document.id})
    assert stored["parameters"] == document.parameters
    assert {"de_v", "standard_error", "confidence"}.isdisjoint(stored)
    again = require_calibration(spec(), "toy-v1", store)
    assert again.values == document.values
    compatibility = get_correction(NAME).fitted_with(fitted_of(again))
    entry = ComputedEntry("CaCl2", -10.0)
    compatibility.process_entry(entry)
    assert entry.energy == pytest.approx(-10.0 + 2 * TRUE_SHIFT)


def test_the_same_fit_has_the_same_id_and_another_parameter_another(store):
    document = calibrated(store)
    phases = references_of(spec(), wanted_phases(spec())[0])
    documents = {reference.phase.formula: computed(reference) for reference in phases}
    assert fit_calibration(toys.TOY_ENGINE, "toy-v1", NAME, documents).id == document.id
    for found in documents.values():
        found.energy_per_atom += 0.1
    other = fit_calibration(toys.TOY_ENGINE, "toy-v1", NAME, documents)
    assert other.parameters["shift"] == pytest.approx(TRUE_SHIFT - 0.2)
    assert other.id != document.id


def test_nothing_is_ranked_and_nothing_applied_before_the_fit_exists(store):
    with pytest.raises(ThermoError, match=rf"'{NAME}', which is not fitted yet for engine 'toy'"):
        require_calibration(spec(), "toy-v1", store)
    with pytest.raises(ThermoError, match=rf"'{NAME}' is not fitted yet: run `gen2dft calibrate`"):
        get_correction(NAME).fitted_with(None)


def test_a_correction_without_parameters_has_nothing_to_fit():
    with pytest.raises(ThermoError, match="correction 'mp2020-v1' has no parameter to fit"):
        fit_calibration(toys.TOY_ENGINE, "toy-v1", "mp2020-v1", {})
    assert get_correction("none").fitted_with(None) is None
    assert get_correction("none").fitted_with(Fitted({})) is None
