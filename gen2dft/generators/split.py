"""Which crystals are kept from training: a property of the crystal, not of the day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gen2dft.hashing import content_hash


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
    numbers = [int(content_hash(key, digits=16), base=16) for key in ids]
    chosen = np.array(numbers, dtype=np.float64) < share * 16.0**16
    return chosen if may_hold_out is None else chosen & np.asarray(may_hold_out, dtype=bool)
