"""Which crystals are kept from training: a property of the crystal, not of the day."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def held_out(
    ids: Sequence[str], share: float, may_hold_out: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """(n,) whether each crystal is held out, decided by a hash of its id alone.

    Adding crystals, or changing their order, moves none from one part to the other.

    Parameters
    ----------
    ids
        (n,) ids of the crystals.
    share
        Expected share of held-out crystals, 0 to 1.
    may_hold_out
        (n,) crystals that may be held out at all; labels that were paid for are all learnt from.
    """
    numbers = [int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") for key in ids]
    chosen = np.array(numbers, dtype=np.float64) < share * 2.0**64
    return chosen if may_hold_out is None else chosen & np.asarray(may_hold_out, dtype=bool)
