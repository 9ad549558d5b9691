"""Random streams: one number for each purpose, so that no two purposes draw the same numbers.

A stream is the last part of a seed sequence. Two purposes that share a number would draw correlated
values without any error. The numbers must never change: a round that is carried on, or traced back
years later, draws again what it drew before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique

import numpy as np


@unique
class Stream(IntEnum):
    """Streams of a campaign's round, from `[seed, round, stream]`."""

    SAMPLING = 0
    LATENT_MAP = 1
    ACQUISITION = 2
    ENSEMBLE = 3
    SURROGATE_NOISE = 4
    GATE_AUDIT = 5
    OXIDE_FIGURES = 9
    # 10 and the arm's place: the learning arm, at place 0, has ACQUISITION.
    ACQUISITION_OF_CONTROL = 11
    SAMPLING_OF_CONTROL = 20


@unique
class EvaluationStream(IntEnum):
    """Streams of `gen2dft evaluate`, from `[seed, stream]` or `[seed, stream, place]`."""

    PART_OF_SPLIT = 1
    REDISCOVERY = 3
    # 4 and 5 belonged to a table of earlier versions.
    DRAWS_OF_A_SOURCE = 6


@dataclass(frozen=True)
class Streams:
    """The streams of one round of a campaign.

    Parameters
    ----------
    seed
        The campaign's seed.
    round_index
        0, 1, 2, ...
    """

    seed: int
    round_index: int

    def entropy(self, stream: Stream, *more: int) -> list[int]:
        """The seed sequence of a stream, or of a part of it that `more` numbers tell apart."""
        return [self.seed, self.round_index, int(stream), *more]

    def rng(self, stream: Stream, *more: int) -> np.random.Generator:
        """Randomness of one purpose: the same for the same seed, round and stream."""
        entropy = self.entropy(stream, *more)
        return np.random.default_rng(entropy)
