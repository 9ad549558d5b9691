from __future__ import annotations

import pytest
from example_oxides import SPEC, example_oxide_set

from gen2dft.dataset import Dataset
from gen2dft.generators.base import TrainingResult
from gen2dft.generators.imatgen.generator import ImatgenGenerator


@pytest.fixture(scope="session")
def oxides() -> Dataset:
    return example_oxide_set()


@pytest.fixture(scope="session")
def trained(oxides: Dataset) -> tuple[ImatgenGenerator, TrainingResult]:
    generator = ImatgenGenerator()
    return generator, generator.fit(oxides, SPEC, ("formation_energy",), seed=3)
