"""What bench-loop compares: ways of spending oracle calls, each a campaign of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gen2dft.campaign import CampaignSpec, SamplingSpec, Target
from gen2dft.errors import DatasetError
from gen2dft.evaluation.journal import Relax
from gen2dft.evaluation.setting import Setting
from gen2dft.loop.labels import Label
from gen2dft.loop.shortlist import DISTANCE, ENERGY


@dataclass(frozen=True)
class Plan:
    """One way of spending oracle calls.

    Parameters
    ----------
    variant
        Of the generator.
    acquisition
        Name of a registered acquisition function.
    scale
        Of local perturbation, in units of each latent dimension's spread.
    learns
        Whether rounds teach generator and heads; otherwise all calls are spent in one round.
    mixture
        Whether every second point is drawn from the mixture, as the shipped campaigns do.
    """

    variant: str
    acquisition: str
    scale: float
    learns: bool = False
    mixture: bool = True


ACQUISITIONS_COMPARED = ("greedy", "probability", "ucb", "thompson", "diverse")
# `published` samples as the paper does, and validates what passes the gates as it comes.
PLANS: dict[str, Plan] = {
    "published": Plan("published", "random", 0.6, mixture=False),
    "gen2dft": Plan("gen2dft", "random", 0.8),
    "gen2dft-greedy": Plan("gen2dft", "greedy", 0.8),
    "gen2dft-probability": Plan("gen2dft", "probability", 0.8),
}
for _name in ACQUISITIONS_COMPARED:
    PLANS[f"loop-{_name}"] = Plan("gen2dft", _name, 0.8, learns=True)


@dataclass(frozen=True)
class LoopBudget:
    """What one run may spend.

    Parameters
    ----------
    calls, rounds
        Oracle calls of a run, and rounds among which a loop divides them.
    points
        Latent points drawn per round.
    num_seeds
        Known crystals to sample around.
    epochs_warm
        Epochs of a retraining.
    """

    calls: int = 48
    rounds: int = 4
    points: int = 2000
    num_seeds: int = 100
    epochs_warm: int = 3

    def batches(self, plan: Plan) -> list[int]:
        """Calls of each round."""
        rounds = min(self.rounds, self.calls) if plan.learns else 1
        ends = [self.calls * (i + 1) // rounds for i in range(rounds)]
        return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


@dataclass(frozen=True)
class Call:
    """One oracle call: what was asked and answered.

    Parameters
    ----------
    reason
        Why the oracle refuses the crystal; None if it is stable.
    values
        Property to value, eV/atom; empty if the calculation failed.
    hit
        Stable, meets the targets, and as relaxed unlike any known crystal and any earlier hit of
        the run.
    """

    plan: str
    seed: int
    round: int
    formula: str
    reason: str | None
    values: Mapping[str, float]
    hit: bool


@dataclass(eq=False)
class Run:
    """One run of one plan with one seed, as far as it has come.

    Parameters
    ----------
    oracle
        From a structure to its verdict.
    calls, labels
        What was asked and answered, and what it taught.
    """

    name: str
    plan: Plan
    seed: int
    setting: Setting
    budget: LoopBudget
    oracle: Relax
    calls: list[Call] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    @property
    def spec(self) -> CampaignSpec:
        """The campaign that the plan stands for."""
        campaign = self.setting.specs[self.plan.variant]
        return spec_of(self.plan, campaign, self.budget, self.seed)


def check_targets(wanted: Sequence[Target]) -> None:
    """Refuse targets that the oracle does not tell of."""
    for target in wanted:
        if target.property not in (ENERGY, DISTANCE):
            raise DatasetError(
                f"the oracle of bench-loop tells {ENERGY} and {DISTANCE}, not {target.property}: "
                "take a campaign with targets on these"
            )


def spec_of(plan: Plan, campaign: CampaignSpec, budget: LoopBudget, seed: int) -> CampaignSpec:
    """The campaign that a plan stands for: its sampling, its acquisition, its seed."""
    learning = campaign.learning.model_copy(
        update={"acquisition": plan.acquisition, "audit": 0.0, "control": 0.0}
    )
    generator = campaign.only_generator.model_copy(update={"epochs_warm": budget.epochs_warm})
    return campaign.model_copy(
        update={
            "seed": seed,
            "sampling": ways_of(plan, budget),
            "learning": learning,
            "generator": generator,
            # The evaluation has found out which properties are labelled.
            "dataset": campaign.dataset.model_copy(update={"min_labels": 1}),
        }
    )


def ways_of(plan: Plan, budget: LoopBudget) -> tuple[SamplingSpec, ...]:
    """How a plan draws its points."""
    drawn = budget.points // 2 if plan.mixture else 0
    common = {"num_seeds": budget.num_seeds}
    local = SamplingSpec(
        method="local", num_points=budget.points - drawn, scale=plan.scale, **common
    )
    if not drawn:
        return (local,)
    return (local, SamplingSpec(method="mixture", num_points=drawn, scale=1.0, **common))
