"""Connecting, reading campaigns, and that nothing heavy comes with `import gen2dft`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gen2dft
from gen2dft import api
from gen2dft.api.session import spec_of
from gen2dft.campaign import CampaignSpec
from gen2dft.errors import CampaignError, SettingsError, StoreError
from tests import toys

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"chgnet", "fireworks", "jobflow", "matplotlib", "numpy", "pandas", "pymatgen", "pymongo"}


def test_importing_it_loads_nothing_heavy():
    code = f"import sys, gen2dft, gen2dft.api; print(*({HEAVY!r} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.split() == []


def test_the_public_names():
    assert api.__all__ == ["Campaign", "Session", "connect"]
    assert public(api.Campaign) == {
        "ask", "candidates", "document", "figures", "funnel", "hits", "labels", "plot", "report",
        "run", "spec", "state", "tell", "tell_file", "unanswered",
    }  # fmt: skip
    assert public(api.Session) == {
        "campaign", "campaigns", "run", "store", "submit", "writable_store",
    }  # fmt: skip


def public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def test_what_is_given_comes_before_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GEN2DFT_DATABASE_NAME", "of_the_environment")
    assert gen2dft.connect().settings.database_name == "of_the_environment"
    given = gen2dft.connect(data_dir=tmp_path, database_name="mine", workers=3).settings
    assert (given.database_name, given.data_dir, given.workers) == ("mine", tmp_path, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"database": "postgres://here"}, r"connect\(database=\.\.\.\): must be `embedded`"),
        ({"workers": 0}, r"connect\(workers=\.\.\.\)"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given, message):
    with pytest.raises(SettingsError, match=message):
        gen2dft.connect(**given)


@pytest.mark.usefixtures("toy_plugins")
def test_a_campaign_is_a_dictionary_a_spec_a_file_or_a_name(tmp_path):
    spec = CampaignSpec.model_validate(toys.TOY_CAMPAIGN)
    assert spec_of(toys.TOY_CAMPAIGN) == spec
    assert spec_of(spec) is spec
    changed = spec_of(spec, {"learning.rounds": 5})
    assert changed.learning.rounds == 5
    assert changed.targets == spec.targets
    small = spec_of({**toys.TOY_CAMPAIGN, "learning": {"batch": 6, "cost_weight": 1e-05}})
    assert small.learning.cost_weight == 1e-05
    assert spec_of("thermoelectric", {"seed": 7}).seed == 7
    file = tmp_path / "mine.yaml"
    text = "name: mine\ntargets: [{property: band_gap, max: 1}]\n"
    file.write_text(text + "sampling: [{method: random, num_points: 9}]\n")
    assert spec_of(file).name == "mine"


@pytest.mark.parametrize(
    ("campaign", "message"),
    [
        (3, "a file, a name, a dictionary or a CampaignSpec, and not int"),
        ({"name": object()}, "what no file could hold"),
        ({"name": "x"}, "the campaign's dictionary is not valid"),
        ("thermo", "campaign 'thermo' is not one of"),
        (Path("none.yaml"), "campaign file none.yaml does not exist"),
    ],
)
def test_what_is_no_campaign_is_refused(campaign, message):
    with pytest.raises(CampaignError, match=message):
        spec_of(campaign)


def test_an_unknown_campaign_is_named(session):
    assert session.campaigns().empty
    with pytest.raises(StoreError, match="there is no campaign yet"):
        session.campaign("nobody")
