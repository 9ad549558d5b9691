"""The verb that judges generators: train, test, print the tables of the paper beside its
figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gen2dft.cli.campaigns import assignments
from gen2dft.cli.common import echo_json, plain_table
from gen2dft.cli.options import LARGEST_SEED, MANY, in_file, number, out_folder

if TYPE_CHECKING:
    from gen2dft.campaign import CampaignSpec
    from gen2dft.evaluation.reference import Reference
    from gen2dft.evaluation.setting import Progress, Setting
    from gen2dft.evaluation.tables import Table

console = Console(stderr=True)  # standard output is for the tables
out_console = Console()
LINE_SECONDS = 30.0  # between lines of progress where there is no terminal

# What is evaluated unless a campaign is given: its dataset filters and the generator's defaults.
DEFAULT = """\
name: evaluation
targets: [{property: formation_energy, near: [-0.5], tolerance: 0.1}]
sampling:
  - {method: local, num_points: 500, scale: 0.8}
  - {method: mixture, num_points: 500, scale: 1.0}
"""


def evaluate(
    campaign: Annotated[
        str | None,
        typer.Option(
            "--campaign", "-c", help="Shipped campaign that gives dataset and generator settings."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="The same, a campaign file of your own.",
            parser=in_file,
            metavar="FILE",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", help="starter, prototypes, materials-project, or a file or folder."
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant", help="published or gen2dft; may be repeated. Default: the campaign's."
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="reconstruction, prediction, rediscovery, sun or semi-supervised; may be "
            "repeated. Default: all that the labels allow.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, max=MANY, help="Epochs of every training.")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            "--split",
            help="JSON with lists of ids, train and test. Default: by hash of the id.",
            parser=in_file,
            metavar="FILE",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of all randomness.")
    ] = 0,
    snapshot_dir: Annotated[
        Path | None,
        typer.Option(
            "--snapshot-dir",
            help="Keep trained generators and relaxations here and use them again. Default: "
            "OUT/kept.",
            parser=out_folder,
            metavar="DIR",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Folder for evaluation.json and evaluation.md.",
            parser=out_folder,
            metavar="DIR",
        ),
    ] = Path("evaluation"),
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            help="JSON of figures to print beside; docs/evaluation.md.",
            parser=in_file,
            metavar="FILE",
        ),
    ] = None,
    max_crystals: Annotated[
        int | None,
        typer.Option("--max-crystals", min=3, max=MANY, help="A random part, to save time."),
    ] = None,
    points: Annotated[
        int,
        typer.Option("--points", min=1, max=MANY, help="Rediscovery: points per training crystal."),
    ] = 10,
    scale: Annotated[
        list[float] | None,
        typer.Option(
            "--scale",
            parser=number(0, 1000),
            metavar="NUMBER",
            help="Rediscovery: of local perturbation; may be repeated. Default: 0.6.",
        ),
    ] = None,
    ways: Annotated[
        list[str] | None,
        typer.Option(
            "--ways",
            help="sun: ftcp, published, substitution, prototypes or both (ftcp and substitution); "
            "may be repeated. Default: all.",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=2, max=MANY, help="sun: draws of each way.")
    ] = 1000,
    relaxations: Annotated[
        int,
        typer.Option(
            "--relaxations", min=1, max=MANY, help="sun: of each way's new crystals at most."
        ),
    ] = 300,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any key of the campaign, e.g. --set dataset.num_elements=[3]."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print evaluation.json instead of tables.")
    ] = False,
) -> None:
    """Train the generator's variants and print the tables of the FTCP paper, next to the paper's
    figures.
    """
    from gen2dft.evaluation import run
    from gen2dft.evaluation.setting import Budget
    from gen2dft.settings import load_settings

    run.check_names(table or [])
    references = _references(reference or [])
    specs = specs_of_variants(campaign, file, dataset, seed, variant or [], epochs, set_ or [])
    budget = Budget(points, tuple(scale or (0.6,)), draws, relaxations, tuple(ways or ()))
    with progress_bar() as progress:
        setting = run.prepare_setting(
            specs,
            split_file=split,
            max_crystals=max_crystals,
            budget=budget,
            snapshot_dir=snapshot_dir or out / "kept",
            cache_dir=load_settings().data_dir / "cache",
            progress=progress,
        )
        console.print(run.summary(setting), highlight=False, soft_wrap=True)
        finished = []
        for made in _tables_beside(references, table or [], setting):
            finished.append(made)
            _save(out, setting, finished)  # each at once: the next may take hours
            if not as_json:
                show_table(made)
    if as_json:
        echo_json(run.as_document(setting, finished))
    files = f"{out / 'evaluation.json'}, {out / 'evaluation.md'}"
    console.print(f"written: {files}", highlight=False, soft_wrap=True)


def _references(files: Sequence[Path]) -> list[Reference]:
    """The papers' figures, and those of the user's files."""
    from gen2dft.evaluation import run
    from gen2dft.evaluation.reference import PAPER, read_reference
    from gen2dft.evaluation.sun.published import PUBLISHED_SUN

    keys = run.column_keys()
    return [PAPER, PUBLISHED_SUN, *(read_reference(file, keys) for file in files)]


def _tables_beside(
    references: Sequence[Reference], names: Sequence[str], setting: Setting
) -> Iterator[Table]:
    """The tables asked for, each as soon as it is made, with the references' figures beside."""
    from gen2dft.evaluation import run

    chosen = run.choose_tables(names, setting)
    for table in run.make_tables(chosen, setting):
        beside = table
        for reference in references:
            beside = reference.beside(beside)
        yield beside


