"""What every generator asks of properties and labels before it trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError


def require_properties(properties: Sequence[str]) -> None:
    """DatasetError if there is nothing to predict."""
    if not properties:
        raise DatasetError(
            "no property to predict: name one in the campaign's targets or generator.properties"
        )


def require_labels(labels: NDArray[np.float64], properties: Sequence[str]) -> None:
    """DatasetError that names the properties without a finite label in the (n, p) labels of the
    training part.
    """
    known = np.isfinite(labels).sum(axis=0)
    if missing := [name for name, count in zip(properties, known, strict=True) if not count]:
        raise DatasetError(
            f"no crystal of the training part has a label for {', '.join(missing)}: add labelled "
            "crystals or take "
            "the property out of the campaign's targets and generator.properties"
        )
