"""Table 5: what unlabelled crystals add to the prediction of a property that few crystals are
labelled with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.evaluation.prediction import MEDIAN, mean_absolute_error
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.tables import Column, Row, Table
from gen2dft.generators.base import LatentGenerator
from gen2dft.properties import PROPERTIES
from gen2dft.transport import POWER_FACTOR

PROPERTY = POWER_FACTOR
TITLE = PROPERTIES[PROPERTY].title
MIN_LABELS = 3  # of test crystals: a rank correlation of two says nothing
COLUMNS = (
    Column("mae", f"MAE, {PROPERTIES[PROPERTY].unit}", ".3f"),
    Column("spearman", "Spearman", ".3f"),
    Column("num_train", "crystals", ".0f"),
    Column("num_labels", "of these labelled", ".0f"),
)


def semi_supervised_table(setting: Setting) -> Table:
    """The table of all variants, with and without the unlabelled crystals of the training part."""
    check_labels(setting.train, setting.test)
    train, test = setting.train, setting.test
    labels = train.label(PROPERTY)
    labelled = train.select(np.isfinite(labels))
    parts = {"labelled crystals alone": labelled, "with unlabelled crystals": train}
    rows = []
    for variant, spec in setting.specs.items():
        for name, part in parts.items():
            generator = setting.trained(spec.only_generator, part, (PROPERTY,))
            figures = _figures(generator, test) | _counts(part)
            rows.append(Row(f"{variant}, {name}", figures))
    rows.append(_median_row(labels, test.label(PROPERTY)))
    note = (
        f"{_num_labels(test)} labelled test crystals. Both trainings have {TITLE} as their only "
        "property and the same number of epochs; the second sees more crystals in each."
    )
    return Table("semi-supervised", "Semi-supervised power factor", COLUMNS, rows, (note,))


def _figures(generator: LatentGenerator, test: Dataset) -> dict[str, float | None]:
    """Figures of one training, whose only property is the one of the table."""
    latents = generator.encode(test.crystals)
    predicted = generator.predict(latents)
    return label_figures(test.label(PROPERTY), predicted[:, 0])


def _median_row(labels: NDArray[np.float64], truth: NDArray[np.float64]) -> Row:
    """Error of a prediction that knows the training labels only."""
    median = np.nanmedian(labels)
    everywhere = np.full(len(truth), median)
    error = mean_absolute_error(truth, everywhere)
    return Row(MEDIAN, {"mae": error})


def check_labels(train: Dataset, test: Dataset) -> None:
    """Refuse data without enough labels, before anything is trained."""
    in_train, in_test = _num_labels(train), _num_labels(test)
    if min(in_train, in_test) < MIN_LABELS:
        raise DatasetError(
            f"table semi-supervised needs at least {MIN_LABELS} crystals labelled with {PROPERTY} "
            f"to train on and to test on; there are {in_train} and {in_test}: add --set "
            "dataset.labels=[ricci2017] or leave it out"
        )


def label_figures(
    truth: NDArray[np.float64], predicted: NDArray[np.float64]
) -> dict[str, float | None]:
    """Mean absolute error and rank correlation over the labelled rows."""
    known = np.isfinite(truth)
    return {
        "mae": mean_absolute_error(truth, predicted),
        "spearman": rank_correlation(truth[known], predicted[known]),
    }


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank.

    None where one side is constant.
    """
    from scipy.stats import rankdata

    if len(first) < 2:
        return None
    ranks = [rankdata(values) for values in (first, second)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    correlations = np.corrcoef(*ranks)
    return float(correlations[0, 1])


def _counts(part: Dataset) -> dict[str, float]:
    return {"num_train": len(part), "num_labels": _num_labels(part)}


def _num_labels(part: Dataset) -> int:
    """Number of crystals labelled with the property."""
    labelled = np.isfinite(part.label(PROPERTY))
    return int(labelled.sum())
