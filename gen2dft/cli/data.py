"""Verbs for training data: list, build, label, tensors, import, info."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gen2dft.cli.label_tensors import write_tensors
from gen2dft.cli.options import (
    LARGEST_SEED,
    LONGEST,
    MANY,
    MOST_WORKERS,
    in_file,
    in_folder,
    number,
    out_file,
)
from gen2dft.cli.remarks import said_once, say_notes

if TYPE_CHECKING:
    from gen2dft.campaign import DatasetSpec, PropertySpec
    from gen2dft.dataset import Dataset
    from gen2dft.funnel import StageCount
    from gen2dft.shipped.vanadium_build import OxidePlan
    from gen2dft.thermo.hull import ReferenceHull

app = typer.Typer(
    help="Training data: list, build, label, tensors, import, info.", no_args_is_help=True
)
console = Console()
MATERIALS_PROJECT, IMPORTED_MP = "materials-project", "mp"
PLACE_OF_A_UNIT = "UNIT"
SKIPPED_SHOWN = 10  # crystals left out whose reasons `info` prints
PROTOTYPES_WANTED = 2700  # converged relaxations of the set that ships

Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="NAME",
        help="Improbable labels that are right nevertheless, by the name that the refusal gives; "
        "may be repeated.",
    ),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="PROPERTY=COLUMN[:UNIT]",
        help="e.g. band_gap=gap_pbe or e_above_hull=Ehull:meV/atom; also id=, structure=. A new "
        "name with a unit is a property of your own: seebeck=S_300K:uV/K.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Overwrite without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, write nothing.")]


@app.command("list")
def list_datasets(as_json: Json = False) -> None:
    """Datasets that a campaign can name, and those imported here."""
    from gen2dft.datasets import builtin_datasets
    from gen2dft.datasets.imported import imported_file, imported_names

    found = [vars(source) for source in builtin_datasets()]
    for name in imported_names():
        content = f"imported: {imported_file(name)}"
        found.append({"name": name, "content": content, "needs": "nothing"})
    if as_json:
        typer.echo(json.dumps(found))
        return
    rows = [tuple(source.values()) for source in found]
    console.print(_table(("dataset", "content", "needs"), rows))
    console.print(
        "Use one: --dataset NAME, or dataset.source in a campaign file. Any CSV, JSON or parquet "
        "with a structure column, or a folder of CIFs: --dataset FILE",
        style="dim",
    )


@app.command()
def build(
    name: Annotated[
        str,
        typer.Argument(
            help="What to build: `starter` of a table of the Materials Project, `prototypes`, "
            "`vanadium-oxides` of a set of binaries, `hull` of a table of formulas and formation "
            "energies, or `stability`: the correction of a potential, of a table of crystals with "
            "published distances to the hull."
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="starter: the table, or `materials-project`; vanadium-oxides: dataset whose "
            "binaries are taken, default: prototypes; stability: the table; hull: the table, a CSV "
            "file; unless given, today's hull by the Materials Project's API.",
        ),
    ] = None,
    gga_source: Annotated[
        list[str] | None,
        typer.Option(
            "--gga-source",
            help="hull: value of the table's column `source` whose energies are GGA/GGA+U with "
            "MP2020 corrections; all others count as mixed with r2SCAN.",
        ),
    ] = None,
    credit: Annotated[
        str, typer.Option(help="stability: source and licence of the table, kept with the file.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Of the source: PROPERTY=COLUMN; also id=, structure=."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="vanadium-oxides: what labels them, e.g. vasp; stability: the potential."
        ),
    ] = "mlip",
    preset: Annotated[
        str, typer.Option(help="vanadium-oxides: its preset, e.g. vo-pbe-v1.")
    ] = "chgnet-screen-v1",
    relax: Annotated[
        bool,
        typer.Option(
            "--relax", help="vanadium-oxides: relax positions and cell, not only the volume."
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="prototypes: order in which formulas are taken."
        ),
    ] = 0,
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MANY,
            help="starter: crystals wanted, default: 2000; prototypes: converged relaxations "
            "wanted, default: 2700.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", "-w", min=1, max=MOST_WORKERS, help="Processes; the outcome is the same."
        ),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Dataset file to write; default: NAME.npz.", parser=out_file, metavar="FILE"
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="What is finished (JSON lines); default: beside the dataset file.",
            parser=out_file,
            metavar="FILE",
        ),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Build a set: chosen of a table, or made with CHGNet or another engine.

    Killed? The same command goes on; a larger --size continues.
    """
    from gen2dft.errors import DatasetError, not_one_of

    names = ("starter", "prototypes", "vanadium-oxides", "hull", "stability")
    if name not in names:
        raise DatasetError(not_one_of("dataset to build", name, names))
    if name == "hull":
        given = _Files(out or Path("hull.json"), None, yes, dry_run)
        _build_hull(given, source, gga_source)
        return
    if name == "stability":
        given = _Files(out or Path("stability.npz.gz"), checkpoint, yes, dry_run)
        _build_stability(given, Path(_table_of(name, source)), (engine, preset), credit)
        return
    files = _Files(out or Path(f"{name.replace('-', '_')}.npz"), checkpoint, yes, dry_run)
    if name == "prototypes":
        _build_prototypes(files, seed, size or PROTOTYPES_WANTED, workers)
        return
    from gen2dft.shipped.vanadium_build import OxidePlan

    if name == "starter":
        _build_starter(files, _spec(_table_of(name, source), column), size)
        return
    binaries = _spec("prototypes" if source is None else source, column)
    _build_oxides(files, binaries, OxidePlan(engine, preset, relax))


