"""Ids of draws that have no latent vector."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from gen2dft.campaign import GeneratorSpec


def draw_id(source: GeneratorSpec, seed: Sequence[int], key: bytes) -> str:
    """Hash of the source's name and settings, the seed and the draw; 16 hexadecimal digits.

    Parameters
    ----------
    source
        Settings of the generator that drew.
    seed
        What the random generator of the draws was seeded with.
    key
        The draw's entry in `Proposal.keys`.
    """
    settings = json.dumps(source.training_settings(), sort_keys=True)
    what = f"{settings} {list(seed)} "
    digest = hashlib.sha256(what.encode())
    digest.update(key)
    return digest.hexdigest()[:16]
