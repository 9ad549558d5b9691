"""Draw crystals from a source: through its latent space, or as the source itself proposes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import SamplingSpec, ScreeningSpec
from gen2dft.campaign.gate_list import without_weighing
from gen2dft.crystal_check import crystal_problems
from gen2dft.generators.base import LatentGenerator, is_latent
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.loop import sampling, targets
from gen2dft.loop.view import SAMPLING_STREAMS, Arm, View
from gen2dft.screening.charge import ChargeGate
from gen2dft.screening.elements import allowed_elements

HITS_FIRST = 1e3  # above any merit


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one arm has drawn.

    Parameters
    ----------
    proposal
        One entry per draw: a crystal or a reason, and how it was drawn.
    known_latents
        (n, d) latent vectors of the crystals that the arm knows, for the map of the latent space;
        None for a source without one.
    """

    arm: Arm
    proposal: Proposal
    known_latents: NDArray[np.float32] | None = None


def draw(view: View, arm: Arm) -> Drawn:
    """Draw an arm's share of points."""
    stream = arm.part_of(SAMPLING_STREAMS)
    rng = view.streams.rng(*stream)
    generator = arm.model.generator
    if is_latent(generator):
        return _draw_latent(view, arm, generator, rng)
    proposal = generator.propose(request(view, arm), rng)
    return Drawn(arm, only_crystals(proposal))


def only_crystals(proposal: Proposal) -> Proposal:
    """The proposal with what fails the check of `gen2dft.crystal_check` as draws without a crystal.

    Whoever wrote the generator, gates and engines see cells that a crystal can have. Crystals
    decoded from latent vectors need no such check: decoders that ship give finite numbers, and the
    gate `geometry` counts the rest.
    """
    problems = crystal_problems(proposal.crystals)
    reasons = list(proposal.reasons)
    for row, problem in zip(proposal.kept, problems, strict=True):
        reasons[row] = None if problem is None else problem.partition(":")[0]
    sound = np.flatnonzero([problem is None for problem in problems])
    return replace(
        proposal,
        crystals=proposal.crystals.select(sound),
        kept=proposal.kept[sound],
        reasons=tuple(reasons),
    )


def seed_merit(view: View, arm: Arm) -> NDArray[np.float64]:
    """(n,) merit of the known crystals as seeds: hits of earlier rounds, then by merit.

    Merit goes by labels and, where there is none, by prediction.
    """
    known = arm.learner.known
    predicted = arm.model.head.predict(known.crystals)
    if not predicted.values:  # every target is open
        return seed_rank(np.zeros(len(known)), arm.learner.is_hit)
    values = {}
    for name, guess in predicted.values.items():
        label = known.label(name)
        unlabelled = np.isnan(label)
        values[name] = np.where(unlabelled, guess, label)
    wanted = view.targets(arm)
    spreads = view.spreads(arm, wanted)
    merit = targets.merit(wanted, values, spreads)
    return seed_rank(merit, arm.learner.is_hit)


def seed_rank(merit: NDArray[np.float64], is_hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) rank of known crystals as seeds, larger is better: hits first, then by merit."""
    bonus = HITS_FIRST * is_hit
    return merit + bonus


def request(view: View, arm: Arm) -> Request:
    """What a source without a latent space is asked for."""
    spec = view.spec
    crystals = view.known.crystals
    number = round(arm.share * spec.num_draws)
    merit = seed_merit(view, arm)
    elements = allowed_elements(spec.screening, crystals)
    counts = crystals.num_elements
    return Request(
        number=max(1, number),
        targets=spec.targets,
        known=arm.learner.known,
        merit=merit,
        elements=elements,
        num_elements=frozenset(counts.tolist()),
        max_sites=spec.dataset.max_sites,
        taken=taken_formulas(view),
        semiconducting=_only_semiconductors(spec.screening),
    )


def _only_semiconductors(screening: ScreeningSpec) -> bool:
    """Whether the gate `charge` is strict, and refuses."""
    settings, ratio = without_weighing(dict(screening.plan).get(ChargeGate.name, {}))
    return ratio is None and bool(settings.get("strict", False))


def taken_formulas(view: View) -> frozenset[str]:
    """Formulas that are known, to the data or to the hull, or that earlier rounds proposed."""
    crystals = [*view.known.crystals.formulas(), *view.earlier.formulas()]
    return view.screen_hull.formulas.union(crystals)


def _draw_latent(
    view: View, arm: Arm, generator: LatentGenerator, rng: np.random.Generator
) -> Drawn:
    known = arm.learner.known
    latents = generator.encode(known.crystals)
    specs = shared_out(view.spec.sampling, arm.share)
    merit = seed_merit(view, arm)
    points = sampling.sample(specs, latents, merit, rng)
    decoded = generator.decode(points.points)
    proposal = Proposal.of_points(points, decoded)
    return Drawn(arm, proposal, latents)


def shared_out(specs: Sequence[SamplingSpec], share: float) -> list[SamplingSpec]:
    """Ways of sampling with an arm's share of their points, at least one each."""
    found = []
    for spec in specs:
        number = round(share * spec.num_points)
        shared = spec.model_copy(update={"num_points": max(1, number)})
        found.append(shared)
    return found
