"""The interface of the networks of every variant, for training and for the trained generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.ftcp.scalers import MatrixScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.weights import set_weights, weights_of
from gen2dft.representations.ftcp import FTCP


@dataclass(frozen=True)
class Networks(ABC):
    """Encoder, decoder and property head of one generator.

    Parameters
    ----------
    encoder
        (n, rows, columns) scaled matrices -> latent mean and log variance, each (n, d).
    decoder
        Whatever `reconstruction` and `make` need.
    head
        (n, d) -> (n, p) scaled properties.
    """

    encoder: Any
    decoder: Any
    head: Any

    @abstractmethod
    def reconstruction(self, matrix: Any, latent: Any) -> Any:
        """(n,) loss of the decoder for scaled matrices (n, rows, columns) at latent vectors (n, d);
        Keras tensors.
        """

    @abstractmethod
    def property_error(self, predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
        """(n,) loss of the head, see `losses.squared_error`; Keras tensors."""

    @abstractmethod
    def make(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, rows, columns) matrices in physical units, without the reciprocal part, of (n, d)
        latent vectors.
        """

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """All weights by network and place, batch statistics included."""
        return weights_of(self._parts())

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Inverse of `weights`; KeyError or ValueError if one is missing or has another shape."""
        set_weights(self._parts(), weights)

    def _parts(self) -> dict[str, Any]:
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}


@dataclass(frozen=True)
class Variant:
    """One way to build and train the generator.

    Parameters
    ----------
    prepare
        Brings crystals into the cells that the networks see.
    scaler
        Class of the scaler from physical matrices to the input of the encoder.
    build
        Fresh networks of a representation, a spec, a number of properties and a scaler; their
        weights depend on Keras' seed.
    optimizer
        Optimiser of a spec, a factor on its learning rate and a number of steps.
    """

    prepare: Callable[[FTCP, CrystalTable], CrystalTable]
    scaler: type[MatrixScaler]
    build: Callable[[FTCP, FTCPSettings, int, MatrixScaler], Networks]
    optimizer: Callable[[FTCPSettings, float, int], Any]
