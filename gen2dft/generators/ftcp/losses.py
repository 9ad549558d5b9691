"""Terms of the loss that all variants share, one value per crystal and term.

arXiv:2005.07609, eqs. (3) and (4). Each is a sum over one crystal, so that the mean over a batch
does not depend on its size.
"""

from __future__ import annotations

from typing import Any

from keras import ops

HUBER_KNEE = 0.06  # on the scale of `PropertyScaler`, about a third of a standard deviation


def divergence(mean: Any, log_variance: Any) -> Any:
    """(n,) KL(q(z|x) || N(0, 1)) = 1/2 sum_d [mu^2 + sigma^2 - 1 - ln sigma^2], in nats."""
    variance = ops.exp(log_variance)
    per_dimension = ops.square(mean) + variance - 1.0 - log_variance
    return 0.5 * ops.sum(per_dimension, axis=1)


def squared_error(predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
    """(n,) squared errors of scaled properties; where the mask is 0, no error and no gradient.

    Parameters
    ----------
    predicted, labels, mask
        (n, p); labels may hold anything where the mask is 0. Elsewhere the mask is how much a label
        counts, 1 for one without an error of its own.
    weight
        (p,) crystals over labelled crystals in the training part, so that the mean over all
        crystals is the mean over the labelled ones, however few of them a batch holds.
    """
    error = _masked(predicted, labels, mask)
    return _weighted_sum(ops.square(error), mask * weight)


def huber_error(predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
    """(n,) absolute errors, rounded off below `HUBER_KNEE`; else as `squared_error`."""
    error = ops.abs(_masked(predicted, labels, mask))
    parabola = ops.square(error) / (2 * HUBER_KNEE)
    line = error - HUBER_KNEE / 2
    rounded = ops.where(error < HUBER_KNEE, parabola, line)
    return _weighted_sum(rounded, mask * weight)


def _masked(predicted: Any, labels: Any, mask: Any) -> Any:
    error = predicted - labels
    nothing = ops.zeros_like(predicted)
    return ops.where(mask > 0, error, nothing)


def _weighted_sum(errors: Any, weight: Any) -> Any:
    weighted = ops.multiply(errors, weight)
    return ops.sum(weighted, axis=1)
