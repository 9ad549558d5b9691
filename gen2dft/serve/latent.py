"""The map of a round's latent space: training crystals and candidates on its first two principal
axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import stored_campaign
from gen2dft.errors import ServeError
from gen2dft.report.data import LatentArrays, load_latents
from gen2dft.report.latent_figures import principal_axes
from gen2dft.report.wording import chemical, pretty

if TYPE_CHECKING:
    from gen2dft.store.store import Store

MOST_REJECTED = 4000  # points of candidates that no engine computed; all others are always there
MOST_TRAINING = 4000
KINDS = {"hit": "hit", "labelled": "computed"}
FIELDS = ("candidate_id", "formula", "state", "latent_row")


def latent_map(store: Store, campaign_id: str, round_index: int) -> dict[str, Any]:
    """Points of the map.

    Returns
    -------
    `training`: `x`, `y` and values per property (null where not labelled). `candidates`: `id`,
    `formula`, `kind` (hit, computed, other), `state`, `x`, `y`. `shares` of the variance on the
    two axes. `properties`: name to title.

    Raises
    ------
    StoreError
        No such round, or its points are missing.
    ServeError
        The round has no map yet.
    """
    arrays = _arrays(store, campaign_id, round_index)
    axes = principal_axes(arrays.train_latents)
    drawn = axes.places(arrays.latents)
    crystals = np.arange(len(arrays.train_latents))
    rows = _thinned(crystals, MOST_TRAINING)
    training = axes.places(arrays.train_latents[rows])
    labels = {name: _nullable(values[rows]) for name, values in arrays.train_values.items()}
    known = stored_campaign(store.campaign(campaign_id)).known_properties
    properties = {name: pretty(known[name].axis) for name in labels if name in known}
    return {
        "shares": axes.shares.tolist(),
        "training": {**_columns(training), "values": labels},
        "properties": properties,
        "candidates": _candidates(store, campaign_id, round_index, drawn),
    }


def _arrays(store: Store, campaign_id: str, round_index: int) -> LatentArrays:
    """Latent points of a round that has a map."""
    document = store.round(campaign_id, round_index)
    number = round_index + 1
    if not document.latents_id:
        if document.funnel:
            raise ServeError(f"round {number} has no map: none of its sources has a latent space")
        raise ServeError(f"round {number} has no latent points yet; look again once it has sampled")
    arrays = load_latents(store, document.latents_id)
    if len(arrays.train_latents) < 2:
        raise ServeError(f"round {number} has fewer than two training crystals to make a map of")
    return arrays


def _candidates(
    store: Store, campaign_id: str, round_index: int, drawn: NDArray[np.float64]
) -> list[dict[str, Any]]:
    documents = store.candidate_fields(campaign_id, FIELDS, round_index=round_index)
    found = [document for document in documents if _is_in(document["latent_row"], drawn)]
    kinds = [KINDS.get(doc["state"], "other") for doc in found]
    points = []
    for row in _rows_shown(kinds):
        doc = found[row]
        points.append(_candidate(doc, kinds[row], drawn[doc["latent_row"]]))
    return points


def _rows_shown(kinds: Sequence[str]) -> list[int]:
    """Rows of all candidates that an engine computed, and of a part of the others."""
    is_other = np.array([kind == "other" for kind in kinds], dtype=bool)
    others = _thinned(np.flatnonzero(is_other), MOST_REJECTED)
    computed = np.flatnonzero(~is_other)
    return sorted([*others.tolist(), *computed.tolist()])


def _candidate(doc: Mapping[str, Any], kind: str, point: NDArray[np.float64]) -> dict[str, Any]:
    x, y = point.round(4).tolist()
    formula = chemical(doc.get("formula") or "not decoded")
    return {
        "id": doc["candidate_id"],
        "formula": formula,
        "state": doc["state"],
        "kind": kind,
        "x": x,
        "y": y,
    }


def _is_in(row: int | None, drawn: NDArray[np.float64]) -> bool:
    """Whether a candidate has a latent point, and the round kept it."""
    return row is not None and row < len(drawn)


def _thinned(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The rows, or `most` of them evenly spaced."""
    if len(rows) <= most:
        return rows
    chosen = np.linspace(0, len(rows) - 1, most)
    return rows[chosen.astype(int)]


def _columns(points: NDArray[np.float64]) -> dict[str, list[float]]:
    x, y = points.T.round(4).tolist()
    return {"x": x, "y": y}


def _nullable(values: NDArray[np.float64]) -> list[float | None]:
    """Values with the digits that a map shows; JSON has no NaN."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]
