"""The verb that measures what the closed loop gains, with an ML potential as oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gen2dft.cli.evaluate import progress_bar, show_table, specs_of_variants
from gen2dft.cli.options import LARGEST_SEED, MANY, in_file, out_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gen2dft.evaluation.plans import Call, LoopBudget
    from gen2dft.evaluation.setting import Setting

console = Console(stderr=True)

DEFAULT = """\
name: bench-loop
targets:
  - {property: formation_energy, near: [-0.5], tolerance: 0.1}
  - {property: e_above_hull, max: 0.1}
sampling: [{method: local, num_points: 2000}]
screening: {charge_balance: false}
"""


def bench_loop(
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="Campaign that gives targets, dataset filters and settings.",
            parser=in_file,
            metavar="FILE",
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="starter, prototypes, or a file or folder.")
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
    plan: Annotated[
        list[str] | None,
        typer.Option(
            "--plan",
            help="published, gen2dft, gen2dft-greedy, loop-greedy, loop-ucb, ...; default: all.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=MANY, help="Repetitions, from --first-seed on.")
    ] = 3,
    first_seed: Annotated[
        int, typer.Option("--first-seed", min=0, max=LARGEST_SEED, help="The first seed.")
    ] = 0,
    calls: Annotated[
        int, typer.Option("--calls", min=1, max=MANY, help="Oracle calls of one run.")
    ] = 48,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=MANY, help="Rounds of a loop.")] = 4,
    points: Annotated[
        int, typer.Option("--points", min=1, max=MANY, help="Latent points per round.")
    ] = 2000,
    epochs_warm: Annotated[
        int,
        typer.Option("--epochs-warm", min=1, max=MANY, help="Epochs of retraining between rounds."),
    ] = 3,
    snapshot_dir: Annotated[
        Path | None,
        typer.Option(
            "--snapshot-dir",
            help="Keep trained generators and relaxations here; use them again.",
            parser=out_folder,
            metavar="DIR",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Folder for journal, table and figure.",
            parser=out_folder,
            metavar="DIR",
        ),
    ] = Path("bench-loop"),
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any key of the campaign.")
    ] = None,
) -> None:
    """Simulate the closed loop with an ML potential as oracle: hits per oracle call against
    one-shot generation.
    """
    from gen2dft.evaluation import bench_loop as bench
    from gen2dft.evaluation.plans import PLANS, LoopBudget
    from gen2dft.evaluation.run import prepare_setting
    from gen2dft.evaluation.setting import Budget
    from gen2dft.settings import load_settings

    names = plan or list(PLANS)
    specs = specs_of_variants(
        None, file, dataset, 0, ["gen2dft", "published"], None, set_ or [], DEFAULT
    )
    budget = LoopBudget(calls, rounds, points, epochs_warm=epochs_warm)
    with progress_bar() as progress:
        setting = prepare_setting(
            specs,
            split_file=split,
            budget=Budget(),
            snapshot_dir=snapshot_dir or out / "kept",
            cache_dir=load_settings().data_dir / "cache",
            progress=progress,
        )
        chosen = range(first_seed, first_seed + seeds)
        made: Sequence[Call] = []
        for made in bench.run_plans(setting, names, chosen, budget, out):
            write_results(setting, made, budget, out)
    show_table(bench.loop_table(setting, made, budget))
    console.print(f"written: {out / 'bench-loop.json'}, .md, .png", highlight=False, soft_wrap=True)


def write_results(
    setting: Setting, calls: Sequence[Call], budget: LoopBudget, folder: Path
) -> None:
    """Write table (JSON, Markdown) and figure of the runs so far."""
    from gen2dft.evaluation import bench_loop as bench
    from gen2dft.report.bench_figure import loop_figure
    from gen2dft.report.output import write_file
    from gen2dft.statistics import share

    table = bench.loop_table(setting, calls, budget)
    rates, runs = {}, {}
    for name, made in bench.by_plan(calls).items():
        hits = sum(call.hit for call in made)
        rates[name] = share(hits, len(made))
        runs[name] = _hits_of_runs(made)
    document = bench.as_document(setting, table, calls, budget)
    write_file(folder / "bench-loop.json", (json.dumps(document, indent=2) + "\n").encode())
    write_file(folder / "bench-loop.md", table.markdown().encode())
    write_file(folder / "bench-loop.png", loop_figure(rates, runs))


def _hits_of_runs(calls: Sequence[Call]) -> list[list[bool]]:
    """Whether each oracle call was a hit, for each seed in the order of the first calls."""
    runs: dict[int, list[bool]] = {}
    for call in calls:
        runs.setdefault(call.seed, []).append(call.hit)
    return list(runs.values())
