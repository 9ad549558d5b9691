"""A campaign driven by ask and tell alone, through the API and the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from toy_answers import computed
from typer.testing import CliRunner

from gen2dft.api import Campaign
from gen2dft.api.asked_files import FORM
from gen2dft.cli.app import app
from gen2dft.datasets.own_structures import read_own_structures
from gen2dft.errors import AnswerError
from gen2dft.rounds.asking import Asked


def invoke(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fill_in(form: Path, batch: dict[str, Asked]) -> list[str]:
    """Fill in a form with what the toy engine computes; the ids of results."""
    rows = list(csv.DictReader(form.read_text().splitlines()))
    told = []
    for row in rows:
        found = computed(batch[row["id"]])
        crystal = found.pop("structure", None)
        if crystal is not None:
            found["structure"] = f"{row['id']}.json"
            (form.parent / found["structure"]).write_text(json.dumps(crystal.as_dict()))
            told.append(row["id"])
        for name, value in found.items():
            column = next(title for title in row if title.split(" (")[0] == name)
            row[column] = str(value)
    with form.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return told


def test_a_round_by_the_api_and_the_next_one_by_files(asking: Campaign, tmp_path: Path):
    batch = asking.ask(4, workers=0)
    assert len(batch) == 4
    with pytest.raises(AnswerError, match="no candidate 'nobody'"):
        asking.tell("nobody", {"band_gap": 1.0})
    for crystal in batch:
        asking.tell(crystal.id, **computed(crystal))
    assert asking.unanswered() == []
    rest = asking.ask(workers=0)
    assert len(rest) == 2
    assert (asking.ask(workers=0), asking.state) == ([], "running")
    assert {crystal.id for crystal in asking.unanswered()} == {crystal.id for crystal in rest}
    for crystal in rest:
        asking.tell(crystal.id, **computed(crystal))

    # The second round is worked on here; its files are written by the command line.
    second = {crystal.id: crystal for crystal in asking.ask(workers=0)}
    assert {crystal.round for crystal in second.values()} == {2}
    listed = invoke("ask", "--again", "--json")
    assert {entry["id"] for entry in json.loads(listed.stdout)} == set(second)
    nothing = invoke("ask")
    assert f"nothing new to ask: {len(second)} crystals of" in nothing.stdout
    for option in ("--poscar", "--cif"):
        folder = tmp_path / option.strip("-")
        written = invoke("ask", "--again", option, folder)
        assert written.exit_code == 0, written.output
        assert f"{len(second)} files in" in written.stderr
        found = read_own_structures(folder).crystals.formulas()
        assert sorted(found) == sorted(crystal.formula for crystal in second.values())

    form = tmp_path / "poscar" / FORM
    empty = invoke("tell", form)
    assert (empty.exit_code, "0 answers taken" in empty.stdout) == (0, True)
    told = fill_in(form, second)
    taken = invoke("tell", form, "--json")
    assert taken.exit_code == 0, taken.output
    states = {row["id"]: row["state"] for row in json.loads(taken.stdout)}
    assert set(states) == set(second)
    assert {key for key, state in states.items() if state in ("labelled", "hit")} == set(told)
    assert asking.state == "finished"
    assert "is finished (all 2 rounds are done)" in invoke("ask").stdout

    # Again it says the same; another answer is refused, and the others are not.
    assert invoke("tell", form).exit_code == 0
    form.write_text(f"id,band_gap\n{told[0]},0.5\nnobody,0.5\n")
    refused = invoke("tell", form, "-c", asking.id)
    assert refused.exit_code == 1
    assert "line 2: candidate" in refused.stderr
    assert "line 3: campaign" in refused.stderr
    assert len(refused.stderr.splitlines()) == 2

    validate = asking.funnel().query("stage == 'validate'")
    assert validate["n_in"].sum() == 6 + len(second)
    assert validate["n_out"].sum() == len(asking.labels())
    assert set(asking.hits()["id"]) <= set(asking.labels()["id"])
    assert set(asking.session.campaigns()["id"]) == {asking.id}
