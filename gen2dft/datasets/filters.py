"""Select the crystals that a campaign takes, count every reason, and check that labels suffice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from gen2dft.campaign import DatasetSpec
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount

ADMITTED = ""  # in the place of a reason
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
    reasons = np.full(len(dataset), ADMITTED, dtype=object)
    for reason, is_refused in _tests(dataset, spec):
        # The first reason counts.
        is_new = is_refused & (reasons == ADMITTED)
        reasons[is_new] = reason
    admitted = np.flatnonzero(reasons == ADMITTED)
    if spec.max_crystals is not None and len(admitted) > spec.max_crystals:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(admitted, size=spec.max_crystals, replace=False)
        others = np.setdiff1d(admitted, chosen)
        reasons[others] = "not_sampled"
    kept = np.flatnonzero(reasons == ADMITTED)
    counts = Counter(reasons.tolist())
    del counts[ADMITTED]
    lost = dict(sorted(counts.items()))
    count = StageCount(stage="dataset", n_in=len(dataset), n_out=len(kept), reasons=lost)
    if not len(kept):
        why = ", ".join(f"{reason} {number:,}" for reason, number in lost.items())
        raise DatasetError(
            f"no crystal of dataset {spec.source!r} passes the campaign's query ("
            f"{why or 'it is empty'}): change dataset.num_elements, max_sites or max_e_above_hull"
        )
    return dataset.select(kept, filter=count.model_dump(mode="json"))


def check_labels(dataset: Dataset, properties: Sequence[str], min_labels: int) -> None:
    """Refuse a dataset with too few labels for a property that is to be learned.

    Raises
    ------
    DatasetError
        Naming each property, its number of labels and what to do.
    """
    counts = dataset.num_labels()
    lines = []
    for name in properties:
        count = counts.get(name, 0)
        if count < min_labels:
            remedy = _remedy(dataset, name)
            lines.append(f"{name}: {count} of {len(dataset)} crystals; {remedy}")
    if lines:
        problem = f"the dataset has too few labels (dataset.min_labels is {min_labels}):"
        listed = "\n  ".join([problem, *lines])
        raise DatasetError(f"{listed}\nor lower dataset.min_labels")


def _remedy(dataset: Dataset, name: str) -> str:
    """How to come by labels of a property."""
    return dataset.properties[name].labels or OWN_LABELS.format(name=name)


def _tests(dataset: Dataset, spec: DatasetSpec) -> Iterator[tuple[str, np.ndarray]]:
    """Reasons in the order in which they are counted, each with the crystals it refuses."""
    crystals = dataset.crystals
    yield "num_elements", ~np.isin(crystals.num_elements, spec.num_elements)
    yield "max_sites", crystals.num_sites > spec.max_sites
    if spec.max_e_above_hull is not None:
        distance = dataset.label("e_above_hull")
        yield "no_e_above_hull", np.isnan(distance)
        yield "above_hull", distance > spec.max_e_above_hull
