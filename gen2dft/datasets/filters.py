"""Which crystals of a dataset a campaign takes, with every reason counted, and whether their labels
suffice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gen2dft.campaign import DatasetSpec
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount

OWN_LABELS = (
    "use a file that has it (properties.{name}.column), or let the campaign compute some first "
    "(dataset.few_labels: leave-open)"
)


def filter_dataset(dataset: Dataset, spec: DatasetSpec, seed: int) -> Dataset:
    """The crystals that a campaign's dataset query admits.

    A crystal is counted under the first reason that applies: `num_elements`, `max_sites`,
    `no_e_above_hull`, `above_hull`, `not_sampled`. Where a limit on e_above_hull is set, crystals
    without that label are left out, since nothing is known of their stability.

    Parameters
    ----------
    dataset
        All crystals of the source.
    spec
        The query.
    seed
        Of the random part that `max_crystals` asks for.

    Returns
    -------
    Dataset
        In the source's order; `provenance["filter"]` holds a StageCount.

    Raises
    ------
    DatasetError
        If nothing is left.
    """
    reasons = np.full(len(dataset), "", dtype=object)
    for reason, refused in _tests(dataset, spec):
        reasons[(reasons == "") & refused] = reason
    kept = np.flatnonzero(reasons == "")
    if spec.max_crystals is not None and len(kept) > spec.max_crystals:
        chosen = np.random.default_rng(seed).choice(kept, size=spec.max_crystals, replace=False)
        reasons[np.setdiff1d(kept, chosen)] = "not_sampled"
        kept = np.sort(chosen)
    names, counts = np.unique(reasons[reasons != ""].astype(str), return_counts=True)
    lost = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    count = StageCount(stage="dataset", n_in=len(dataset), n_out=len(kept), reasons=lost)
    if not len(kept):
        raise DatasetError(
            f"no crystal of dataset {spec.source!r} passes the campaign's query: "
            f"{lost or 'it is empty'}"
        )
    return dataset.select(kept, filter=count.model_dump(mode="json"))


def check_labels(dataset: Dataset, properties: Sequence[str], min_labels: int) -> None:
    """Refuse a dataset with too few labels for a property that is to be learned.

    Raises
    ------
    DatasetError
        Naming each property, its number of labels and what to do.
    """
    counts = {name: int(np.isfinite(dataset.label(name)).sum()) for name in properties}
    short = [name for name in properties if counts[name] < min_labels]
    if short:
        lines = [
            f"{name}: {counts[name]} of {len(dataset)} crystals; {_remedy(dataset, name)}"
            for name in short
        ]
        raise DatasetError(
            f"the dataset has too few labels (dataset.min_labels is {min_labels}):\n  "
            + "\n  ".join(lines)
            + "\nor lower dataset.min_labels"
        )


def _remedy(dataset: Dataset, name: str) -> str:
    """How to come by labels of a property."""
    return dataset.properties[name].labels or OWN_LABELS.format(name=name)


def _tests(dataset: Dataset, spec: DatasetSpec) -> list[tuple[str, np.ndarray]]:
    """Reasons in the order in which they are counted, each with the crystals it refuses."""
    crystals = dataset.crystals
    elements = np.array(
        [len(np.unique(crystals.numbers[crystals.sites(i)])) for i in range(len(crystals))],
        dtype=int,
    )
    tests = [
        ("num_elements", ~np.isin(elements, spec.num_elements)),
        ("max_sites", crystals.num_sites > spec.max_sites),
    ]
    if spec.max_e_above_hull is not None:
        distance = dataset.label("e_above_hull")
        tests += [
            ("no_e_above_hull", np.isnan(distance)),
            ("above_hull", distance > spec.max_e_above_hull),
        ]
    return tests
