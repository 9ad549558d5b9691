"""Recorded outputs of real VASP runs, where they lie beside the project, as documents of the
engine.
"""

import gzip
import re
import shutil
from pathlib import Path

import pytest

from gen2dft.engines.vasp.document import calculation_doc, says_relaxed

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "vasp"

pytestmark = [
    pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded VASP outputs beside the project"),
    pytest.mark.filterwarnings(
        "ignore:No POTCAR file with matching TITEL:UserWarning"
    ),  # none was recorded
]


def task_document(folder):
    from emmet.core.tasks import TaskDoc

    return TaskDoc.from_directory(folder, store_additional_json=False)


def document(folder, task):
    relaxed = says_relaxed(folder) if task == "relax" else None
    return calculation_doc(task_document(folder), task, "mp-ggau-v1", reached_accuracy=relaxed)


def last_number(file, before):
    """Last number after a text in a zipped file."""
    return float(re.findall(rf"{before}\s*(\S+)", gzip.decompress(file.read_bytes()).decode())[-1])


def folder_of(vasprun, place):
    """A folder with a lone vasprun.xml.gz and as much of CONTCAR and OUTCAR as emmet cannot do
    without.
    """
    from pymatgen.io.vasp import Vasprun

    shutil.copy(vasprun, place / "vasprun.xml.gz")
    run = Vasprun(str(vasprun), parse_dos=False, parse_potcar_file=False)
    run.final_structure.to(str(place / "CONTCAR"), fmt="poscar")
    head = (
        f" number of bands    NBANDS= {run.parameters['NBANDS']}\n IBRION =  2\n "
        "total "
        "plane-waves  NPLWV =      1\n"
    )
    table = (
        " k-point    1 :  0.0 0.0 0.0  plane waves:      1\n\n maximum and minimum number of "
        "plane-waves\n"
    )
    table += " total drift:  0.0 0.0 0.0\n"
    (place / "OUTCAR").write_text("\n\n\n".join([head, "-" * 104, table]))
    return place


@pytest.mark.parametrize(
    ("name", "task", "energy", "gap"),
    [
        ("relax", "relax", -10.84671647, 0.6500),
        ("static", "static", -10.84678256, 0.6506),
        ("nscf_uniform", "uniform_bands", -10.85064059, 0.6103),
    ],
)
def test_silicon_through_its_chain(name, task, energy, gap):
    folder = RECORDED / "si_atomate1" / name / "outputs"
    doc = document(folder, task)
    assert (
        doc.energy
        == pytest.approx(energy, abs=1e-8)
        == last_number(folder / "OUTCAR.gz", r"energy\(sigma->0\) =")
    )
    assert doc.band_gap == pytest.approx(gap, abs=1e-4)
    assert (doc.is_gap_direct, doc.converged, doc.is_stand_in) == (False, True, False)
    assert (doc.run_type, doc.hubbards) == ("GGA", {})
    assert (doc.cores, doc.versions["vasp"]) == (16, "5.4.1")
    assert doc.core_hours == pytest.approx(16 * doc.wall_seconds / 3600)
    assert (doc.converged_ionic, doc.num_steps) == ((True, 3) if task == "relax" else (None, 1))
    assert (doc.forces is None) is (task == "uniform_bands")


def test_vanadium_pentoxide_with_u(tmp_path):
    """PBEsol+U relaxation of V4O10: gap 2.22 eV."""
    source = RECORDED / "v2o5" / "ifermi_pbesolU_relax.vasprun.xml.gz"
    task_doc = task_document(folder_of(source, tmp_path))
    doc = calculation_doc(task_doc, "relax", "mp-ggau-v1", reached_accuracy=None)
    assert doc.energy == pytest.approx(last_number(source, 'name="e_0_energy">'), abs=1e-6)
    assert doc.energy == pytest.approx(-109.20616117, abs=1e-6)
    assert doc.energy_per_atom == pytest.approx(doc.energy / 14)
    assert doc.band_gap == pytest.approx(2.22, abs=0.01)
    assert (doc.converged, doc.num_steps) == (True, 24)
    assert (doc.run_type, doc.hubbards) == ("PBEsol+U", {"V": 3.25})


def test_electrons_that_did_not_converge_are_seen(tmp_path):
    folder_of(RECORDED / "v2o5" / "pymatgen_pbeU_relax_elec_unconverged.vasprun.xml.gz", tmp_path)
    doc = calculation_doc(task_document(tmp_path), "relax", "mp-ggau-v1", reached_accuracy=None)
    assert (doc.converged_electronic, doc.converged) == (False, False)


@pytest.mark.parametrize(
    ("name", "task", "electronic", "ionic"),
    [
        ("exit_codes/converged", "static", True, None),
        ("exit_codes/elec-unconverged", "static", False, None),
        ("exit_codes/ionic-unconverged", "relax", True, False),
        # Relaxed at the very last step it was allowed: the number of steps alone would tell the
        # opposite.
        ("vasp_wc_ionic_continue/calc-000", "relax", True, True),
    ],
)
def test_convergence_of_recorded_runs(name, task, electronic, ionic):
    doc = document(RECORDED / "failing_aiida" / name / "out", task)
    assert (doc.converged_electronic, doc.converged_ionic) == (electronic, ionic)
    assert doc.converged is (electronic and ionic is not False)
