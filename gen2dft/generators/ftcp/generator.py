"""The FTCP generator: a variational autoencoder of FTCP matrices with a property head, Ren et al.,
arXiv:2005.07609.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.generators.base import OnEpoch, TrainingResult
from gen2dft.generators.ftcp.fitting import FTCPTraining
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.ftcp.trained import TrainedFTCP
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.outer import TrainedOnce
from gen2dft.representations.ftcp import FTCP


class FTCPGenerator(TrainedOnce[TrainedFTCP]):
    """Encodes crystals to latent vectors, decodes them back and predicts properties; a `Generator`.

    Parameters
    ----------
    representation
        Layout of the matrices; 103 elements, 3 per crystal and 20 sites unless given.
    """

    name: ClassVar[str] = "ftcp"
    Settings: ClassVar = FTCPSettings

    def __init__(self, representation: FTCP | None = None) -> None:
        self._representation = representation or FTCP()

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that `predict` gives, in the order of its columns."""
        return self.trained.property_scaler.properties

    def fit(
        self,
        dataset: Dataset,
        spec: FTCPSettings,
        properties: Sequence[str],
        *,
        seed: int,
        warm_start: Self | None = None,
        may_hold_out: NDArray[np.bool_] | None = None,
        checkpoint_dir: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> TrainingResult:
        """Train; see `Generator.fit`."""
        parent = None
        representation = replace(self._representation, fourier=spec.fourier)
        if warm_start is not None:
            parent = warm_start.trained
            representation = parent.representation
        training = FTCPTraining(
            dataset=dataset,
            spec=spec,
            properties=tuple(properties),
            seed=seed,
            representation=representation,
            warm_start=parent,
            may_hold_out=may_hold_out,
        )
        self._trained, result = training.run(checkpoint_dir, on_epoch)
        return result

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `state`."""
        load_keras()
        trained = TrainedFTCP.from_state(config, arrays)
        generator = cls(trained.representation)
        generator._trained = trained
        return generator
