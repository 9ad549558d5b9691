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

LONG = 20  # characters that are too many for one of several values on a line

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@app.command("list")
def list_presets(as_json: Json = False) -> None:
    """Every engine's presets; a campaign names them as validation.preset."""
    from gen2dft.engines import ENGINES, load_engine

    found = []
    for engine in sorted(ENGINES):
        for preset in _presets(load_engine(engine)):
            row = {"engine": engine, "preset": preset.name, "description": preset.description}
            found.append(row)
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = plain_table()
    for header in ("engine", "preset"):
        table.add_column(header, no_wrap=True)
    table.add_column("what it is for")
    for row in found:
        table.add_row(*map(escape, row.values()))
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

    engines = {}
    for engine in map(load_engine, ENGINES):
        for preset in _presets(engine):
            engines[preset.name] = engine
    if name not in engines:
        raise CampaignError(not_one_of("preset", name, engines))
    engine = engines[name]
    content = {"preset": name, "engine": engine.name, **engine.presets[name].contents()}
    if as_json:
        typer.echo(json.dumps(content, indent=2))
        return
    for key, value in content.items():
        line = f"[bold]{escape(key)}[/]  {escape(_as_text(value))}"
        console.print(line, highlight=False, soft_wrap=True)


def _presets(engine: Any) -> list[Any]:
    return list(engine.presets.values())


def _as_text(value: Any) -> str:
    """A value on one line; a table of tables on one indented line each."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if not isinstance(value, Mapping):
        return str(value)
    texts = {key: _as_text(inner) for key, inner in value.items()}
    if any(map(_is_long, value.values())):
        return "".join(f"\n  {key}: {text}" for key, text in texts.items())
    return ", ".join(f"{key} = {text}" for key, text in texts.items()) or "none"


def _is_long(value: Any) -> bool:
    """Whether a value deserves a line of its own; long lists of numbers do not."""
    return isinstance(value, Mapping | str) and len(str(value)) > LONG
