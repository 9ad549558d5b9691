"""The collections of the database: which documents they hold, and by what they are found."""

from __future__ import annotations

from gen2dft.store.documents import (
    CalculationsDoc,
    CalibrationDoc,
    CampaignDoc,
    CandidateDoc,
    Document,
    HitDoc,
    HullDoc,
    LabelDoc,
    PowerFactorDoc,
    ReferenceDoc,
    RoundDoc,
    SnapshotDoc,
    TallyDoc,
)

COLLECTIONS: dict[str, type[Document]] = {
    "campaigns": CampaignDoc,
    "rounds": RoundDoc,
    "candidates": CandidateDoc,
    "tallies": TallyDoc,
    "labels": LabelDoc,
    "calculations": CalculationsDoc,
    "power_factors": PowerFactorDoc,
    "hits": HitDoc,
    "snapshots": SnapshotDoc,
    "hulls": HullDoc,
    "references": ReferenceDoc,
    "calibrations": CalibrationDoc,
}

# One index for every query that the command line or a job asks.
INDICES: dict[str, tuple[tuple[str, ...], ...]] = {
    "campaigns": (("name", "created"), ("state",)),
    "rounds": (("campaign_id", "index"),),
    "candidates": (
        ("campaign_id", "round_index", "state"),
        ("candidate_id",),
        ("formula",),
        ("campaign_id", "changed"),
    ),
    "tallies": (("campaign_id", "round_index"),),
    "labels": (
        ("campaign_id", "round_index"),
        ("candidate_id",),
        ("campaign_id", "created"),
        ("chemsys",),
        ("elements",),
    ),
    "calculations": (("engine", "settings_hash", "formula"),),
    "power_factors": (("campaign_id",), ("candidate_id",)),
    "hits": (
        ("campaign_id", "round_index"),
        ("candidate_id",),
        ("formula",),
        ("formula_pretty",),
        ("chemsys",),
        ("elements",),
        ("nelements",),
    ),
    "references": (("engine", "settings_hash"),),
    "calibrations": (("correction", "engine", "settings_hash", "created"),),
}


def collection_name(model: type[Document]) -> str:
    """Name of the collection that holds documents of a kind."""
    return next(name for name, known in COLLECTIONS.items() if known is model)
