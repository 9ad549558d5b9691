import pytest

from gen2dft.engines import load_engine
from gen2dft.engines.vasp.requirements import check, check_potcars, doubts
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


def test_another_version_of_the_sets_is_named_with_all_that_was_wanted(tmp_path, monkeypatch):
    (tmp_path / "POT_PAW_PBE_54").mkdir()
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(tmp_path))
    with pytest.raises(SettingsError, match="POT_GGA_PAW_PBE is not a folder") as refused:
        check_potcars("mp-ggau-v1", {"W", "O", "Yb"})
    text = str(refused.value)
    assert "of functional PBE are expected there, O, W_pv, Yb_2 among them" in text
    assert "POT_PAW_PBE_54 is there, another version" in text
    assert "Yb_2 of preset mp-ggau-v1 is doubtful: it keeps Yb divalent" in text


def test_pseudopotentials_that_a_newer_version_renamed(tmp_path, monkeypatch):
    import pymatgen.core

    folder = tmp_path / "POT_PAW_PBE_54"
    folder.mkdir()
    for name in ("O", "W", "W_sv"):
        (folder / f"POTCAR.{name}").touch()
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(tmp_path))
    renamed = {"PBE": folder.name}
    monkeypatch.setitem(pymatgen.core.SETTINGS, "PMG_VASP_PSP_SUB_DIRS", renamed)
    message = r"no POTCAR of W_pv in .*POT_PAW_PBE_54, .*functional PBE.* \(there: W, W_sv, which"
    with pytest.raises(SettingsError, match=message):
        check_potcars("mp-ggau-v1", {"W", "O"})


def test_a_doubtful_pseudopotential_is_named():
    (doubt,) = doubts("mp-ggau-v1", {"Yb", "S"})
    assert "Yb_2 of preset mp-ggau-v1 is doubtful" in doubt
    assert "excluded_elements: [Yb]" in doubt
    assert doubts("mp-ggau-v1", {"S"}) == ()


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
