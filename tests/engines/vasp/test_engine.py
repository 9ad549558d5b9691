import shutil

import pytest
from pymatgen.core import Composition
from recorded_bands import RECORDED, recorded_file

from gen2dft.engines import load_engine
from gen2dft.errors import CalculationFailed, CampaignError, DatasetError


def test_direct_calls_run_in_folders_of_their_own_and_go_on(vasp, oxide):
    folder = vasp(OV=("killed", 1))
    relaxed = load_engine("vasp").relax(oxide, "ggau-v1")
    assert relaxed.converged
    assert relaxed.band_gap == 2.0
    assert len(list(folder.glob("vasp_relax_*"))) == 2


def test_direct_calls_fail_with_the_reason_and_the_folder(vasp, oxide):
    vasp(OV=("dies", 9))
    with pytest.raises(CalculationFailed, match=r"vasp_died: .*files: .*vasp_static_"):
        load_engine("vasp").static(oxide, "ggau-v1")


def test_an_unknown_preset_is_refused_before_anything_runs(oxide, folder):
    with pytest.raises(CampaignError, match="preset of engine 'vasp' 'pbe' is not one of"):
        load_engine("vasp").relax(oxide, "pbe")
    assert list(folder.iterdir()) == []


def test_no_elemental_references_ship_with_vasp():
    with pytest.raises(
        DatasetError, match=r"no elemental reference energies for O-V: .* validation.references"
    ):
        load_engine("vasp").formation_energy(Composition("VO2"), -8.0)


def test_bands_are_read_from_the_folder_of_a_run(tmp_path):
    engine = load_engine("vasp")
    with pytest.raises(CalculationFailed, match=r"no_bands: neither of .*vasprun\.xml\.gz.* is in"):
        engine.read_bands(tmp_path)
    shutil.copy(recorded_file(RECORDED["Si"]), tmp_path / "vasprun.xml.gz")
    assert engine.read_bands(tmp_path).mesh.size[0] == 19
