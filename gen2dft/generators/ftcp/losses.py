"""Terms of the loss that all variants share, arXiv:2005.07609, eqs.

(3) and (4), one value per crystal and term.

Each is a sum over one crystal, so that the mean over a batch does not depend on its size.
"""

from __future__ import annotations

from typing import Any

from keras import ops

HUBER_KNEE = 0.06  # on the scale of `PropertyScaler`, about a third of a standard deviation


def divergence(mean: Any, log_variance: Any) -> Any:
    """(n,) KL(q(z|x) || N(0, 1)) = 1/2 sum_d [mu^2 + sigma^2 - 1 - ln sigma^2], in nats."""
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=1)


def squared_error(predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
    """(n,) squared errors of scaled properties; where the mask is 0, no error and no gradient.

    Parameters
    ----------
    predicted, labels, mask
        (n, p); labels may hold anything where the mask is 0.
    weight
        (p,) crystals over labelled crystals in the training part, so that the mean over all
        crystals is the mean over the labelled ones, however few of them a batch holds.
    """
    return ops.sum(ops.multiply(ops.square(_masked(predicted, labels, mask)), weight), axis=1)


def huber_error(predicted: Any, labels: Any, mask: Any, weight: Any) -> Any:
    """(n,) absolute errors, rounded off below `HUBER_KNEE`; else as `squared_error`."""
    error = ops.abs(_masked(predicted, labels, mask))
    rounded = ops.where(
        error < HUBER_KNEE, ops.square(error) / (2 * HUBER_KNEE), error - HUBER_KNEE / 2
    )
    return ops.sum(ops.multiply(rounded, weight), axis=1)


def _masked(predicted: Any, labels: Any, mask: Any) -> Any:
    return ops.where(mask > 0, predicted - labels, ops.zeros_like(predicted))