def _table_of(name: str, source: str | None) -> str:
    """The table that a set is built of; DatasetError if none is named."""
    from gen2dft.errors import DatasetError

    if source is None:
        raise DatasetError(
            f"{name} is built of a table: gen2dft data build {name} --source TABLE.csv"
        )
    return source


class _Files(NamedTuple):
    """The files that a build writes, and whether it may."""

    out: Path
    checkpoint: Path | None
    yes: bool
    dry_run: bool


def _build_hull(files: _Files, table: str | None, gga_sources: Sequence[str] | None) -> None:
    """Write a hull as `hull.source: FILE.json` takes it, or packed as the one that ships."""
    from gen2dft.atomic import write_atomically
    from gen2dft.thermo.hull_check import self_test
    from gen2dft.thermo.hull_file import file_content
    from gen2dft.thermo.materials_project import packed

    hull = _hull_of(table, gga_sources)
    tested = self_test(hull)
    console.print(
        f"hull {hull.hull_hash}: {hull.num_entries:,} formulas, {len(hull.elements)} elements, "
        f"{len(hull.mixed):,} on the scale that mixes in r2SCAN; {tested:,} tested",
        highlight=False,
    )
    if files.dry_run:
        return
    _ask_before_overwriting(files.out, files.yes)
    content = packed(hull) if files.out.suffix == ".gz" else file_content(hull)
    write_atomically(files.out, content)
    pin = f"hull: {{source: {files.out}, hash: {hull.hull_hash}}}"
    console.print(f"wrote {files.out}; in a campaign file: {pin}", highlight=False, soft_wrap=True)


def _hull_of(table: str | None, gga_sources: Sequence[str] | None) -> ReferenceHull:
    """The hull of a table; without one, today's by the API."""
    from gen2dft.shipped.hull_build import GGA_SOURCES, build_hull, hull_of_today

    if table is not None:
        return build_hull(Path(table), gga_sources or GGA_SOURCES)
    with said_once(console), console.status("asking the Materials Project"):
        hull, version = hull_of_today()
    console.print(f"Materials Project, version {version}, CC BY 4.0", highlight=False)
    return hull


def _build_stability(files: _Files, table: Path, potential: tuple[str, str], credit: str) -> None:
    """Write the correction of a potential, fitted to a table of crystals with published energies.

    The file's name is that of the correction.
    """
    from gen2dft.atomic import write_atomically
    from gen2dft.heads.stability_trees import packed
    from gen2dft.shipped import stability_build

    crystals = stability_build.read_published(table)
    console.print(f"{len(crystals):,} crystals with published energies", highlight=False)
    if files.dry_run:
        return
    _ask_before_overwriting(files.out, files.yes)
    journal = files.checkpoint or files.out.with_name(f"{files.out.name}.checkpoint.jsonl")
    with _progress("relaxing") as progress:
        relaxed = stability_build.relax_all(crystals, *potential, journal, progress)
    for reason, count in sorted(relaxed.left_out.items()):
        console.print(f"  left out: {count:,} {reason}", style="dim", highlight=False)
    name, _, _ = files.out.name.partition(".npz")
    engine, _ = potential
    model = stability_build.fit(relaxed.known, engine, name, credit or table.name)
    write_atomically(files.out, packed(model))
    console.print(
        f"wrote {files.out}: {model.name}, {model.model_hash}, {len(relaxed.known):,} crystals, "
        f"noise {model.noise:.3f} eV/atom",
        highlight=False,
    )


