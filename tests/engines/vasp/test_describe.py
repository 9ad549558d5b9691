"""What `gen2dft presets show` says is what is written."""

import pytest

from gen2dft.engines.vasp.input_sets import PresetInputSet
from gen2dft.engines.vasp.presets import (
    BY_CRYSTAL,
    PRESETS,
    TASKS,
    base_settings,
    incar_tags,
    mesh_rule,
)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PRESETS)
def test_the_tags_shown_are_those_written(name, task, rutile):
    shown = incar_tags(PRESETS[name], task, base_settings())
    written = dict(
        PresetInputSet(preset=name, task=task).get_input_set(rutile, potcar_spec=True)["INCAR"]
    )
    written = {key: value for key, value in written.items() if key not in BY_CRYSTAL}
    if "EDIFF_PER_ATOM" in shown:
        shown["EDIFF"] = shown.pop("EDIFF_PER_ATOM") * len(rutile)
    assert {key: str(value).upper() for key, value in written.items()} == {
        key: str(float(value) if key == "ENCUT" else value).upper() for key, value in shown.items()
    }


def test_contents_are_whole_and_plain():
    import json

    content = json.loads(json.dumps(PRESETS["ggau-v1"].contents()))
    assert content["POTCAR"] == {"functional": "PBE", "O": "O", "V": "V_pv"}
    assert content["U - J (eV)"] == {"O": {"V": 3.25}}
    assert "V 5, others 0.6" in content["moments"]
    assert "KspacingMetalHandler" not in content["custodian"]
    assert PRESETS["vo-pbe-v1"].contents()["functional"] == "PBE"
    assert PRESETS["vo-pbe-v1"].contents()["moments"].startswith("none; pure oxygen: ISPIN 2")


def test_the_rule_of_the_mesh_is_said_in_words():
    assert "|b_i| / 0.25 1/Angstrom" in mesh_rule(PRESETS["ggau-refine-v1"], "relax")
    assert "100 k-points per" in mesh_rule(PRESETS["mp-ggau-v1"], "static")
