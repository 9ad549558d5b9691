"""Verb that computes competing phases by DFT: of a campaign's hits, of chosen candidates, or of
structure files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gen2dft.cli.common import echo_json, open_store, open_to_write, plain_table
from gen2dft.cli.options import LONGEST, MANY, in_file, in_folder, number
from gen2dft.crystal_documents import structure_of
from gen2dft.errors import CampaignError, SettingsError
from gen2dft.report.decomposition import decomposition_texts
from gen2dft.report.wording import chemical, counted

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.engines.base import CalculationDoc
    from gen2dft.ground.calibrate import Reference
    from gen2dft.ground.competing import Method, Sources
    from gen2dft.rounds.competing import Plan
    from gen2dft.rounds.decompose import Case
    from gen2dft.store.documents import CampaignDoc, CandidateDoc, LabelDoc, ReferenceDoc
    from gen2dft.store.store import Store

console = Console()
LAPTOP = "gpaw"  # engine where the campaign's own is a surrogate


@dataclass(frozen=True)
class Job:
    """What the verb works with.

    Parameters
    ----------
    folder
        For files of calculations.
    cpu_minutes
        Limit of CPU time for one crystal.
    """

    store: Store
    method: Method
    sources: Sources
    folder: Path
    cpu_minutes: float


def decompose(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Beginnings of candidates' ids; default: hits."),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="Default: the newest.")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, max=MANY, help="So many at most, those first that are worth it."),
    ] = None,
    structure: Annotated[
        list[Path] | None,
        typer.Option(
            help="A structure file instead of candidates.", parser=in_file, metavar="FILE"
        ),
    ] = None,
    structures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="CIF or POSCAR files of competing phases, by formula.",
            parser=in_folder,
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="A DFT engine; default: the campaign's, else gpaw.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Settings of that engine.")] = None,
    cpu_minutes: Annotated[
        float,
        typer.Option(
            parser=number(0.01, LONGEST, "min"),
            metavar="NUMBER",
            help="Give a crystal up after so many CPU minutes.",
        ),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be computed, and its cost.")
    ] = False,
) -> None:
    """Compute by DFT whether crystals are stable against the phases that compete with them.

    One engine and preset computes the crystal and its decomposition products. Phases are kept and
    shared: the same command goes on where it was.
    """
    if structure:
        job = _job(None, structures, engine or LAPTOP, preset, cpu_minutes)
        labels = _of_files(job, structure, dry_run=dry_run)
    else:
        document = open_store().find_campaign(campaign)
        job = _job(document, structures, engine, preset, cpu_minutes)
        labels = _of_candidates(job, document, ids or [], top, dry_run=dry_run)
    if as_json:
        echo_json([label.model_dump(mode="json") for label in labels])
    elif labels:
        console.print(_table(labels))


def _job(
    document: CampaignDoc | None,
    folder: Path | None,
    engine: str | None,
    preset: str | None,
    cpu_minutes: float,
) -> Job:
    """Engine, sources of structures and place of a run; refuses what cannot work."""
    from gen2dft.engines import load_engine
    from gen2dft.ground.competing import Method, Sources, must_be_dft
    from gen2dft.settings import load_settings

    store, settings = open_to_write(), load_settings()
    name = engine or _engine_of(document)
    must_be_dft(name)
    method = Method.of(name, preset or _preset_of(document, name))
    sources = Sources(_dataset_of(store, document), folder)
    len(sources.files)  # refuses a folder that cannot be read before anything is computed
    work = settings.data_dir / "decompose"
    for problem in load_engine(name).check(method.preset, ()):
        raise SettingsError(problem)
    return Job(store, method, sources, work, cpu_minutes)


def _engine_of(document: CampaignDoc | None) -> str:
    """The campaign's engine if it is DFT, else GPAW."""
    from gen2dft.campaign import stored_campaign

    if document is None:
        return LAPTOP
    spec = stored_campaign(document)
    return spec.validation.engine if spec.validates_by_dft else LAPTOP


def _preset_of(document: CampaignDoc | None, engine: str) -> str:
    """The preset of the campaign's final labels, if they are the engine's, else its default."""
    from gen2dft.campaign import stored_campaign
    from gen2dft.engines import load_engine
    from gen2dft.ground.hulls import final_preset

    if document is not None:
        spec = stored_campaign(document)
        if spec.validation.engine == engine:
            return final_preset(spec)
    return load_engine(engine).preset_named_alone


def _dataset_of(store: Store, document: CampaignDoc | None) -> Any:
    """Crystals of the campaign's dataset, or of the starter set."""
    from gen2dft.campaign import DatasetSpec
    from gen2dft.datasets import load_dataset
    from gen2dft.ground.hulls import whole_source
    from gen2dft.rounds.round import Round

    if document is not None:
        return Round(store, document.id, 0).base
    return load_dataset(whole_source(DatasetSpec()), seed=0, cache_dir=None)