def _build_oxides(files: _Files, spec: DatasetSpec, plan: OxidePlan) -> None:
    from gen2dft.datasets.sources import read_source
    from gen2dft.settings import load_settings
    from gen2dft.shipped.vanadium_build import build_oxides, unlabelled_oxides

    plan.key()  # reports an unknown engine or preset before the work begins
    with _progress("reading") as progress:
        binaries = read_source(spec, load_settings().data_dir / "cache", progress)
    with _progress("finding duplicates") as progress:
        oxides, counts = unlabelled_oxides(binaries, plan, progress)
    for count in counts:
        _say_count(count)
    if files.dry_run:
        return
    _ask_before_overwriting(files.out, files.yes)
    checkpoint = files.checkpoint or files.out.with_suffix(".jsonl")
    with _progress("labelling") as progress:
        dataset = build_oxides(oxides, counts, plan, binaries, checkpoint, progress)
    dataset.save(files.out)
    _show(files.out, dataset)


def _say_count(count: StageCount) -> None:
    reasons = [f"{number} {reason}" for reason, number in count.reasons.items()]
    lost = ", ".join(reasons) or "none left out"
    console.print(f"{count.stage}: {count.n_in} in, {count.n_out} out ({lost})", highlight=False)


def _build_starter(files: _Files, spec: DatasetSpec, size: int | None) -> None:
    from dataclasses import replace

    from gen2dft.datasets.sources import read_source
    from gen2dft.settings import load_settings
    from gen2dft.shipped.starter_build import StarterPlan, build_starter

    plan = StarterPlan() if size is None else replace(StarterPlan(), size=size)
    with _progress("reading") as progress:
        table = read_source(spec, load_settings().data_dir / "cache", progress)
    command = f"gen2dft data build starter --source {Path(spec.source).name} --size {plan.size}"
    dataset = build_starter(table, plan, command)
    if not files.dry_run:
        _ask_before_overwriting(files.out, files.yes)
        dataset.save(files.out)
    _show(files.out, dataset)


def _build_prototypes(files: _Files, seed: int, size: int, workers: int) -> None:
    from gen2dft.datasets.ricci import transport_table
    from gen2dft.shipped.prototypes_build import build_checkpoint, ordered_formulas
    from gen2dft.shipped.prototypes_checkpoint import BuildPlan, default_checkpoint
    from gen2dft.shipped.prototypes_finish import finish

    plan = BuildPlan(seed=seed)
    known = list(transport_table()["pretty_formula"])
    formulas = ordered_formulas(known, plan)
    journal = files.checkpoint or default_checkpoint(files.out)
    console.print(
        f"{len(formulas)} formulas; {size} crystals wanted; checkpoint {journal}; about 1 s per "
        "crystal and core"
    )
    if files.dry_run:
        return
    _ask_before_overwriting(files.out, files.yes)
    with _progress("relaxing") as progress:
        records = build_checkpoint(formulas, plan, size, journal, workers, progress)
    command = f"gen2dft data build prototypes --seed {seed} --size {size}"
    dataset = finish(records, plan, command)
    dataset.save(files.out)
    _show(files.out, dataset)


