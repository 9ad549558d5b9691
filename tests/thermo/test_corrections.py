"""Every registered correction: applied once, refused where it does not hold, accepted by pymatgen
and emmet.
"""

from pathlib import Path

import pytest
from pymatgen.analysis.phase_diagram import PhaseDiagram
from pymatgen.core import Lattice, Structure

from gen2dft.calculation import Calculation
from gen2dft.errors import CorrectionRefused, ThermoError
from gen2dft.thermo.corrections import (
    CORRECTIONS,
    Fitted,
    adjust,
    entry_of,
    get_correction,
    refuse_twice,
    scale_of,
    table,
)
from gen2dft.thermo.scales import MATERIALS_PROJECT
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES

FIT = Fitted({"de_v": -1.7, "standard_error": 0.02}, {"V": -9.08, "O": -4.95})
STRUCTURES = {
    phase.formula: phase.literature() for phase in (*OXIDES, *ELEMENTS) if phase.literature
}


def computed(
    formula: str, energy: float = -7.5, run_type: str | None = None, u: float | None = None
) -> Calculation:
    """A vanadium oxide in GGA+U, an element in GGA, unless told otherwise."""
    is_oxide = len(STRUCTURES[formula].composition) > 1
    hubbards = {"V": 3.25} if (is_oxide and u is None) else {"V": u} if u else {}
    kind = run_type or ("GGA+U" if is_oxide else "GGA")
    return Calculation(
        engine="vasp",
        structure=STRUCTURES[formula],
        energy_per_atom=energy,
        converged=True,
        run_type=kind,
        hubbards=hubbards,
    )


@pytest.mark.parametrize("name", CORRECTIONS)
def test_every_correction_adjusts_the_oxides_and_leaves_the_elements(name: str):
    for formula in ("V2O5", "VO2", "V2O3"):
        found = adjust(name, computed(formula), FIT)
        assert found.per_atom == pytest.approx(sum(found.parts.values()))
        assert (found.per_atom < -0.5) == (name != "none")
        assert (found.uncertainty is None) == (name == "none")
    for formula in ("V", "O2"):
        assert adjust(name, computed(formula), FIT).per_atom == 0


def test_mp2020_and_noh2019_give_what_their_tables_say():
    assert adjust("mp2020-v1", computed("VO2")).per_atom == pytest.approx((-1.7 - 2 * 0.687) / 3)
    assert adjust("noh2019-v1", computed("VO2"), FIT).per_atom == pytest.approx(
        (-1.7 - 2 * 0.7023) / 3
    )
    assert adjust("mp2020-v1", computed("VO2", run_type="PBE+U")).per_atom == pytest.approx(
        (-1.7 - 2 * 0.687) / 3
    )


@pytest.mark.parametrize("name", [name for name in CORRECTIONS if name != "none"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            computed("V2O5", run_type="GGA", u=0.0),
            r"does not hold for test-V2O5 \(V2O5\): .*(Invalid U|U\(V\) = 0)",
        ),
        (
            computed("V2O5", run_type="r2SCAN"),
            r"run type r2SCAN.*choose another validation\.correction",
        ),
    ],
)
def test_what_a_correction_drops_is_refused_with_the_reason(
    name: str, wrong: Calculation, message: str
):
    with pytest.raises(CorrectionRefused, match=message) as caught:
        adjust(name, wrong, FIT, "test-V2O5")
    assert len(str(caught.value)) < 600


def test_a_surrogate_is_not_corrected_twice():
    with pytest.raises(
        ThermoError, match=r"on scale 'materials-project' already.*set validation.correction: none"
    ):
        refuse_twice("mp2020-v1", "mlip", MATERIALS_PROJECT)
    refuse_twice(
        "noh2019-v1", "mlip", MATERIALS_PROJECT
    )  # its fit makes up for what is there already
    refuse_twice("none", "mlip", MATERIALS_PROJECT)
    with pytest.raises(CorrectionRefused, match="invalid run type surrogate"):
        surrogate = computed("VO2").model_copy(
            update={"engine": "mlip", "run_type": None, "hubbards": {}}
        )
        adjust("mp2020-v1", surrogate)


def test_remarks_of_a_correction_are_kept():
    odd = Structure(
        Lattice.cubic(4),
        ["Na", "Na", "Na", "Cl"],
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )
    changes = {"structure": odd, "run_type": "GGA", "hubbards": {}}
    found = adjust("mp2020-v1", computed("VO2").model_copy(update=changes))
    assert "Failed to guess oxidation states" in found.warnings[0]


def test_scales():
    assert (
        scale_of("mp2020-v1", "vasp", "GGA+U")
        == scale_of("noh2019-v1", "gpaw", "PBE+U")
        == MATERIALS_PROJECT
    )
    assert scale_of("none", "mlip", None, included=MATERIALS_PROJECT) == MATERIALS_PROJECT
    assert scale_of("none", "vasp", "PBE") == scale_of("none", "vasp", "GGA") == "vasp:GGA"
    assert scale_of("none", "toy", None) == "toy"


def test_unknown_and_unfitted_corrections_are_refused():
    with pytest.raises(
        ThermoError, match=r"correction 'noh2019' is not one of .*Did you mean 'noh2019-v1'"
    ):
        get_correction("noh2019")
    with pytest.raises(
        ThermoError, match="'noh2019-v1' is not fitted yet: run `gen2dft calibrate`"
    ):
        adjust("noh2019-v1", computed("VO2"))


@pytest.mark.parametrize("name", [name for name in CORRECTIONS if name != "none"])
def test_phase_diagrams_and_thermo_documents_take_corrected_entries(name: str):
    from emmet.core.thermo import ThermoDoc

    energies = {"V2O5": -7.44, "VO2": -7.78, "V2O3": -8.04, "V": -9.08, "O2": -4.95}
    ids = {phase.formula: phase.material_id for phase in (*OXIDES, *ELEMENTS)}
    entries = []
    for formula, energy in energies.items():
        known = {"material_id": ids[formula], "task_id": ids[formula]}
        entry = entry_of(computed(formula, energy), f"test-{formula}", **known)
        entries.append(
            get_correction(name).compatibility(FIT).process_entry(entry, on_error="raise")
        )
    diagram = PhaseDiagram(entries)
    assert {e.reduced_formula for e in diagram.stable_entries} == set(energies)
    documents = {str(d.formula_pretty): d for d in ThermoDoc.from_entries(entries, "GGA_GGA+U")}
    assert documents["V2O5"].is_stable
    assert documents["V2O5"].formation_energy_per_atom == pytest.approx(-2.305, abs=0.03)
    change = documents["VO2"].energy_per_atom - documents["VO2"].uncorrected_energy_per_atom
    assert change == pytest.approx(adjust(name, computed("VO2"), FIT).per_atom)


def test_the_table_in_the_documents_is_the_registry():
    page = (Path(__file__).resolve().parents[2] / "docs" / "corrections.md").read_text()
    assert table() in page