# Candidates
# ------------------------------------------------------------------------------------------------


def _of_candidates(
    job: Job, document: CampaignDoc, ids: Sequence[str], top: int | None, *, dry_run: bool
) -> list[LabelDoc]:
    """Labels of candidates, their decomposition in them."""
    from gen2dft.rounds.decompose import best_first, case_of, chosen

    wanted = [_candidate(job.store, name).candidate_id for name in ids]
    candidates = chosen(job.store, document.id, wanted)
    if not candidates:
        raise CampaignError(
            f"{document.id} has no hit to decompose: name candidates by their ids, see "
            f"`gen2dft candidates -c {document.id}`"
        )
    cases = [case_of(job.store, candidate, job.method, job.sources) for candidate in candidates]
    ordered = best_first(cases)[:top]
    for case in ordered:
        _announce(case)
    if dry_run:
        return []
    return list(_computed(job, ordered))


def _candidate(store: Store, name: str) -> CandidateDoc:
    from gen2dft.cli.crystal import find_crystal

    found = find_crystal(store, name)
    if found is None:
        raise CampaignError(f"{name!r} is a campaign: name it with --campaign, and candidates here")
    return found


def _announce(case: Case) -> None:
    """One line per candidate: what is computed for it, at which cost."""
    parts = [chemical(phase.name) for phase, _ in case.plan.phases]
    if case.label is None:
        parts.insert(0, "the candidate itself")
    work = ", ".join(parts) or "nothing"
    cost = f"{60 * case.hours:.1f} core-minutes predicted" if parts else "all is there"
    name = f"{chemical(case.candidate.formula or '')} {case.candidate.candidate_id}"
    away = "" if case.distance is None else f", {case.distance:+.3f} eV/atom above the hull so far"
    _say(f"{name}{away}: to compute: {work}; {cost}")


def _computed(job: Job, cases: Sequence[Case]) -> Iterator[LabelDoc]:
    """The labels, one after the other; phases that an earlier one has computed are there."""
    from gen2dft.flows.competing import compute_here
    from gen2dft.rounds.competing import plan_of
    from gen2dft.rounds.decompose import write_decomposition

    for case in cases:
        label = case.label or _own(job, case)
        if label is None:
            continue
        amounts = case.start.composition.get_el_amt_dict()
        plan = plan_of(job.store, job.method, amounts, job.sources)
        with console.status(f"{counted(len(plan.phases), 'competing phase')}: minutes"):
            told = compute_here(job.store, plan, job.folder, job.cpu_minutes)
        found = write_decomposition(job.store, label, told)
        _say_texts(found)
        yield found


def _own(job: Job, case: Case) -> LabelDoc | None:
    """The label of a candidate whose own energy is computed first; None if that failed."""
    from gen2dft.rounds.decompose import label_by_hand

    calculations = _energy(job, case.start, case.candidate.candidate_id)
    if calculations is None:
        return None
    return label_by_hand(job.store, case.candidate, calculations)


def _energy(job: Job, start: Structure, name: str) -> list[CalculationDoc] | None:
    """Relaxation and energy of a crystal, kept in the folder; None if they failed."""
    from gen2dft.engines import load_engine
    from gen2dft.engines.outcomes import finished, stage_problem
    from gen2dft.flows.competing import calculate_here
    from gen2dft.rounds.decompose import own_reference

    reference = own_reference(load_engine(job.method.engine), job.method.preset, start, name)
    known = _kept(job, reference)
    if known is not None:
        return known
    with console.status(f"{start.composition.reduced_formula}: relaxation and energy: minutes"):
        outcomes = calculate_here(reference, job.folder, job.cpu_minutes)
    problem = stage_problem(outcomes)
    if problem is not None:
        _say(f"{name}: passed over: {problem.reason}: {problem.detail}")
        return None
    calculations = finished(outcomes)
    _keep(job, reference, calculations)
    return calculations


def _kept(job: Job, reference: Reference) -> list[CalculationDoc] | None:
    """Calculations that an earlier run has left."""
    from gen2dft.engines.base import CalculationDoc
    from gen2dft.engines.kept import FILE, read_outcome

    found = []
    for task in ("relax", "static"):
        path = job.folder / reference.key / f"{task}-{FILE}"
        known = read_outcome(path, reference.key)
        if not isinstance(known, CalculationDoc):
            return None
        found.append(known)
    return found


def _keep(job: Job, reference: Reference, calculations: Sequence[CalculationDoc]) -> None:
    from gen2dft.engines.kept import FILE, write_outcome

    for calculation in calculations:
        path = job.folder / reference.key / f"{calculation.task}-{FILE}"
        write_outcome(path, reference.key, calculation)


