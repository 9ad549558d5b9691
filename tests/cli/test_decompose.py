"""decompose computes competing phases of candidates and files, and says what it means."""

from __future__ import annotations

from pathlib import Path

import competing_toys
import pytest
from competing_toys import KEY, ToldEngine, crystal, folder_of, told_engine, waiting
from rich.console import Console

from gen2dft.cli import decompose
from gen2dft.engines import load_engine
from gen2dft.engines.kit import run_task
from gen2dft.rounds.decompose import MISSED
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.round import Round
from gen2dft.store.store import Store

pytestmark = pytest.mark.usefixtures("toy_plugins")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> ToldEngine:
    return told_engine(monkeypatch)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, told: ToldEngine, tmp_path: Path) -> Store:
    found = competing_toys.new_store()
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: found)
    monkeypatch.setattr(decompose, "console", Console(width=220))
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "data"))
    return found


@pytest.fixture
def phases(tmp_path: Path) -> list[str]:
    return ["--structures", str(folder_of(tmp_path / "phases", "NaCl", "NaBr"))]


def labelled(store: Store, engine: str = "told") -> Round:
    """A campaign without competing phases, and a hit of it by the screen's distance."""
    context = waiting(store, competing=False, engine=engine)
    used = load_engine(engine)
    relaxed = run_task("relax", used, "toy-v1", crystal("Na2BrCl"), None)
    static = run_task("static", used, "toy-v1", None, relaxed)
    assert ingest(context, KEY, [relaxed, static]) == "hit"
    return context


def test_a_hit_is_validated_and_its_phases_are_kept(store, told, phases, invoke):
    context = labelled(store)
    told.asked.clear()
    result = invoke("decompose", *phases)
    assert result.exit_code == 0, result.output
    assert "to compute: NaBr, NaCl" in result.output or "to compute: NaCl, NaBr" in result.output
    assert "-0.100 eV/atom against its products by told toy-v1" in result.output
    (hit,) = store.hits(context.campaign_id)
    assert (hit.evidence, hit.basis["e_above_hull"]) == ("dft", "told")
    assert hit.values["e_above_hull"] == pytest.approx(-0.1)
    again = invoke("decompose", KEY[:8], *phases)
    assert "to compute: nothing; all is there" in again.output
    assert sorted(told.asked) == ["NaBr", "NaCl"]
    (label,) = store.labels(context.campaign_id)
    assert (label.decomposition.replaced, label.decomposition.replaced_basis) == (0.02, "toy")
    shown = " ".join(invoke("show", KEY).output.split())
    assert "NaCl, 50 % of the atoms: -3.0000 eV/atom, toy-NaCl from dataset" in shown


def test_a_hit_that_dft_refutes_says_so(store, told, phases, invoke):
    told.energies["Na2BrCl"] = -2.7
    context = labelled(store)
    assert invoke("decompose", *phases).exit_code == 0
    (hit,) = store.hits(context.campaign_id)
    assert hit.values["e_above_hull"] == pytest.approx(0.1)
    assert hit.remarks == [MISSED]


def test_a_candidate_of_a_surrogate_is_computed_first(store, told, phases, invoke):
    context = labelled(store, engine="toy")
    told.asked.clear()
    result = invoke("decompose", *phases, "--engine", "told")
    assert result.exit_code == 0, result.output
    assert sorted(told.asked) == ["Na2BrCl", "NaBr", "NaCl"]
    by_hand = next(label for label in store.labels(context.campaign_id) if label.by_hand)
    assert by_hand.values["e_above_hull"] == pytest.approx(-0.1)
    (hit,) = store.hits(context.campaign_id)
    assert (hit.evidence, hit.basis["e_above_hull"]) == ("dft", "told")


def test_killed_in_between_it_goes_on_where_it_was(store, told, phases, invoke):
    context = labelled(store, engine="toy")
    told.asked.clear()
    told.killed_at = "NaBr"
    assert invoke("decompose", *phases, "--engine", "told").exit_code == 130
    told.killed_at = None
    assert invoke("decompose", *phases, "--engine", "told").exit_code == 0
    assert told.asked.count("Na2BrCl") == 1
    assert store.hits(context.campaign_id)[0].evidence == "dft"


def test_files_leave_nothing_but_their_phases(store, told, phases, invoke, tmp_path):
    path = tmp_path / "mine.cif"
    crystal("Na2BrCl").to(str(path))
    told.fails.add("NaBr")
    arguments = ["decompose", "--structure", str(path), *phases, "--engine", "told"]
    planned = invoke(*arguments, "--dry-run")
    assert planned.exit_code == 0 and not told.asked
    failed = invoke(*arguments)
    assert "missing: exploded: NaBr does not like it" in failed.output
    told.fails.clear()
    assert "-0.100 eV/atom against its products" in invoke(*arguments).output
    assert told.asked.count("Na2BrCl") == 1
    assert {doc.formula for doc in store.references("told", "toyhash")} == {"NaCl", "NaBr"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "toy"], "engine 'toy' is a surrogate: choose a DFT engine"),
        (["--structures", "nowhere"], "folder of structures nowhere does not exist"),
        (["--structure", "nowhere.cif", "--engine", "told"], "nowhere.cif holds no crystal"),
        (["zzzz"], "no crystal's id begins with 'zzzz'"),
    ],
)
def test_what_cannot_work_is_refused(store, invoke, arguments, message):
    labelled(store)
    result = invoke("decompose", *arguments)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_a_broken_file_of_a_phase_is_refused_before_the_work(store, told, invoke, tmp_path):
    labelled(store)
    told.asked.clear()
    folder = folder_of(tmp_path / "broken", "NaCl")
    (folder / "NaBr.cif").write_text("nothing")
    result = invoke("decompose", "--structures", str(folder))
    assert result.exit_code == 1 and not told.asked
    assert "NaBr.cif holds no crystal that can be read" in " ".join(result.output.split())


def test_a_campaign_without_hits_asks_for_ids(store, told, invoke):
    waiting(store)
    result = invoke("decompose")
    assert "has no hit to decompose: name candidates by their ids" in " ".join(
        result.output.split()
    )
