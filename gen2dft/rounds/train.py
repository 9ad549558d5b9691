"""Train the round's generator on the base set and all labels so far, and keep it as a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.rounds.context import RoundContext, load_generator
from gen2dft.store.documents import SnapshotDoc
from gen2dft.thermo.hull_check import self_test

if TYPE_CHECKING:
    from gen2dft.generators.base import Generator


def train(context: RoundContext, checkpoint_dir: Path | None = None) -> str:
    """Train (later rounds start from the last snapshot) and store the snapshot.

    Parameters
    ----------
    checkpoint_dir
        Where a killed training finds how far it was.

    Returns
    -------
    The snapshot's id.
    """
    from gen2dft.generators import load_generator_class
    from gen2dft.generators.snapshot import snapshot_id, to_bytes

    if context.round.snapshot_id is not None:
        return context.round.snapshot_id
    for hull in (context.hull, context.screen_hull):  # before anything may be called stable
        self_test(hull, context.spec.hull.tolerance)
    spec, known = context.spec, context.known
    parent_id = (
        context.store.round(context.campaign_id, context.index - 1).snapshot_id
        if context.index
        else None
    )
    parent = load_generator(context.store, parent_id) if parent_id else None
    if parent is not None and parent.properties != context.heads:
        parent, parent_id = (
            None,
            None,
        )  # new labels made a new head possible: another network, trained from scratch
    total = spec.generator.total_epochs(warm=parent is not None)
    with context.stage("train", total):
        generator = load_generator_class(spec.generator.name)()
        result = generator.fit(
            known,
            spec.generator,
            context.heads,
            seed=spec.seed,
            warm_start=parent,
            may_hold_out=np.arange(len(known)) < len(context.base),
            checkpoint_dir=checkpoint_dir,
            on_epoch=lambda epoch, values: context.progress(
                "train", epoch, total, f"loss {values['loss']:.3f}"
            ),
        )
        data = to_bytes(generator)
        heads = fit_ensemble(context, generator)
    document = SnapshotDoc(
        id=snapshot_id(data),
        blob_id=context.store.put_blob(data, "snapshot"),
        generator=spec.generator.name,
        properties=list(context.heads),
        training_set_hash=known.content_hash,
        parent_id=parent_id,
        ensemble_id=context.store.put_blob(heads, "ensemble"),
    )
    context.store.insert_new(document)
    context.update(snapshot_id=document.id, training=result.as_dict())
    return document.id


def fit_ensemble(context: RoundContext, generator: Generator) -> bytes:
    """An ensemble of property heads on the generator's latent vectors of all known crystals, as
    bytes.
    """
    from gen2dft.heads.latent_ensemble import HeadEnsemble

    known, members = context.known, context.spec.learning.ensemble
    latents, labels = generator.encode(known.crystals), known.label_matrix(context.heads)
    return HeadEnsemble.fit(
        latents, labels, context.heads, context.rng(3), members=members
    ).to_bytes()
