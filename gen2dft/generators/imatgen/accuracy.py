"""How well iMatGen's networks reproduce held-out crystals, stage by stage, and how well they
classify them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import Reconstruction
from gen2dft.generators.imatgen.trained import TrainedImatgen
from gen2dft.representations.base import DecodeResult
from gen2dft.representations.cells import lattice_parameters
from gen2dft.representations.image_cells import read_cells
from gen2dft.representations.image_grids import BASIS_VOXELS, CELL_VOXELS, CUT, VOXEL, WIDTH
from gen2dft.representations.image_peaks import Peaks, find_peaks
from gen2dft.representations.images import CrystalImages
from gen2dft.representations.indexing import site_owners

Images = NDArray[np.float32]
Floats = NDArray[np.float64]

SAME_PLACE = 0.5  # Angstrom; a local maximum this near to an atom belongs to it


def tensor_figures(
    model: TrainedImatgen, tensors: NDArray[np.float32], labels: NDArray[np.float64]
) -> dict[str, float]:
    """Mean squared error of the tensors; for each property the classifier's accuracy and the share
    of the larger class.
    """
    if not len(tensors):
        return {}
    latents = model.encode_tensors(tensors)
    error = model.decode_tensors(latents) - tensors
    figures = {"tensor_mse": float(np.square(error).mean())}
    truth = model.classes.of(labels)
    probabilities = model.probabilities(latents)
    for column, name in enumerate(model.classes.properties):
        is_known = np.isfinite(truth[:, column])
        if is_known.any():
            is_first = truth[is_known, column] > 0.5
            called_first = probabilities[is_known, column] > 0.5
            is_right = called_first == is_first
            share = float(is_first.mean())
            figures[f"accuracy_{name}"] = float(is_right.mean())
            # Of a classifier that always names the larger class.
            figures[f"larger_class_{name}"] = max(share, 1 - share)
    return figures


def image_figures(model: TrainedImatgen, crystals: CrystalTable) -> dict[str, float]:
    """How well the autoencoders alone reproduce crystals.

    Returns
    -------
    Mean squared error per voxel of cell and basis images; of the cells that can be read, mean
    absolute error of the lengths (percent) and angles (degree); share of atoms within `SAME_PLACE`
    of a local maximum, share of crystals of which each atom has a maximum of its own and no maximum
    is left over, and the mean distance of the atoms found (Angstrom). Figures that need a cell or
    an atom are left out where none is found.
    """
    if not len(crystals):
        return {}
    rep = model.representation
    cells = rep.cell_images(crystals)
    basis = rep.basis_images(crystals)
    true_basis = basis.dense()
    back_cells = model.redrawn("cell", cells)
    back_basis = model.redrawn("basis", basis)
    figures = {"cell_image_mse": _mean_square(back_cells - cells.dense())}
    figures["basis_image_mse"] = _mean_square(back_basis - true_basis)
    figures |= _cell_figures(crystals, back_cells)
    figures |= _atom_figures(rep, true_basis, back_basis)
    return figures


def _mean_square(values: Images) -> float:
    return float(np.square(values).mean())


def _cell_figures(crystals: CrystalTable, images: Images) -> dict[str, float]:
    lattices, is_cell = read_cells(images, CELL_VOXELS, WIDTH, CUT)
    if not is_cell.any():
        return {"cells_read": 0.0}
    lengths, angles = lattice_parameters(lattices[is_cell])
    true_lengths, true_angles = lattice_parameters(crystals.lattices[is_cell])
    stretch = np.abs(lengths / true_lengths - 1)
    turn = np.abs(angles - true_angles)
    return {
        "cells_read": float(is_cell.mean()),
        "cell_length_mape": float(100 * stretch.mean()),
        "cell_angle_mae": float(turn.mean()),
    }


def _atom_figures(rep: CrystalImages, true_images: Images, images: Images) -> dict[str, float]:
    truth = find_peaks(true_images, BASIS_VOXELS, rep.least_peak)
    found = find_peaks(images, BASIS_VOXELS, rep.least_peak)
    nearest, image_right = [], []
    for row in range(len(true_images)):
        atoms = _positions(truth, row)
        maxima = _positions(found, row)
        apart = _distances(atoms, maxima)
        nearest.append(apart.min(axis=1, initial=np.inf))
        image_right.append(_all_matched(apart))
    by_crystal = np.reshape(image_right, (-1, len(rep.elements)))
    is_right = by_crystal.all(axis=1)
    distance = np.concatenate(nearest)
    is_found = distance < SAME_PLACE
    figures = {"atoms_found": float(is_found.mean())}
    figures["crystals_right"] = float(is_right.mean())
    if is_found.any():
        figures["position_error"] = float(distance[is_found].mean())
    return figures


def _positions(peaks: Peaks, row: int) -> Floats:
    """(k, 3) places, voxels, of the maxima of one image."""
    own = peaks.rows == row
    return peaks.positions[own]


def _distances(atoms: Floats, maxima: Floats) -> Floats:
    """(atoms, maxima) distances, Angstrom; atoms keep clear of the faces of the box, so that no
    periodic image is nearer.
    """
    apart = atoms[:, None] - maxima
    return np.linalg.norm(apart, axis=2) * VOXEL


def _all_matched(apart: Floats) -> bool:
    """Whether each atom has a maximum of its own nearby, and no maximum is left over."""
    num_atoms, num_maxima = apart.shape
    if num_atoms != num_maxima:
        return False
    is_near = apart.min(axis=1) < SAME_PLACE
    matched = np.unique(apart.argmin(axis=1))
    if len(matched) < num_atoms:
        return False
    return bool(is_near.all())


def reconstruction_figures(truth: CrystalTable, decoded: DecodeResult) -> Reconstruction:
    """Crystals against those decoded from their latent vectors.

    A crystal that was not decoded counts as wrong in all. Lengths and angles are compared where
    there is a cell. Positions are not: atoms come back in no order.
    """
    if not len(truth):
        return Reconstruction(0)
    true = truth.select(decoded.kept)
    found = decoded.crystals
    same_counts = _element_counts(true) == _element_counts(found)
    is_right = same_counts.all(axis=1)
    num_right = int(is_right.sum())
    lengths, angles = lattice_parameters(true.lattices)
    found_lengths, found_angles = lattice_parameters(found.lattices)
    return Reconstruction(
        num_crystals=len(truth),
        elements_right=len(true) / len(truth),
        sites_right=num_right / len(truth),
        length_mape=_percent_off(lengths, found_lengths),
        angle_mape=_percent_off(angles, found_angles),
    )


def _element_counts(table: CrystalTable) -> NDArray[np.int64]:
    """(n, 119) atoms of each atomic number."""
    counts = np.zeros((len(table), 119), dtype=np.int64)
    owner = site_owners(table)
    np.add.at(counts, (owner, table.numbers), 1)
    return counts


def _percent_off(truth: Floats, found: Floats) -> float | None:
    """Mean absolute error, percent of the truth; None where there is nothing to compare."""
    if not len(truth):
        return None
    relative = np.abs(found / truth - 1)
    return float(100 * relative.mean())
