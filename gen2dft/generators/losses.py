"""The loss of FTCP, arXiv:2005.07609, eqs. (3) and (4), one value per crystal and term.

Each term is a sum over one crystal, so that the mean over a batch does not depend on its size. Where the published
code takes squared errors of the whole matrix, 92 % of which is zeros, the one-hot blocks have cross-entropies here
and coordinates count at real sites only: that is learnt in a tenth of the epochs.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from gen2dft.representations.ftcp import FTCP

# Weights within the reconstruction, set so that no block dominates after the first epochs.
LATTICE_WEIGHT, COORDINATE_WEIGHT, RECIPROCAL_WEIGHT = 3.0, 10.0, 0.01


def reconstruction(representation: FTCP, matrix: Any, output: Any) -> Any:
    """(n,) distance between scaled matrices and a decoder's outputs."""
    rep, columns = representation, slice(0, representation.max_elements)
    elements = _cross_entropy(
        ops.transpose(output[:, rep.element_rows, columns], (0, 2, 1)),
        ops.transpose(matrix[:, rep.element_rows, columns], (0, 2, 1)),
    )
    occupied = matrix[:, rep.occupancy_rows, columns]
    occupancy = _cross_entropy(output[:, rep.occupancy_rows, columns], occupied)
    lattice = _squares(output[:, rep.lattice_rows, :3] - matrix[:, rep.lattice_rows, :3])
    is_site = ops.sum(occupied, axis=2, keepdims=True)
    coordinates = _squares(is_site * (output[:, rep.coordinate_rows, :3] - matrix[:, rep.coordinate_rows, :3]))
    reciprocal = _squares(output[:, rep.g_row :] - matrix[:, rep.g_row :])
    return (
        elements
        + occupancy
        + LATTICE_WEIGHT * lattice
        + COORDINATE_WEIGHT * coordinates
        + RECIPROCAL_WEIGHT * reciprocal
    )


def divergence(mean: Any, log_variance: Any) -> Any:
    """(n,) KL(q(z|x) || N(0, 1)) = 1/2 sum_d [mu^2 + sigma^2 - 1 - ln sigma^2], in nats."""
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=1)


def property_error(predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
    """(n,) squared errors of scaled properties; where the mask is 0, no error and no gradient.

    Parameters
    ----------
    predicted, labels, mask
        (n, p); labels may hold anything where the mask is 0.
    weight
        (p,) crystals over labelled crystals in the training part, so that the mean over all crystals is the mean
        over the labelled ones, however few of them a batch holds.
    """
    error = ops.where(mask > 0, predicted - labels, ops.zeros_like(predicted))
    return ops.sum(ops.square(error) * weight, axis=1)


def _cross_entropy(scores: Any, target: Any) -> Any:
    """(n,) sum of cross-entropies over the last axis and one more class, "empty", of score 0."""
    scores = ops.concatenate([ops.zeros_like(scores[..., :1]), scores], axis=-1)
    target = ops.concatenate([1.0 - ops.sum(target, axis=-1, keepdims=True), target], axis=-1)
    return -ops.sum(target * ops.log_softmax(scores, axis=-1), axis=(1, 2))


def _squares(difference: Any) -> Any:
    return ops.sum(ops.square(difference), axis=(1, 2))
