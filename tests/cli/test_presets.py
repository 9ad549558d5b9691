import json

import pytest
from typer.testing import CliRunner

from gen2dft.cli import presets
from gen2dft.engines import ENGINES, load_engine
from gen2dft.errors import CampaignError


def call(*arguments):
    return CliRunner().invoke(presets.app, list(arguments), catch_exceptions=False)


@pytest.fixture(autouse=True)
def _no_pseudopotentials(monkeypatch):
    import pymatgen.core

    monkeypatch.setattr(presets.console, "width", 200)
    monkeypatch.delenv("PMG_VASP_PSP_DIR", raising=False)
    monkeypatch.setitem(pymatgen.core.SETTINGS, "PMG_VASP_PSP_DIR", None)


def test_list_names_every_preset_of_every_engine():
    rows = json.loads(call("list", "--json").stdout)
    expected = {(name, preset) for name in ENGINES for preset in load_engine(name).presets}
    assert {(row["engine"], row["preset"]) for row in rows} == expected
    assert all(row["description"] for row in rows)
    assert "ggau-refine-v1" in call("list").stdout


def test_show_prints_every_setting_without_pseudopotentials():
    text = call("show", "ggau-v1").stdout
    for part in (
        "ENCUT = 500",
        "|b_i| / 0.5 1/Angstrom",
        "V = V_pv",
        "V = 3.25",
        "UnconvergedErrorHandler",
        "e9667c157fa6",
    ):
        assert part in text
    content = json.loads(call("show", "ggau-v1", "--json").stdout)
    assert content["engine"] == "vasp"
    assert content["INCAR"]["relax"]["EDIFFG"] == -0.05


def test_show_knows_the_other_engines_too():
    pytest.importorskip("chgnet")
    assert json.loads(call("show", "chgnet-v1", "--json").stdout)["fmax"] == 0.05


def test_an_unknown_preset_is_refused_with_the_choices():
    with pytest.raises(
        CampaignError, match=r"preset 'ggau-v9' is not one of .* Did you mean 'ggau-v1'"
    ):
        call("show", "ggau-v9")
