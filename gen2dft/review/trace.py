"""The way of one crystal backwards: hit, calculations, structure, latent vector, snapshot, training
set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystal_documents import structure_of
from gen2dft.crystals import CrystalTable
from gen2dft.errors import SnapshotError, StoreError
from gen2dft.generators.base import require_latent
from gen2dft.loop.draw import draw
from gen2dft.loop.ids import candidate_id, id_of
from gen2dft.loop.view import CONTROL, SAMPLING_STREAMS
from gen2dft.report.candidate import labels_of
from gen2dft.report.data import load_latents
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.models import load_generator
from gen2dft.rounds.round import Round
from gen2dft.rounds.view import view_to_propose
from gen2dft.store.documents import HitDoc, SnapshotDoc
from gen2dft.streams import Streams

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.store.documents import CampaignDoc, CandidateDoc, LabelDoc
    from gen2dft.store.store import Store


@dataclass(frozen=True)
class Redecoded:
    """What decoding the stored latent vector again gives.

    Parameters
    ----------
    stored, decoded
        Structure hashes (`CrystalTable.content_hash`) of the stored crystal and of the one decoded
        now; None if there is none.
    same_id
        Whether snapshot and latent vector give the candidate's id.
    problem
        Why it could not be tried; empty if it was.
    """

    stored: str | None = None
    decoded: str | None = None
    same_id: bool = False
    problem: str = ""

    @property
    def is_same(self) -> bool | None:
        """Whether the same structure came out under the same id; None if it could not be tried."""
        return None if self.problem else self.stored == self.decoded and self.same_id


@dataclass(frozen=True)
class TrainingSet:
    """What a snapshot was trained on.

    Parameters
    ----------
    hash
        Content hash that the snapshot names.
    rebuilt
        Content hash of base set and labels of earlier rounds as they stand now; another one if
        labels came late.
    num_base, num_labels
        Crystals of the base set, and labels of earlier rounds.
    """

    hash: str
    rebuilt: str
    num_base: int
    num_labels: int


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything that led to one candidate.

    Parameters
    ----------
    vector
        (d,) its latent vector; empty where the round kept none.
    seed
        Of the campaign.
    snapshots
        What decoded it, then what that was trained from, back to the first.
    training
        None if the training data are not in this database, or the crystal was given in a file.
    """

    campaign: CampaignDoc
    candidate: CandidateDoc
    hit: HitDoc | None
    labels: list[LabelDoc]
    vector: NDArray[np.float32]
    seed: int
    snapshots: list[SnapshotDoc]
    training: TrainingSet | None
    redecoded: Redecoded = field(default_factory=Redecoded)

    @property
    def rng(self) -> list[int]:
        """Seed of the sampler's `numpy.random.default_rng`."""
        streams = Streams(self.seed, self.candidate.round_index)
        return streams.entropy(SAMPLING_STREAMS[self.candidate.arm])


def trace(store: Store, candidate: CandidateDoc) -> Trace:
    """Follow a candidate back to the training set, and decode its latent vector again.

    Raises
    ------
    StoreError
        Its campaign or round is missing, or a blob of latent points is damaged.
    """
    campaign, vector = store.campaign(candidate.campaign_id), latent_vector(store, candidate)
    document = store.round(candidate.campaign_id, candidate.round_index)
    own = document.snapshot_of(candidate.source)
    snapshots = _snapshots(store, candidate.snapshot_id or own)
    is_trained = bool(snapshots) and not candidate.origin
    return Trace(
        campaign=campaign,
        candidate=candidate,
        hit=store.find(HitDoc, candidate.id),
        labels=labels_of(store, candidate),
        vector=vector,
        seed=int(campaign.spec["seed"]),
        snapshots=snapshots,
        training=_training_set(store, candidate, snapshots[0]) if is_trained else None,
        redecoded=redecode(store, candidate, vector, snapshots[0] if snapshots else None),
    )


def latent_vector(store: Store, candidate: CandidateDoc) -> NDArray[np.float32]:
    """(d,) latent vector that a candidate was decoded from.

    Empty if its source has no latent space, or its round kept no vectors.
    """
    nothing = np.zeros(0, dtype=np.float32)
    blob = store.round(candidate.campaign_id, candidate.round_index).latents_id
    row = candidate.latent_row
    if blob is None or row is None:
        return nothing
    points = load_latents(store, blob).latents
    return points[row] if row < len(points) else nothing


def redecode(
    store: Store, candidate: CandidateDoc, vector: NDArray[np.float32], snapshot: SnapshotDoc | None
) -> Redecoded:
    """Make a candidate once more from what it came from, and compare structures by their hashes.

    A latent vector is decoded again; a source without a latent space draws again.
    """
    if snapshot is None:
        return Redecoded(problem="its snapshot was not kept")
    if candidate.latent_row is not None and not vector.size:
        return Redecoded(problem="its snapshot or its latent vector was not kept")
    try:
        if candidate.latent_row is None:
            made, same_id = redraw(store, candidate)
        else:
            model = require_latent(load_generator(store, snapshot.id), "a latent vector")
            crystals = model.decode(vector[None, :]).crystals
            made = crystals.structure(0) if len(crystals) else None
            same_id = candidate_id(snapshot.id, vector) == candidate.candidate_id
    except (StoreError, SnapshotError) as err:
        return Redecoded(problem=f"{err} (archives hold snapshots if exported with --snapshots)")
    stored = candidate.structure
    return Redecoded(
        stored=None if stored is None else stored_hash(stored),
        # The same way into a document and out of it as the stored structure has gone.
        decoded=None if made is None else stored_hash(made.as_dict(verbosity=0)),
        same_id=same_id,
    )


def redraw(store: Store, candidate: CandidateDoc) -> tuple[Structure | None, bool]:
    """The crystal of a source without a latent space, drawn again, and whether its id came out."""
    context = Round(store, candidate.campaign_id, candidate.round_index)
    view = view_to_propose(context)
    source = candidate.source or context.spec.sources[0].label
    drawn = draw(view, view.arm_of[source, candidate.arm])
    proposal = drawn.proposal
    for crystal, row in enumerate(proposal.kept):
        if id_of(view, drawn, int(row)) == candidate.candidate_id:
            return proposal.crystals.structure(crystal), True
    return None, False


def stored_hash(structure: Mapping[str, Any]) -> str:
    """Hash of a stored structure."""
    return structure_hash(structure_of(dict(structure)))


def structure_hash(structure: object) -> str:
    """Hash of lattice, species and positions as they are, to the last bit.

    16 hexadecimal digits.
    """
    return CrystalTable.from_structures([structure]).content_hash()  # type: ignore[list-item]


def _snapshots(store: Store, snapshot_id: str | None) -> list[SnapshotDoc]:
    """A snapshot and those it was trained from, as far as they are in this database."""
    found: list[SnapshotDoc] = []
    while snapshot_id and (document := store.find(SnapshotDoc, snapshot_id)) is not None:
        found.append(document)
        snapshot_id = document.parent_id
    return found


def _training_set(
    store: Store, candidate: CandidateDoc, snapshot: SnapshotDoc
) -> TrainingSet | None:
    # The control arm stays with what the first round knew.
    context = Round(
        store, candidate.campaign_id, 0 if candidate.arm == CONTROL else candidate.round_index
    )
    try:
        base, known = context.base, read_learner(context).known
    except StoreError:  # an archive without training data
        return None
    return TrainingSet(
        snapshot.training_set_hash, known.content_hash, len(base), len(known) - len(base)
    )
