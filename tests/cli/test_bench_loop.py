"""The simulated loop with the quick generator and engine: counted, repeatable, resumed,
compared.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.evaluation import bench_loop
from gen2dft.evaluation.plans import Call, LoopBudget, Plan
from gen2dft.loop.draw import seed_rank
from tests.toys import ANIONS, CATIONS, formation_energy, rock_salt

TOY = (
    *(
        "--set",
        "generator.name=toy",
        "--set",
        "generator.epochs=2",
        "--set",
        "screening.charge_balance=false",
    ),
    *(
        "--set",
        "screening.surrogate={engine: toy, preset: toy-v1, max_e_above_hull: 0.5, "
        "min_e_above_hull: -9}",
    ),
    *(
        "--set",
        "targets=[{property: formation_energy, near: -0.9, tolerance: 0.4}]",
        "--dataset",
        "toy.npz",
    ),
)
SMALL = (
    "--calls",
    "6",
    "--rounds",
    "3",
    "--points",
    "120",
    "--epochs-warm",
    "1",
    "--seeds",
    "2",
    "--out",
    "out",
)


@pytest.fixture(autouse=True)
def folder(toy_plugins, tmp_path, monkeypatch):
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    pairs = [(c, a) for c in CATIONS for a in ANIONS]
    structures = [rock_salt(*pair, 5.5) for i, pair in enumerate(pairs) if i % 5 < 2]
    energies = np.array([formation_energy(s.composition) for s in structures])
    ids = tuple(f"t-{i}" for i in range(len(structures)))
    Dataset(CrystalTable.from_structures(structures), ids, {"formation_energy": energies}).save(
        "toy.npz"
    )
    return tmp_path


def call(*arguments):
    return CliRunner(env={"COLUMNS": "250"}).invoke(
        app, ["bench-loop", *arguments], catch_exceptions=False
    )


def journal(folder):
    lines = (folder / "out" / "calls.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines if line]


def test_plans_are_run_written_and_compared(folder):
    plans = ("--plan", "published", "--plan", "loop-ucb", "--plan", "loop-greedy")
    result = call(*TOY, *SMALL, *plans)
    assert result.exit_code == 0, result.output
    document = json.loads((folder / "out" / "bench-loop.json").read_text())
    rows = {row["name"]: row["figures"] for row in document["table"]["rows"]}
    assert list(rows) == ["published", "loop-ucb", "loop-greedy"]
    calls = [call for run in journal(folder) for call in run["calls"]]
    for name, figures in rows.items():
        mine = [call for call in calls if call["plan"] == name]
        assert (len(mine), sum(call["hit"] for call in mine)) == (figures["calls"], figures["hits"])
        assert 0 <= figures["rate_low"] <= figures["rate"] <= figures["rate_high"] <= 1
    assert rows["loop-ucb"]["calls"] == 12 and rows["loop-ucb"]["hits"] > 0
    assert "ratio" not in rows["published"]
    assert [c["round"] for c in journal(folder)[1]["calls"]] == [0, 0, 1, 1, 2, 2]
    assert (folder / "out" / "bench-loop.png").read_bytes().startswith(b"\x89PNG")
    assert "Hits per oracle call" in result.output


def test_no_crystal_is_asked_for_twice_and_hits_are_new(folder):
    call(*TOY, *SMALL, "--plan", "loop-greedy")
    known = {s.composition.reduced_formula for s in Dataset.load("toy.npz").crystals.structures()}
    for run in journal(folder):
        formulas = [c["formula"] for c in run["calls"]]
        assert len(set(formulas)) == len(formulas)
        for made in run["calls"]:
            near = abs(made["values"].get("formation_energy", 9) + 0.9) <= 0.4
            assert made["hit"] == (near and made["reason"] is None)
            assert made["formula"] not in known


def test_a_second_call_adds_nothing_and_an_interrupted_one_goes_on(folder, monkeypatch):
    call(*TOY, *SMALL, "--plan", "loop-greedy")
    before = journal(folder)
    text = (folder / "out" / "calls.jsonl").read_text()
    first, second = [line for line in text.split("\n") if line]
    (folder / "out" / "calls.jsonl").write_text("\n" + first + "\n\n" + second[: len(second) // 2])
    relaxed = (folder / "out" / "kept" / "relaxations.jsonl").read_text()
    call(*TOY, *SMALL, "--plan", "loop-greedy")
    assert journal_of_whole_lines(folder) == before
    assert (
        folder / "out" / "kept" / "relaxations.jsonl"
    ).read_text() == relaxed  # nothing was relaxed again
    monkeypatch.setattr(bench_loop, "simulate", lambda run: pytest.fail("simulated again"))
    call(*TOY, *SMALL, "--plan", "loop-greedy")


def journal_of_whole_lines(folder):
    found = []
    for line in (folder / "out" / "calls.jsonl").read_text().split("\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def test_budgets_are_divided_without_remainder():
    learns, once = Plan("gen2dft", "greedy", 0.8, learns=True), Plan("gen2dft", "greedy", 0.8)
    assert LoopBudget(calls=10, rounds=4).batches(learns) == [2, 3, 2, 3]
    assert LoopBudget(calls=2, rounds=4).batches(learns) == [1, 1]
    assert LoopBudget(calls=10, rounds=4).batches(once) == [10]


def test_hits_are_the_first_seeds_and_among_them_the_better_one():
    rank = seed_rank(np.array([5.0, -3.0, -1.0]), np.array([False, True, True]))
    assert np.argsort(-rank).tolist() == [2, 1, 0]


def test_figures_of_a_plan_without_hits():
    made = [Call("published", 0, 0, "NaCl", "above_hull", {}, hit=False)] * 4
    other = [Call("loop-ucb", 0, 0, "NaCl", None, {}, hit=i < 2) for i in range(4)]
    assert bench_loop.plan_figures(made, made)["rate"] == 0
    assert (
        bench_loop.plan_figures(other, made)["ratio_low"]
        < 1
        < bench_loop.plan_figures(other, made)["ratio"]
    )
    assert "ratio" not in bench_loop.plan_figures([c for c in other if not c.hit], made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--plan", "loop-gready"),
            r"plan 'loop-gready' is not one of .*Did you mean 'loop-greedy'\?",
        ),
        (
            ("--set", "targets=[{property: band_gap, min: 1}]"),
            r"the oracle of bench-loop tells formation_energy and",
        ),
        (
            ("--set", "screening.min_distance=50"),
            r"plan published, seed 0: none of 120 latent points .* more --points",
        ),
        (("--set", "screening.surrogate.engine=toys"), r"engine 'toys' is not one of"),
    ],
)
def test_bad_input_is_refused_in_one_message(arguments, message):
    result = call(*TOY, *SMALL, *arguments)
    assert result.exit_code == 1
    assert re.search(message, re.sub(r"\s+", " ", result.output))
