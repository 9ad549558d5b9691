"""One calculation with the real atomate2 and custodian, run by the stand-in of tests/support, with
faults.
"""

from dataclasses import replace

import pytest
from pymatgen.core import Structure
from pymatgen.io.vasp import Vasprun

from gen2dft.engines.vasp.presets import PRESETS, get_preset
from gen2dft.engines.vasp.run import Stopped, calculate


def num_bands(folder):
    return Vasprun(
        folder / "vasprun.xml.gz", parse_dos=False, parse_eigen=False, parse_potcar_file=False
    ).parameters["NBANDS"]


def test_relax_static_and_uniform_bands(vasp, oxide, folder, monkeypatch):
    vasp()
    ggau = get_preset("ggau-v1")
    monkeypatch.setitem(
        PRESETS, "ggau-v1", replace(ggau, uniform_kspacing=0.4)
    )  # 250 k-points, not 2,600
    relaxed = calculate("relax", "ggau-v1", oxide)
    assert (relaxed.converged, relaxed.converged_electronic, relaxed.converged_ionic) == (
        True,
        True,
        True,
    )
    assert relaxed.max_force < 0.05
    assert relaxed.structure.composition == oxide.composition
    for name in ("static", "bands"):
        (folder / name).mkdir()
    monkeypatch.chdir(folder / "static")
    static = calculate("static", "ggau-v1", relaxed.structure)
    assert static.energy_per_atom == pytest.approx(relaxed.energy_per_atom, abs=1e-5)
    assert (static.converged_ionic, static.num_steps, static.magmoms) == (None, 1, [1.0, 0.6])
    monkeypatch.chdir(folder / "bands")
    bands = calculate("uniform_bands", "ggau-v1", static.structure, static.directory)
    assert (bands.band_gap, bands.is_gap_direct) == (static.band_gap, True) == (2.0, True)
    assert num_bands(folder / "bands") == pytest.approx(1.5 * num_bands(folder / "static"), abs=1)
    assert len({doc.settings_hash for doc in (relaxed, static, bands)} - {ggau.settings_hash}) == 1
    assert (bands.forces, bands.stress) == (None, None)
    assert all(
        doc.is_stand_in and not doc.custodian and not doc.settings_changed
        for doc in (relaxed, static, bands)
    )


@pytest.mark.parametrize(
    ("fault", "handler", "errors", "action"),
    [
        ("zbrent", "VaspErrorHandler", ["zbrent"], "INCAR: EDIFF = 1e-06"),
        ("electronic", "UnconvergedErrorHandler", ["Unconverged"], "INCAR: ALGO = Normal"),
        ("ionic", "UnconvergedErrorHandler", ["Unconverged"], "CONTCAR: copied to POSCAR"),
    ],
)
def test_what_custodian_mends_is_in_the_document(vasp, oxide, fault, handler, errors, action):
    vasp(OV=(fault, 1))
    doc = calculate("relax", "ggau-v1", oxide)
    (correction,) = doc.custodian
    assert (correction.handler, correction.errors) == (handler, errors)
    assert action in correction.actions
    assert doc.converged
    assert not doc.settings_changed


@pytest.mark.parametrize(
    ("fault", "reason", "message", "goes_on"),
    [
        ("zbrent", "vasp_zbrent", r"custodian gave up: .*VaspErrorHandler \(zbrent\)", False),
        (
            "electronic",
            "scf_not_converged",
            r"custodian gave up: .*UnconvergedErrorHandler",
            False,
        ),
        ("killed", "vasp_died", "VASP ended without a complete result", True),
        (
            "dies",
            "vasp_died",
            r"its last words: stand-in: segmentation fault.* call `.*` there by hand",
            False,
        ),
    ],
)
def test_what_cannot_be_mended_has_a_reason(
    vasp, oxide, fault, reason, message, goes_on, monkeypatch
):
    from atomate2 import SETTINGS

    monkeypatch.setattr(SETTINGS, "VASP_CUSTODIAN_MAX_ERRORS", 2)
    folder = vasp(OV=(fault, 99))
    with pytest.raises(Stopped, match=message) as caught:
        calculate("relax", "ggau-v1", oxide)
    failure = caught.value
    assert failure.reason == reason
    assert str(failure.directory).endswith(str(folder))
    assert failure.seconds > 0
    assert isinstance(failure.structure, Structure) is goes_on


