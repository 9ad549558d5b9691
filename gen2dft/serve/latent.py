"""The map of a round's latent space: places on its first two principal axes, and what lies
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import ServeError
from gen2dft.properties import PROPERTIES
from gen2dft.report.data import load_latents
from gen2dft.report.latent_figures import principal_axes
from gen2dft.report.wording import chemical, pretty

if TYPE_CHECKING:
    from gen2dft.store.store import Store

MOST_REJECTED = 4000  # points of candidates that no engine computed; all others are always there
MOST_TRAINING = 4000
KINDS = {"hit": "hit", "labelled": "validated"}


def latent_map(store: Store, campaign_id: str, round_index: int) -> dict[str, Any]:
    """Points of the map.

    Returns
    -------
    `training`: `x`, `y` and values per property (null where not labelled). `candidates`: `id`,
    `formula`, `kind` (hit, validated, other), `state`, `x`, `y`. `shares` of the variance on the
    two axes. `properties`: name to title.

    Raises
    ------
    StoreError
        No such round, or its points are missing.
    ServeError
        The round has no map yet.
    """
    document = store.round(campaign_id, round_index)
    if not document.latents_id:
        raise ServeError(
            f"round {round_index + 1} has no latent points yet; look again once it has sampled"
        )
    arrays = load_latents(store, document.latents_id)
    if len(arrays.train_latents) < 2:
        raise ServeError(
            f"round {round_index + 1} has fewer than two training crystals to make a map of"
        )
    mean, axes, shares = principal_axes(arrays.train_latents)
    drawn = (arrays.latents - mean) @ axes.T
    rows = _thinned(np.arange(len(arrays.train_latents)), MOST_TRAINING)
    training = (arrays.train_latents[rows] - mean) @ axes.T
    return {
        "shares": [float(share) for share in shares],
        "training": {
            **_columns(training),
            "values": {
                name: _nullable(values[rows]) for name, values in arrays.train_values.items()
            },
        },
        "properties": {
            name: pretty(PROPERTIES[name].axis)
            for name in arrays.train_values
            if name in PROPERTIES
        },
        "candidates": _candidates(store, campaign_id, round_index, drawn),
    }


def _candidates(
    store: Store, campaign_id: str, round_index: int, drawn: NDArray[np.float64]
) -> list[dict[str, Any]]:
    fields = ("candidate_id", "formula", "state", "latent_row")
    found = store.candidate_fields(campaign_id, fields, round_index=round_index)
    kinds = [KINDS.get(doc["state"], "other") for doc in found]
    others = _thinned(np.flatnonzero([kind == "other" for kind in kinds]), MOST_REJECTED)
    shown = sorted(
        {*others.tolist(), *np.flatnonzero([kind != "other" for kind in kinds]).tolist()}
    )
    return [
        {
            "id": found[i]["candidate_id"],
            "formula": chemical(found[i].get("formula") or "not decoded"),
            "state": found[i]["state"],
            "kind": kinds[i],
            **_place(drawn[found[i]["latent_row"]]),
        }
        for i in shown
        if found[i]["latent_row"] < len(drawn)
    ]


def _thinned(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Evenly spaced ones of too many rows."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _place(point: NDArray[np.float64]) -> dict[str, float]:
    return {"x": round(float(point[0]), 4), "y": round(float(point[1]), 4)}


def _columns(points: NDArray[np.float64]) -> dict[str, list[float]]:
    return {"x": np.round(points[:, 0], 4).tolist(), "y": np.round(points[:, 1], 4).tolist()}


def _nullable(values: NDArray[np.float64]) -> list[float | None]:
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]
