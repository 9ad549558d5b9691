"""`tell`: what labels teach. Generators are refitted, and the heads that predict properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from gen2dft.campaign import CampaignSpec, GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.generators import load_generator_class
from gen2dft.generators.base import AnyGenerator, OnEpoch, TrainingResult, is_latent
from gen2dft.generators.snapshot import snapshot_id, to_bytes
from gen2dft.heads.base import Head
from gen2dft.loop.labels import Label, hits_among, labels_to_learn, training_set
from gen2dft.loop.view import LEARNING, Arm, Learner, Model, View, part_of
from gen2dft.streams import Stream


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one source learns in one round.

    Parameters
    ----------
    known
        Crystals and labels; those of the base set first.
    num_base
        Size of the base set; only these may be held out, since labels are dear.
    properties
        Properties that heads learn.
    parent
        The source's generator of the round before, to start from; None trains from scratch.
    """

    spec: CampaignSpec
    source: GeneratorSpec
    known: Dataset
    num_base: int
    properties: tuple[str, ...]
    parent: AnyGenerator | None = None

    @property
    def start(self) -> AnyGenerator | None:
        """The generator to start from.

        None if new labels have made a new head possible: that is another network, which the
        parent's weights do not fit.
        """
        parent = self.parent
        if parent is None or not is_latent(parent):
            return parent
        if parent.properties != self.properties:
            return None
        return parent

    @property
    def total_epochs(self) -> int:
        """Epochs of the whole training."""
        warm = self.start is not None
        return self.source.total_epochs(warm=warm)


def fit_generator(
    lesson: Lesson, checkpoint_dir: Path | None = None, on_epoch: OnEpoch | None = None
) -> tuple[AnyGenerator, TrainingResult]:
    """Train the generator of one source.

    Parameters
    ----------
    checkpoint_dir
        Where an interrupted training is resumed.
    on_epoch
        Called after each epoch with its number and the history's values.
    """
    build = load_generator_class(lesson.source.name)
    generator = build()
    rows = np.arange(len(lesson.known))
    of_base = rows < lesson.num_base
    result = generator.fit(
        lesson.known,
        lesson.source,
        lesson.properties,
        seed=lesson.spec.seed,
        warm_start=cast("Any", lesson.start),  # of the same class: it is the same source's
        may_hold_out=of_base,
        checkpoint_dir=checkpoint_dir,
        on_epoch=on_epoch,
    )
    return generator, result


def fit_head(lesson: Lesson, generator: AnyGenerator, rng: np.random.Generator) -> Head:
    """Fit the head of one source to all that is known.

    A generator with a latent space predicts from it; without one, composition has to do.
    """
    members = lesson.spec.learning.ensemble
    crystals = lesson.known.crystals
    properties = lesson.spec.known_properties
    labels = lesson.known.label_matrix(lesson.properties)
    weights = lesson.known.weight_matrix(lesson.properties)
    if is_latent(generator):
        from gen2dft.heads.latent import LatentHead

        return LatentHead.fit(
            generator, crystals, labels, lesson.properties, rng,
            members=members, known=properties, weights=weights,
        )  # fmt: skip
    from gen2dft.heads.composition_trees import CompositionTrees

    return CompositionTrees.fit(
        crystals, labels, lesson.properties, rng,
        members=members, known=properties, weights=weights,
    )  # fmt: skip


def learnt(spec: CampaignSpec, base: Dataset, labels: Sequence[Label]) -> Learner:
    """What is known after some labels: the base set and all that they teach."""
    taught = labels_to_learn(spec.learning, labels)
    known = training_set(base, taught, spec.dataset.max_sites, spec.head_properties)
    is_hit = hits_among(known, taught)
    return Learner(LEARNING, known, is_hit)


def tell(view: View, labels: Sequence[Label], screened: CrystalTable | None = None) -> View:
    """The view of the next round: learners know the labels, and the learning arms are refitted.

    Parameters
    ----------
    labels
        All labels so far, those of earlier rounds too.
    screened
        Crystals that this round has screened; they are not to be computed twice.
    """
    learner = learnt(view.spec, view.base, labels)
    earlier = view.earlier
    if screened is not None:
        earlier = CrystalTable.concatenate([earlier, screened])
    following = replace(view, index=view.index + 1, earlier=earlier)
    arms = [_refitted(following, arm, learner) for arm in view.arms]
    return replace(following, arms=tuple(arms))


def _refitted(view: View, arm: Arm, learner: Learner) -> Arm:
    """An arm that has learnt; the control arm stays as it is, or it would be no control."""
    if arm.learner.name != LEARNING:
        return arm
    source = arm.model.source
    properties = learner.heads(view.spec)
    lesson = Lesson(
        spec=view.spec,
        source=source,
        known=learner.known,
        num_base=len(view.base),
        properties=properties,
        parent=arm.model.generator,
    )
    generator, _ = fit_generator(lesson)
    stream = part_of(Stream.ENSEMBLE, arm.place)
    rng = view.streams.rng(*stream)
    head = fit_head(lesson, generator, rng)
    snapshot = snapshot_id(to_bytes(generator))
    model = Model(source, generator, head, snapshot)
    return replace(arm, learner=learner, model=model)
