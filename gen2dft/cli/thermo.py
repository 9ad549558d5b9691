"""Verbs of thermodynamics: calibrate, rehull, hull."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.campaigns import Campaign, Engine, File, Set, resolve_spec
from gen2dft.cli.common import (
    echo_json,
    open_store,
    open_store_to_show,
    open_to_write,
    plain_table,
    report_folder,
)
from gen2dft.cli.options import in_folder, out_file, out_folder
from gen2dft.cli.results import Campaign as Stored
from gen2dft.report.wording import counted, round_title, value_text, words

if TYPE_CHECKING:
    from rich.table import Table

    from gen2dft.campaign import CampaignSpec
    from gen2dft.ground.calibrate import Reference
    from gen2dft.ground.phases import Found
    from gen2dft.review.rehull import Change, Rehull
    from gen2dft.settings import Settings
    from gen2dft.store.documents import CalibrationDoc, CampaignDoc
    from gen2dft.store.store import Store
    from gen2dft.thermo.hull import ReferenceHull

console = Console()

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def calibrate(
    campaign: Campaign = None,
    file: File = None,
    engine: Engine = None,
    set_: Set = None,
    structures: Annotated[
        Path | None,
        typer.Option(
            "--structures",
            metavar="DIR",
            help="CIF or POSCAR files of reference phases, by their formula.",
            parser=in_folder,
        ),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="Fit without the reference phases that have no structure here."
        ),
    ] = False,
    submit: Annotated[
        bool,
        typer.Option(
            "--submit", help="Only put the calculations into the queue, for rlaunch or qlaunch."
        ),
    ] = False,
    as_json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be computed, compute nothing.")
    ] = False,
) -> None:
    """Compute reference phases with the campaign's engine and fit its correction.

    Killed? The same command goes on.
    """
    from gen2dft.ground.phases import refuse_missing, wanted_phases
    from gen2dft.settings import load_settings

    spec, settings = resolve_spec(campaign, file, None, None, None, engine, set_), load_settings()
    phases, missing = wanted_phases(spec, structures, settings.data_dir / "cache")
    if not partial:
        refuse_missing(missing)
    if not phases:
        _say_nothing_needed(spec)
        return
    if dry_run:
        _show_phases(spec, phases)
        return
    fits = _fit(spec, settings, phases, submit=submit)
    if fits is None:
        return
    if as_json:
        echo_json([fit.model_dump(mode="json") for fit in fits])
        return
    for fit in fits:
        _show_fit(fit)
    _say(f"{len(phases)} reference phases are in the database; submit the campaign now")


def _say(text: str, style: str | None = None) -> None:
    console.print(text, style=style, highlight=False)


def _fit(
    spec: CampaignSpec, settings: Settings, phases: list[Found], *, submit: bool
) -> list[CalibrationDoc] | None:
    """The corrections, once every phase is computed; None while calculations wait in the queue."""
    from gen2dft.ground import calibrate as calibrating

    for problem in calibrating.check_engine(spec, phases, works_here=not submit):
        _say(f"[yellow]{problem}[/]")
    store, references = open_to_write(), calibrating.references_of(spec, phases)
    if not submit:
        _compute_here(store, settings, spec, references)
    elif waiting := _submit(store, settings, spec, references):
        number = counted(waiting, "reference calculation")
        _say(f"{number} in the queue; submit the campaign when they are done")
        return None
    return calibrating.fits_of(store, references)


def _submit(
    store: Store, settings: Settings, spec: CampaignSpec, references: Sequence[Reference]
) -> int:
    """Queue the calculations that have no result yet; their number."""
    from gen2dft.launchpad.connect import connect_launchpad
    from gen2dft.launchpad.references import submit_references

    lpad = connect_launchpad(settings)
    submitted = submit_references(store, lpad, references, spec.resources.validate_)
    return len(submitted)


def _compute_here(
    store: Store, settings: Settings, spec: CampaignSpec, references: Sequence[Reference]
) -> None:
    from gen2dft.launchpad.references import compute_here

    with console.status("computing reference phases") as status:

        def show(computed: int) -> None:
            status.update(f"computing reference phases: {computed}/{len(references)}")

        resources, workers = spec.resources.validate_, settings.workers
        compute_here(store, settings, references, resources, workers, show, console.print)


def _say_nothing_needed(spec: CampaignSpec) -> None:
    validation = spec.validation
    _say(
        f"campaign {spec.name} needs no calibration: correction {validation.correction!r} has "
        f"nothing to fit, and its hull comes from {spec.hull.source!r}"
    )


def _show_phases(spec: CampaignSpec, found: list[Found]) -> None:
    from gen2dft.ground.hulls import presets

    names = ", ".join(presets(spec))
    table = plain_table(f"would be computed with {spec.validation.engine}, presets {names}")
    for header in ("phase", "id", "sites", "structure from"):
        table.add_column(header)
    for phase in found:
        table.add_row(phase.formula, phase.name, str(len(phase.structure)), escape(phase.origin))
    console.print(table)


def _show_fit(fit: CalibrationDoc) -> None:
    """Show the phases of a fit beside their known energies, the parameters and their errors."""
    from gen2dft.thermo.corrections import get_correction

    calibration = get_correction(fit.correction).calibration
    if calibration is None:
        return
    console.print(_fit_table(fit, calibration.columns))
    _say(f"{calibration.describe(fit.values)}; calibration {fit.id}")
    if not fit.complete:
        number = len(calibration.phases)
        _say(f"fitted to {len(fit.rows)} of the {number} reference phases", "yellow")
    if not fit.is_dft:
        _say(
            f"{fit.engine} is a surrogate whose energies carry the Materials Project's corrections "
            "already: this fit only makes up for them, and is good for trying the mechanism, not "
            "for results",
            "yellow",
        )


def _fit_table(fit: CalibrationDoc, columns: Mapping[str, str]) -> Table:
    """One line per reference phase, with the numbers of the correction."""
    table = plain_table(
        f"{fit.correction} with {fit.engine} {fit.preset}: formation energies, eV/atom"
    )
    for header in ("phase", "id"):
        table.add_column(header)
    for header in (*columns.values(), "difference"):
        table.add_column(header, justify="right")
    table.add_column("structure from")
    for row in fit.rows:
        numbers = [f"{row[key]:.3f}" for key in columns]
        difference = row["corrected"] - row["reference"]
        origin = escape(str(row["origin"]).partition(":")[0])
        table.add_row(row["formula"], row["name"], *numbers, f"{difference:+.3f}", origin)
    return table


def rehull(
    source: Annotated[
        str,
        typer.Option(
            "--hull",
            help="materials-project-2025, dataset, materials-project, engine, starter, prototypes, "
            "or a file: a hull or a dataset.",
        ),
    ],
    campaign: Stored = None,
    as_json: Json = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply/--dry-run",
            help="Keep the new distances beside the old ones; default: only show them.",
        ),
    ] = False,
) -> None:
    """Measure a campaign against another hull and show every verdict that changes.

    Nothing is ever overwritten.
    """
    from gen2dft.campaign import stored_campaign
    from gen2dft.ground.named_today import as_named_today
    from gen2dft.review import rehull as rehulling

    store = open_to_write() if apply else open_store()
    document = store.find_campaign(campaign)
    with console.status("reading the hull"):
        spec = stored_campaign(as_named_today(store, document))
        hull = _other_hull(store, spec, source)
    with console.status("measuring the candidates"):
        result = rehulling.rehull(store, document.id, hull)
    if apply:
        rehulling.apply(store, result, hull, source)
    if as_json:
        changes = [vars(change) for change in result.changes]
        counts = {"num_lost": result.num_lost, "num_won": result.num_won}
        echo_json({**vars(result), **counts, "changes": changes, "applied": apply})
        return
    _show_changes(result)
    if apply:
        _say("new distances are in the labels, new verdicts in the hits (other_hulls)", "dim")
    else:
        _say("nothing was written (--apply keeps distances and verdicts)", "dim")


def _other_hull(store: Store, spec: CampaignSpec, source: str) -> ReferenceHull:
    """The hull that the campaign would have had from another source; tested before it is used."""
    from gen2dft.ground.hulls import campaign_hull
    from gen2dft.settings import load_settings
    from gen2dft.thermo.hull_check import self_test

    other = spec.hull.model_copy(update={"source": source, "hash": None})
    cache = load_settings().data_dir / "cache"
    hull = campaign_hull(spec.model_copy(update={"hull": other}), cache, store)
    self_test(hull, spec.hull.tolerance)
    return hull


def _show_changes(result: Rehull) -> None:
    from gen2dft.review.rehull import by_stage

    hulls = f"hull {result.old_id} -> {result.new_id}"
    measured = f"{result.num_screened} screened, {result.num_labelled} labelled candidates"
    changed = f"{counted(len(result.changes), 'verdict')} changed"
    _say(f"{result.campaign_id}: {hulls}; measured again: {measured}; {changed}")
    kept = len(result.hits) - result.num_lost
    of_hits = f"{kept} remain, {result.num_lost} are lost, {result.num_won} are new"
    _say(f"{counted(len(result.hits), 'hit')} by the old hull: {of_hits}")
    for stage, changes in by_stage(result).items():
        table = plain_table(f"{stage}: e_above_hull in eV/atom")
        for header in ("id", "formula", "round", "old hull", "new hull", "before", "after"):
            table.add_column(header, justify="right" if "hull" in header else "left")
        for change in changes:
            row = _change_row(change)
            table.add_row(*row)
        console.print(table)


def _change_row(change: Change) -> Iterator[str]:
    yield change.candidate_id
    yield change.formula
    yield round_title(change.round_index).split()[-1]
    yield value_text("e_above_hull", change.e_before)
    yield value_text("e_above_hull", change.e_after)
    yield words(change.before)
    yield words(change.after)


def hull(
    campaign: Stored = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--system", help="Two or three elements, e.g. V-O; default: list what there is."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder to write to; default: the report's.",
            parser=out_folder,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE.json",
            help="Write the hull itself, for hull.source of others.",
            parser=out_file,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the phase diagram of a chemical system with the campaign's candidates: a picture and a
    page.
    """
    from gen2dft.ground.hulls import get_hull
    from gen2dft.report.output import write_file
    from gen2dft.report.phase_diagram import load_diagram, systems_of
    from gen2dft.report.phase_diagram_page import write_diagram
    from gen2dft.thermo.hull_file import file_content

    store = open_store_to_show()
    document = store.find_campaign(campaign)
    reference = get_hull(store, document.hull_id)
    if save is not None:
        write_file(save, file_content(reference))
        console.print(f"hull {document.hull_id} in {save}", highlight=False, soft_wrap=True)
    if system is None:
        _show_hull(document, reference, systems_of(store, document.id), as_json=as_json)
        return
    diagram = load_diagram(store, document.id, system, reference)
    if as_json:
        echo_json(diagram.as_dict())
        return
    picture, page = write_diagram(diagram, out or report_folder(document.id))
    console.print(f"{picture}\n{page}", highlight=False, soft_wrap=True)


def _show_hull(
    document: CampaignDoc, hull: ReferenceHull, systems: Mapping[str, int], *, as_json: bool
) -> None:
    """The campaign's hull, and the chemical systems of its candidates with their number."""
    if as_json:
        echo_json({
            "hull": document.hull_id,
            "entries": hull.num_entries,
            "scale": hull.scale,
            "systems": systems,
        })  # fmt: skip
        return
    size = f"{hull.num_entries:,} phases on scale {hull.scale or 'unknown'}"
    _say(f"{document.id}: hull {document.hull_id}, {size}")
    table = plain_table("chemical systems of its candidates")
    table.add_column("system")
    table.add_column("candidates", justify="right")
    for name, count in systems.items():
        table.add_row(name, str(count))
    console.print(table)
