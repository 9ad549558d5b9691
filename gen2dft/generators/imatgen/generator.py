"""The iMatGen generator: images, autoencoders and a variational autoencoder of their codes.

Noh et al., Matter 1, 1370 (2019), and its supporting information.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.generators.base import OnEpoch, TrainingResult
from gen2dft.generators.imatgen.settings import ImatgenSettings
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.outer import TrainedOnce

if TYPE_CHECKING:
    from gen2dft.generators.imatgen.trained import TrainedImatgen  # noqa: F401 - in quotes below


class ImatgenGenerator(TrainedOnce["TrainedImatgen"]):
    """Encodes crystals of a few elements, decodes to mended crystals, predicts by classes.

    A `Generator`.
    """

    name: ClassVar[str] = "imatgen"
    Settings: ClassVar = ImatgenSettings

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that `predict` gives, in the order of its columns."""
        return self.trained.classes.properties

    def fit(
        self,
        dataset: Dataset,
        spec: ImatgenSettings,
        properties: Sequence[str],
        *,
        seed: int,
        warm_start: Self | None = None,
        may_hold_out: NDArray[np.bool_] | None = None,
        checkpoint_dir: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> TrainingResult:
        """Train; see `Generator.fit`.

        A warm start keeps the autoencoders and trains the materials generator on.
        """
        load_keras()  # before anything imports keras
        from gen2dft.generators.imatgen.fitting import ImatgenTraining

        parent = warm_start.trained if warm_start is not None else None
        training = ImatgenTraining(dataset, spec, tuple(properties), seed, parent, may_hold_out)
        self._trained, result = training.run(checkpoint_dir, on_epoch)
        return result

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `state`."""
        load_keras()  # before anything imports keras
        from gen2dft.generators.imatgen.trained import TrainedImatgen

        generator = cls()
        generator._trained = TrainedImatgen.from_state(config, arrays)
        return generator
