"""Table 2: errors of predicted properties, from each part of the matrix (Table 2 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gen2dft.dataset import Dataset
from gen2dft.evaluation.setting import LEARNT, Setting
from gen2dft.evaluation.tables import Column, Row, Table
from gen2dft.generators.base import LatentGenerator
from gen2dft.properties import PROPERTIES

COLUMNS = tuple(
    Column(name, f"{PROPERTIES[name].title}, MAE {PROPERTIES[name].unit}", ".3f") for name in LEARNT
)
MEDIAN = "training median"  # what a prediction is worth that knows no crystal
READS = ("real", "reciprocal", "both")


def prediction_table(setting: Setting) -> Table:
    """The table of all variants."""
    rows = [
        Row(
            f"{variant}, reads {reads}",
            prediction_errors(setting.generator(variant, reads), setting.test),
        )
        for variant in setting.specs
        for reads in READS
    ]
    rows.append(Row(MEDIAN, median_errors(setting.train, setting.test, setting.properties)))
    notes = (f"{len(setting.test)} test crystals. Errors are means over those that are labelled.",)
    return Table("prediction", "Forward prediction", COLUMNS, rows, notes)


def prediction_errors(generator: LatentGenerator, test: Dataset) -> dict[str, float | None]:
    """Mean absolute error of each property, in its unit, at the latent means of labelled
    crystals.
    """
    predicted = generator.predict(generator.encode(test.crystals))
    return {
        name: mean_absolute_error(test.label(name), predicted[:, column])
        for column, name in enumerate(generator.properties)
    }


def median_errors(
    train: Dataset, test: Dataset, properties: Sequence[str]
) -> dict[str, float | None]:
    """Errors of a prediction that knows the training labels only, and no crystal."""
    return {
        name: mean_absolute_error(
            test.label(name), np.full(len(test), np.nanmedian(train.label(name)))
        )
        for name in properties
    }


def mean_absolute_error(truth: np.ndarray, predicted: np.ndarray) -> float | None:
    """Over the rows whose truth is known; None if there are none."""
    known = np.isfinite(truth)
    return float(np.abs(predicted[known] - truth[known]).mean()) if known.any() else None
