"""Generator `pca`: principal components of FTCP matrices, and a linear fit of the labels.

What others must beat.
"""

import time

import numpy as np

from gen2dft.generators.base import Parity, Reconstruction, TrainingResult
from gen2dft.generators.checks import require_labels, require_properties
from gen2dft.generators.split import held_out
from gen2dft.representations.ftcp import FTCP

MATRIX = FTCP()


class PCAGenerator:
    name = "pca"

    def fit(
        self, dataset, spec, properties, *,
        seed, warm_start=None, may_hold_out=None, checkpoint_dir=None, on_epoch=None,
    ):  # fmt: skip
        begun, out = time.perf_counter(), held_out(dataset.ids, spec.holdout, may_hold_out)
        require_properties(properties)
        truth = np.stack([dataset.label(name) for name in properties], axis=1)
        require_labels(truth[~out], properties)
        self.properties = tuple(properties)
        flat = MATRIX.encode(dataset.crystals).reshape(len(dataset), -1)
        train, self.mean = flat[~out], flat[~out].mean(axis=0)
        _, _, rows = np.linalg.svd(train - self.mean, full_matrices=False)
        self.axes = np.ascontiguousarray(rows[: spec.latent_dim])
        latents = self._project(flat)
        self.latent_mean, self.latent_std = latents[~out].mean(axis=0), latents[~out].std(axis=0)
        self.fits = np.stack([self._line(latents[~out], column) for column in truth[~out].T])
        loss = float(((latents[~out] @ self.axes + self.mean - train) ** 2).mean())
        row = {"epoch": 1, "loss": loss, "reconstruction": loss, "kl": 0.0, "property": 0.0}
        if on_epoch:
            on_epoch(1, row)
        parity = self._parity(truth[out], self.predict(latents[out]))
        counts = dict(zip(properties, np.isfinite(truth[~out]).sum(axis=0).tolist(), strict=True))
        sizes, warm = (len(train), int(out.sum())), warm_start is not None
        seconds = time.perf_counter() - begun
        return TrainingResult([row], parity, Reconstruction(0), *sizes, counts, warm, seconds)

    def _parity(self, truth, predicted):
        pairs = {}
        for name, label, said in zip(self.properties, truth.T, predicted.T, strict=True):
            known = np.isfinite(label)
            pairs[name] = Parity(label[known].tolist(), said[known].tolist())
        return pairs

    def _project(self, flat):
        # Row by row: a crystal's latent vector must not depend on its company.
        latents = [self.axes @ (row - self.mean) for row in flat]
        return np.reshape(latents, (len(flat), len(self.axes))).astype(np.float32)

    def _scaled(self, latents):
        return (np.asarray(latents, dtype=float) - self.latent_mean) / (self.latent_std + 1e-6)

    def _line(self, latents, labels, ridge=1.0):
        known = np.isfinite(labels)
        x = np.column_stack([np.ones(known.sum()), self._scaled(latents)[known]])
        return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ labels[known])

    def encode(self, table):
        return self._project(MATRIX.encode(table).reshape(len(table), len(self.mean)))

    def decode(self, latents):
        flat = np.asarray(latents) @ self.axes + self.mean
        return MATRIX.decode(flat.reshape(-1, *MATRIX.shape))

    def predict(self, latents):
        slopes = self._scaled(latents)[:, None, :] * self.fits[None, :, 1:]
        return slopes.sum(axis=2) + self.fits[:, 0]

    def state(self):
        names = ("mean", "axes", "fits", "latent_mean", "latent_std")
        return {"properties": list(self.properties)}, {name: getattr(self, name) for name in names}

    @classmethod
    def from_state(cls, config, arrays):
        self = cls()
        vars(self).update(arrays, properties=tuple(config["properties"]))
        return self
