"""Keras and its backend, set up to give the same numbers every time."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
            tf.config.threading.set_intra_op_parallelism_threads(
                min(_available_cores(), MAX_THREADS)
            )
            tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras


def as_array(tensor: Any) -> NDArray[Any]:
    """A tensor of whichever backend as a NumPy array; an array stays what it is."""
    return (
        tensor
        if isinstance(tensor, np.ndarray)
        else np.asarray(load_keras().ops.convert_to_numpy(tensor))
    )


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
