import pytest

from gen2dft.engines import load_engine
from gen2dft.engines.vasp.requirements import check
from gen2dft.errors import CampaignError, SettingsError


def test_nothing_is_missing_with_the_stand_in(vasp):
    vasp()
    assert check("ggau-v1", {"V", "O"}) == ()
    assert load_engine("vasp").check is check


def test_an_element_that_the_preset_is_not_for(vasp):
    vasp()
    with pytest.raises(
        CampaignError,
        match=r"ggau-v1 .* no pseudopotential and U for Cl, Cs: .*mp-ggau-v1 is for other",
    ):
        check("ggau-v1", {"V", "O", "Cl", "Cs"})
    with pytest.raises(
        CampaignError, match=r"vo-pbe-v1 .* no pseudopotential for Cs: it is for O, V only"
    ):
        check("vo-pbe-v1", {"Cs", "O"})
    with pytest.raises(
        CampaignError, match=r"no pseudopotential for Am: .*excluded_elements: \[Am\]"
    ):
        check("mp-ggau-v1", {"V", "Am"})


def test_no_folder_of_pseudopotentials(vasp, monkeypatch):
    import pymatgen.core

    vasp()
    monkeypatch.delenv("PMG_VASP_PSP_DIR")
    monkeypatch.setitem(pymatgen.core.SETTINGS, "PMG_VASP_PSP_DIR", None)
    with pytest.raises(
        SettingsError, match=r"set PMG_VASP_PSP_DIR .* POT_GGA_PAW_PBE; `pmg config -p"
    ):
        check("ggau-v1", {"V", "O"})


def test_a_folder_that_is_not_one_of_pseudopotentials(vasp, monkeypatch):
    folder = vasp()
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(folder))
    with pytest.raises(
        SettingsError, match=r"PMG_VASP_PSP_DIR is .*, but .*POT_GGA_PAW_PBE is not a folder"
    ):
        check("ggau-v1", {"V", "O"})


def test_a_pseudopotential_that_is_not_there(vasp):
    vasp()
    with pytest.raises(
        SettingsError, match=r"no POTCAR of Fe_pv, Ti_pv in .*, which preset mp-ggau-v1 needs"
    ):
        check("mp-ggau-v1", {"Fe", "Ti", "O"})


def test_a_command_that_is_not_there_is_told_but_may_be_elsewhere(vasp, monkeypatch):
    import atomate2

    vasp()
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CMD", "srun no_such_vasp")
    (problem,) = check("ggau-v1", {"V", "O"})
    assert "command `srun no_such_vasp` is not found on" in problem
    assert "ATOMATE2_VASP_CMD" in problem


def test_settings_of_atomate2_must_not_change_a_preset(vasp, monkeypatch):
    import atomate2

    vasp()
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_INCAR_UPDATES", {"NCORE": 4, "KPAR": 2})
    assert check("ggau-v1", {"V", "O"}) == ()
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_INCAR_UPDATES", {"NCORE": 4, "encut": 400})
    with pytest.raises(
        SettingsError,
        match="VASP_INCAR_UPDATES in atomate2's settings sets ENCUT, which preset ggau-v1",
    ):
        check("ggau-v1", {"V", "O"})
