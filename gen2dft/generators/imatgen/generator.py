"""The iMatGen generator: images, autoencoders and a variational autoencoder of their codes.

Noh et al., Matter 1, 1370 (2019), and its supporting information.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.datasets.dataset import Dataset
from gen2dft.errors import SnapshotError
from gen2dft.generators.base import OnEpoch, TrainingResult
from gen2dft.generators.keras_setup import load_keras
from gen2dft.representations.base import DecodeResult

if TYPE_CHECKING:
    from gen2dft.generators.imatgen.trained import TrainedImatgen


class ImatgenGenerator:
    """Encodes crystals of a few elements, decodes latent vectors, predicts classes of properties; a `Generator`."""

    name: ClassVar[str] = "imatgen"

    def __init__(self) -> None:
        self._trained: TrainedImatgen | None = None

    @property
    def trained(self) -> TrainedImatgen:
        """What the training left; SnapshotError before it."""
        if self._trained is None:
            raise SnapshotError("this generator is not trained: call `fit`, or load a snapshot")
        return self._trained

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that `predict` gives, in the order of its columns."""
        return self.trained.classes.properties

    @property
    def latent_mean(self) -> NDArray[np.float32]:
        """(d,) mean of the training part's latent vectors."""
        return self.trained.latent_mean

    @property
    def latent_std(self) -> NDArray[np.float32]:
        """(d,) spread of the training part's latent vectors."""
        return self.trained.latent_std

    def fit(
        self,
        dataset: Dataset,
        spec: GeneratorSpec,
        properties: Sequence[str],
        *,
        seed: int,
        warm_start: Self | None = None,
        may_hold_out: NDArray[np.bool_] | None = None,
        checkpoint_dir: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> TrainingResult:
        """Train; see `Generator.fit`. A warm start keeps the autoencoders and trains the materials generator on."""
        load_keras()  # before anything imports keras
        from gen2dft.generators.imatgen.fitting import ImatgenTraining

        parent = warm_start.trained if warm_start is not None else None
        training = ImatgenTraining(dataset, spec, tuple(properties), seed, parent, may_hold_out)
        self._trained, result = training.run(checkpoint_dir, on_epoch)
        return result

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means; DatasetError names crystals of other elements or with too many sites, by index."""
        return self.trained.encode(table)

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, mended, with one reason for each vector that gives none."""
        return self.trained.decode(latents)

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, len(properties)) expected properties, in their units, by the classifier's probabilities."""
        return self.trained.predict(latents)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Configuration and arrays, to be stored."""
        return self.trained.config(), self.trained.arrays()

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `state`."""
        load_keras()  # before anything imports keras
        from gen2dft.generators.imatgen.trained import TrainedImatgen

        generator = cls()
        generator._trained = TrainedImatgen.from_state(config, arrays)
        return generator