@app.command()
def label(
    source: Annotated[
        str,
        typer.Argument(
            help="starter, prototypes, the name of an imported dataset, or a file or folder."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="File of labels (JSON lines), also the checkpoint.",
            parser=out_file,
            metavar="FILE",
        ),
    ] = Path("labels.jsonl"),
    size: Annotated[
        int, typer.Option(min=1, max=MANY, help="Crystals worked on, the cheapest first.")
    ] = 200,
    max_sites: Annotated[int, typer.Option(min=1, max=MANY, help="Largest cell.")] = 4,
    preset: Annotated[str, typer.Option(help="Preset of engine gpaw.")] = "gpaw-quick-v1",
    program: Annotated[
        str, typer.Option(help="gen2dft or boltztrap2: computes transport from bands.")
    ] = "gen2dft",
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=MOST_WORKERS, help="Processes.")
    ] = 1,
    cpu_limit: Annotated[
        float,
        typer.Option(
            parser=number(1, LONGEST, "s"),
            metavar="NUMBER",
            help="Give a crystal up after so many CPU seconds.",
        ),
    ] = 900.0,
    dry_run: DryRun = False,
) -> None:
    """Compute band gaps and power factors with GPAW. Killed? The same command goes on.

    Transport tensors of all labels lie beside the file (.npz) at the end.
    """
    from gen2dft.datasets.label_tensors import tensors_path
    from gen2dft.datasets.prototypes import prototype_crystals
    from gen2dft.datasets.sources import PROTOTYPES
    from gen2dft.engines.gpaw.presets import get_preset, versions
    from gen2dft.shipped.label_build import bands_folder, label_crystals, label_settings, tasks
    from gen2dft.transport.programs import check_program

    settings = get_preset(preset)
    check_program(program)
    if not dry_run:
        versions()  # whether GPAW is here at all
    # Of the prototypes the crystals alone: they ship with labels that this verb has made.
    dataset = prototype_crystals() if source == PROTOTYPES else _read(source)
    cheapest_first = tasks(dataset, max_sites, settings)
    chosen = cheapest_first[:size]
    if not chosen:
        console.print("no such crystals")
        return
    console.print(f"{len(chosen)} crystals, from {chosen[0].id} to {chosen[-1].id}")
    if dry_run:
        return
    header = label_settings(source, settings, program)
    with _progress("labelling") as progress:
        labels = label_crystals(chosen, header, out, workers, cpu_limit, progress)
    counts = [f"{count} {reason}" for reason, count in labels.counts().items()]
    console.print(f"[bold]{out}[/]: {', '.join(counts)}")
    if any(record.power_factor for record in labels.records):
        write_tensors(labels, bands_folder(out), tensors_path(out), workers, _progress)


