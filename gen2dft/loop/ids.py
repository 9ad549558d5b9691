"""Ids of candidates: hashes of all that decides a draw, never a position in a list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.hashing import content_hash
from gen2dft.loop.draw import Drawn
from gen2dft.loop.view import View

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
        return candidate_id(model.snapshot_id, proposal.latents[row])
    return draw_id(model.snapshot_id, view.spec.seed, view.index, proposal.keys[row])


def draw_id(snapshot_id: str, seed: int, index: int, key: str) -> str:
    """Hash of the source's snapshot, which holds its settings, of the seed, the round and the
    source's own name of the draw; 16 hexadecimal digits.
    """
    return content_hash(f"{snapshot_id} {seed} {index} {key}", digits=ID_DIGITS)
