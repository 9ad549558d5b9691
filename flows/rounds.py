"""A round up to dispatch: train -> propose (sample, invert, cheap screens) -> screen -> select."""

from __future__ import annotations

from dataclasses import dataclass

from gen2dft.flows import jobs
from gen2dft.flows.common import tag
from jobflow import Flow, Maker

from gen2dft.rounds.round import Round


@dataclass
class RoundMaker(Maker):
    """Flow that trains the generator, proposes candidates, screens them and queues a batch.

    Parameters
    ----------
    name
        Name of the flow.
    """

    name: str = "round"

    def make(self, context: Round) -> Flow:
        """The flow of one round; its last job queues the batch."""
        key = (context.campaign_id, context.index)
        train = jobs.train(*key)
        propose = jobs.propose(*key, snapshot_id=train.output)
        screen = jobs.screen(*key, candidate_ids=propose.output)
        select = jobs.select(*key, surrogate_count=screen.output)
        tag(train, context, "train")
        steps = [train, propose, screen, select]
        for job in steps[1:]:
            tag(job, context, "screen")
        name = f"{self.name} {context.campaign_id} {context.index}"
        return Flow(steps, output=select.output, name=name)
