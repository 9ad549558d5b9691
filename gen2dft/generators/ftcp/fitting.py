"""One training of the FTCP generator from dataset to result."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft import __version__
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.generators.base import OnEpoch, Parity, TrainingResult
from gen2dft.generators.checkpoint import CheckpointFile, History, training_fingerprint
from gen2dft.generators.checks import require_labels, require_properties
from gen2dft.generators.chunks import CHUNK
from gen2dft.generators.ftcp.accuracy import reconstruction_figures
from gen2dft.generators.ftcp.networks import load_variant
from gen2dft.generators.ftcp.scalers import PropertyScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.ftcp.trained import TrainedFTCP
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.split import held_out
from gen2dft.representations.ftcp import FTCP

if TYPE_CHECKING:
    from gen2dft.generators.ftcp.training import Samples

# Raised when the same spec, data and seed would train to another result: older checkpoints are then
# not taken up.
TRAINING_VERSION = 3
WARM_RATE = 0.3  # of the learning rate, when the weights are good already
MIN_TRAINING_CRYSTALS = 2  # batch statistics need them
MAX_MEASURED = 2000  # held-out crystals that are decoded again to measure the reconstruction


@dataclass(frozen=True, eq=False)
class FTCPTraining:
    """What is trained on what; fields as in `Generator.fit`."""

    dataset: Dataset
    spec: FTCPSettings
    properties: tuple[str, ...]
    seed: int
    representation: FTCP
    warm_start: TrainedFTCP | None = None
    may_hold_out: NDArray[np.bool_] | None = None

    @cached_property
    def is_held_out(self) -> NDArray[np.bool_]:
        """(n,) crystals kept from training."""
        return held_out(self.dataset.ids, self.spec.holdout, self.may_hold_out)

    def check(self) -> None:
        """Raise before any work is done; see `Generator.fit`."""
        require_properties(self.properties)
        self._check_warm_start()
        self.representation.check(self.dataset.crystals)
        if (count := int((~self.is_held_out).sum())) < MIN_TRAINING_CRYSTALS:
            raise DatasetError(
                f"{count} crystals to train on; give more or lower generator.holdout"
            )
        require_labels(
            self.dataset.label_matrix(self.properties)[~self.is_held_out], self.properties
        )

    def _check_warm_start(self) -> None:
        old = self.warm_start
        if old is None:
            return
        if old.spec.variant != self.spec.variant:
            raise SnapshotError(
                f"cannot start from a generator of variant {old.spec.variant!r}: "
                f"{self.spec.variant!r} is asked for; "
                "train without a warm start"
            )
        if (old.property_scaler.properties, old.spec.latent_dim) == (
            self.properties,
            self.spec.latent_dim,
        ):
            return
        raise SnapshotError(
            f"cannot start from a generator of {old.spec.latent_dim} latent dimensions that "
            "predicts "
            f"{list(old.property_scaler.properties)}: {self.spec.latent_dim} and "
            f"{list(self.properties)} are asked "
            "for; train without a warm start"
        )

    def fingerprint(self) -> str:
        """Hash of all that decides the result; 16 hexadecimal digits."""
        rep = self.representation
        content = [TRAINING_VERSION, rep.elements, rep.max_elements, rep.max_sites]
        warm_start = self.warm_start.content_hash() if self.warm_start else None
        return training_fingerprint(
            content,
            self.dataset,
            self.spec,
            self.properties,
            self.seed,
            warm_start,
            self.may_hold_out,
        )

    def run(
        self, checkpoint_dir: Path | None, on_epoch: OnEpoch | None
    ) -> tuple[TrainedFTCP, TrainingResult]:
        """Train, or go on where the checkpoint ends."""
        start = time.monotonic()
        self.check()
        load_keras()
        from gen2dft.generators.ftcp.training import Trainer

        variant = load_variant(self.spec.variant)
        crystals = variant.prepare(self.representation, self.dataset.crystals)
        model = self._untrained(crystals.select(~self.is_held_out))
        train, kept = (
            self._samples(model, crystals, rows) for rows in (~self.is_held_out, self.is_held_out)
        )
        schedule = (
            (self.spec.epochs_warm, WARM_RATE) if self.warm_start else (self.spec.epochs, 1.0)
        )
        trainer = Trainer(
            model.networks,
            self.spec,
            load_variant(self.spec.variant).optimizer,
            train,
            self.seed,
            *schedule,
        )
        checkpoints = CheckpointFile(checkpoint_dir, self.fingerprint())
        history = trainer.run(kept, checkpoints, on_epoch)
        latents = model.encode_cells(train.crystals)
        model = replace(model, latent_mean=latents.mean(axis=0), latent_std=latents.std(axis=0))
        result = self._result(model, history, kept.crystals, time.monotonic() - start)
        checkpoints.remove()
        return model, result

    def _samples(
        self, model: TrainedFTCP, crystals: CrystalTable, rows: NDArray[np.bool_]
    ) -> Samples:
        from gen2dft.generators.ftcp.training import Samples

        labels = model.property_scaler.scale(self.dataset.label_matrix(self.properties)[rows])
        return Samples(crystals.select(rows), labels, self.representation, model.matrix_scaler)

    def _result(
        self, model: TrainedFTCP, history: History, kept: CrystalTable, seconds: float
    ) -> TrainingResult:
        """What the training did.

        `kept` are the held-out crystals in the cells that the networks see.
        """
        latents = model.encode_cells(kept)
        labels = self.dataset.label_matrix(self.properties)[~self.is_held_out]
        measured = np.arange(min(len(kept), MAX_MEASURED))
        truth = self.representation.encode(kept.select(measured))
        decoded = model.decode_matrices(latents[measured])
        return TrainingResult(
            history=history,
            heldout=self._parity(model.predict(latents)),
            reconstruction=reconstruction_figures(self.representation, truth, decoded),
            num_train=len(labels),
            num_heldout=len(kept),
            num_labels=dict(
                zip(self.properties, np.isfinite(labels).sum(axis=0).tolist(), strict=True)
            ),
            warm=self.warm_start is not None,
            seconds=seconds,
        )

    def _untrained(self, crystals: CrystalTable) -> TrainedFTCP:
        """Scalers of the training part, given as the networks see it, and fresh networks.

        Or the warm start's.
        """
        variant = load_variant(self.spec.variant)
        if self.warm_start is not None:
            scalers = (self.warm_start.matrix_scaler, self.warm_start.property_scaler)
        else:
            labels = self.dataset.label_matrix(self.properties)[~self.is_held_out]
            starts = range(0, len(crystals), CHUNK)
            chunks = (crystals.select(np.arange(i, min(i + CHUNK, len(crystals)))) for i in starts)
            scalers = (
                variant.scaler.fit(self.representation, map(self.representation.encode, chunks)),
                PropertyScaler.fit(labels, self.properties, self.dataset.properties),
            )
        keras = load_keras()
        # Layers are numbered by process, and TensorFlow orders the graph by their names: with it
        # the last bit of sums.
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(self.seed % 2**32)
        networks = variant.build(self.representation, self.spec, len(self.properties), scalers[0])
        if self.warm_start is not None:
            networks.set_weights(self.warm_start.networks.weights())
        return TrainedFTCP(
            representation=self.representation,
            spec=self.spec,
            seed=self.seed,
            matrix_scaler=scalers[0],
            property_scaler=scalers[1],
            networks=networks,
            latent_mean=np.zeros(self.spec.latent_dim, dtype=np.float32),
            latent_std=np.ones(self.spec.latent_dim, dtype=np.float32),
            training_set_hash=self.dataset.content_hash,
            versions={"gen2dft": __version__, "keras": version("keras"), "numpy": version("numpy")},
        )

    def _parity(self, predicted: NDArray[np.float64]) -> dict[str, Parity]:
        """Held-out labels against predictions, where there is a label."""
        truth = self.dataset.label_matrix(self.properties)[self.is_held_out]
        pairs = {}
        for column, name in enumerate(self.properties):
            known = np.isfinite(truth[:, column])
            pairs[name] = Parity(truth[known, column].tolist(), predicted[known, column].tolist())
        return pairs
