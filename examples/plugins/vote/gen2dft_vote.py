"""Acquisition `vote`: each member of the ensemble votes for the tenth of the candidates that it
thinks best.
"""

import numpy as np

BEST = 0.1  # share of the candidates that a member votes for


def vote(beliefs, spec, rng):
    """(1, m) share of the votes, with the predicted merit to tell equals apart."""
    merit = beliefs.merit
    if not len(merit):
        return merit[None, :]
    votes = beliefs.members >= np.quantile(beliefs.members, 1 - BEST, axis=1, keepdims=True)
    ranks = merit.argsort().argsort() / len(merit)
    return (votes.mean(axis=0) + 0.01 * ranks)[None, :]
