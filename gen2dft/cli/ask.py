"""The verbs `ask` and `tell`: for those whose DFT or experiment runs elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gen2dft.cli.common import echo_json, plain_table
from gen2dft.cli.options import MANY, MOST_WORKERS, in_file, out_folder
from gen2dft.cli.results import Campaign as Named
from gen2dft.cli.results import Json

if TYPE_CHECKING:
    from gen2dft.api import Campaign
    from gen2dft.api.campaign import Outcome
    from gen2dft.rounds.asking import Asked

console = Console()


def ask(
    campaign: Named = None,
    number: Annotated[
        int | None,
        typer.Option(
            "--number", "-n", min=1, max=MANY, help="Crystals at most; default: all of the batch."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="What was asked for before and has no answer yet.")
    ] = False,
    poscar: Annotated[
        Path | None,
        typer.Option(
            "--poscar", metavar="DIR", parser=out_folder, help="Write POSCAR files to DIR."
        ),
    ] = None,
    cif: Annotated[
        Path | None,
        typer.Option("--cif", metavar="DIR", parser=out_folder, help="Write CIF files to DIR."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Write ids and structures as JSON, as jobflow reads them."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-w",
            min=1,
            max=MOST_WORKERS,
            help="Worker processes, if a round must be begun.",
        ),
    ] = None,
) -> None:
    """Say which crystals to compute or measure next; trains and screens first if need be.

    For campaigns with `validation.engine: external`. Beside the files stands a form, answers.csv,
    for `gen2dft tell`.
    """
    from gen2dft.api import connect

    chosen = connect().campaign(campaign)
    if again:
        asked = chosen.unanswered()[:number]
    else:
        with console.status("choosing"):
            asked = chosen.ask(number, workers)
    if as_json:
        echo_json([crystal.as_dict() for crystal in asked])
    else:
        _print_asked(chosen, asked)
    _write(chosen, asked, poscar, cif)


def _write(
    campaign: Campaign, asked: Sequence[Asked], poscar: Path | None, cif: Path | None
) -> None:
    """Write the files, and say so where it does not disturb the output."""
    from gen2dft.api.asked_files import write_cifs, write_form, write_poscars

    for folder, write in ((poscar, write_poscars), (cif, write_cifs)):
        if folder is None or not asked:
            continue
        write(asked, folder)
        form = write_form(asked, campaign.spec, folder)
        Console(stderr=True).print(
            f"{len(asked)} files in {folder}; fill in {form}, then gen2dft tell {form}",
            highlight=False,
            soft_wrap=True,
        )


def _print_asked(campaign: Campaign, asked: Sequence[Asked]) -> None:
    if not asked:
        console.print(_why_nothing(campaign), highlight=False, soft_wrap=True)
        return
    known = campaign.spec.known_properties
    names = [name for name in known if any(name in crystal.expected for crystal in asked)]
    table = plain_table(f"asked for by {campaign.id}")
    for title in ("id", "formula", "atoms"):
        table.add_column(title, no_wrap=True)
    for name in names:
        table.add_column(f"{known[name].title}, expected ({known[name].unit})", justify="right")
    for crystal in asked:
        values = [crystal.expected.get(name) for name in names]
        texts = ["-" if value is None else f"{value:.3f}" for value in values]
        table.add_row(crystal.id, crystal.formula, str(len(crystal.structure)), *texts)
    console.print(table)


def _why_nothing(campaign: Campaign) -> str:
    waiting = len(campaign.unanswered())
    if campaign.state == "finished":
        return (
            f"nothing to ask: campaign {campaign.id} is finished ({campaign.document.stop_reason})"
        )
    return (
        f"nothing new to ask: {waiting} crystals of {campaign.id} wait for answers "
        "(gen2dft ask --again lists them)"
    )


def tell(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", parser=in_file, help="A row per crystal, with its id."),
    ],
    campaign: Named = None,
    as_json: Json = False,
) -> None:
    """Take the answers of a CSV file: values, relaxed structures and energies, or failures.

    Rows without an answer are passed over, so that a form may be told again and again as it fills.
    Exit code 1 if a row cannot be taken.
    """
    from gen2dft.api import connect

    chosen = connect().campaign(campaign)
    outcomes = chosen.tell_file(file)
    refused = [outcome for outcome in outcomes if outcome.problem]
    if as_json:
        echo_json([outcome._asdict() for outcome in outcomes])
    else:
        _print_outcomes(chosen, outcomes)
    errors = Console(stderr=True, highlight=False)
    for outcome in refused:
        text = f"{file}, line {outcome.line}: {outcome.problem}"
        errors.print(text, style="red", soft_wrap=True, markup=False)
    if refused:
        raise typer.Exit(1)


def _print_outcomes(campaign: Campaign, outcomes: Sequence[Outcome]) -> None:
    taken = [outcome for outcome in outcomes if outcome.problem is None]
    for outcome in taken:
        console.print(f"{outcome.id}  {outcome.state}", highlight=False, markup=False)
    waiting = len(campaign.unanswered())
    state = f"{waiting} wait for answers" if waiting else f"campaign {campaign.state}"
    console.print(f"{len(taken)} answers taken; {state}", highlight=False)
