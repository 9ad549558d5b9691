"""What a round of the loop looks at: known crystals, models, limits. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import CampaignSpec, GeneratorSpec, Target
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.loop import targets
from gen2dft.loop.costs import CostModel
from gen2dft.streams import Stream, Streams

if TYPE_CHECKING:
    from gen2dft.generators.base import AnyGenerator
    from gen2dft.heads.base import Head
    from gen2dft.thermo.hull import ReferenceHull

LEARNING, CONTROL = "learning", "control"
SAMPLING_STREAMS = {LEARNING: Stream.SAMPLING, CONTROL: Stream.SAMPLING_OF_CONTROL}
ACQUISITION_STREAMS = {LEARNING: Stream.ACQUISITION, CONTROL: Stream.ACQUISITION_OF_CONTROL}

# The part of a stream that one source draws from.
Part = tuple[Stream, *tuple[int, ...]]


def part_of(stream: Stream, place: int) -> Part:
    """The part of a stream for the source at a place; the first source has the stream itself."""
    if place == 0:
        return (stream,)
    return (stream, place)


@dataclass(frozen=True, eq=False)
class Model:
    """What one source has learnt: a trained generator, and the head that predicts properties.

    Parameters
    ----------
    source
        The source's part of the campaign file.
    generator
        Trained on what is known.
    head
        Predicts properties of crystals; it need not read the generator's latent space.
    snapshot_id
        Id of the snapshot that holds both; empty where none is stored.
    """

    source: GeneratorSpec
    generator: AnyGenerator
    head: Head
    snapshot_id: str = ""


@dataclass(frozen=True, eq=False)
class Learner:
    """What one arm of a campaign knows: everything so far, or, for the control, the beginning.

    Parameters
    ----------
    name
        `learning` or `control`.
    known
        Crystals and labels to learn from.
    is_hit
        (n,) which of them are hits of earlier rounds.
    """

    name: str
    known: Dataset
    is_hit: NDArray[np.bool_]

    def heads(self, spec: CampaignSpec) -> tuple[str, ...]:
        """Properties that a head can learn: those asked for that enough crystals carry."""
        counts = self.known.num_labels()
        least = spec.dataset.min_labels
        learnable = [name for name in spec.head_properties if counts.get(name, 0) >= least]
        return tuple(learnable)

    def targets(self, spec: CampaignSpec) -> tuple[Target, ...]:
        """Targets whose property is predicted; the others are open until an engine labels them."""
        learnt = self.heads(spec)
        predicted = [target for target in spec.targets if target.property in learnt]
        return tuple(predicted)


@dataclass(frozen=True, eq=False)
class Arm:
    """One source with one learner, and its share of the draws and of the batch.

    Parameters
    ----------
    place
        Place of the source among the campaign's sources, from 0; random streams differ by it.
    share
        Of the draws, of the surrogate's relaxations and of the batch; those of all arms add up
        to 1.
    """

    learner: Learner
    model: Model
    share: float
    place: int = 0

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.model.source.label

    def part_of(self, streams: Mapping[str, Stream]) -> Part:
        """The random stream of this arm among those of the learners."""
        return part_of(streams[self.learner.name], self.place)

    @property
    def key(self) -> tuple[str, str]:
        """Source and learner, which identify the arm."""
        return self.source, self.learner.name


@dataclass(frozen=True, eq=False)
class View:
    """All that a round decides by.

    Parameters
    ----------
    spec
        The campaign.
    index
        Number of the round, from 0.
    arms
        The learning arms first, in the order of the campaign's sources.
    base
        The campaign's base training set, without labels of its rounds.
    earlier
        Crystals of earlier rounds that must not be computed twice.
    screen_hull
        What the surrogate's energies are measured against.
    surrogate_errors
        Property to the error that the surrogate's values had so far, in the property's unit.
    energy_shifts
        Arm to what is added to the formation energies that its head predicts of decoded crystals,
        eV/atom.
    costs
        What calculations cost; None while nothing tells.
    calls_left, hours_left
        Size of the next batch, and core-hours of validation left; None: no limit.
    """

    spec: CampaignSpec
    index: int
    arms: tuple[Arm, ...]
    base: Dataset
    earlier: CrystalTable
    screen_hull: ReferenceHull
    surrogate_errors: Mapping[str, float] = field(default_factory=dict)
    energy_shifts: Mapping[tuple[str, str], float] = field(default_factory=dict)
    costs: CostModel | None = None
    calls_left: int = 0
    hours_left: float | None = None

    @property
    def known(self) -> Dataset:
        """Crystals that a candidate must differ from: all that the learning arms know."""
        return self.arms[0].learner.known

    @property
    def streams(self) -> Streams:
        """Randomness of this round."""
        return Streams(self.spec.seed, self.index)

    def targets(self, arm: Arm) -> tuple[Target, ...]:
        """Targets that an arm can judge by."""
        return arm.learner.targets(self.spec)

    def spreads(self, arm: Arm, wanted: Sequence[Target]) -> dict[str, float]:
        """The unit in which each target's property counts: its spread among what an arm knows."""
        known = arm.learner.known
        labels = {target.property: known.label(target.property) for target in wanted}
        return targets.spreads(wanted, labels)

    @cached_property
    def arm_of(self) -> dict[tuple[str, str], Arm]:
        """Arms by source and learner."""
        return {arm.key: arm for arm in self.arms}
