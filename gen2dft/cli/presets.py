"""Verbs for the named settings of engines: list and show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.common import plain_table

app = typer.Typer(help="Named settings of engines: list, show.", no_args_is_help=True)
console = Console()

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@app.command("list")
def list_presets(as_json: Json = False) -> None:
    """Every engine's presets; a campaign names them as validation.preset."""
    from gen2dft.engines import ENGINES, load_engine

    rows = [
        (name, preset.name, preset.description)
        for name in sorted(ENGINES)
        for preset in _presets(load_engine(name))
    ]
    if as_json:
        typer.echo(
            json.dumps(
                [dict(zip(("engine", "preset", "description"), row, strict=True)) for row in rows]
            )
        )
        return
    table = plain_table()
    for header in ("engine", "preset"):
        table.add_column(header, no_wrap=True)
    table.add_column("what it is for")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a preset, see `gen2dft presets list`.")
    ],
    as_json: Json = False,
) -> None:
    """Everything that a preset sets."""
    from gen2dft.engines import ENGINES, load_engine
    from gen2dft.errors import CampaignError, not_one_of

    engines = {
        preset.name: engine for engine in map(load_engine, ENGINES) for preset in _presets(engine)
    }
    if name not in engines:
        raise CampaignError(not_one_of("preset", name, engines))
    engine = engines[name]
    content = {"preset": name, "engine": engine.name, **engine.presets[name].contents()}
    if as_json:
        typer.echo(json.dumps(content, indent=2))
        return
    for key, value in content.items():
        console.print(
            f"[bold]{escape(key)}[/]  {escape(_as_text(value))}", highlight=False, soft_wrap=True
        )


def _presets(engine: Any) -> list[Any]:
    return list(engine.presets.values())


def _as_text(value: Any) -> str:
    """A value on one line; a table of tables on one indented line each."""
    if isinstance(value, Mapping):
        if any(
            isinstance(inner, Mapping | str) and len(str(inner)) > 20 for inner in value.values()
        ):
            return "".join(f"\n  {key}: {_as_text(inner)}" for key, inner in value.items())
        return ", ".join(f"{key} = {_as_text(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
