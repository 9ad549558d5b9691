"""One training of iMatGen from dataset to result: autoencoders, codes, materials generator."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2dft import __version__
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.generators.base import OnEpoch, TrainingResult
from gen2dft.generators.checkpoint import CheckpointFile, History, training_fingerprint
from gen2dft.generators.checks import require_labels, require_properties
from gen2dft.generators.epochs import EpochLoop
from gen2dft.generators.imatgen.accuracy import (
    heldout_parity,
    image_figures,
    reconstruction_figures,
    tensor_figures,
)
from gen2dft.generators.imatgen.image_rows import image_rows
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
    set_weights,
)
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.split import held_out
from gen2dft.screening.vanadium import is_valid_state, vanadium_state

# Raised when the same spec, data and seed would train to another result: older checkpoints are then
# not taken up.
TRAINING_VERSION = 2
MIN_TRAINING_CRYSTALS = 2
MAX_MEASURED = (
    100  # held-out crystals whose images are measured; each costs 4 MB and a fifth of a second
)


@dataclass(frozen=True, eq=False)
class ImatgenTraining:
    """What is trained on what; fields as in `Generator.fit`."""

    dataset: Dataset
    spec: ImatgenSettings
    properties: tuple[str, ...]
    seed: int
    warm_start: TrainedImatgen | None = None
    may_hold_out: NDArray[np.bool_] | None = None

    @cached_property
    def misfits(self) -> list[str | None]:
        """Why each crystal has no images."""
        return representation_of(self.spec).misfits(self.dataset.crystals)

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """(n,) crystals that have images."""
        return np.array([reason is None for reason in self.misfits], dtype=bool)

    @cached_property
    def is_held_out(self) -> NDArray[np.bool_]:
        """(n,) crystals kept from training."""
        return self.fits & held_out(self.dataset.ids, self.spec.holdout, self.may_hold_out)

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
        labelled = np.isfinite(self.labels).any(axis=1)
        return labelled & is_valid_state(vanadium_state(self.dataset.crystals))

    def check(self) -> None:
        """Raise before any work is done; see `Generator.fit`."""
        require_properties(self.properties)
        self._check_warm_start()
        representation_of(self.spec).check(self.dataset.crystals, REFUSED)
        count = int((self.is_trained & self.is_oxide).sum())
        if count < MIN_TRAINING_CRYSTALS:
            raise DatasetError(
                f"{count} of {len(self.dataset)} crystals can be learnt from: they need images "
                f"({dict(self._left_out()) or 'all have them'}), a label and a valid oxidation "
                "state of V; give more, "
                "or lower generator.holdout"
            )
        require_labels(self.labels[self.is_trained], self.properties)

    def _check_warm_start(self) -> None:
        old = self.warm_start
        if old is None:
            return
        shapes = [
            (s.latent_dim, s.imatgen.channels, s.imatgen.elements) for s in (old.spec, self.spec)
        ]
        if shapes[0] != shapes[1] or old.classes.properties != self.properties:
            raise SnapshotError(
                "cannot start from a generator of latent dimensions, channels and elements "
                f"{shapes[0]} that predicts "
                f"{list(old.classes.properties)}: {shapes[1]} and {list(self.properties)} are "
                "asked for; train without "
                "a warm start"
            )

    def _left_out(self) -> Counter[str]:
        return Counter(reason for reason in self.misfits if reason is not None)

    def fingerprint(self) -> str:
        """Hash of all that decides the result; 16 hexadecimal digits."""
        content = [TRAINING_VERSION]
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
    ) -> tuple[TrainedImatgen, TrainingResult]:
        """Train, or go on where the checkpoints end."""
        start = time.monotonic()
        self.check()
        model = self._untrained()
        runner = _Runner(checkpoint_dir, self.fingerprint(), on_epoch)
        if self.warm_start is None:
            for stage, loop in self._autoencoders(model):
                runner.run(stage, loop)
        crystals = self.dataset.crystals.select(self.fits)
        samples = Samples(model.tensors(crystals), model.classes.of(self.labels[self.fits]))
        learnt, oxides = self.is_trained[self.fits], self.is_oxide[self.fits]
        if self.warm_start is None and self.spec.imatgen.pretrain_epochs:
            broad = (samples.select(learnt), samples.select(~learnt))
            epochs = self.spec.imatgen.pretrain_epochs
            runner.run(
                "broad", generator_stage(model.networks, broad, self.spec, BROAD, self.seed, epochs)
            )
        own = (samples.select(learnt & oxides), samples.select(~learnt & oxides))
        epochs = self.spec.epochs_warm if self.warm_start else self.spec.epochs
        last = generator_stage(model.networks, own, self.spec, LABELLED, self.seed, epochs)
        history = runner.run("oxides", last)
        latents = model.encode_tensors(samples.tensors[learnt])
        model = replace(model, latent_mean=latents.mean(axis=0), latent_std=latents.std(axis=0))
        result = self._result(model, samples.tensors[~learnt], history, time.monotonic() - start)
        runner.clear()
        return model, result

    def _autoencoders(self, model: TrainedImatgen) -> Iterator[tuple[str, EpochLoop]]:
        """The stages of both autoencoders, each made when its turn comes."""
        size = self.spec.imatgen.autoencoder_crystals
        parts = (self._some(self.is_trained, size), self._some(self.is_held_out, MAX_MEASURED))
        rep, nets, own = model.representation, model.networks, self.spec.imatgen
        drawn = (
            ("cell", CELL, rep.cell_images, 1),
            ("basis", BASIS, rep.basis_images, len(own.elements)),
        )
        for name, stage, draw, each in drawn:
            pair = (nets[f"{name}_encoder"], nets[f"{name}_decoder"])
            shape = pair[0].input_shape[1:]
            train, kept = (
                image_rows(part, draw, each, shape, own.strain, own.shift) for part in parts
            )
            yield name, autoencoder_stage(*pair, (train, kept), self.spec, stage, self.seed)

    def _some(self, part: NDArray[np.bool_], size: int | None) -> CrystalTable:
        """Crystals of a part, a seeded choice of them if there are more than `size`."""
        rows = np.flatnonzero(part)
        if size is not None and len(rows) > size:
            rows = np.sort(
                np.random.default_rng([self.seed, len(rows)]).choice(rows, size=size, replace=False)
            )
        return self.dataset.crystals.select(rows)

    def _untrained(self) -> TrainedImatgen:
        """Fresh networks, or the warm start's."""
        keras = load_keras()
        # Layers are numbered by process, and TensorFlow orders the graph by their names: with it
        # the last bit of sums.
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(self.seed % 2**32)
        networks = build_networks(self.spec, len(self.properties))
        if self.warm_start is not None:
            set_weights(networks, self.warm_start.arrays())
            classes = self.warm_start.classes
        else:
            thresholds = self.spec.imatgen.thresholds
            classes = Classes.fit(self.labels[self.is_trained], self.properties, thresholds)
        return TrainedImatgen(
            representation=representation_of(self.spec),
            spec=self.spec,
            seed=self.seed,
            classes=classes,
            networks=networks,
            latent_mean=np.zeros(self.spec.latent_dim, dtype=np.float32),
            latent_std=np.ones(self.spec.latent_dim, dtype=np.float32),
            training_set_hash=self.dataset.content_hash,
            versions={"gen2dft": __version__, "keras": version("keras"), "numpy": version("numpy")},
        )

    def _result(
        self, model: TrainedImatgen, tensors: NDArray[np.float32], history: History, seconds: float
    ) -> TrainingResult:
        """What the training did; `tensors` are those of the held-out crystals."""
        kept = self.dataset.crystals.select(self.is_held_out)
        latents, labels = model.encode_tensors(tensors), self.labels[self.is_held_out]
        measured = np.arange(min(len(kept), MAX_MEASURED))
        return TrainingResult(
            history=history,
            heldout=heldout_parity(model, latents, labels),
            reconstruction=reconstruction_figures(
                kept.select(measured), model.decode(latents[measured])
            ),
            num_train=int(self.is_trained.sum()),
            num_heldout=len(kept),
            num_labels={
                name: int(count)
                for name, count in zip(
                    self.properties,
                    np.isfinite(self.labels[self.is_trained]).sum(axis=0),
                    strict=True,
                )
            },
            warm=self.warm_start is not None,
            seconds=seconds,
            figures=tensor_figures(model, tensors, labels)
            | image_figures(model, kept.select(measured)),
            left_out=dict(self._left_out()),
        )


class _Runner:
    """Runs one stage after another; epochs are numbered through."""

    def __init__(self, folder: Path | None, fingerprint: str, on_epoch: OnEpoch | None) -> None:
        self.folder, self.fingerprint, self.on_epoch = folder, fingerprint, on_epoch
        self.done = 0
        self.files: list[CheckpointFile] = []

    def run(self, stage: str, loop: EpochLoop) -> History:
        """Train one stage, or find it trained."""
        before, tell = self.done, self.on_epoch
        numbered: OnEpoch | None = None
        if tell is not None:
            numbered = lambda epoch, row: tell(before + epoch, row)  # noqa: E731
        self.files.append(CheckpointFile(self.folder, f"{self.fingerprint}-{stage}"))
        history = loop.run(self.files[-1], numbered, keep_end=True)
        self.done += loop.epochs
        return history

    def clear(self) -> None:
        """Delete the checkpoints, once the training's result is in hand."""
        for file in self.files:
            file.remove()
