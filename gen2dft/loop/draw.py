"""Draw crystals from a source: through its latent space, or as the source itself proposes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import SamplingSpec
from gen2dft.generators.base import LatentGenerator, is_latent
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.loop import sampling, targets
from gen2dft.loop.view import SAMPLING_STREAMS, Arm, View
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
    rng = view.streams.rng(*arm.part_of(SAMPLING_STREAMS))
    generator = arm.model.generator
    if is_latent(generator):
        return _draw_latent(view, arm, generator, rng)
    return Drawn(arm, generator.propose(request(view, arm), rng))


def seed_merit(view: View, arm: Arm) -> NDArray[np.float64]:
    """(n,) merit of the known crystals as seeds: hits of earlier rounds, then by merit.

    Merit goes by labels and, where there is none, by prediction.
    """
    known = arm.learner.known
    predicted = arm.model.head.predict(known.crystals).values
    values = {}
    for name, guess in predicted.items():
        label = known.label(name)
        values[name] = np.where(np.isnan(label), guess, label)
    wanted = view.targets(arm)
    merit = targets.merit(wanted, values, view.spreads(arm, wanted))
    return seed_rank(merit, arm.learner.is_hit)


def seed_rank(merit: NDArray[np.float64], is_hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) rank of known crystals as seeds, larger is better: hits first, then by merit."""
    return merit + HITS_FIRST * is_hit


def request(view: View, arm: Arm) -> Request:
    """What a source without a latent space is asked for."""
    known = arm.learner.known
    screening = view.spec.screening
    return Request(
        number=max(1, round(arm.share * view.spec.num_draws)),
        targets=view.spec.targets,
        known=known,
        merit=seed_merit(view, arm),
        elements=allowed_elements(screening, view.known.crystals),
        num_elements=frozenset(view.known.crystals.num_elements.tolist()),
        max_sites=view.spec.dataset.max_sites,
    )


def _draw_latent(
    view: View, arm: Arm, generator: LatentGenerator, rng: np.random.Generator
) -> Drawn:
    latents = generator.encode(arm.learner.known.crystals)
    specs = shared_out(view.spec.sampling, arm.share)
    points = sampling.sample(specs, latents, seed_merit(view, arm), rng)
    decoded = generator.decode(points.points)
    return Drawn(arm, Proposal.of_points(points, decoded), latents)


def shared_out(specs: Sequence[SamplingSpec], share: float) -> list[SamplingSpec]:
    """Ways of sampling with an arm's share of their points, at least one each."""
    found = []
    for spec in specs:
        number = max(1, round(share * spec.num_points))
        found.append(spec.model_copy(update={"num_points": number}))
    return found
