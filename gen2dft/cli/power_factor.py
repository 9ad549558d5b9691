"""Verb that computes power factors from first principles: of a campaign's best hits, or of one
structure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from gen2dft.cli.common import open_to_write
from gen2dft.cli.options import LONGEST, MANY, in_file, number, out_file
from gen2dft.crystal_documents import structure_of
from gen2dft.datasets.computed_labels import METAL
from gen2dft.definitions import definition_of
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.report.bands import bands_text, transport_text
from gen2dft.report.wording import ranked
from gen2dft.workers import KILLED, TOO_EXPENSIVE

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.campaign import TransportSpec
    from gen2dft.engines.base import CalculationFailure
    from gen2dft.property_steps import Made
    from gen2dft.store.documents import CampaignDoc, PowerFactorDoc
    from gen2dft.store.store import Store
    from gen2dft.transport.document import TransportDoc

    Task = tuple[Made, Structure, TransportSpec]

console = Console()
DIGITS = 5
SYMPREC = 0.05  # Angstrom; symmetry hidden by a relaxation's tolerance would cost k-points


def power_factor(
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Default: the newest.")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=MANY, help="Hits to find a power factor of, the best first.")
    ] = 1,
    max_sites: Annotated[int, typer.Option(min=1, max=MANY, help="Largest primitive cell.")] = 4,
    cheapest: Annotated[
        bool,
        typer.Option(
            "--cheapest", help="The hits whose bands cost least first; metals are not relaxed."
        ),
    ] = False,
    engine: Annotated[str, typer.Option(help="An engine that computes bands.")] = "gpaw",
    preset: Annotated[str, typer.Option(help="Settings of that engine.")] = "gpaw-quick-v2",
    program: Annotated[
        str | None,
        typer.Option(
            help="gen2dft or boltztrap2: computes transport from bands; default: the campaign's."
        ),
    ] = None,
    cpu_limit: Annotated[
        float,
        typer.Option(
            parser=number(1, LONGEST, "s"),
            metavar="NUMBER",
            help="Give a crystal up after so many CPU seconds.",
        ),
    ] = 3600.0,
    definition: Annotated[
        str | None,
        typer.Option(
            help="Read the stored transport by another definition too, e.g. n-600K-1e19, "
            "best-600K-optimal; nothing is computed for it."
        ),
    ] = None,
    structure: Annotated[
        Path | None,
        typer.Option(
            help="A structure file instead of hits; needs --out.", parser=in_file, metavar="FILE"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where its transport goes, as JSON.", parser=out_file, metavar="FILE"),
    ] = None,
) -> None:
    """Compute power factors by DFT: relax, bands on finer and finer meshes, transport.

    Finished hits are kept, and become labels, which the next round trains on.

    Cells are given the symmetry that they have within 0.05 Angstrom.
    """
    from gen2dft.campaign import TransportSpec

    if structure is not None:
        spec = _with_program(TransportSpec(), program)
        _of_file(structure, out, spec=spec, engine=engine, preset=preset, cpu_limit=cpu_limit)
        return
    if definition is not None:
        definition_of(definition)  # reports an unknown one before the work begins
    store = open_to_write()
    document = store.find_campaign(campaign)
    tasks: Iterable[Task] = (
        (made, crystal, _with_program(spec, program))
        for made, crystal, spec in _tasks(store, document, max_sites, engine, preset)
    )
    if cheapest:
        tasks = _cheapest_first(tasks)
    limits = _Limits(top, cpu_limit, refuse_metals=cheapest)
    if not _of_hits(store, tasks, limits, definition):
        raise CampaignError(
            f"no hit of {document.id} with at most {max_sites} atoms gave a power factor; "
            "--max-sites takes larger "
            "cells, whose cost grows with the square of their size and more, --cpu-limit gives "
            "each more time"
        )
    console.print(
        f"the curves are in the report: gen2dft report --campaign {document.id}", style="dim"
    )


class _Limits(NamedTuple):
    """How many power factors are wanted, and what a crystal may cost, CPU seconds."""

    top: int
    cpu_limit: float
    refuse_metals: bool


def _of_hits(store: Store, tasks: Iterable[Task], limits: _Limits, definition: str | None) -> int:
    """Compute power factors one after the other and show them; how many were found."""
    from gen2dft.rounds.by_hand import teach

    found = 0
    for task in tasks:
        made, crystal, _ = task
        known = _known(store, made) or _from_stored(store, task)
        known = known or _compute(store, task, limits.cpu_limit, refuse_metals=limits.refuse_metals)
        if known is None:
            continue
        teach(store, known, crystal)
        _show(known)
        if definition is not None:
            _show_by(store, known, definition)
        found += known.reason is None
        if found == limits.top:
            break
    return found


def _with_program(spec: TransportSpec, program: str | None) -> TransportSpec:
    """Settings with another program if one is named; the program must be installed here."""
    from gen2dft.transport.programs import check_program

    used = check_program(program or spec.program)
    return spec.model_copy(update={"program": used.name})


def _show(known: PowerFactorDoc) -> None:
    is_metal = known.reason == METAL
    metal = f"{known.formula}: a metal, which has no power factor"
    console.print(metal if is_metal else bands_text(known), highlight=False)
    for warning in known.warnings:
        console.print(f"  {warning}", style="dim", highlight=False)


def _show_by(store: Store, known: PowerFactorDoc, definition: str) -> None:
    """One line of the stored transport, read by another definition."""
    from gen2dft.rounds.stored_transport import transport_behind

    doc = transport_behind(store, known)
    if doc is not None:
        console.print(f"  {transport_text(doc, definition)}", highlight=False)


def _tasks(
    store: Store, document: CampaignDoc, max_sites: int, engine: str, preset: str
) -> Iterator[Task]:
    """Hits with small primitive cells, the best first."""
    from gen2dft.campaign import stored_campaign
    from gen2dft.engines import load_engine
    from gen2dft.property_steps import Made
    from gen2dft.rounds.labelling import label_id
    from gen2dft.symmetry import idealised_primitive

    spec = stored_campaign(document)
    program = load_engine(engine)
    settings_hash = program.preset(preset).settings_hash
    best_first, _ = ranked(store.hits(document.id), spec.targets, spec.known_properties)
    for hit in best_first:
        relaxed = structure_of(hit.structure)
        crystal = idealised_primitive(relaxed, SYMPREC)
        if len(crystal) > max_sites:
            continue
        key = label_id(document.id, hit.candidate_id, engine, settings_hash)
        made = Made(
            key, document.id, hit.candidate_id, hit.formula,
            engine, program.is_dft, preset, settings_hash,
        )  # fmt: skip
        yield made, crystal, spec.transport


def _cheapest_first(tasks: Iterable[Task]) -> list[Task]:
    """The tasks in the order of the cost of their bands.

    Crystals that begin magnetic come last: they cost several times as much.
    """
    from gen2dft.engines.gpaw.presets import starting_moments
    from gen2dft.transport.convergence import relative_cost

    def cost(task: Task) -> tuple[bool, float]:
        _, crystal, _ = task
        is_magnetic = starting_moments(crystal) is not None
        return is_magnetic, relative_cost(crystal)

    return sorted(tasks, key=cost)


def _known(store: Store, made: Made) -> PowerFactorDoc | None:
    from gen2dft.store.documents import PowerFactorDoc

    return store.find(PowerFactorDoc, made.id)


def _from_stored(store: Store, task: Task) -> PowerFactorDoc | None:
    """The power factor of a hit from transport that another campaign stored of the same crystal."""
    from gen2dft.rounds.power_factors import keep
    from gen2dft.rounds.stored_transport import same_crystal_before, stored_outcome

    made, crystal, spec = task
    for found in same_crystal_before(store, made, crystal):
        outcome = stored_outcome(store, found, spec)
        if outcome is not None:
            console.print(f"{made.formula}: from the stored transport of {found.campaign_id}")
            return keep(store, made, spec.definition, outcome)
    return None


def _compute(
    store: Store, task: Task, cpu_limit: float, refuse_metals: bool
) -> PowerFactorDoc | None:
    """Compute and keep the power factor of a hit, or the reason why it has none.

    None if neither was found out, and a later try may find it.
    """
    from gen2dft.engines.base import CalculationFailure
    from gen2dft.flows.power_factors import METAL_AS_GIVEN
    from gen2dft.rounds.power_factors import keep
    from gen2dft.settings import load_settings

    made, crystal, spec = task
    how = f"by {made.engine} ({made.preset})"
    console.print(f"{made.formula} {made.candidate_id}: {len(crystal)} atoms, {how}")
    folder = load_settings().data_dir / "power_factors" / made.id
    outcome = _in_its_own_process(
        crystal, spec=spec, engine=made.engine, preset=made.preset, folder=folder,
        cpu_limit=cpu_limit, refuse_metals=refuse_metals,
    )  # fmt: skip
    open_reasons = (TOO_EXPENSIVE, KILLED, METAL_AS_GIVEN)
    if isinstance(outcome, CalculationFailure) and outcome.reason in open_reasons:
        why = f"{outcome.reason}: {outcome.detail}"
        console.print(f"{made.formula}: passed over: {why}", highlight=False)
        return None
    return keep(store, made, spec.definition, outcome)


def _in_its_own_process(crystal: Structure, **how: Any) -> TransportDoc | CalculationFailure:
    """`compute_here` in a process of its own, because the number of threads is settled when NumPy
    is imported.
    """
    import os
    from functools import partial

    from gen2dft.engines.base import CalculationFailure
    from gen2dft.errors import CalculationFailed
    from gen2dft.flows.power_factors import compute_here
    from gen2dft.workers import in_processes

    # GPAW in plane waves is slower by orders of magnitude on several threads.
    os.environ["OMP_NUM_THREADS"] = "1"
    with console.status("relaxation, bands, transport: minutes"):
        ((_, outcome),) = in_processes(partial(compute_here, **how), [crystal])
    if isinstance(outcome, CalculationFailed):
        return CalculationFailure.from_error(outcome)
    return outcome


def _rounded(value: Any) -> Any:
    """Plain values with the digits that bands can give."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return value


def _of_file(structure: Path, out: Path | None, **how: Any) -> None:
    """Transport of one structure, written as JSON; `how` goes to `compute_here`."""
    from gen2dft.datasets.own_structures import read_one_crystal
    from gen2dft.engines.base import CalculationFailure
    from gen2dft.errors import CalculationFailed
    from gen2dft.report.output import write_file

    if out is None:
        raise DatasetError(f"--structure {structure} needs --out FILE, where its transport goes")
    crystal = read_one_crystal(structure)
    outcome = _in_its_own_process(crystal, folder=out.with_suffix(""), **how)
    if isinstance(outcome, CalculationFailure):
        raise CalculationFailed(outcome.reason, outcome.detail, outcome.directory)
    plain = json.loads(outcome.model_dump_json())
    write_file(out, json.dumps(_rounded(plain)).encode())
    console.print(f"transport of {outcome.formula}: {out}", highlight=False)
