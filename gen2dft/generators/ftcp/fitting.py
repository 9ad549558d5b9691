"""One training of the FTCP generator from dataset to result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.generators.base import OnEpoch, Reconstruction, TrainingResult
from gen2dft.generators.checkpoint import CheckpointFile, History, training_fingerprint
from gen2dft.generators.checks import require_labels, require_properties
from gen2dft.generators.chunks import CHUNK
from gen2dft.generators.ftcp.accuracy import reconstruction_figures
from gen2dft.generators.ftcp.scalers import MatrixScaler, PropertyScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.ftcp.trained import TrainedFTCP
from gen2dft.generators.ftcp.variants import load_variant
from gen2dft.generators.keras_setup import load_keras, seed_fresh_networks, versions_in_use
from gen2dft.generators.parity import label_counts, parities
from gen2dft.generators.split import held_out
from gen2dft.representations.ftcp import FTCP
from gen2dft.representations.indexing import row_chunks

if TYPE_CHECKING:
    from gen2dft.generators.ftcp.training import Samples, Trainer

# Raised when the same spec, data and seed would train to another result: older checkpoints are then
# not taken up.
TRAINING_VERSION = 3
WARM_RATE = 0.3  # of the learning rate, when the weights are good already
MIN_TRAINING_CRYSTALS = 2  # batch statistics need them
MAX_MEASURED = 2000  # held-out crystals that are decoded again to measure the reconstruction


@dataclass(frozen=True, eq=False)
class FTCPTraining:
    """Data and settings of one training; fields as in `Generator.fit`."""

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

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """(n, p) labels, NaN where missing."""
        return self.dataset.label_matrix(self.properties)

    @cached_property
    def is_learnt(self) -> NDArray[np.bool_]:
        """(n,) crystals of the training part."""
        return ~self.is_held_out

    def check(self) -> None:
        """Raise before any work is done; see `Generator.fit`."""
        require_properties(self.properties)
        self._check_warm_start()
        self.representation.check(self.dataset.crystals)
        count = int(self.is_learnt.sum())
        if count < MIN_TRAINING_CRYSTALS:
            raise DatasetError(
                f"{count} crystals to train on; give more or lower generator.holdout"
            )
        require_labels(self.labels[self.is_learnt], self.properties)

    def _check_warm_start(self) -> None:
        old = self.warm_start
        if old is None:
            return
        given, wanted = old.spec, self.spec
        if given.variant != wanted.variant:
            raise SnapshotError(
                f"cannot start from a generator of variant {given.variant!r}: "
                f"{wanted.variant!r} is asked for; train without a warm start"
            )
        same_size = given.latent_dim == wanted.latent_dim
        if not same_size or old.properties != self.properties:
            raise SnapshotError(
                f"cannot start from a generator of {given.latent_dim} latent dimensions that "
                f"predicts {list(old.properties)}: {wanted.latent_dim} and "
                f"{list(self.properties)} are asked for; train without a warm start"
            )

    def fingerprint(self) -> str:
        """Hash of all that decides the result; 16 hexadecimal digits."""
        rep = self.representation
        content = [TRAINING_VERSION, rep.elements, rep.max_elements, rep.max_sites]
        warm_start = None
        if self.warm_start is not None:
            warm_start = self.warm_start.content_hash()
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
        """Train, or resume at the checkpoint."""
        start = time.monotonic()
        self.check()
        load_keras()
        crystals = self._prepared()
        learnt = crystals.select(self.is_learnt)
        kept = crystals.select(self.is_held_out)
        model = self._untrained(learnt)
        trainer = self._trainer(model, learnt)
        kept_samples = self._samples(model, kept, self.is_held_out)
        checkpoints = CheckpointFile(checkpoint_dir, self.fingerprint())
        history = trainer.run(kept_samples, checkpoints, on_epoch)
        latents = model.encode_cells(learnt)
        mean, std = latents.mean(axis=0), latents.std(axis=0)
        model = replace(model, latent_mean=mean, latent_std=std)
        seconds = time.monotonic() - start
        result = self._result(model, history, kept, seconds)
        # Only now: a run that dies while its result is measured need not train again.
        checkpoints.remove()
        return model, result

    def _prepared(self) -> CrystalTable:
        """All crystals in the cells that the networks see."""
        variant = load_variant(self.spec.variant)
        return variant.prepare(self.representation, self.dataset.crystals)

    def _trainer(self, model: TrainedFTCP, crystals: CrystalTable) -> Trainer:
        from gen2dft.generators.ftcp.training import Trainer

        variant = load_variant(self.spec.variant)
        samples = self._samples(model, crystals, self.is_learnt)
        epochs, rate = self.spec.epochs, 1.0
        if self.warm_start is not None:
            epochs, rate = self.spec.epochs_warm, WARM_RATE
        return Trainer(
            networks=model.networks,
            spec=self.spec,
            make_optimizer=variant.optimizer,
            samples=samples,
            seed=self.seed,
            epochs=epochs,
            rate=rate,
        )

    def _samples(
        self, model: TrainedFTCP, crystals: CrystalTable, rows: NDArray[np.bool_]
    ) -> Samples:
        """Crystals in the cells that the networks see, with the labels of their rows."""
        from gen2dft.generators.ftcp.training import Samples

        labels = model.property_scaler.scale(self.labels[rows])
        weights = self.dataset.weight_matrix(self.properties)[rows].astype(np.float32)
        return Samples(crystals, labels, self.representation, model.matrix_scaler, weights)

    def _result(
        self, model: TrainedFTCP, history: History, kept: CrystalTable, seconds: float
    ) -> TrainingResult:
        """Summary of the training; `kept` are the held-out crystals in the cells that the networks
        see.
        """
        latents = model.encode_cells(kept)
        predicted = model.predict(latents)
        kept_labels = self.labels[self.is_held_out]
        heldout = parities(self.properties, kept_labels, predicted)
        reconstruction = self._reconstruction(model, kept, latents)
        learnt_labels = self.labels[self.is_learnt]
        return TrainingResult(
            history=history,
            heldout=heldout,
            reconstruction=reconstruction,
            num_train=len(learnt_labels),
            num_heldout=len(kept),
            num_labels=label_counts(self.properties, learnt_labels),
            warm=self.warm_start is not None,
            seconds=seconds,
        )

    def _reconstruction(
        self, model: TrainedFTCP, kept: CrystalTable, latents: NDArray[np.float32]
    ) -> Reconstruction:
        count = min(len(kept), MAX_MEASURED)
        measured = np.arange(count)
        crystals = kept.select(measured)
        truth = self.representation.encode(crystals)
        decoded = model.decode_matrices(latents[measured])
        return reconstruction_figures(self.representation, truth, decoded)

    def _untrained(self, crystals: CrystalTable) -> TrainedFTCP:
        """Scalers and networks before the training, fresh or the warm start's.

        Scalers are fitted to the crystals of the training part, in the cells that the networks see.
        """
        matrix_scaler, property_scaler = self._scalers(crystals)
        variant = load_variant(self.spec.variant)
        seed_fresh_networks(self.seed)
        rep, num_properties = self.representation, len(self.properties)
        networks = variant.build(rep, self.spec, num_properties, matrix_scaler)
        if self.warm_start is not None:
            weights = self.warm_start.networks.weights()
            networks.set_weights(weights)
        width = self.spec.latent_dim
        return TrainedFTCP(
            representation=rep,
            spec=self.spec,
            seed=self.seed,
            matrix_scaler=matrix_scaler,
            property_scaler=property_scaler,
            networks=networks,
            latent_mean=np.zeros(width, dtype=np.float32),
            latent_std=np.ones(width, dtype=np.float32),
            training_set_hash=self.dataset.content_hash,
            versions=versions_in_use(),
        )

    def _scalers(self, crystals: CrystalTable) -> tuple[MatrixScaler, PropertyScaler]:
        if self.warm_start is not None:
            return self.warm_start.matrix_scaler, self.warm_start.property_scaler
        variant = load_variant(self.spec.variant)
        matrices = self._matrices(crystals)
        matrix_scaler = variant.scaler.fit(self.representation, matrices)
        learnt_labels = self.labels[self.is_learnt]
        property_scaler = PropertyScaler.fit(
            learnt_labels, self.properties, self.dataset.properties
        )
        return matrix_scaler, property_scaler

    def _matrices(self, crystals: CrystalTable) -> Iterator[NDArray[np.float32]]:
        """Matrices of crystals, a chunk in memory at a time."""
        for rows in row_chunks(len(crystals), CHUNK):
            yield self.representation.encode(crystals.select(rows))
