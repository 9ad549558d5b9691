"""The generator on every backend of Keras that is installed, each in a process of its own: a
backend is chosen once.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
import numpy as np
from example_crystals import example_dataset
from example_training import PROPERTIES, SPEC, small_generator
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.snapshot import from_bytes, to_bytes

variant, backend = sys.argv[1:]
assert load_keras().backend.backend() == backend
dataset = example_dataset()
generator = small_generator()
spec = FTCPSettings(**SPEC.model_dump() | {"epochs": 3, "variant": variant})
result = generator.fit(dataset, spec, PROPERTIES, seed=0)
assert result.history[-1]["loss"] < result.history[0]["loss"]
copy = from_bytes(to_bytes(generator))
latents = copy.encode(dataset.crystals)
assert np.array_equal(latents, generator.encode(dataset.crystals))
assert len(copy.decode(latents).reasons) == len(dataset)
assert np.isfinite(copy.predict(latents)).all()
print("done")
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("variant", ["gen2dft", "published"])
def test_another_backend_trains_stores_and_decodes(variant: str, backend: str):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    env = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/support'}",
    }
    run = subprocess.run(
        [sys.executable, "-c", CODE, variant, backend],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip().endswith("done"), run.stderr[-3000:]
