"""What both generators are outside: a trained model, or none yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.errors import SnapshotError
from gen2dft.hashing import ContentHash
from gen2dft.representations.base import DecodeResult


class Trained(Protocol):
    """What a training leaves behind."""

    @property
    def latent_mean(self) -> NDArray[np.float32]:
        """(d,) mean of the training part's latent vectors."""
        ...

    @property
    def latent_std(self) -> NDArray[np.float32]:
        """(d,) their spread."""
        ...

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means."""
        ...

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors."""
        ...

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, p) properties of (n, d) latent vectors."""
        ...

    def config(self) -> dict[str, Any]:
        """All that is no array."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays, by name."""
        ...


T = TypeVar("T", bound=Trained)


class TrainedOnce(Generic[T]):
    """The part of a `Generator` that asks its trained model; SnapshotError before there is one."""

    _trained: T | None = None

    @property
    def trained(self) -> T:
        """What the training left; SnapshotError before it."""
        if self._trained is None:
            raise SnapshotError("this generator is not trained: call `fit`, or load a snapshot")
        return self._trained

    @property
    def latent_mean(self) -> NDArray[np.float32]:
        """(d,) mean of the training part's latent vectors."""
        return self.trained.latent_mean

    @property
    def latent_std(self) -> NDArray[np.float32]:
        """(d,) spread of the training part's latent vectors."""
        return self.trained.latent_std

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means; DatasetError names crystals that do not fit, by index."""
        return self.trained.encode(table)

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, with one reason for each vector that gives none."""
        return self.trained.decode(latents)

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, len(properties)) predictions in the properties' units."""
        return self.trained.predict(latents)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Configuration and arrays, to be stored."""
        return self.trained.config(), self.trained.arrays()


def hash_of_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hash of all numbers and their names; 16 hexadecimal digits."""
    content = ContentHash()
    for name, array in sorted(arrays.items()):
        content.add(name.encode())
        content.add(np.ascontiguousarray(array).tobytes())
    return content.digits(16)
