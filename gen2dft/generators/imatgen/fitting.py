"""One training of iMatGen from dataset to result: autoencoders, codes, materials generator."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.generators.base import OnEpoch, TrainingResult
from gen2dft.generators.checkpoint import CheckpointFile, History, training_fingerprint
from gen2dft.generators.checks import require_labels, require_properties
from gen2dft.generators.epochs import EpochLoop, Rows
from gen2dft.generators.imatgen.accuracy import (
    image_figures,
    reconstruction_figures,
    tensor_figures,
)
from gen2dft.generators.imatgen.image_rows import Draw, image_rows
from gen2dft.generators.imatgen.settings import ImatgenSettings
from gen2dft.generators.imatgen.stages import (
    BASIS,
    BROAD,
    CELL,
    LABELLED,
    Samples,
    autoencoder_stage,
    generator_stage,
)
from gen2dft.generators.imatgen.trained import (
    REFUSED,
    Classes,
    TrainedImatgen,
    build_networks,
    representation_of,
)
from gen2dft.generators.keras_setup import seed_fresh_networks, versions_in_use
from gen2dft.generators.parity import label_counts, parities
from gen2dft.generators.split import held_out
from gen2dft.generators.weights import set_weights
from gen2dft.screening.vanadium import is_valid_state, vanadium_state

# Raised when the same spec, data and seed would train to another result: older checkpoints are then
# not taken up.
TRAINING_VERSION = 2
MIN_TRAINING_CRYSTALS = 2
STAGES = {"cell": CELL, "basis": BASIS}
# Held-out crystals whose images are measured; each costs 4 MB and a fifth of a second.
MAX_MEASURED = 100


@dataclass(frozen=True, eq=False)
class ImatgenTraining:
    """Data and settings of one training; fields as in `Generator.fit`."""

    dataset: Dataset
    spec: ImatgenSettings
    properties: tuple[str, ...]
    seed: int
    warm_start: TrainedImatgen | None = None
    may_hold_out: NDArray[np.bool_] | None = None

    @cached_property
    def misfits(self) -> list[str | None]:
        """Why each crystal has no images."""
        rep = representation_of(self.spec)
        return rep.misfits(self.dataset.crystals)

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """(n,) crystals that have images."""
        has_images = [misfit is None for misfit in self.misfits]
        return np.array(has_images, dtype=bool)

    @cached_property
    def is_held_out(self) -> NDArray[np.bool_]:
        """(n,) crystals kept from training."""
        chosen = held_out(self.dataset.ids, self.spec.holdout, self.may_hold_out)
        return self.fits & chosen

    @cached_property
    def is_trained(self) -> NDArray[np.bool_]:
        """(n,) crystals of the training part."""
        return self.fits & ~self.is_held_out

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """(n, p) labels, NaN where missing."""
        return self.dataset.label_matrix(self.properties)

    @cached_property
    def is_oxide(self) -> NDArray[np.bool_]:
        """(n,) crystals of the second, smaller set: labelled, and with a valid oxidation state of
        V.
        """
        is_labelled = np.isfinite(self.labels).any(axis=1)
        state = vanadium_state(self.dataset.crystals)
        return is_labelled & is_valid_state(state)

    def check(self) -> None:
        """Raise before any work is done; see `Generator.fit`."""
        require_properties(self.properties)
        self._check_warm_start()
        rep = representation_of(self.spec)
        rep.check(self.dataset.crystals, REFUSED)
        is_usable = self.is_trained & self.is_oxide
        count = int(is_usable.sum())
        if count < MIN_TRAINING_CRYSTALS:
            left_out = self._left_out() or "all have them"
            raise DatasetError(
                f"{count} of {len(self.dataset)} crystals can be learnt from: they need images "
                f"({left_out}), a label and a valid oxidation state of V; give more, or lower "
                "generator.holdout"
            )
        require_labels(self.labels[self.is_trained], self.properties)

    def _check_warm_start(self) -> None:
        old = self.warm_start
        if old is None:
            return
        given = _shape(old.spec)
        wanted = _shape(self.spec)
        predicted = old.classes.properties
        if given != wanted or predicted != self.properties:
            raise SnapshotError(
                "cannot start from a generator of latent dimensions, channels and elements "
                f"{given} that predicts {list(predicted)}: {wanted} and {list(self.properties)} "
                "are asked for; train without a warm start"
            )

    def _left_out(self) -> dict[str, int]:
        counts = Counter(self.misfits)
        return {reason: count for reason, count in counts.items() if reason is not None}

    def fingerprint(self) -> str:
        """Hash of all that decides the result; 16 hexadecimal digits."""
        warm_start = None
        if self.warm_start is not None:
            warm_start = self.warm_start.content_hash()
        return training_fingerprint(
            [TRAINING_VERSION],
            self.dataset,
            self.spec,
            self.properties,
            self.seed,
            warm_start,
            self.may_hold_out,
        )

    def run(
        self, checkpoint_dir: Path | None, on_epoch: OnEpoch | None
    ) -> tuple[TrainedImatgen, TrainingResult]:
        """Train, or resume at the checkpoints."""
        start = time.monotonic()
        self.check()
        model = self._untrained()
        runner = _Runner(checkpoint_dir, self.fingerprint(), on_epoch)
        if self.warm_start is None:
            for stage, loop in self._autoencoders(model):
                runner.run(stage, loop)
        # Only now: the tensors are made of the codes of the trained autoencoders.
        samples = self._samples(model)
        is_learnt = self.is_trained[self.fits]
        if self.warm_start is None and self.spec.imatgen.pretrain_epochs:
            runner.run("broad", self._broad(model, samples))
        oxides = self._oxides(model, samples)
        history = runner.run("oxides", oxides)
        latents = model.encode_tensors(samples.tensors[is_learnt])
        mean = latents.mean(axis=0)
        std = latents.std(axis=0)
        model = replace(model, latent_mean=mean, latent_std=std)
        kept = samples.tensors[~is_learnt]
        seconds = time.monotonic() - start
        result = self._result(model, kept, history, seconds)
        runner.clear()
        return model, result

    def _samples(self, model: TrainedImatgen) -> Samples:
        """All crystals that have images."""
        crystals = self.dataset.crystals.select(self.fits)
        tensors = model.tensors(crystals)
        classes = model.classes.of(self.labels[self.fits])
        return Samples(tensors, classes)

    def _broad(self, model: TrainedImatgen, samples: Samples) -> EpochLoop:
        """The materials generator on all crystals, without classifier."""
        is_learnt = self.is_trained[self.fits]
        parts = samples.split(is_learnt)
        epochs = self.spec.imatgen.pretrain_epochs
        return generator_stage(model.networks, parts, self.spec, BROAD, self.seed, epochs)

    def _oxides(self, model: TrainedImatgen, samples: Samples) -> EpochLoop:
        """The materials generator with its classifier, on the second set."""
        is_oxide = self.is_oxide[self.fits]
        is_learnt = self.is_trained[self.fits]
        oxides = samples.select(is_oxide)
        parts = oxides.split(is_learnt[is_oxide])
        epochs = self.spec.epochs
        if self.warm_start is not None:
            epochs = self.spec.epochs_warm
        return generator_stage(model.networks, parts, self.spec, LABELLED, self.seed, epochs)

    def _autoencoders(self, model: TrainedImatgen) -> Iterator[tuple[str, EpochLoop]]:
        """The stages of both autoencoders, each made when its turn comes."""
        rep = model.representation
        yield "cell", self._autoencoder(model, "cell", rep.cell_images, 1)
        images_per_crystal = len(rep.elements)
        yield "basis", self._autoencoder(model, "basis", rep.basis_images, images_per_crystal)

    def _autoencoder(
        self, model: TrainedImatgen, part: str, draw: Draw, per_crystal: int
    ) -> EpochLoop:
        own = self.spec.imatgen
        encoder = model.networks[f"{part}_encoder"]
        decoder = model.networks[f"{part}_decoder"]
        shape = encoder.input_shape[1:]

        def rows(crystals: CrystalTable) -> Rows:
            return image_rows(crystals, draw, per_crystal, shape, own.strain, own.shift)

        train = self._some(self.is_trained, own.autoencoder_crystals)
        kept = self._some(self.is_held_out, MAX_MEASURED)
        parts = (rows(train), rows(kept))
        stage = STAGES[part]
        return autoencoder_stage(encoder, decoder, parts, self.spec, stage, self.seed)

    def _some(self, part: NDArray[np.bool_], size: int | None) -> CrystalTable:
        """Crystals of a part, a seeded choice of them if there are more than `size`."""
        rows = np.flatnonzero(part)
        if size is not None and len(rows) > size:
            rng = np.random.default_rng([self.seed, len(rows)])
            chosen = rng.choice(rows, size=size, replace=False)
            rows = np.sort(chosen)
        return self.dataset.crystals.select(rows)

    def _untrained(self) -> TrainedImatgen:
        """Fresh networks, or the warm start's."""
        seed_fresh_networks(self.seed)
        networks = build_networks(self.spec, len(self.properties))
        if self.warm_start is not None:
            weights = self.warm_start.arrays()
            set_weights(networks, weights)
        classes = self._classes()
        width = self.spec.latent_dim
        return TrainedImatgen(
            representation=representation_of(self.spec),
            spec=self.spec,
            seed=self.seed,
            classes=classes,
            networks=networks,
            latent_mean=np.zeros(width, dtype=np.float32),
            latent_std=np.ones(width, dtype=np.float32),
            training_set_hash=self.dataset.content_hash,
            versions=versions_in_use(),
        )

    def _classes(self) -> Classes:
        if self.warm_start is not None:
            return self.warm_start.classes
        labels = self.labels[self.is_trained]
        return Classes.fit(labels, self.properties, self.spec.imatgen.thresholds)

    def _result(
        self, model: TrainedImatgen, tensors: NDArray[np.float32], history: History, seconds: float
    ) -> TrainingResult:
        """Summary of the training; `tensors` are those of the held-out crystals."""
        kept = self.dataset.crystals.select(self.is_held_out)
        labels = self.labels[self.is_held_out]
        latents = model.encode_tensors(tensors)
        predicted = model.predict(latents)
        heldout = parities(self.properties, labels, predicted)
        count = min(len(kept), MAX_MEASURED)
        measured = np.arange(count)
        truth = kept.select(measured)
        decoded = model.decode(latents[measured])
        reconstruction = reconstruction_figures(truth, decoded)
        figures = tensor_figures(model, tensors, labels)
        figures |= image_figures(model, truth)
        learnt_labels = self.labels[self.is_trained]
        return TrainingResult(
            history=history,
            heldout=heldout,
            reconstruction=reconstruction,
            num_train=len(learnt_labels),
            num_heldout=len(kept),
            num_labels=label_counts(self.properties, learnt_labels),
            warm=self.warm_start is not None,
            seconds=seconds,
            figures=figures,
            left_out=self._left_out(),
        )


def _shape(spec: ImatgenSettings) -> tuple[object, ...]:
    """The settings that decide the shapes of all weights."""
    return spec.latent_dim, spec.imatgen.channels, spec.imatgen.elements


class _Runner:
    """Runs one stage after another; epochs are numbered consecutively across stages."""

    def __init__(self, folder: Path | None, fingerprint: str, on_epoch: OnEpoch | None) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.on_epoch = on_epoch
        self.done = 0
        self.files: list[CheckpointFile] = []

    def run(self, stage: str, loop: EpochLoop) -> History:
        """Train one stage, or find it trained."""
        before = self.done

        def tell(epoch: int, row: dict[str, float]) -> None:
            if self.on_epoch is not None:
                self.on_epoch(before + epoch, row)

        file = CheckpointFile(self.folder, f"{self.fingerprint}-{stage}")
        self.files.append(file)
        history = loop.run(file, tell, keep_end=True)
        self.done += loop.epochs
        return history

    def clear(self) -> None:
        """Delete the checkpoints, once the training's result is in hand."""
        for file in self.files:
            file.remove()
