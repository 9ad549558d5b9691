"""Crystals from latent vectors: every stage takes its most likely value and tells the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from gen2dft.generators.ftcp.staged.blocks import (
    ANGLE_CLASSES,
    ANGLE_STEP,
    FIRST_ANGLE,
    POSITION_CLASSES,
)
from gen2dft.generators.keras_setup import as_array
from gen2dft.representations.cells import lattice_parameters, lattices_from_parameters
from gen2dft.representations.ftcp import FTCP

Array = NDArray[np.float32]


def make_matrices(decoder: Any, latents: Array) -> Array:
    """(n, rows, columns) matrices in physical units of (n, d) latent vectors.

    The reciprocal part is left at 0.
    """
    rep: FTCP = decoder.rep
    out = np.zeros((len(latents), *rep.shape), dtype=np.float32)
    elements = one_hot(as_array(decoder.elements(latents)).argmax(axis=-1), len(rep.elements) + 1)
    numbers = likely_counts(
        as_array(decoder.counts(latents, elements)), elements[..., 0] > 0, rep.max_sites
    )
    counts = one_hot(numbers, rep.max_sites + 1)
    lengths, angles = (as_array(part) for part in decoder.cell(latents, elements, counts))
    angle_class = angles[..., 0].argmax(axis=-1)
    site_columns = columns_of_sites(numbers, rep.max_sites)
    context = decoder.context(
        latents, elements, counts, lengths, one_hot(angle_class, ANGLE_CLASSES)
    )
    positions = fill_sites(decoder, context, elements, site_columns)

    columns = slice(0, rep.max_elements)
    out[:, rep.element_rows, columns] = elements[..., 1:].transpose(0, 2, 1)
    rests = np.clip(_pick(angles[..., 1], angle_class), -0.5, 0.5)
    degrees = FIRST_ANGLE + ANGLE_STEP * (angle_class + rests)
    out[:, rep.lattice_rows.start, :3] = cell_lengths(lengths, degrees, numbers.sum(axis=1))
    out[:, rep.lattice_rows.start + 1, :3] = degrees
    out[:, rep.coordinate_rows, :3] = positions
    out[:, rep.occupancy_rows, columns] = site_columns
    return out


def likely_counts(scores: Array, is_empty: NDArray[np.bool_], max_sites: int) -> NDArray[np.int64]:
    """(n, C) numbers of sites: at least one of each element that is there, none of those that are
    not.

    Where the likeliest numbers together exceed the sites that there are, the last of those elements
    lose some.
    """
    scores = np.array(scores)
    scores[..., 0] = np.where(is_empty, np.inf, -np.inf)
    numbers = scores.argmax(axis=-1)
    before = np.cumsum(numbers, axis=1) - numbers
    return np.clip(numbers, 0, np.maximum(max_sites - before, 0))


def columns_of_sites(numbers: NDArray[np.int64], max_sites: int) -> Array:
    """(n, S, C) one-hot element column of each site.

    Sites are filled column by column, the rest stays zero.
    """
    ends = np.cumsum(numbers, axis=1)[:, None, :]
    starts = ends - numbers[:, None, :]
    site = np.arange(max_sites)[None, :, None]
    return ((site >= starts) & (site < ends)).astype(np.float32)


def fill_sites(decoder: Any, context: Any, elements: Array, site_columns: Array) -> Array:
    """(n, S, 3) positions, site after site and axis after axis."""
    is_site = site_columns.sum(axis=2)
    features = decoder.site_features(elements, site_columns)
    positions = np.zeros((*is_site.shape, 3), dtype=np.float32)
    start, proposal = decoder.positions.begin(context, features)
    for site in range(int(is_site.sum(axis=1).max(initial=0))):
        state = decoder.positions.state(start, *map(ops.convert_to_tensor, (positions, is_site)))
        here = [ops.convert_to_tensor(part)[:, site : site + 1] for part in (state, proposal)]
        classes = np.zeros((len(positions), 1, 3, POSITION_CLASSES), dtype=np.float32)
        for axis in range(3):
            output = as_array(decoder.positions.axis(axis, *here, classes))[:, 0]
            best = output[..., 0].argmax(axis=-1)
            classes[:, 0, axis] = one_hot(best, POSITION_CLASSES)
            rest = np.clip(_pick(output[..., 1], best), -1.0, 1.0)
            positions[:, site, axis] = (best + 0.5 * rest) / POSITION_CLASSES % 1.0
    return positions * is_site[:, :, None]


def cell_lengths(logs: Array, degrees: Array, num_sites: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 3) lengths, Angstrom, of cells with that shape and volume.

    The inverse of `blocks.log_lengths`.
    """
    shape = np.exp(np.clip(logs[:, 1:].astype(np.float64), -3.0, 3.0))
    lattices, is_cell = lattices_from_parameters(shape * 3.0, degrees.astype(np.float64))
    volume = np.exp(np.clip(logs[:, 0].astype(np.float64), 0.0, 7.0)) * np.maximum(num_sites, 1)
    scale = np.cbrt(volume / np.abs(np.linalg.det(lattices)))[:, None]
    lengths, _ = lattice_parameters(lattices)
    return np.where(is_cell[:, None], lengths * scale, 0.0)  # 0 is refused as a cell


def one_hot(classes: NDArray[np.integer], depth: int) -> Array:
    """(..., depth) of (...) classes."""
    return np.eye(depth, dtype=np.float32)[classes]


def _pick(values: NDArray[Any], classes: NDArray[np.integer]) -> NDArray[Any]:
    """The value of the chosen class along the last axis."""
    return np.take_along_axis(values, classes[..., None], axis=-1)[..., 0]
