"""How well iMatGen's networks reproduce held-out crystals, stage by stage, and how well they
classify them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import Parity, Reconstruction
from gen2dft.generators.imatgen.trained import TrainedImatgen
from gen2dft.geometry import cell_angles
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.cells import lattice_parameters
from gen2dft.representations.image_cells import read_cells
from gen2dft.representations.image_grids import BASIS_VOXELS, CELL_VOXELS, CUT, VOXEL, WIDTH
from gen2dft.representations.image_peaks import find_peaks
from gen2dft.representations.images import CrystalImages

SAME_PLACE = 0.5  # Angstrom; a local maximum that near an atom is that atom's


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
    """Mean squared error of the tensors.

    For each property the classifier's accuracy and the larger class's share.
    """
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


def image_figures(model: TrainedImatgen, crystals: CrystalTable) -> dict[str, float]:
    """How well the autoencoders alone reproduce crystals.

    Returns
    -------
    Mean squared error per voxel of cell and basis images; of the cells that can be read, mean
    absolute error of the lengths (percent) and angles (degree); share of atoms within `SAME_PLACE`
    of a local maximum, share of crystals of which each atom has a maximum of its own and no maximum
    is left over, and the mean distance of the atoms found (Angstrom). What cannot be told, because
    no cell or no atom is found, is left out.
    """
    if not len(crystals):
        return {}
    rep = model.representation
    drawn = {"cell": rep.cell_images(crystals), "basis": rep.basis_images(crystals)}
    back = {name: model.redrawn(name, images) for name, images in drawn.items()}
    return {
        **{
            f"{name}_image_mse": float(np.square(back[name] - drawn[name].dense()).mean())
            for name in drawn
        },
        **_cell_figures(crystals, back["cell"]),
        **_atom_figures(rep, drawn["basis"].dense(), back["basis"]),
    }


def _cell_figures(crystals: CrystalTable, images: NDArray[np.float32]) -> dict[str, float]:
    lattices, is_cell = read_cells(images, CELL_VOXELS, WIDTH, CUT)
    pairs = zip(
        *(lattice_parameters(cells[is_cell]) for cells in (lattices, crystals.lattices)),
        strict=True,
    )
    (lengths, true_lengths), (angles, true_angles) = pairs
    if not is_cell.any():
        return {"cells_read": 0.0}
    return {
        "cells_read": float(is_cell.mean()),
        "cell_length_mape": float(100 * np.abs(lengths / true_lengths - 1).mean()),
        "cell_angle_mae": float(np.abs(angles - true_angles).mean()),
    }


def _atom_figures(
    rep: CrystalImages, true_images: NDArray[np.float32], images: NDArray[np.float32]
) -> dict[str, float]:
    truth, found = (find_peaks(x, BASIS_VOXELS, rep.least_peak) for x in (true_images, images))
    distances, right = [], np.ones(len(true_images) // len(rep.elements), dtype=bool)
    for row in range(len(true_images)):
        atoms, peaks = (p.positions[p.rows == row] for p in (truth, found))
        apart = np.linalg.norm(atoms[:, None] - peaks, axis=2) * VOXEL
        nearest = apart.min(axis=1, initial=np.inf)
        distances.append(nearest)
        is_same = len(atoms) == len(peaks) and len(set(apart.argmin(axis=1))) == len(atoms)
        right[row // len(rep.elements)] &= is_same and bool((nearest < SAME_PLACE).all())
    nearest = np.concatenate(distances)
    is_found = nearest < SAME_PLACE
    shares = {"atoms_found": float(is_found.mean()), "crystals_right": float(right.mean())}
    return shares | ({"position_error": float(nearest[is_found].mean())} if is_found.any() else {})


def reconstruction_figures(truth: CrystalTable, decoded: DecodeResult) -> Reconstruction:
    """Crystals against what came back of their latent vectors.

    A crystal that did not come back has nothing right.

    Lengths and angles are compared where there is a cell. Positions are not: atoms come back in no
    order.
    """
    if not len(truth):
        return Reconstruction(0)
    same = truth.select(decoded.kept)
    counts = [
        [np.bincount(t.numbers[t.sites(i)], minlength=119) for i in range(len(t))]
        for t in (same, decoded.crystals)
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
