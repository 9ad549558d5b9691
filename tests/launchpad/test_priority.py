"""What is left over of a closed round never delays the next training, nor the next batch."""

from __future__ import annotations

import math

import pytest
from gen2dft.flows.common import priority
from gen2dft.launchpad.submit import submit

from gen2dft.campaign import CampaignSpec
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

pytestmark = pytest.mark.usefixtures("toy_plugins")
ROUNDS = 3


def order_of_work(lpad) -> list[tuple[str, int]]:
    """Name and round of each firework that has run, in the order of their launches."""
    found = []
    for launch in lpad.launches.find().sort("launch_id", 1):
        firework = lpad.fireworks.find_one({"fw_id": launch["fw_id"]})
        kind = "candidate" if firework["name"].startswith("candidate") else firework["name"]
        found.append((kind, firework["spec"]["gen2dft"]["round"]))
    return found


def test_the_next_training_and_batch_go_before_what_is_left_over(bench):
    store, lpad, work = bench
    learning = {"rounds": ROUNDS, "batch": 6, "quorum": 0.5, "ensemble": 2}
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "learning": learning})
    dataset = toys.toy_dataset()
    campaign_id = submit(
        store, lpad, spec, dataset, ReferenceHull.from_dataset(dataset)
    ).campaign_id
    work()
    order = order_of_work(lpad)
    needed = [math.ceil(0.5 * document.dispatch_size) for document in store.rounds(campaign_id)]
    for index in range(1, ROUNDS):
        begun = order.index(("train", index))
        left_over = [place for place, work in enumerate(order) if work == ("candidate", index - 1)]
        new = [place for place, work in enumerate(order) if work == ("candidate", index)]
        assert len([place for place in left_over if place < begun]) == needed[index - 1]
        # The quorum of the new batch is reached before anything that was left over begins.
        last_needed = new[needed[index] - 1]
        assert not [place for place in left_over if begun < place < last_needed]


def test_steps_come_before_begun_candidates_and_those_before_others():
    def of(stage, index):
        return priority({"stage": stage, "round": index})

    later_first = [("train", 1), ("select", 0), ("validate", 7), ("validate", 0), ("dispatch", 7)]
    numbers = [of(*place) for place in later_first]
    assert numbers == sorted(numbers, reverse=True)
    assert of("dispatch", 2) > of("dispatch", 1)
    assert priority({"stage": "validate"}) == of("validate", 0)
