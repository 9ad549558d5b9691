"""Verbs that move a campaign: submit, run, advance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.cli.options import LARGEST_SEED, LONGEST, MANY, MOST_WORKERS, in_file
from gen2dft.cli.own_structures import (
    All,
    Asked,
    Novelty,
    SkipBroken,
    Structures,
    ToCompute,
    read_asked,
)
from gen2dft.cli.remarks import said_once, say_notes

if TYPE_CHECKING:
    from gen2dft.campaign import CampaignSpec
    from gen2dft.launchpad.submit import Submitted
    from gen2dft.rounds.prepare import Prepared
    from gen2dft.settings import Settings
    from gen2dft.store.documents import CampaignDoc
    from gen2dft.store.store import Store

console = Console()
LOST_SECONDS = 600

Campaign = Annotated[
    str | None, typer.Option("--campaign", "-c", help="Name of a campaign that ships with gen2dft.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="Campaign file of your own (YAML).", parser=in_file, metavar="FILE"
    ),
]
DatasetSource = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="starter, prototypes, materials-project, an imported set (`gen2dft data list`), or a "
        "file or folder; overrules the file.",
    ),
]
Rounds = Annotated[
    int | None,
    typer.Option("--rounds", min=1, max=MANY, help="Rounds at most; overrules the file."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, max=LARGEST_SEED, help="Seed of all randomness; overrules the file."
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Engine of the validation, e.g. gpaw, with its default preset, or mlip:chgnet-v1.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any key of the campaign file, e.g. --set learning.batch=10."),
]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="NAME",
        help="Improbable labels of the training data that are right nevertheless, by the name that "
        "the refusal gives; as dataset.accept.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check and show everything, write nothing.")
]


def submit(
    campaign: Campaign = None,
    file: File = None,
    dataset: DatasetSource = None,
    rounds: Rounds = None,
    seed: Seed = None,
    engine: Engine = None,
    set_: Set = None,
    accept: Accept = None,
    structures: Structures = None,
    skip_broken: SkipBroken = False,
    novelty: Novelty = False,
    everything: All = False,
    dry_run: DryRun = False,
) -> None:
    """Submit a campaign; its fireworks wait for `gen2dft run`, rlaunch or qlaunch.

    Again: adds nothing.
    """
    from gen2dft.settings import load_settings

    own = read_asked(Asked(structures, skip_broken, novelty, everything), console)
    set_ = [*accepted(accept), *(set_ or ())]
    spec = resolve_spec(campaign, file, dataset, rounds, seed, engine, set_, own)
    settings = load_settings()
    if not dry_run:
        _check_place(settings)
    prepared = _prepare(spec, settings)
    _check_validation(spec, prepared, settings, works_here=False)
    if dry_run:
        _show_plan(spec, prepared, settings)
        return
    submitted = _submit(spec, prepared, settings, own)
    _say_submitted(submitted)
    console.print(
        "Work on it here with [bold]gen2dft run[/] (same options), or on a cluster with "
        "[bold]qlaunch -r rapidfire[/]. Watch it with [bold]gen2dft status[/]."
    )


def run(
    campaign: Campaign = None,
    file: File = None,
    dataset: DatasetSource = None,
    rounds: Rounds = None,
    seed: Seed = None,
    engine: Engine = None,
    set_: Set = None,
    accept: Accept = None,
    structures: Structures = None,
    skip_broken: SkipBroken = False,
    novelty: Novelty = False,
    everything: All = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-w",
            min=1,
            max=MOST_WORKERS,
            help="Worker processes; default: one per core, if the memory allows.",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Submit a campaign and work on it here until it is finished.

    Killed? The same command goes on where it was.
    """
    from gen2dft.settings import load_settings

    own = read_asked(Asked(structures, skip_broken, novelty, everything), console)
    set_ = [*accepted(accept), *(set_ or ())]
    spec = resolve_spec(campaign, file, dataset, rounds, seed, engine, set_, own)
    settings = load_settings()
    if not dry_run:
        _check_place(settings)
    prepared = _prepare(spec, settings)
    _check_validation(spec, prepared, settings, works_here=True)
    if dry_run:
        _show_plan(spec, prepared, settings)
        return
    submitted = _submit(spec, prepared, settings, own)
    _say_submitted(submitted)
    _work_until_finished(submitted.campaign_id, settings, workers or settings.workers)


