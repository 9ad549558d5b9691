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

    def fit(self, dataset, spec, properties, *, seed, warm_start=None, may_hold_out=None, **more):
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
        loss = float(((self._project(train) @ self.axes + self.mean - train) ** 2).mean())
        row = {"epoch": 1, "loss": loss, "reconstruction": loss, "kl": 0.0, "property": 0.0}
        if more.get("on_epoch"):
            more["on_epoch"](1, row)
        known, said = np.isfinite(truth), self.predict(latents)
        parity = {name: Parity(truth[keep, i].tolist(), said[keep, i].tolist())
                  for i, name in enumerate(properties) for keep in [out & known[:, i]]}  # fmt: skip
        counts = {name: int(known[~out, i].sum()) for i, name in enumerate(properties)}
        return TrainingResult(
            [row],
            parity,
            Reconstruction(0),
            int((~out).sum()),
            int(out.sum()),
            counts,
            warm_start is not None,
            time.perf_counter() - begun,
        )

    def _project(
        self, flat
    ):  # row by row: a crystal's latent vector must not depend on its company
        return (
            np.stack([self.axes @ (row - self.mean) for row in flat])
            if len(flat)
            else flat[:, : len(self.axes)]
        )

    def _line(self, latents, labels, ridge=1.0):
        scaled, known = (latents - self.latent_mean) / (self.latent_std + 1e-6), np.isfinite(labels)
        x = np.column_stack([np.ones(known.sum()), scaled[known]])
        return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ labels[known])

    def encode(self, table):
        return self._project(MATRIX.encode(table).reshape(len(table), len(self.mean)))

    def decode(self, latents):
        return MATRIX.decode(
            (np.asarray(latents) @ self.axes + self.mean).reshape(-1, *MATRIX.shape)
        )

    def predict(self, latents):
        scaled = (np.asarray(latents, dtype=np.float64) - self.latent_mean) / (
            self.latent_std + 1e-6
        )
        return (scaled[:, None, :] * self.fits[None, :, 1:]).sum(axis=2) + self.fits[:, 0]

    def state(self):
        names = ("mean", "axes", "fits", "latent_mean", "latent_std")
        return {"properties": list(self.properties)}, {name: getattr(self, name) for name in names}

    @classmethod
    def from_state(cls, config, arrays):
        self = cls()
        vars(self).update(arrays, properties=tuple(config["properties"]))
        return self
