"""The arms of a campaign: the one that learns, and a control that stays with what was known at the
beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.rounds.context import RoundContext
from gen2dft.streams import Stream

LEARNING, CONTROL = "learning", "control"
SAMPLING_STREAMS = {LEARNING: Stream.SAMPLING, CONTROL: Stream.SAMPLING_OF_CONTROL}
ACQUISITION_STREAMS = {LEARNING: Stream.ACQUISITION, CONTROL: Stream.ACQUISITION_OF_CONTROL}


@dataclass(frozen=True)
class Arm:
    """One arm of a round.

    Parameters
    ----------
    name
        `learning` or `control`.
    view
        Whose generator, known crystals and targets it works with: this round's, or those of the
        first.
    share
        Of the latent points and of the batch.
    """

    name: str
    view: RoundContext
    share: float

    @property
    def sampling(self) -> Stream:
        """Random stream of the round that draws the arm's latent points."""
        return SAMPLING_STREAMS[self.name]

    @property
    def acquisition(self) -> Stream:
        """Random stream of the round that the arm's acquisition and batch draw from."""
        return ACQUISITION_STREAMS[self.name]


def arms(context: RoundContext) -> list[Arm]:
    """The arms of a round, the learning one first.

    In the first round nothing is learnt yet, so there is only one.
    """
    control = context.spec.learning.control
    if not control or context.index == 0:
        return [Arm(LEARNING, context, 1.0)]
    first = RoundContext(context.store, context.campaign_id, 0)
    return [Arm(LEARNING, context, 1.0 - control), Arm(CONTROL, first, control)]
