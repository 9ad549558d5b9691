"""The ground of a round, from its documents."""

from __future__ import annotations

from gen2dft.ground.footing import Footing
from gen2dft.rounds.round import Round


def footing_of(context: Round) -> Footing:
    """What the energies of a round are measured with."""
    campaign, spec = context.campaign, context.spec
    return Footing(context.store, campaign, spec, context.index)
