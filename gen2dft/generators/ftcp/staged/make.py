"""Crystals from latent vectors: each stage passes its most likely value to the next."""

from __future__ import annotations

from dataclasses import dataclass
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
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Cell:
    """The result of the third stage.

    Parameters
    ----------
    lengths
        (n, 4) log lengths, see `Blocks.lengths`.
    angle_class
        (n, 3) most likely class.
    degrees
        (n, 3) angles.
    """

    lengths: Array
    angle_class: Indices
    degrees: Array


def make_matrices(decoder: Any, latents: Array) -> Array:
    """(n, rows, columns) matrices in physical units of (n, d) latent vectors.

    The reciprocal part is left at 0.
    """
    rep: FTCP = decoder.rep
    elements, numbers = _composition(decoder, latents)
    counts = one_hot(numbers, rep.max_sites + 1)
    cell = _cell(decoder, latents, elements, counts)
    site_columns = columns_of_sites(numbers, rep.max_sites)
    angle_classes = one_hot(cell.angle_class, ANGLE_CLASSES)
    context = decoder.context(latents, elements, counts, cell.lengths, angle_classes)
    positions = fill_sites(decoder, context, elements, site_columns)

    shape = (len(latents), *rep.shape)
    out = np.zeros(shape, dtype=np.float32)
    present = elements[..., 1:]
    rep.element_columns(out)[:] = present.transpose(0, 2, 1)
    num_sites = numbers.sum(axis=1)
    lengths = cell_lengths(cell.lengths, cell.degrees, num_sites)
    rep.lengths(out)[:] = lengths
    rep.angles(out)[:] = cell.degrees
    rep.coordinates(out)[:] = positions
    rep.occupancy(out)[:] = site_columns
    return out


def _composition(decoder: Any, latents: Array) -> tuple[Array, Indices]:
    """Elements, (n, C, K + 1) one-hot with class 0 for "no element", and (n, C) sites of each."""
    rep: FTCP = decoder.rep
    scores = as_array(decoder.elements(latents))
    classes = scores.argmax(axis=-1)
    elements = one_hot(classes, len(rep.elements) + 1)
    count_scores = as_array(decoder.counts(latents, elements))
    is_empty = classes == 0
    numbers = likely_counts(count_scores, is_empty, rep.max_sites)
    return elements, numbers


def _cell(decoder: Any, latents: Array, elements: Array, counts: Array) -> _Cell:
    """The most likely cell of each crystal."""
    lengths, angles = decoder.cell(latents, elements, counts)
    output = as_array(angles)
    scores = output[..., 0]
    angle_class = scores.argmax(axis=-1)
    rests = _pick(output[..., 1], angle_class)
    rests = np.clip(rests, -0.5, 0.5)
    steps = angle_class + rests
    degrees = FIRST_ANGLE + ANGLE_STEP * steps
    return _Cell(as_array(lengths), angle_class, degrees)


def likely_counts(scores: Array, is_empty: NDArray[np.bool_], max_sites: int) -> Indices:
    """(n, C) most likely numbers of sites: at least one in a column with an element, none in an
    empty one.

    Where these numbers together exceed `max_sites`, the last columns lose some.
    """
    possible = np.array(scores)
    # No site at all is certain for an empty column, and impossible for the others.
    no_site = possible[..., 0]
    no_site[:] = -np.inf
    no_site[is_empty] = np.inf
    numbers = possible.argmax(axis=-1)
    before = np.cumsum(numbers, axis=1) - numbers
    room = np.maximum(max_sites - before, 0)
    return np.clip(numbers, 0, room)


def columns_of_sites(numbers: Indices, max_sites: int) -> Array:
    """(n, S, C) one-hot element column of each site.

    Sites are filled column by column, the rest stays zero.
    """
    in_column = numbers[:, None]
    ends = np.cumsum(in_column, axis=2)
    starts = ends - in_column
    site = np.arange(max_sites)[:, None]
    is_of_column = (site >= starts) & (site < ends)
    return is_of_column.astype(np.float32)


def fill_sites(decoder: Any, context: Any, elements: Array, site_columns: Array) -> Array:
    """(n, S, 3) positions, site after site."""
    is_site = site_columns.sum(axis=2)
    shape = (*is_site.shape, 3)
    positions = np.zeros(shape, dtype=np.float32)
    features = decoder.site_features(elements, site_columns)
    start, proposal = decoder.positions.begin(context, features)
    sites = ops.convert_to_tensor(is_site)
    num_sites = is_site.sum(axis=1)
    for site in range(int(num_sites.max(initial=0))):
        known = ops.convert_to_tensor(positions)
        state = decoder.positions.state(start, known, sites)
        here = slice(site, site + 1)
        own_state = state[:, here]
        own_proposal = proposal[:, here]
        positions[:, site] = _place(decoder, own_state, own_proposal)
    return positions * is_site[:, :, None]


def _place(decoder: Any, state: Any, proposal: Any) -> Array:
    """(n, 3) position of one site from its (n, 1, ...) state and proposal, axis after axis."""
    count = len(state)
    shape = (count, 1, 3, POSITION_CLASSES)
    positions = np.zeros((count, 3), dtype=np.float32)
    classes = np.zeros(shape, dtype=np.float32)
    for axis in range(3):
        output = as_array(decoder.positions.axis(axis, state, proposal, classes))
        scores = output[:, 0, :, 0]
        rests = output[:, 0, :, 1]
        best = scores.argmax(axis=-1)
        classes[:, 0, axis] = one_hot(best, POSITION_CLASSES)
        rest = _pick(rests, best)
        half_steps = np.clip(rest, -1.0, 1.0)
        steps = best + 0.5 * half_steps
        positions[:, axis] = steps / POSITION_CLASSES % 1.0
    return positions


def cell_lengths(logs: Array, degrees: Array, num_sites: Indices) -> Floats:
    """(n, 3) lengths, Angstrom, of cells with that shape and volume.

    The inverse of `blocks.log_lengths`.
    """
    precise = logs.astype(np.float64)
    log_volume = np.clip(precise[:, 0], 0.0, 7.0)
    log_shape = np.clip(precise[:, 1:], -3.0, 3.0)
    shape = np.exp(log_shape) * 3.0  # any size that is in the range of a cell; scaled below
    angles = degrees.astype(np.float64)
    lattices, is_cell = lattices_from_parameters(shape, angles)
    per_atom = np.exp(log_volume)
    volume = per_atom * np.maximum(num_sites, 1)
    unscaled = np.abs(np.linalg.det(lattices))
    scale = np.cbrt(volume / unscaled)
    lengths, _ = lattice_parameters(lattices)
    lengths *= scale[:, None]
    lengths[~is_cell] = 0.0  # refused as a cell when it is decoded
    return lengths


def one_hot(classes: NDArray[np.integer], depth: int) -> Array:
    """(..., depth) of (...) classes."""
    unit = np.eye(depth, dtype=np.float32)
    return unit[classes]


def _pick(values: NDArray[Any], classes: NDArray[np.integer]) -> NDArray[Any]:
    """The value of the chosen class along the last axis."""
    place = classes[..., None]
    picked = np.take_along_axis(values, place, axis=-1)
    return picked[..., 0]
