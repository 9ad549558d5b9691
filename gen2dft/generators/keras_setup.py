"""Keras and its backend, set up to give the same numbers every time."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft import __version__

MAX_THREADS = 8


@lru_cache
def load_keras() -> ModuleType:
    """The `keras` module; its backend is TensorFlow unless KERAS_BACKEND says otherwise.

    On the first call TensorFlow is told to use deterministic kernels and a fixed number of threads,
    because sums that are split over another number of threads round differently.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        # RuntimeError: TensorFlow was used in this process before; its threads are set and stay as
        # they are.
        with contextlib.suppress(RuntimeError):
            threads = min(_available_cores(), MAX_THREADS)
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras


def as_array(tensor: Any) -> NDArray[Any]:
    """A tensor of whichever backend as a NumPy array; arrays are passed through."""
    if isinstance(tensor, np.ndarray):
        return tensor
    keras = load_keras()
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def seed_fresh_networks(seed: int) -> None:
    """Make the networks built next depend on the seed alone."""
    keras = load_keras()
    # Layers are numbered by process, and TensorFlow orders the graph by their names: with it the
    # last bit of sums.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed % 2**32)


def versions_in_use() -> dict[str, str]:
    """Versions of the packages on which a training depends."""
    return {"gen2dft": __version__, "keras": version("keras"), "numpy": version("numpy")}


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
