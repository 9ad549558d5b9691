"""Checkpoints of a training: written atomically, read only by the very same training; a damaged one
is never fatal.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.atomic import new_file
from gen2dft.errors import OutputError
from gen2dft.hashing import content_hash
from gen2dft.stored_arrays import read_npz

if TYPE_CHECKING:
    from gen2dft.campaign import GeneratorSpec
    from gen2dft.dataset import Dataset

LOGGER = logging.getLogger(__name__)
History = list[dict[str, float]]
# What a damaged file may raise: arrays that are none, a history that is missing or no JSON.
DAMAGED = (KeyError, ValueError, OSError, RecursionError)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training as it stood after an epoch.

    Parameters
    ----------
    history
        One row per finished epoch.
    arrays
        Weights and state of the optimiser by name.
    """

    history: History
    arrays: dict[str, NDArray[np.generic]]


class CheckpointFile:
    """The one checkpoint of a training.

    Parameters
    ----------
    folder
        Folder of the file; None keeps no checkpoints.
    fingerprint
        Hash of everything that decides the training's result; a file of another fingerprint is not
        read.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.path: Path | None = None
        if folder is not None:
            self.path = folder / f"training-{fingerprint}.npz"

    def load(self) -> Checkpoint | None:
        """The stored checkpoint, or None if there is none or it is damaged (which is logged as a
        warning).
        """
        if self.path is None or not self.path.is_file():
            return None
        try:
            arrays = read_npz(self.path.read_bytes())
            return Checkpoint(json.loads(str(arrays.pop("history"))), arrays)
        except DAMAGED as err:
            LOGGER.warning(
                "checkpoint %s is damaged (%s); the training starts from the beginning",
                self.path,
                err,
            )
            return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the stored checkpoint; OutputError if the folder cannot be written."""
        if self.path is None:
            return
        history = json.dumps(checkpoint.history)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with new_file(self.path) as file:
                np.savez(file, allow_pickle=False, history=history, **checkpoint.arrays)
        except OSError as err:
            message = (
                f"cannot write checkpoint {self.path}: {err.strerror}; choose a writable "
                "folder with free space"
            )
            raise OutputError(message) from err

    def remove(self) -> None:
        """Delete the checkpoint, once the training's result is in hand."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def training_fingerprint(
    content: Sequence[object],
    dataset: Dataset,
    spec: GeneratorSpec,
    properties: Sequence[str],
    seed: int,
    warm_start: str | None,
    may_hold_out: NDArray[np.bool_] | None,
) -> str:
    """Hash of all that decides a training's result; 16 hexadecimal digits.

    Parameters
    ----------
    content
        Everything decisive beside the arguments of `Generator.fit`: version of the training, shape
        of the representation.
    dataset, spec, properties, seed, may_hold_out
        As in `Generator.fit`.
    warm_start
        Hash of the generator that the training starts from.
    """
    mask = b"" if may_hold_out is None else np.packbits(may_hold_out).tobytes()
    decisive = [
        *content,
        version("keras"),
        dataset.content_hash,
        spec.training_settings(),
        properties,
        seed,
        warm_start,
        content_hash(mask),
    ]
    return content_hash(json.dumps(decisive), digits=16)
