"""Published power factors answer the definitions that they were computed by, and no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gen2dft.dataset import Dataset
from gen2dft.datasets.published_factors import ELECTRONS, OF_ELECTRONS, by_definition
from gen2dft.errors import DatasetError
from gen2dft.properties import Properties
from tests.toys import toy_dataset

HOLES, OF_N, GAPS = [1.0, 2.0, np.nan], [3.0, 0.5, np.nan], [0.2, 1.0, 2.0]


@pytest.fixture
def dataset() -> Dataset:
    three = toy_dataset().select([0, 1, 2])
    columns = {"power_factor": HOLES, OF_ELECTRONS: OF_N, "band_gap": GAPS}
    labels = {name: np.array(values) for name, values in columns.items()}
    return replace(three, labels=labels, properties=Properties([ELECTRONS]))


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("ricci2017", HOLES),
        ("n-300K-1e18", OF_N),
        ("best-300K-1e18", [3.0, 2.0, np.nan]),
        ("ricci2017-gap0.5", [np.nan, 2.0, np.nan]),
    ],
)
def test_carriers_and_gap_are_the_callers(
    dataset: Dataset, definition: str, expected: list[float]
) -> None:
    found = by_definition(dataset, definition)
    assert np.array_equal(found.label("power_factor"), expected, equal_nan=True)
    assert OF_ELECTRONS not in found.labels
    assert found.properties == Properties()
    assert np.array_equal(found.label("band_gap"), GAPS)


@pytest.mark.parametrize("definition", ["ftcp", "p-600K-1e18", "n-300K-1e19", "p-300K-optimal"])
def test_other_conditions_are_not_answered(dataset: Dataset, definition: str) -> None:
    with pytest.raises(DatasetError, match=f"do not answer the definition '{definition}'"):
        by_definition(dataset, definition)
    left_open = by_definition(dataset, definition, leave_open=True)
    assert np.isnan(left_open.label("power_factor")).all()
    assert definition in left_open.provenance["open"]
