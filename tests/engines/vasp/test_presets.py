import pytest

from gen2dft.engines.vasp.presets import PRESETS, TASKS, get_preset
from gen2dft.errors import CampaignError

# A preset's content never changes under its name. If a newer pymatgen has other settings in
# MPRelaxSet, these hashes differ: then new versions of the presets are due, not new hashes.
HASHES = {
    "vo-pbe-v1": "f0db580b2cfb",
    "ggau-v1": "e9667c157fa6",
    "ggau-refine-v1": "94667b5999d7",
    "mp-ggau-v1": "0a79d34bdf01",
}


def test_presets_are_frozen():
    assert {name: preset.settings_hash for name, preset in PRESETS.items()} == HASHES


def test_tags_cannot_be_changed_in_place():
    with pytest.raises(TypeError, match="does not support item assignment"):
        get_preset("ggau-v1").incar["ENCUT"] = 400


def test_an_unknown_preset_is_refused_with_the_choices():
    with pytest.raises(
        CampaignError,
        match=r"preset of engine 'vasp' 'ggau' is not one of .* Did you mean 'ggau-v1'",
    ):
        get_preset("ggau")


def test_the_settings_of_the_vanadium_oxides():
    for name in ("vo-pbe-v1", "ggau-v1", "ggau-refine-v1"):
        preset = get_preset(name)
        relax = preset.tags("relax")
        assert (relax["ENCUT"], relax["EDIFF"], relax["EDIFFG"]) == (500, 1e-5, -0.05)
        assert (relax["IBRION"], relax["ISIF"], relax["ISMEAR"], relax["SIGMA"]) == (2, 3, 0, 0.05)
        assert preset.pseudopotentials == {"O": "O", "V": "V_pv"}
    assert get_preset("ggau-v1").hubbard_u() == {"O": {"V": 3.25}}
    assert get_preset("vo-pbe-v1").hubbard_u() == {}


def test_the_refinement_differs_in_its_mesh_alone():
    coarse, fine = get_preset("ggau-v1"), get_preset("ggau-refine-v1")
    assert (coarse.kspacing, fine.kspacing) == (0.5, 0.25)
    assert [coarse.tags(task) for task in TASKS] == [fine.tags(task) for task in TASKS]


def test_attempts_do_not_decide_the_result():
    from dataclasses import replace

    preset = get_preset("ggau-v1")
    assert replace(preset, attempts=9).settings_hash == preset.settings_hash
    assert replace(preset, kspacing=0.4).settings_hash != preset.settings_hash


def test_the_plain_preset_covers_all_chemistries():
    preset = get_preset("mp-ggau-v1")
    assert len(preset.pseudopotentials) == 89
    assert preset.hubbard_u()["O"]["Fe"] == 5.3