# Files
# ------------------------------------------------------------------------------------------------


def _of_files(job: Job, paths: Sequence[Path], *, dry_run: bool) -> list[LabelDoc]:
    """What labels of the crystals of files would say; nothing but their phases is kept."""
    from gen2dft.datasets.own_structures import read_one_crystal
    from gen2dft.ground.competing import SYMPREC
    from gen2dft.symmetry import idealised_primitive

    crystals = {path: idealised_primitive(read_one_crystal(path), SYMPREC) for path in paths}
    labels = []
    for path, crystal in crystals.items():
        label = _of_file(job, path, crystal, dry_run=dry_run)
        if label is not None:
            labels.append(label)
    return labels


def _of_file(job: Job, path: Path, crystal: Structure, *, dry_run: bool) -> LabelDoc | None:
    """The label of one crystal; None if it was only announced, or failed."""
    from gen2dft.flows.competing import compute_here
    from gen2dft.ground.competing import computed_before
    from gen2dft.rounds.competing import decomposed, plan_of

    plan = plan_of(job.store, job.method, crystal.composition.get_el_amt_dict(), job.sources)
    known = computed_before(job.store, job.method, crystal)
    _announce_file(job, path, None if known is not None else crystal, plan)
    if dry_run:
        return None
    calculations = [] if known is not None else _energy(job, crystal, path.stem)
    if calculations is None:
        return None
    told = compute_here(job.store, plan, job.folder, job.cpu_minutes)
    own = _label_of_phase(path, known) if known else _label_of(path, calculations)
    label = decomposed(job.store, own, told)
    _say_texts(label)
    return label


def _announce_file(job: Job, path: Path, crystal: Structure | None, plan: Plan) -> None:
    """One line: what is computed for a file, at which cost.

    Parameters
    ----------
    crystal
        None: its own energy is there.
    """
    from gen2dft.rounds.competing import Prices

    wanted = [reference.phase.structure for _, reference in plan.phases]
    names = [chemical(phase.name) for phase, _ in plan.phases]
    if crystal is not None:
        wanted.append(crystal)
        names.insert(0, "itself")
    prices = Prices.of(job.store, job.method)
    minutes = 60 * sum(prices.core_hours(each) for each in wanted)
    work = ", ".join(names) or "nothing"
    _say(f"{path}: to compute: {work}; {minutes:.1f} core-minutes predicted")


def _label_of(path: Path, calculations: Sequence[CalculationDoc]) -> LabelDoc:
    """The label of a crystal that belongs to no campaign."""
    from gen2dft.engines.outcomes import core_hours

    last = calculations[-1]
    changed = any(each.settings_changed for each in calculations)
    fields: dict[str, Any] = {
        "structure": last.structure.as_dict(verbosity=0),
        "values": dict(last.values),
        "core_hours": core_hours(calculations),
        "settings_changed": changed,
    }
    return _label(path, last, fields)


def _label_of_phase(path: Path, known: ReferenceDoc) -> LabelDoc:
    """The same of a crystal that has been computed as a phase."""
    return _label(path, known, {"structure": known.structure, "values": {}})


def _label(path: Path, found: CalculationDoc | ReferenceDoc, fields: dict[str, Any]) -> LabelDoc:
    from gen2dft.engines import load_engine
    from gen2dft.store.documents import LabelDoc

    return LabelDoc(
        id=path.stem,
        candidate_id=path.stem,
        campaign_id="",
        round_index=0,
        engine=found.engine,
        is_dft=load_engine(found.engine).is_dft,
        preset=found.preset,
        settings_hash=found.settings_hash,
        energy_per_atom=found.energy_per_atom,
        run_type=found.run_type,
        hull_id="",
        **fields,
    )


# Words
# ------------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)


def _say_texts(label: LabelDoc) -> None:
    for text in decomposition_texts(label):
        _say(f"  {text}")


def _table(labels: Sequence[LabelDoc]) -> Any:
    """Decomposition energies beside the distances that they replace."""
    table = plain_table("stability by DFT, eV/atom")
    for title in ("id", "formula"):
        table.add_column(title, no_wrap=True)
    for title in ("by DFT", "before", "core-minutes"):
        table.add_column(title, justify="right")
    table.add_column("products")
    for label in labels:
        found = label.decomposition
        if found is None:
            continue
        energy = "missing" if found.energy is None else f"{found.energy:+.3f}"
        before = "" if found.replaced is None else f"{found.replaced:+.3f} {found.replaced_basis}"
        formula = structure_of(label.structure).composition.reduced_formula
        products = ", ".join(
            f"{100 * product.share:.0f} % {chemical(product.formula)}" for product in found.products
        )
        cost = f"{60 * label.core_hours:.1f}"
        table.add_row(label.candidate_id, formula, energy, before, cost, products)
    return table