def specs_of_variants(
    campaign: str | None,
    file: Path | None,
    dataset: str | None,
    seed: int,
    variants: Sequence[str],
    epochs: int | None,
    texts: Sequence[str],
    default: str = DEFAULT,
) -> dict[str, CampaignSpec]:
    """Variant to campaign with the command line's overrides.

    Each variant brings its own defaults.
    """
    from gen2dft.campaign import load_campaign, parse_campaign
    from gen2dft.errors import CampaignError

    if campaign is not None and file is not None:
        raise CampaignError("give --campaign or -f FILE.yaml, not both")
    if dataset and Path(dataset).exists():
        dataset = str(Path(dataset).resolve())
    overrides = {"dataset.source": dataset, "seed": seed, "generator.epochs": epochs}
    given = {key: value for key, value in overrides.items() if value is not None}
    given |= assignments(texts)

    def load(extra: dict[str, Any]) -> CampaignSpec:
        if campaign is None and file is None:
            return parse_campaign(default, "the evaluation", given | extra)
        return load_campaign(str(file or campaign), given | extra)

    if not variants:
        from gen2dft.evaluation.setting import variant_of

        spec = load({})
        return {variant_of(spec.only_generator): spec}
    return {variant: load({"generator.variant": variant}) for variant in variants}


def _save(folder: Path, setting: Setting, tables: Sequence[Table]) -> None:
    """Write the tables made so far."""
    import json

    from gen2dft.evaluation import run
    from gen2dft.report.output import write_file

    document = json.dumps(run.as_document(setting, tables), indent=2)
    markdown = run.as_markdown(setting, tables)
    write_file(folder / "evaluation.json", f"{document}\n".encode())
    write_file(folder / "evaluation.md", markdown.encode())


def show_table(table: Table) -> None:
    """Print a table turned round, one line per figure, which fits a terminal.

    A table of many published rows prints these below, one line each, and leaves intervals out
    where the terminal is too narrow for them.
    """
    if table.turned:
        lines = table.own.turned_lines()
        if _width(lines) > out_console.width:
            lines = table.own.turned_lines(intervals=False)
        _print_lines(table.title, lines)
        if table.published.rows:
            _print_lines("Published, by the rules given below", table.published.lines())
    else:
        _print_beside(table)
    for line in (*table.notes, *table.sources()):
        out_console.print(line, style="dim", highlight=False)
    out_console.print()


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Characters that a table of these cells takes."""
    columns = zip(*lines, strict=True)
    return sum(2 + max(len(cell) for cell in cells) for cells in columns)


def _print_lines(title: str, lines: Sequence[Sequence[str]]) -> None:
    """Print lines of cells, the first their headings."""
    head, *body = lines
    drawn = plain_table(title)
    drawn.add_column(head[0], min_width=20)
    for heading in head[1:]:
        drawn.add_column(heading, justify="right", overflow="fold")
    for cells in body:
        drawn.add_row(*cells)
    out_console.print(drawn)


def _print_beside(table: Table) -> None:
    """Print one line per figure, published rows beside our own."""
    drawn = plain_table(table.title)
    drawn.add_column("", min_width=20)
    for row in table.rows:
        style = "dim" if row.source else None  # another's figures, beside our own
        drawn.add_column(row.name, justify="right", overflow="fold", style=style)
    for column in table.columns:
        drawn.add_row(column.title, *(column.text_of(row) for row in table.rows))
    out_console.print(drawn)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar for the work under way with the time left; without a terminal, a line now and then."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the data", total=None)
        last = 0.0

        def tell(what: str, done: int, total: int) -> None:
            nonlocal last
            begins = bar.tasks[0].description != what
            if begins:
                bar.reset(task, description=what, total=total)
            bar.update(task, completed=done, total=total)
            is_due = begins or time.monotonic() - last > LINE_SECONDS
            if is_due and not console.is_terminal:
                console.print(f"{what}: {done:,} of {total:,}", highlight=False)
                last = time.monotonic()

        yield tell