@pytest.mark.parametrize(
    ("fault", "reason", "message"),
    [
        ("nan", "not_finite", "relax of VO: energy_per_atom came out as NaN or infinite"),
        ("asterisks", "not_finite", "relax of VO: forces, max_force came out as NaN or infinite"),
        ("deep", "implausible_energy", r"relax of VO: -60\.00 eV/atom is outside -25 to 10"),
    ],
)
@pytest.mark.filterwarnings("ignore:Float overflow:UserWarning")
def test_numbers_that_cannot_be_are_refused_with_their_cost(vasp, oxide, fault, reason, message):
    vasp(OV=(fault, 99))
    with pytest.raises(Stopped, match=f"{reason}: {message}") as caught:
        calculate("relax", "ggau-v1", oxide)
    assert (caught.value.reason, caught.value.structure) == (reason, None)
    assert caught.value.seconds > 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("starred", r"not_finite: V1 O1: 2 band energies came out as NaN or asterisks"),
        ("last_loop", r"not_finite: static of VO: energy_per_atom came out as NaN"),
        ("starred_outcar", r"not_finite: V1 O1: TOTEN in OUTCAR came out as NaN or asterisks"),
        ("unreadable", r"unreadable_output: VASP's output cannot be read \(ValueError.*cut short"),
        ("elsewhere", r"other_crystal: static of VS: the result is of V1 S1, the calculation was"),
        ("no_forces", r"unreadable_output: VASP's output cannot be read \(ValueError"),
    ],
)
@pytest.mark.filterwarnings("ignore:Float overflow:UserWarning")
@pytest.mark.filterwarnings("ignore:Structure charge:UserWarning")  # of an S in the place of an O
def test_damaged_output_is_a_reason_and_no_crash_of_the_job(vasp, oxide, fault, message):
    vasp(OV=(fault, 99))
    with pytest.raises(Stopped, match=message) as caught:
        calculate("static", "ggau-v1", oxide)
    assert caught.value.seconds > 0


def test_an_error_before_vasp_has_written_anything_is_not_put_down_to_its_output(
    vasp, oxide, monkeypatch
):
    def broken(*_):
        raise RuntimeError("no such setting")

    vasp()
    monkeypatch.setattr("gen2dft.engines.vasp.run._run", broken)
    with pytest.raises(RuntimeError, match="no such setting"):
        calculate("static", "ggau-v1", oxide)


def test_bands_that_reached_nelm_are_refused(vasp, oxide, folder, monkeypatch):
    from atomate2 import SETTINGS

    monkeypatch.setattr(SETTINGS, "VASP_CUSTODIAN_MAX_ERRORS", 1)
    ggau = get_preset("ggau-v1")
    monkeypatch.setitem(PRESETS, "ggau-v1", replace(ggau, uniform_kspacing=0.4))
    vasp(OV=("bands", 99))
    (folder / "bands").mkdir()
    static = calculate("static", "ggau-v1", oxide)
    monkeypatch.chdir(folder / "bands")
    with pytest.raises(Stopped, match="bands_not_converged: ") as caught:
        calculate("uniform_bands", "ggau-v1", static.structure, static.directory)
    assert caught.value.reason == "bands_not_converged"


def test_a_run_that_is_asked_to_stop_is_not_taken_for_a_relaxed_one(vasp, oxide, monkeypatch):
    import time

    vasp(OV=("waits", 1))
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 10))
    with pytest.raises(
        Stopped, match=r"walltime: after \d+ ionic steps the largest force is"
    ) as caught:
        calculate("relax", "ggau-v1", oxide)
    assert caught.value.structure.composition == oxide.composition


def test_what_cannot_run_at_all_has_a_reason_before_vasp_starts(vasp, oxide, folder, monkeypatch):
    import atomate2

    vasp()
    dense, mixed = oxide.copy(), Structure(oxide.lattice, [{"V": 0.5, "Cs": 0.5}], [[0, 0, 0]])
    dense.scale_lattice(2.0)
    foreign = Structure(oxide.lattice, ["Cs", "Cl"], oxide.frac_coords)
    iron = Structure(oxide.lattice, ["Fe", "O"], oxide.frac_coords)
    cases = [
        (dense, "ggau-v1", "atoms_too_close"),
        (mixed, "ggau-v1", "disordered"),
        (foreign, "ggau-v1", "unsuitable_preset"),
        (iron, "mp-ggau-v1", "potcar_missing"),
    ]
    for structure, preset, reason in cases:
        with pytest.raises(Stopped, match=f"^{reason}: "):
            calculate("relax", preset, structure)
    with pytest.raises(
        Stopped, match="no_charge_density: there is no CHGCAR in elsewhere:/gone, seen from"
    ):
        calculate("uniform_bands", "ggau-v1", oxide, "elsewhere:/gone")
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CMD", "no_such_vasp")
    with pytest.raises(
        Stopped, match="vasp_command_not_found: VASP's command `no_such_vasp` is not found on"
    ):
        calculate("relax", "ggau-v1", oxide)
    assert list(folder.iterdir()) == []