def _work_until_finished(key: str, settings: Settings, workers: int) -> None:
    """Work on a campaign; Gen2DFTError if it ends paused or crashed instead."""
    from gen2dft.cli.at_work import at_work
    from gen2dft.cli.progress import CampaignProgress, print_summary
    from gen2dft.launchpad.advance import waits_for_answers
    from gen2dft.launchpad.connect import connect_launchpad
    from gen2dft.launchpad.work import work
    from gen2dft.store.connect import open_to_write

    store, lpad = open_to_write(settings), connect_launchpad(settings)
    running = partial(at_work, store, lpad, key)
    with CampaignProgress(store, key, console, at_work=running) as progress:
        work(settings, key, workers, progress.tick, console.print)
    if waits_for_answers(store, key):
        console.print(
            f"the batch is chosen and waits for answers: [bold]gen2dft ask -c {key}[/]",
            highlight=False,
        )
        return
    print_summary(store, key, console)


def advance(
    campaign: Annotated[
        str | None, typer.Argument(help="Name or id; default: all that are not finished.")
    ] = None,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry", help="Also try crashed steps of a round again, and resume what is paused."
        ),
    ] = False,
    lost_after: Annotated[
        int,
        typer.Option(
            "--lost-after",
            min=60,
            max=LONGEST,
            help="Seconds without a sign of life that make a run lost. Workers of gen2dft's files "
            "give one a minute; "
            "for others it must exceed their PING_TIME_SECS.",
        ),
    ] = LOST_SECONDS,
) -> None:
    """Carry campaigns on by hand or from cron, and repair what dead workers left."""
    from gen2dft.launchpad.connect import connect_launchpad
    from gen2dft.launchpad.lost import recover_lost_runs
    from gen2dft.settings import load_settings
    from gen2dft.store.connect import open_to_write

    settings = load_settings()
    store, lpad = open_to_write(settings), connect_launchpad(settings)
    for fw_id in recover_lost_runs(lpad, expiration_secs=lost_after):
        console.print(f"firework {fw_id} had lost its worker; it will run again")
    if campaign:
        chosen = [store.find_campaign(campaign)]
    else:
        chosen = [document for document in store.campaigns() if document.state != "finished"]
    readable = [_carry_on(store, lpad, document.id, retry=retry) for document in chosen]
    if not all(readable):
        raise typer.Exit(1)


def _carry_on(store: Store, lpad: Any, campaign_id: str, *, retry: bool) -> bool:
    """Carry one campaign on, and say so.

    False where it stops at a document that cannot be read, which must not stop the others.
    """
    from gen2dft.launchpad.repair import crashed_steps, repair
    from gen2dft.store.reading import UnreadableDocument

    try:
        done = repair(store, lpad, campaign_id, retry=retry)
        for line in done or ["nothing to do"]:
            console.print(f"{campaign_id}: {line}")
        crashed = crashed_steps(lpad, campaign_id)
        _print_obstacles(store.campaign(campaign_id), crashed)
    except UnreadableDocument as err:
        console.print(f"{campaign_id}: [red]stops[/]: {escape(str(err))}", highlight=False)
        return False
    return True


def _print_obstacles(campaign: CampaignDoc, crashed: Iterable[tuple[str, str]]) -> None:
    """Print the reasons why a campaign does not go on."""
    key = campaign.id
    if campaign.state == "paused":
        reason = escape(str(campaign.stop_reason))
        console.print(f"{key}: [red]paused[/]: {reason}", highlight=False)
    for step, error in crashed:
        remedy = "after mending it: gen2dft advance --retry"
        console.print(f"{key}: [red]{step} crashed[/]: {error}; {remedy}")


