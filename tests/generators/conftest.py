from __future__ import annotations

import pytest
from example_crystals import example_dataset
from example_training import PROPERTIES, SPEC, small_generator

from gen2dft.dataset import Dataset
from gen2dft.generators.base import TrainingResult
from gen2dft.generators.ftcp.generator import FTCPGenerator


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return example_dataset()


@pytest.fixture(scope="session")
def trained(dataset: Dataset) -> tuple[FTCPGenerator, TrainingResult]:
    generator = small_generator()
    return generator, generator.fit(dataset, SPEC, PROPERTIES, seed=3)
