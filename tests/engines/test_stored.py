"""Fireworks and documents of running campaigns, as the version before `EngineMaker` stored them,
and an engine that was written for it.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from fireworks import Firework
from monty.json import MontyDecoder

from gen2dft import engines
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.gpaw.makers import GPAWRelaxMaker, GPAWStaticMaker, GPAWUniformBandsMaker
from gen2dft.engines.kept import read_outcome
from gen2dft.engines.makers import EngineMaker
from gen2dft.engines.mlip_makers import MLIPRelaxMaker, MLIPStaticMaker
from gen2dft.engines.vasp.makers import VaspRelaxMaker
from gen2dft.errors import PluginMissing

DATA = Path(__file__).parent / "data"
FIREWORKS: dict[str, Any] = json.loads((DATA / "fireworks.json").read_text())
DOCUMENTS: dict[str, Any] = json.loads((DATA / "documents.json").read_text())


def job_of(name: str) -> Any:
    (task,) = Firework.from_dict(FIREWORKS[name]).tasks
    return task["job"]


@pytest.mark.parametrize("name", FIREWORKS)
def test_stored_fireworks_name_what_is_still_there(name: str):
    engine, kind = name.split()
    (task,) = FIREWORKS[name]["spec"]["_tasks"]
    job = job_of(name)
    maker = job.maker
    assert job.name == maker.name == f"{engine} {kind.replace('_', ' ')}"
    assert maker.preset == task["job"]["function"]["@bound"]["preset"]
    if not isinstance(maker, VaspRelaxMaker):
        assert isinstance(maker, EngineMaker)
        assert (maker.engine, maker.task) == (engine, kind)


def test_stored_fireworks_run():
    pytest.importorskip("chgnet")
    job = job_of("mlip static")
    outcome = job.function.__func__.original(job.maker, *job.function_args)
    assert isinstance(outcome, CalculationDoc)
    known = DOCUMENTS["without bands"]
    assert (outcome.engine, outcome.settings_hash) == ("mlip", known["settings_hash"])
    assert outcome.energy == pytest.approx(known["energy"], abs=1e-4)
    assert set(outcome.versions) == set(known["versions"])


@pytest.mark.parametrize(
    "kind",
    [
        MLIPRelaxMaker,
        MLIPStaticMaker,
        GPAWRelaxMaker,
        GPAWStaticMaker,
        GPAWUniformBandsMaker,
    ],
)
def test_stored_makers_have_defaults_of_their_own(kind: type[EngineMaker]):
    engine, _, task = kind().name.partition(" ")
    assert (kind().engine, kind().task) == (engine, task.replace(" ", "_"))
    assert kind().preset == {"mlip": "chgnet-v1", "gpaw": "gpaw-v1"}[engine]
    assert kind(preset="other") != kind()


@pytest.mark.parametrize(("name", "gap"), [("without bands", None), ("with a gap", 5.1)])
def test_stored_outputs_of_jobs_are_read(name: str, gap: float | None):
    doc = MontyDecoder().process_decoded(DOCUMENTS[name])
    assert isinstance(doc, CalculationDoc)
    assert doc.band_gap == gap
    assert doc.values == ({} if gap is None else {"band_gap": gap})
    assert len(doc.forces) == 2
    again = CalculationDoc.model_validate(doc.model_dump())
    assert again == doc


def test_an_outcome_kept_by_an_earlier_version_is_read(tmp_path: Path):
    fields = {name: v for name, v in DOCUMENTS["with a gap"].items() if not name.startswith("@")}
    content = {"job": "a 1", "kind": "CalculationDoc", "outcome": fields}
    (tmp_path / "kept.json").write_text(json.dumps(content))
    outcome = read_outcome(tmp_path / "kept.json", "a 1")
    assert isinstance(outcome, CalculationDoc)
    assert outcome.band_gap == 5.1


def test_an_engine_of_another_package_written_for_the_earlier_interface_is_told_what_to_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "earlier_emt.py").write_text((DATA / "earlier_emt.txt").read_text())
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("earlier", "earlier_emt:ENGINE", "gen2dft.engines")
    monkeypatch.setitem(engines.ENGINES, "earlier", point.load)
    with pytest.raises(PluginMissing) as caught:
        load_engine("earlier")
    sys.modules.pop("earlier_emt", None)
    message = str(caught.value)
    assert message.startswith("engine 'earlier' of ")
    assert "let relax and static return a gen2dft.calculation.Calculation" in message
    assert "docs/plugins.md" in message
    assert "\n" not in message