def resolve_spec(
    campaign: str | None,
    file: Path | None,
    dataset: str | None,
    rounds: int | None,
    seed: int | None,
    engine: str | None,
    texts: list[str] | None,
    own: ToCompute | None = None,
) -> CampaignSpec:
    """The campaign's spec with the command line's overrides, and with crystals of one's own in the
    place of its generators.
    """
    from gen2dft.campaign import builtin_campaigns
    from gen2dft.datasets.imported import imported_file
    from gen2dft.errors import CampaignError

    if (campaign is None) == (file is None):
        raise CampaignError(
            f"give either --campaign, one of {builtin_campaigns()}, or -f FILE.yaml"
        )
    if dataset and imported_file(dataset) is None and Path(dataset).exists():
        # Workers run in folders of their own.
        dataset = str(Path(dataset).resolve())
    overrides: dict[str, Any] = {
        "dataset.source": dataset,
        "learning.rounds": rounds,
        "seed": seed,
    }
    given = {key: value for key, value in overrides.items() if value is not None}
    given |= assignments(texts or [])
    return _with_engine(str(file or campaign), engine, given, own)


def _with_engine(
    source: str, engine: str | None, given: dict[str, Any], own: ToCompute | None
) -> CampaignSpec:
    """The campaign with the engine of --engine, which changes all that hangs on the engine.

    What --set says has the last word.
    """
    from gen2dft.campaign import load_campaign
    from gen2dft.errors import CampaignError, shown
    from gen2dft.ground.roles import with_stability_by_the_screen

    change = None if own is None else own.change(given)
    spec = load_campaign(source, given, change)
    if engine is None:
        return spec
    name, colon, preset = engine.partition(":")
    if not name or (colon and not preset):
        raise CampaignError(
            f"--engine {shown(engine)} is not of the form ENGINE or ENGINE:PRESET; "
            "`gen2dft presets list` shows both"
        )
    changes: dict[str, Any] = {"validation.engine": name}
    if preset or name != spec.validation.engine:
        changes["validation.preset"] = preset or None
    if name != spec.validation.engine:
        # Both hold for the presets of one engine alone.
        changes |= {"validation.refine": None, "validation.references": {}}
    loaded = load_campaign(source, {**changes, **given}, change)
    settled = with_stability_by_the_screen(loaded)
    _say_who_judges(loaded, settled)
    return settled


def _say_who_judges(loaded: CampaignSpec, settled: CampaignSpec) -> None:
    """One line for targets that went to the screen."""
    before = {target.property: target.by for target in loaded.targets}
    moved = [target.property for target in settled.targets if target.by != before[target.property]]
    if moved:
        surrogate = settled.screening.surrogate
        console.print(
            f"{' and '.join(moved)} by: screen ({surrogate.engine} {surrogate.preset}): energies "
            f"of engine {settled.validation.engine} have no references on the scale of the hull",
            highlight=False,
            soft_wrap=True,
        )


def accepted(names: Sequence[str] | None) -> list[str]:
    """The assignment that --accept stands for; none without it."""
    return [f"dataset.accept={json.dumps(list(names))}"] if names else []


def assignments(texts: Sequence[str]) -> dict[str, Any]:
    """`key=value` texts, values read as YAML; of two with one key the last counts."""
    from gen2dft.errors import CampaignError, brief
    from gen2dft.plain_yaml import read_yaml

    result: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        name = key.strip()
        if not equals or not name:
            raise CampaignError(
                f"--set {brief(repr(text))} is not of the form key=value, e.g. --set "
                "learning.batch=10"
            )
        result[name] = read_yaml(value, f"--set {brief(name)}", CampaignError)
    return result


def _check_place(settings: Settings) -> None:
    """Refuse a database that takes no campaign, and a job store that no worker could read."""
    from gen2dft.launchpad.job_store import refuse_private_store
    from gen2dft.store.connect import open_to_write

    if not settings.is_embedded:  # its only user is the owner of its folder
        open_to_write(settings)
    refuse_private_store(settings)


def _prepare(spec: CampaignSpec, settings: Settings) -> Prepared:
    """Training set and hulls of a campaign, with everything checked that can be checked before work
    begins.
    """
    from gen2dft.rounds.begin import calibration_ids
    from gen2dft.rounds.prepare import needs_store, open_targets, prepare
    from gen2dft.store.connect import open_store

    store = open_store(settings) if needs_store(spec) else None
    if store is not None:
        calibration_ids(store, spec)
    with said_once(console), console.status("reading the training data"):
        prepared = prepare(spec, settings.data_dir / "cache", store)
    training_set = prepared.dataset
    say_notes(training_set, console)
    for name in open_targets(spec, training_set):
        target = spec.known_properties[name].title
        console.print(
            f"[yellow]target {target} is left open[/]: fewer than {spec.dataset.min_labels} of the "
            f"{len(training_set)} training crystals are labelled with it"
        )
    return prepared


