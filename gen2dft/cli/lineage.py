"""The verb that follows a crystal back to where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.campaign import stored_campaign
from gen2dft.cli.common import echo_json, open_store_to_show, styled_state
from gen2dft.errors import StoreError
from gen2dft.report.candidate import engine_text
from gen2dft.report.chances import stability_text
from gen2dft.report.wording import pretty, round_title, value_text, when

if TYPE_CHECKING:
    from gen2dft.review.trace import Trace
    from gen2dft.store.documents import CampaignDoc, HitDoc

console = Console()
SHOWN = 4  # components of the latent vector; --json has all
BULKY = {"structure", "history"}  # fields of documents that no chain needs


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

    store = open_store_to_show()
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
    formula = escape(candidate.formula or "not decoded")
    yield "candidate", f"{candidate.id}  {formula}  {styled_state(candidate.state)}"
    yield from _results(found)
    if candidate.surrogate is not None:
        verdict = candidate.surrogate
        yield "screen", escape(f"{verdict.engine}, {verdict.preset} (not DFT)")
    yield "structure", _structure_text(found)
    if candidate.latent_row is not None:
        yield "latent", _vector_text(found)
    yield "sampler", f"{candidate.sampler}, seed {found.seed}: default_rng({found.rng})"
    if candidate.origin:
        yield "file", escape(candidate.origin)
    else:
        yield "parents", ", ".join(candidate.parents) or "none: a random draw"
    if candidate.recipe:
        yield "made by", escape(candidate.recipe)
    for snapshot in found.snapshots:
        done = "kept" if candidate.origin else "trained"
        yield "snapshot", f"{snapshot.id}  {snapshot.generator}, {done} {when(snapshot.created)}"
    if not candidate.origin:  # what was given has been trained on nothing
        yield "trained on", _training_text(found)


def _results(found: Trace) -> Iterator[tuple[str, str]]:
    """Hit, labels and their calculations."""
    if found.hit is not None:
        yield "hit", escape(_hit_text(found.hit, found.campaign))
        if found.hit.stability is not None:
            yield "stability", escape(stability_text(found.hit.stability))
    for label in found.labels:
        how = f"{engine_text(label)}, settings {label.settings_hash}"
        yield "label", f"{label.id}  {how}, {label.core_hours:.3g} core-h"
        for calculation in label.provenance.get("calculations", []):
            parts = [calculation["task"], f"{calculation['steps']} steps"]
            if calculation["directory"]:
                parts.append(calculation["directory"])
            yield "  computed", escape(", ".join(parts))


def _hit_text(hit: HitDoc, campaign: CampaignDoc) -> str:
    known = stored_campaign(campaign).known_properties
    values = []
    for name, value in hit.values.items():
        number = f"{value_text(name, value, known)} {pretty(known[name].unit)}"
        values.append(f"{name} {number} ({hit.basis[name]})")
    origin = f"evidence {hit.evidence}; hull {hit.hull_id}"
    return f"{hit.formula} {hit.spacegroup}, {', '.join(values)}; {origin}"


def _vector_text(found: Trace) -> str:
    candidate, vector = found.candidate, found.vector
    head = ", ".join(f"{component:.4g}" for component in vector[:SHOWN])
    place = f"row {candidate.latent_row} of {round_title(candidate.round_index)}"
    return f"{place}: ({head}, ...), {len(vector)} dimensions"


def _structure_text(found: Trace) -> str:
    again, row = found.redecoded, found.candidate.latent_row
    if again.problem:
        return f"[yellow]not decoded again: {escape(again.problem)}[/]"
    # A generator without a latent space draws the crystal again.
    repeated = "the same draw" if row is None else "the latent vector, decoded again,"
    if again.is_same:
        return f"{again.stored}; {repeated} gives [green]the same[/]"
    if not again.same_id:
        origin = "the same draw does" if row is None else "snapshot and latent vector do"
        return (
            f"[red]{origin} not give this candidate's id: the documents do not belong together[/]"
        )
    return (
        f"[red]{again.stored}, but {repeated} gives {again.decoded}[/]: another machine or "
        "other versions than those of the snapshot round differently, or the document was changed"
    )


def _training_text(found: Trace) -> str:
    training = found.training
    if training is None:
        return f"data set {found.campaign.dataset_hash}, which is not in this database"
    base = f"{training.num_base:,} crystals of {found.campaign.dataset_hash}"
    text = f"{training.hash}: {base} and {training.num_labels:,} labels of earlier rounds"
    if training.rebuilt != training.hash:
        text = f"{text} (of which some came after the training)"
    return text


def _as_dict(found: Trace) -> dict[str, Any]:
    """The chain for other programs; rounds count from 0 as in the database."""
    candidate, hit, again = found.candidate, found.hit, found.redecoded
    return {
        "candidate": candidate.model_dump(mode="json", exclude={"surrogate", *BULKY}),
        "hit": hit.model_dump(mode="json", exclude=BULKY) if hit else None,
        "labels": [label.model_dump(mode="json", exclude=BULKY) for label in found.labels],
        "latent_vector": found.vector.tolist(),
        "seed": found.seed,
        "rng": found.rng,
        "snapshots": [snapshot.model_dump(mode="json") for snapshot in found.snapshots],
        "training": vars(found.training) if found.training else None,
        "dataset": found.campaign.dataset_hash,
        "redecoded": {**vars(again), "is_same": again.is_same},
    }
