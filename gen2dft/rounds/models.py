"""Trained sources in the store: written by training, read by every later step."""

from __future__ import annotations

from gen2dft.campaign import GeneratorSpec
from gen2dft.errors import StoreError
from gen2dft.generators.base import AnyGenerator, is_latent
from gen2dft.generators.snapshot import from_bytes
from gen2dft.heads.base import Head
from gen2dft.loop.view import Model
from gen2dft.rounds.round import Round
from gen2dft.store.documents import RoundDoc, SnapshotDoc
from gen2dft.store.store import Store


def read_models(context: Round) -> list[Model]:
    """The models of a round, in the order of the campaign's sources.

    Raises
    ------
    StoreError
        If the round's training has not finished.
    """
    document = context.document
    models = []
    for source in context.spec.sources:
        head_id = document.head_ids.get(source.label)
        snapshot = snapshot_of(document, source)
        models.append(read_model(context.store, source, snapshot, head_id))
    return models


def snapshot_of(document: RoundDoc, source: GeneratorSpec) -> str:
    """Id of the snapshot that a round has trained of a source; StoreError if it has none yet."""
    found = document.snapshot_of(source.label)
    if found is None:
        raise StoreError(
            f"round {document.index} of {document.campaign_id} has no snapshot: its training "
            "has not finished"
        )
    return found


def read_model(
    store: Store, source: GeneratorSpec, snapshot_id: str, head_id: str | None = None
) -> Model:
    """A source's generator and its head; SnapshotError if one is damaged.

    Parameters
    ----------
    head_id
        Blob id of the head; rounds of older versions kept it with the snapshot alone.
    """
    generator = load_generator(store, snapshot_id)
    document = store.get(SnapshotDoc, snapshot_id)
    head = read_head(store, document, generator, head_id)
    return Model(source, generator, head, snapshot_id)


def load_generator(store: Store, snapshot_id: str) -> AnyGenerator:
    """The generator of a snapshot; SnapshotError if it is damaged."""
    document = store.get(SnapshotDoc, snapshot_id)
    return from_bytes(store.get_blob(document.blob_id), f"snapshot {snapshot_id}")


def read_head(
    store: Store, document: SnapshotDoc, generator: AnyGenerator, head_id: str | None = None
) -> Head:
    """The head of a round, or the one that was first fitted with a snapshot.

    Snapshots of the earliest campaigns hold none: then the generator's own predictions have to do,
    without uncertainty.
    """
    blob = head_id or document.ensemble_id
    data = None if blob is None else store.get_blob(blob)
    if is_latent(generator):
        from gen2dft.heads.latent import LatentHead
        from gen2dft.heads.latent_ensemble import HeadEnsemble

        ensemble = None if data is None else HeadEnsemble.from_bytes(data, f"ensemble {blob}")
        return LatentHead(generator, ensemble)
    from gen2dft.heads.composition_trees import CompositionTrees

    if data is None:
        raise StoreError(f"snapshot {document.id} has no head: train the round again")
    return CompositionTrees.from_bytes(data, f"head {blob}")


def head_bytes(head: Head) -> bytes:
    """What is stored of a head beside its snapshot, which holds the generator already."""
    from gen2dft.heads.latent import LatentHead

    if isinstance(head, LatentHead) and head.ensemble is not None:
        return head.ensemble.to_bytes()
    return head.to_bytes()
