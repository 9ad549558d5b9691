"""The fit of dE_V, on made-up energies with known parameters and on the Materials Project's own
GGA+U energies.
"""

import gzip
import json
from importlib import resources

import numpy as np
import pytest
from pymatgen.analysis.compatibility import CompatibilityError
from pymatgen.core import Composition
from pymatgen.core.entries import ComputedEntry

from gen2dft.errors import ThermoError
from gen2dft.thermo.noh2019 import DE_O, VanadiumOxideCompatibility, fit_vanadium, vanadium_fraction
from gen2dft.thermo.vanadium_oxides import OXIDES

REFERENCE = {phase.formula: phase.formation_energy for phase in OXIDES}
TRUE_DE_V = -1.7123


def synthetic(noise: float, seed: int) -> dict[str, float]:
    """Uncorrected formation energies whose corrected ones scatter about the reference, eV/atom."""
    rng = np.random.default_rng(seed)
    r_v = {formula: vanadium_fraction(formula) for formula in REFERENCE}
    return {
        f: e - r_v[f] * TRUE_DE_V - (1 - r_v[f]) * DE_O + rng.normal(0, noise)
        for f, e in REFERENCE.items()
    }


def test_exact_energies_return_the_parameter_exactly():
    fit = fit_vanadium(synthetic(0.0, 0), REFERENCE)
    assert fit.de_v == pytest.approx(TRUE_DE_V, abs=1e-12)
    assert fit.standard_error == pytest.approx(0, abs=1e-12)
    assert fit.rms == pytest.approx(0, abs=1e-12)
    assert [row.corrected for row in fit.rows] == pytest.approx(list(REFERENCE.values()))


def test_the_stated_interval_holds_the_parameter_in_95_of_100_cases():
    fits = [fit_vanadium(synthetic(0.03, seed), REFERENCE) for seed in range(2000)]
    within = [abs(fit.de_v - TRUE_DE_V) <= fit.confidence for fit in fits]
    assert 0.935 < np.mean(within) < 0.965
    scatter = np.std([fit.de_v for fit in fits])
    assert np.sqrt(np.mean([fit.standard_error**2 for fit in fits])) == pytest.approx(
        scatter, rel=0.06
    )


def test_a_wrong_oxygen_correction_shows_in_the_rms():
    energies = synthetic(0.0, 0)
    assert fit_vanadium(energies, REFERENCE, oxygen=2 * DE_O).rms > 0.05


def test_it_finds_the_materials_projects_own_correction():
    file = resources.files("pymatgen.analysis.compatibility") / "calc_compounds.json.gz"
    recorded = json.loads(gzip.decompress(file.read_bytes()))

    def energy(formula: str) -> float:
        return float(recorded[formula]["energy"] / sum(recorded[formula]["composition"].values()))

    uncorrected = {}
    for formula in ("V2O5", "VO2", "V2O3"):
        assert recorded[formula]["parameters"]["hubbards"]["V"] == 3.25
        r_v = vanadium_fraction(formula)
        uncorrected[formula] = energy(formula) - r_v * energy("V") - (1 - r_v) * energy("O2")
    fit = fit_vanadium(uncorrected, REFERENCE)
    # MP2020 fits -1.7 eV per V, with -0.687 eV per O, to measured enthalpies.
    assert fit.de_v == pytest.approx(-1.69, abs=0.02)
    assert fit.rms < 0.01


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ThermoError, match=r"2 references \(V2O5, VO2\) cannot fit dE_V: 3 or more"):
        fit_vanadium({"V2O5": -1.3, "VO2": -1.4}, REFERENCE)
    with pytest.raises(
        ThermoError, match="no known formation energy of VO; there are those of V2O5"
    ):
        fit_vanadium({"V2O5": -1.3, "VO2": -1.4, "VO": -1.0}, REFERENCE)
    with pytest.raises(ThermoError, match="is NaN or infinite"):
        fit_vanadium({"V2O5": -1.3, "VO2": np.nan, "V2O3": -1.0}, REFERENCE)
    with pytest.raises(ThermoError, match="Fe2O3 is no vanadium oxide"):
        vanadium_fraction("Fe2O3")


def entry(formula: str, run_type: str = "GGA+U", u: float = 3.25) -> ComputedEntry:
    parameters = {"run_type": run_type, "hubbards": {"V": u} if u else {}}
    return ComputedEntry(Composition(formula), -20.0, parameters=parameters, entry_id=formula)


def test_each_atom_gets_its_part_and_elements_nothing():
    compatibility = VanadiumOxideCompatibility(-1.7, 0.02)
    corrected = compatibility.process_entry(entry("V2O5"))
    assert corrected.correction == pytest.approx(2 * -1.7 + 5 * -0.7023)
    assert corrected.correction_uncertainty == pytest.approx(0.04)
    assert compatibility.process_entry(entry("V", "GGA", 0)).correction == 0
    assert compatibility.process_entry(entry("O2", "GGA", 0)).correction == 0


@pytest.mark.parametrize("uncertainty", [None, 0.02])
def test_applying_it_twice_changes_nothing(uncertainty: float | None):
    once = VanadiumOxideCompatibility(-1.7, uncertainty).process_entry(entry("V2O5"))
    energy = once.energy
    for candidate in (once, ComputedEntry.from_dict(json.loads(json.dumps(once.as_dict())))):
        for clean in (False, True):
            twice = VanadiumOxideCompatibility(-1.7, uncertainty).process_entry(
                candidate, clean=clean
            )
            assert twice.energy == pytest.approx(energy)
            assert len(twice.energy_adjustments) == 2


def test_another_fit_does_not_pass_for_the_same():
    assert VanadiumOxideCompatibility(-1.7) != VanadiumOxideCompatibility(-1.8)
    assert VanadiumOxideCompatibility(-1.7) == VanadiumOxideCompatibility(-1.7).as_dict()
    assert len({VanadiumOxideCompatibility(-1.7), VanadiumOxideCompatibility(-1.7)}) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (entry("V2O5", "GGA", 0), r"U\(V\) = 0 eV, expected 3.25 eV"),
        (entry("V", "GGA+U"), r"V was computed with U\(V\) = 3.25 eV, expected 0 eV"),
        (entry("V2O5", "r2SCAN"), "run type r2SCAN, not GGA or GGA"),
        (entry("VFeO3"), "VFeO3 holds Fe, and the correction knows V and O alone"),
    ],
)
def test_entries_it_does_not_hold_for_are_refused(wrong: ComputedEntry, message: str):
    with pytest.raises(CompatibilityError, match=message):
        VanadiumOxideCompatibility(-1.7).process_entry(wrong, on_error="raise")
    assert VanadiumOxideCompatibility(-1.7).process_entry(wrong) is None
