"""Crystals of the user's own, kept in the store before their campaign begins."""

from __future__ import annotations

from gen2dft.generators.snapshot import snapshot_id, to_bytes
from gen2dft.generators.structures import StructuresGenerator
from gen2dft.hashing import content_hash
from gen2dft.store.documents import SnapshotDoc
from gen2dft.store.store import Store


def freeze(store: Store, generator: StructuresGenerator) -> str:
    """Keep crystals as a snapshot, so that no worker needs their files; the snapshot's id.

    The same crystals under the same names are kept once.
    """
    data = to_bytes(generator)
    document = SnapshotDoc(
        id=snapshot_id(data),
        blob_id=store.put_blob(data, "snapshot"),
        generator=generator.name,
        properties=[],
        training_set_hash=content_hash(generator.crystals.content_hash(), digits=16),
    )
    store.insert_new(document)
    return document.id
