"""Table 2: errors of predicted properties, from each part of the matrix (Table 2 of the paper)."""

from __future__ import annotations

import itertools
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
    rows = []
    for variant, reads in itertools.product(setting.specs, READS):
        errors = prediction_errors(setting.generator(variant, reads), setting.test)
        rows.append(Row(f"{variant}, reads {reads}", errors))
    by_median = median_errors(setting.train, setting.test, setting.properties)
    rows.append(Row(MEDIAN, by_median))
    note = f"{len(setting.test)} test crystals. Errors are means over those that are labelled."
    return Table("prediction", "Forward prediction", COLUMNS, rows, (note,))


def prediction_errors(generator: LatentGenerator, test: Dataset) -> dict[str, float | None]:
    """Mean absolute error of each property, in its unit, at the latent means of labelled
    crystals.
    """
    latents = generator.encode(test.crystals)
    predicted = generator.predict(latents)
    errors = {}
    for column, name in enumerate(generator.properties):
        errors[name] = mean_absolute_error(test.label(name), predicted[:, column])
    return errors


def median_errors(
    train: Dataset, test: Dataset, properties: Sequence[str]
) -> dict[str, float | None]:
    """Errors of a prediction that knows the training labels only, and no crystal."""
    errors = {}
    for name in properties:
        median = np.nanmedian(train.label(name))
        everywhere = np.full(len(test), median)
        errors[name] = mean_absolute_error(test.label(name), everywhere)
    return errors


def mean_absolute_error(truth: np.ndarray, predicted: np.ndarray) -> float | None:
    """Over the rows whose truth is known; None if there are none."""
    known = np.isfinite(truth)
    if not known.any():
        return None
    errors = np.abs(predicted[known] - truth[known])
    return float(errors.mean())
