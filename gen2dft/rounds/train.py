"""Train the round's sources on the base set and all labels so far, and keep them as snapshots."""

from __future__ import annotations

from pathlib import Path

from gen2dft.campaign import GeneratorSpec
from gen2dft.generators.base import AnyGenerator, OnEpoch
from gen2dft.loop.learn import Lesson, fit_generator, fit_head
from gen2dft.loop.view import part_of
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.models import head_bytes, load_generator, snapshot_of
from gen2dft.rounds.round import Round
from gen2dft.store.documents import SnapshotDoc
from gen2dft.streams import Stream, Streams
from gen2dft.thermo.hull_check import self_test


def train(context: Round, checkpoint_dir: Path | None = None) -> str:
    """Train each source (later rounds start from the last snapshot) and store the snapshots.

    Parameters
    ----------
    checkpoint_dir
        Where a killed training finds how far it was.

    Returns
    -------
    The first source's snapshot id.
    """
    if context.document.snapshot_id is not None:
        return context.document.snapshot_id
    # Before anything may be called stable.
    footing = footing_of(context)
    for hull in (footing.hull, footing.screen_hull):
        self_test(hull, context.spec.hull.tolerance)
    found = {}
    with context.stage("train", 1):
        for place, source in enumerate(context.spec.sources):
            folder = _folder_of(checkpoint_dir, place)
            found[source.label] = train_source(context, source, place, folder)
    first = next(iter(found.values()))
    if len(found) > 1:
        context.update(snapshot_ids=found)
    learnt = list(read_learner(context).heads(context.spec))
    # Written last: a round with a snapshot counts as trained.
    context.update(snapshot_id=first, learnt=learnt)
    return first


def train_source(
    context: Round, source: GeneratorSpec, place: int, checkpoint_dir: Path | None
) -> str:
    """Train one source, fit its head, and store both; the snapshot's id."""
    from gen2dft.generators.snapshot import snapshot_id, to_bytes

    store = context.store
    parent_id = _parent_of(context, source)
    lesson = _lesson_of(context, source, parent_id)
    generator, result = fit_generator(lesson, checkpoint_dir, _teller(context, lesson))
    data = to_bytes(generator)
    head = _fitted_head(context, lesson, generator, place)
    head_id = store.put_blob(head, "ensemble")
    is_warm = lesson.start is not None
    document = SnapshotDoc(
        id=snapshot_id(data),
        blob_id=store.put_blob(data, "snapshot"),
        generator=source.name,
        properties=list(lesson.properties),
        training_set_hash=lesson.known.content_hash,
        parent_id=parent_id if is_warm else None,
        ensemble_id=head_id,
    )
    store.insert_new(document)
    field = "training" if place == 0 else f"trainings.{source.label}"
    # A generator that learns nothing is one snapshot in all rounds and campaigns: each round has a
    # head of its own all the same.
    context.update(**{field: result.as_dict(), f"head_ids.{source.label}": head_id})
    return document.id


def _lesson_of(context: Round, source: GeneratorSpec, parent_id: str | None) -> Lesson:
    """What a source is to learn in this round, from its snapshot of the round before."""
    learner = read_learner(context)
    parent = None
    if parent_id:
        parent = load_generator(context.store, parent_id)
    return Lesson(
        spec=context.spec,
        source=source,
        known=learner.known,
        num_base=len(context.base),
        properties=learner.heads(context.spec),
        parent=parent,
    )


def _teller(context: Round, lesson: Lesson) -> OnEpoch:
    """Announce a training; the result is to be called after each of its epochs."""
    total = lesson.total_epochs
    context.progress("train", 0, total)

    def tell(epoch: int, values: dict[str, float]) -> None:
        loss = values["loss"]
        context.progress("train", epoch, total, f"loss {loss:.3f}")

    return tell


def _fitted_head(context: Round, lesson: Lesson, generator: AnyGenerator, place: int) -> bytes:
    """The head of one source, fitted to all that is known, as bytes."""
    streams = Streams(context.spec.seed, context.index)
    stream = part_of(Stream.ENSEMBLE, place)
    rng = streams.rng(*stream)
    head = fit_head(lesson, generator, rng)
    return head_bytes(head)


def _parent_of(context: Round, source: GeneratorSpec) -> str | None:
    """Id of the source's snapshot of the round before; in the first round, of what it was frozen
    as, or None.
    """
    if context.index == 0:
        return source.frozen_snapshot
    before = context.store.round(context.campaign_id, context.index - 1)
    return snapshot_of(before, source)


def _folder_of(checkpoint_dir: Path | None, place: int) -> Path | None:
    """Where a source's training keeps its checkpoints, apart from those of other sources."""
    if checkpoint_dir is None or place == 0:
        return checkpoint_dir
    return checkpoint_dir.with_name(f"{checkpoint_dir.name}-source-{place}")