def _check_validation(
    spec: CampaignSpec, prepared: Prepared, settings: Settings, *, works_here: bool
) -> None:
    """Refuse a campaign that the engine cannot validate.

    Problems of this machine alone are errors if it is to do the work, and else remarks.
    """
    from gen2dft.errors import SettingsError
    from gen2dft.rounds.prepare import check_validation, doubts, needs_store
    from gen2dft.store.connect import open_store

    store = open_store(settings) if needs_store(spec) else None
    for problem in check_validation(spec, prepared.dataset, store):
        if works_here:
            raise SettingsError(problem)
        console.print(f"[yellow]{escape(problem)}[/]", highlight=False)
    for doubt in doubts(spec, prepared.dataset):
        console.print(f"[yellow]{escape(doubt)}[/]", highlight=False)


def _submit(
    spec: CampaignSpec, prepared: Prepared, settings: Settings, own: ToCompute | None
) -> Submitted:
    from gen2dft.launchpad.connect import connect_launchpad
    from gen2dft.launchpad.submit import submit as submit_campaign
    from gen2dft.store.connect import open_to_write

    _say_energies_that_meet(spec, prepared.hull.scale)
    store = open_to_write(settings)
    if own is not None:
        own.freeze(store)
    return submit_campaign(store, connect_launchpad(settings), spec, *prepared)


def _say_submitted(submitted: Submitted) -> None:
    outcome = "submitted" if submitted.created else "is already there; nothing was added"
    console.print(f"campaign [bold]{submitted.campaign_id}[/] {outcome}")


def _show_plan(spec: CampaignSpec, prepared: Prepared, settings: Settings) -> None:
    import yaml

    from gen2dft.ground.stability import with_correction

    spec = with_correction(spec, prepared.screen_hull or prepared.hull)
    key = _would_be_id(spec, prepared, settings)
    training_set, hull, screen = prepared
    resolved = spec.model_dump(mode="json", by_alias=True)
    console.print(yaml.safe_dump(resolved, sort_keys=False), highlight=False)
    counts = training_set.num_labels().items()
    labels = ", ".join(f"{count} {name}" for name, count in counts)
    size = f"{len(training_set)} crystals; labels: {labels}"
    console.print(f"training set {training_set.content_hash}: {size}")
    size = f"{hull.num_entries} entries on scale {hull.scale or 'unknown'}"
    console.print(f"hull {hull.hull_hash}: {size}")
    if screen is not None:
        size = f"{screen.num_entries} entries on scale {screen.scale}"
        console.print(f"hull of the screen {screen.hull_hash}: {size}")
    _say_energies_that_meet(spec, hull.scale)
    console.print(f"would be campaign [bold]{key}[/]; nothing was written")


def _say_energies_that_meet(spec: CampaignSpec, hull_scale: str | None) -> None:
    """Say loudly where energies of two kinds share the hull."""
    from gen2dft.ground.meeting import energies_that_meet

    for text in energies_that_meet(spec, hull_scale):
        console.print(text, style="bold red", highlight=False, markup=False, soft_wrap=True)


def _would_be_id(spec: CampaignSpec, prepared: Prepared, settings: Settings) -> str:
    """The id that the campaign would get, from all that decides its results.

    Parameters
    ----------
    spec
        As it would be stored, with the correction named that `auto` stands for.
    """
    from gen2dft.rounds.begin import calibration_ids, campaign_id, computed_elements
    from gen2dft.rounds.prepare import needs_store
    from gen2dft.store.connect import open_store

    if not needs_store(spec):
        return campaign_id(spec, *prepared, {}, {})
    store = open_store(settings)
    calibrations = calibration_ids(store, spec)
    elements = computed_elements(store, spec)
    return campaign_id(spec, *prepared, calibrations, elements)
