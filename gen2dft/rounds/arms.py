"""The arms of a campaign: the one that learns, and a control that stays with what was known at the
beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.rounds.context import RoundContext

LEARNING, CONTROL = "learning", "control"
RNG_STEPS = {LEARNING: 0, CONTROL: 20}  # of sampling


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
    def rng_step(self) -> int:
        """Step of the round whose randomness the arm's sampling uses."""
        return RNG_STEPS[self.name]


def arms(context: RoundContext) -> list[Arm]:
    """The arms of a round, the learning one first.

    In the first round nothing is learnt yet, so there is only one.
    """
    control = context.spec.learning.control
    if not control or context.index == 0:
        return [Arm(LEARNING, context, 1.0)]
    first = RoundContext(context.store, context.campaign_id, 0)
    return [Arm(LEARNING, context, 1.0 - control), Arm(CONTROL, first, control)]
