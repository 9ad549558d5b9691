"""The verb that follows a crystal back to where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.campaign import stored_campaign
from gen2dft.cli.common import echo_json, open_store, styled_state
from gen2dft.errors import StoreError
from gen2dft.report.candidate import engine_text
from gen2dft.report.wording import Known, pretty, round_title, value_text, when

if TYPE_CHECKING:
    from gen2dft.review.trace import Trace
    from gen2dft.store.documents import HitDoc

console = Console()
SHOWN = 4  # components of the latent vector; --json has all


def trace(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Beginning of the id of a hit or candidate.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine-readable output, with the latent vector.")
    ] = False,
) -> None:
    """Follow a crystal back: hit, calculations, structure, latent vector, snapshot, training set.

    Decode it again.
    """
    from gen2dft.cli.crystal import find_crystal
    from gen2dft.review.trace import trace as follow

    store = open_store()
    candidate = find_crystal(store, identifier)
    if candidate is None:
        raise StoreError(
            f"{identifier!r} is a campaign: give the id of one of its hits, see `gen2dft hits`"
        )
    found = follow(store, candidate)
    if as_json:
        echo_json(_as_dict(found))
    else:
        for title, text in _steps(found):
            console.print(f"[bold]{title:<12}[/] {text}", highlight=False, soft_wrap=True)
    if found.redecoded.is_same is False:
        raise typer.Exit(1)


def _steps(found: Trace) -> Iterator[tuple[str, str]]:
    """The chain, last step first, as title and text."""
    candidate = found.candidate
    known = stored_campaign(found.campaign).known_properties
    yield (
        "candidate",
        f"{candidate.id}  {escape(candidate.formula or 'not decoded')}  "
        f"{styled_state(candidate.state)}",
    )
    if found.hit is not None:
        yield (
            "hit",
            escape(
                f"{found.hit.formula} {found.hit.spacegroup}, {_values(found.hit, known)}; hull "
                f"{found.hit.hull_id}"
            ),
        )
    for label in found.labels:
        yield (
            "label",
            f"{label.id}  {engine_text(label)}, settings {label.settings_hash}, "
            f"{label.core_hours:.3g} core-h",
        )
        for calculation in label.provenance.get("calculations", []):
            yield (
                "  computed",
                escape(
                    f"{calculation['task']}, {calculation['steps']} steps, "
                    f"{calculation['directory']}"
                ),
            )
    if candidate.surrogate is not None:
        verdict = candidate.surrogate
        yield "screen", escape(f"{verdict.engine}, {verdict.preset} (not DFT)")
    yield "structure", _structure_text(found)
    head = ", ".join(f"{x:.4g}" for x in found.vector[:SHOWN])
    place = f"row {candidate.latent_row} of {round_title(candidate.round_index)}"
    yield "latent", f"{place}: ({head}, ...), {len(found.vector)} dimensions"
    yield "sampler", f"{candidate.sampler}, seed {found.seed}: default_rng({found.rng})"
    yield "parents", ", ".join(candidate.parents) or "none: a random draw"
    for snapshot in found.snapshots:
        yield "snapshot", f"{snapshot.id}  {snapshot.generator}, trained {when(snapshot.created)}"
    yield "trained on", _training_text(found)


def _values(hit: HitDoc, known: Known) -> str:
    return ", ".join(
        f"{name} {value_text(name, value, known)} {pretty(known[name].unit)} ({hit.basis[name]})"
        for name, value in hit.values.items()
    )


def _structure_text(found: Trace) -> str:
    again = found.redecoded
    if again.problem:
        return f"[yellow]not decoded again: {escape(again.problem)}[/]"
    if again.is_same:
        return f"{again.stored}; the latent vector, decoded again, gives [green]the same[/]"
    if not again.same_id:
        return (
            "[red]snapshot and latent vector do not give this candidate's id: the documents "
            "do not belong together[/]"
        )
    return (
        f"[red]{again.stored}, but the latent vector, decoded again, gives {again.decoded}[/]: "
        "another machine or "
        "other versions than those of the snapshot round differently, or the document was changed"
    )


def _training_text(found: Trace) -> str:
    training = found.training
    if training is None:
        return f"data set {found.campaign.dataset_hash}, which is not in this database"
    text = f"{training.hash}: {training.num_base:,} crystals of {found.campaign.dataset_hash}"
    text += f" and {training.num_labels:,} labels of earlier rounds"
    return (
        text
        if training.rebuilt == training.hash
        else f"{text} (of which some came after the training)"
    )


def _as_dict(found: Trace) -> dict[str, Any]:
    """The chain for other programs; rounds count from 0 as in the database."""
    bare = {"structure", "history"}
    return {
        "candidate": found.candidate.model_dump(mode="json", exclude={"surrogate", *bare}),
        "hit": found.hit.model_dump(mode="json", exclude=bare) if found.hit else None,
        "labels": [label.model_dump(mode="json", exclude=bare) for label in found.labels],
        "latent_vector": [float(x) for x in found.vector],
        "seed": found.seed,
        "rng": found.rng,
        "snapshots": [snapshot.model_dump(mode="json") for snapshot in found.snapshots],
        "training": vars(found.training) if found.training else None,
        "dataset": found.campaign.dataset_hash,
        "redecoded": {**vars(found.redecoded), "is_same": found.redecoded.is_same},
    }