@app.command()
def tensors(
    labels: Annotated[
        Path, typer.Argument(help="File of labels (JSON lines).", parser=in_file, metavar="FILE")
    ],
    bands: Annotated[
        Path | None,
        typer.Option(
            help="Folder of kept bands, one per crystal; default: LABELS.bands.",
            parser=in_folder,
            metavar="DIR",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write; default: LABELS with .npz.", parser=out_file, metavar="FILE"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=MOST_WORKERS, help="Processes.")
    ] = 1,
    yes: Yes = False,
) -> None:
    """Make transport tensors of labels from kept bands, without DFT: for any definition."""
    from gen2dft.datasets.computed_labels import read_labels
    from gen2dft.datasets.label_tensors import tensors_path
    from gen2dft.shipped.label_build import bands_folder

    known = read_labels(labels)
    target = out or tensors_path(labels)
    _ask_before_overwriting(target, yes)
    write_tensors(known, bands or bands_folder(labels), target, workers, _progress)


@app.command("import")
def import_file(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="Table or folder of CIFs; or materials-project.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", help="Name, or file ending in .npz; default: the source's name."
        ),
    ] = None,
    column: Column = None,
    accept: Accept = None,
    ricci: Annotated[
        bool, typer.Option("--ricci", help="Join Ricci's power factors by mp-id.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Read crystals and labels once, check them, and keep them as one .npz file."""
    from gen2dft.datasets.ricci import join_ricci
    from gen2dft.datasets.sources import read_source
    from gen2dft.settings import load_settings

    settings = load_settings()
    name = out or _usual_name(source)
    _refuse_shipped(name)
    own = _own_properties(column or [])
    with _progress("reading") as progress:
        spec = _spec(source, column, accept)
        dataset = read_source(spec, settings.data_dir / "cache", progress, properties=own)
    if ricci:
        dataset = join_ricci(dataset)
    is_file = name.endswith(".npz")
    target = Path(name) if is_file else settings.data_dir / "datasets" / f"{name}.npz"
    if not dry_run:
        _ask_before_overwriting(target, yes)
        dataset.save(target)
    _show(target, dataset)
    say_notes(dataset, console)
    _say_unused(Path(source), spec, own)
    _say_own(own)
    use = f"Use it: --dataset {target if is_file else name}, or dataset.source in a campaign file"
    said = "Nothing was written (--dry-run)." if dry_run else use
    console.print(said, style="dim", markup=False, soft_wrap=True)


@app.command()
def info(
    source: Annotated[
        str,
        typer.Argument(
            help="starter, prototypes, the name of an imported dataset, or a file or folder."
        ),
    ],
    column: Column = None,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Counts, label coverage, elements and provenance of a dataset, and what is not used."""
    dataset = _read(source, column, accept)
    if as_json:
        typer.echo(json.dumps(_summary(dataset)))
        return
    _show(source, dataset)
    say_notes(dataset, console)
    _say_unused(Path(source), _spec(source, column), _own_properties(column or []))
    console.print_json(json.dumps(_short(dataset.provenance)))


def _short(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """A provenance without the long list of crystals that are left out, which --json prints."""
    shown = dict(provenance)
    skipped = list(shown.get("skipped", {}).items())
    if len(skipped) > SKIPPED_SHOWN:
        shown["skipped"] = dict(skipped[:SKIPPED_SHOWN])
    return shown


def _read(source: str, column: list[str] | None = None, accept: list[str] | None = None) -> Dataset:
    """A dataset by its name, or from a file."""
    from gen2dft.datasets.sources import read_source
    from gen2dft.settings import load_settings

    settings = load_settings()
    own = _own_properties(column or [])
    with _progress("reading") as progress:
        spec = _spec(source, column, accept)
        return read_source(spec, settings.data_dir / "cache", progress, properties=own)


def _usual_name(source: str) -> str:
    """The name of a source's import unless --out gives one."""
    if source == MATERIALS_PROJECT:
        return IMPORTED_MP
    name, _, _ = Path(source).absolute().name.partition(".")
    return name


def _refuse_shipped(name: str) -> None:
    """DatasetError for the name of a dataset that ships, which would hide the imported one."""
    from gen2dft.datasets.sources import BUILTIN
    from gen2dft.errors import DatasetError

    if name in BUILTIN:
        raise DatasetError(
            f"{name} is the name of a dataset that ships: choose another by --out NAME"
        )


def _spec(source: str, column: list[str] | None, accept: list[str] | None = None) -> DatasetSpec:
    """What is read; DatasetError for a name that no source or finding can have."""
    from pydantic import ValidationError

    from gen2dft.campaign import DatasetSpec
    from gen2dft.campaign.problems import explain
    from gen2dft.errors import DatasetError
    from gen2dft.label_checks import check_names

    try:
        check_names(accept or ())
    except ValueError as err:
        raise DatasetError(f"--accept: {err}") from err
    columns = _columns(column or [])
    try:
        return DatasetSpec(source=source, columns=columns, accept=tuple(accept or ()))
    except ValidationError as err:
        raise DatasetError("; ".join(explain(err, DatasetSpec))) from err


def _columns(assignments: list[str]) -> dict[str, str]:
    from gen2dft.errors import DatasetError

    columns = {}
    for assignment in assignments:
        role, equals, column = assignment.partition("=")
        if not equals:
            raise DatasetError(
                f"--column {assignment}: expected PROPERTY=COLUMN, e.g. --column band_gap=gap_pbe"
            )
        columns[role.strip()] = column.strip()
    return columns


def _own_properties(assignments: Sequence[str]) -> dict[str, PropertySpec]:
    """Properties of the user's own that --column defines: unknown names with a unit.

    Raises
    ------
    DatasetError
        A name that cannot be one, or that is a usual one of a property which is built in.
    """
    from gen2dft.campaign.properties import PropertySpec, completed
    from gen2dft.datasets.columns import NOT_LABELS
    from gen2dft.errors import DatasetError
    from gen2dft.properties import PROPERTIES

    own = {}
    for role, text in _columns(list(assignments)).items():
        column, colon, unit = text.rpartition(":")
        if role in PROPERTIES or role in NOT_LABELS or not (colon and column):
            continue
        _refuse_usual_name(role)
        if unit.strip() == PLACE_OF_A_UNIT:
            raise DatasetError(f"--column {role}={text}: put its unit in the place of UNIT")
        own[role] = PropertySpec(unit=unit.strip())
    try:
        return completed(own, own)
    except ValueError as err:
        raise DatasetError(f"--column: {err}") from err


def _refuse_usual_name(role: str) -> None:
    """DatasetError for another name of a property that is built in: one property has one name."""
    from gen2dft.datasets.columns import SYNONYMS
    from gen2dft.errors import DatasetError

    for name, usual in SYNONYMS.items():
        if role.lower() in usual and role != name:
            raise DatasetError(f"--column {role}=...: this property is called {name} here")


def _say_unused(path: Path, spec: DatasetSpec, own: Mapping[str, PropertySpec]) -> None:
    """Say what columns that are not read may be, as options to type."""
    from gen2dft.campaign.properties import defined
    from gen2dft.datasets.imported import imported_file
    from gen2dft.datasets.proposals import proposals_for
    from gen2dft.datasets.sources import BUILTIN

    if spec.source in BUILTIN or imported_file(spec.source) is not None:
        return
    for proposal in proposals_for(path, spec.columns, defined(own)):
        console.print(f"  {proposal.text}", highlight=False, markup=False, soft_wrap=True)


def _say_own(own: Mapping[str, PropertySpec]) -> None:
    """Say how a campaign names properties of the user's own."""
    for name, entry in own.items():
        text = f"In a campaign file: properties: {{{name}: {{unit: {json.dumps(entry.unit)}}}}}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _summary(dataset: Dataset) -> dict[str, Any]:
    from pymatgen.core import Element

    from gen2dft.datasets.remarks import remarks

    crystals = dataset.crystals
    by_number = Counter(crystals.num_elements.tolist())
    numbers = sorted(set(crystals.numbers.tolist()))
    sizes = crystals.num_sites.tolist()
    return {
        "crystals": len(dataset),
        "formulas": len(set(crystals.formulas())),
        "by_number_of_elements": dict(sorted(by_number.items())),
        "sites": [min(sizes), max(sizes)] if sizes else [],
        "elements": [Element.from_Z(number).symbol for number in numbers],
        "labels": {name: _coverage(dataset.label(name)) for name in dataset.labels},
        "content_hash": dataset.content_hash,
        "remarks": remarks(dataset.provenance),
        "provenance": dict(dataset.provenance),
    }


def _coverage(values: Any) -> dict[str, float]:
    import numpy as np

    known = values[np.isfinite(values)]
    if not len(known):
        return {"count": 0}
    low, median, high = np.percentile(known, [0, 50, 100]).tolist()
    return {"count": len(known), "min": low, "median": median, "max": high}


def _show(name: object, dataset: Dataset) -> None:
    summary = _summary(dataset)
    by_number = summary["by_number_of_elements"].items()
    kinds = ", ".join(f"{count} of {number} elements" for number, count in by_number)
    formulas = f"{summary['formulas']} formulas ({kinds})"
    console.print(f"[bold]{escape(str(name))}[/]: {len(dataset)} crystals, {formulas}")
    elements = summary["elements"]
    console.print(
        f"sites per cell {summary['sites']}, {len(elements)} elements: {' '.join(elements)}"
    )
    rows = []
    for prop, coverage in summary["labels"].items():
        row = _label_row(prop, coverage, dataset.properties[prop].unit)
        rows.append(tuple(row))
    console.print(_table(("label", "crystals", "min", "median", "max", "unit"), rows))


def _label_row(prop: str, coverage: Mapping[str, float], unit: str) -> Iterator[str]:
    yield prop
    yield str(coverage["count"])
    for statistic in ("min", "median", "max"):
        # A label that no crystal has is counted alone.
        yield f"{coverage[statistic]:.3g}" if statistic in coverage else "-"
    yield unit


def _table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(*headers)
    for row in rows:
        table.add_row(*row)
    return table


def _ask_before_overwriting(path: Path, yes: bool) -> None:
    if path.exists() and not yes:
        typer.confirm(f"{path} exists. Overwrite it?", abort=True)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with an estimate of the time left; it vanishes at the end."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # While it moves, remarks pass through its console; standard output is for the result.
    beside = Console(stderr=True)
    hidden = not beside.is_terminal  # it would leave an empty line
    bar = Progress(*columns, console=beside, transient=True, disable=hidden)
    with said_once(beside), bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
