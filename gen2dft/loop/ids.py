"""Ids of candidates: hashes of all that decides a draw, never a position in a list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.generators.draw_ids import draw_id
from gen2dft.hashing import content_hash
from gen2dft.loop.draw import Drawn
from gen2dft.loop.view import SAMPLING_STREAMS, View

ID_DIGITS = 16


def candidate_id(snapshot_id: str, latent: NDArray[np.float32]) -> str:
    """Hash of the snapshot, which holds the decoder's settings, and the latent vector.

    16 hexadecimal digits.
    """
    vector = np.ascontiguousarray(latent, dtype="<f4").tobytes()
    return content_hash(snapshot_id, vector, digits=ID_DIGITS)


def id_of(view: View, drawn: Drawn, row: int) -> str:
    """The id of one draw."""
    proposal, model = drawn.proposal, drawn.arm.model
    if proposal.latents is not None:
        latent = proposal.latents[row]
        return candidate_id(model.snapshot_id, latent)
    stream = drawn.arm.part_of(SAMPLING_STREAMS)
    seed = view.streams.entropy(*stream)
    return draw_id(model.source, seed, proposal.keys[row])
