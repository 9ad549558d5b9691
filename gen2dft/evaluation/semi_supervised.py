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
from gen2dft.properties import PROPERTIES
from gen2dft.transport import POWER_FACTOR

PROPERTY = POWER_FACTOR
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
    truth = setting.test.label(PROPERTY)
    only_labelled = setting.train.select(np.isfinite(setting.train.label(PROPERTY)))
    parts = {"labelled crystals alone": only_labelled, "with unlabelled crystals": setting.train}
    rows = []
    for variant, spec in setting.specs.items():
        for name, part in parts.items():
            generator = setting.trained(spec.only_generator, part, (PROPERTY,))
            predicted = generator.predict(generator.encode(setting.test.crystals))[:, 0]
            rows.append(Row(f"{variant}, {name}", label_figures(truth, predicted) | _counts(part)))
    median = np.full(len(truth), np.nanmedian(setting.train.label(PROPERTY)))
    rows.append(Row(MEDIAN, {"mae": mean_absolute_error(truth, median)}))
    notes = (
        f"{int(np.isfinite(truth).sum())} labelled test crystals. Both trainings have "
        f"{PROPERTIES[PROPERTY].title} as "
        "their only property and the same number of epochs; the second sees more crystals in each.",
    )
    return Table("semi-supervised", "Semi-supervised power factor", COLUMNS, rows, notes)


def check_labels(train: Dataset, test: Dataset) -> None:
    """Refuse data without enough labels, before anything is trained."""
    counts = [int(np.isfinite(part.label(PROPERTY)).sum()) for part in (train, test)]
    if min(counts) < MIN_LABELS:
        raise DatasetError(
            f"table semi-supervised needs at least {MIN_LABELS} crystals labelled with {PROPERTY} "
            "to train on and to "
            f"test on; there are {counts[0]} and {counts[1]}: add --set dataset.labels=[ricci2017] "
            "or leave it out"
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

    ranks = [rankdata(values) for values in (first, second)]
    if len(first) < 2 or any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _counts(part: Dataset) -> dict[str, float]:
    return {"num_train": len(part), "num_labels": int(np.isfinite(part.label(PROPERTY)).sum())}
