"""How well iMatGen's networks reproduce held-out crystals, stage by stage, and how well they classify them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import Parity, Reconstruction
from gen2dft.generators.imatgen.trained import TrainedImatgen
from gen2dft.geometry import cell_angles
from gen2dft.representations.base import DecodeResult


def heldout_parity(
    model: TrainedImatgen, latents: NDArray[np.float32], labels: NDArray[np.float64]
) -> dict[str, Parity]:
    """Held-out (n, p) labels against predictions, where there is a label."""
    predicted = model.predict(latents)
    pairs = {}
    for column, name in enumerate(model.classes.properties):
        known = np.isfinite(labels[:, column])
        pairs[name] = Parity(labels[known, column].tolist(), predicted[known, column].tolist())
    return pairs


def tensor_figures(
    model: TrainedImatgen, tensors: NDArray[np.float32], labels: NDArray[np.float64]
) -> dict[str, float]:
    """Mean squared error of the tensors; for each property the classifier's accuracy and the larger class's share."""
    if not len(tensors):
        return {}
    latents = model.encode_tensors(tensors)
    figures = {"tensor_mse": float(np.square(model.decode_tensors(latents) - tensors).mean())}
    truth, probabilities = model.classes.of(labels), model.probabilities(latents)
    for column, name in enumerate(model.classes.properties):
        known = np.isfinite(truth[:, column])
        if known.any():
            right = (probabilities[known, column] > 0.5) == (truth[known, column] > 0.5)
            share = float(truth[known, column].mean())
            figures[f"accuracy_{name}"] = float(right.mean())
            figures[f"larger_class_{name}"] = max(share, 1 - share)
    return figures


def image_errors(model: TrainedImatgen, crystals: CrystalTable) -> dict[str, float]:
    """Mean squared error per voxel of the autoencoders' images of crystals."""
    if not len(crystals):
        return {}
    images = (("cell", model.representation.cell_images), ("basis", model.representation.basis_images))
    return {f"{name}_image_mse": float(model.image_errors(name, draw(crystals)).mean()) for name, draw in images}


def reconstruction_figures(truth: CrystalTable, decoded: DecodeResult) -> Reconstruction:
    """Crystals against what came back of their latent vectors; a crystal that did not come back has nothing right.

    Lengths and angles are compared where there is a cell. Positions are not: atoms come back in no order.
    """
    if not len(truth):
        return Reconstruction(0)
    same = truth.select(decoded.kept)
    counts = [
        [np.bincount(t.numbers[t.sites(i)], minlength=119) for i in range(len(t))] for t in (same, decoded.crystals)
    ]
    right = [bool((a == b).all()) for a, b in zip(*counts, strict=True)]
    lengths = [np.linalg.norm(t.lattices, axis=2) for t in (same, decoded.crystals)]
    angles = [cell_angles(t.lattices) for t in (same, decoded.crystals)]
    off = [100 * np.abs(b / a - 1).mean() if len(same) else None for a, b in (lengths, angles)]
    return Reconstruction(
        num_crystals=len(truth),
        elements_right=len(same) / len(truth),
        sites_right=sum(right) / len(truth),
        length_mape=None if off[0] is None else float(off[0]),
        angle_mape=None if off[1] is None else float(off[1]),
    )
