"""What is known of the proposed crystals when the batch is chosen, one value per crystal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.heads.base import Prediction
from gen2dft.loop.ids import id_of
from gen2dft.loop.propose import Proposed
from gen2dft.loop.sieve import Sifted
from gen2dft.loop.view import View

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is known of one crystal.

    Parameters
    ----------
    candidate_id
        Its id; equally good candidates are taken in the order given.
    arm
        Source and learner that drew it.
    crystal
        Relaxed by the surrogate; as drawn where no surrogate was asked.
    values
        What the surrogate said: `formation_energy` and `e_above_hull`, eV/atom; empty without one.
    reason
        Why the surrogate's gate refused it, if only the audit of the gate let it through.
    predicted
        What was predicted of it as drawn.
    latent
        (d,) its latent vector; None for a source without a latent space.
    remark
        `hull_incomplete` where the surrogate says that the hull lacks phases; else None.
    errors
        Property to the error that the surrogate's value states, in the property's unit.
    weight
        What weighing gates leave of its chance, as long as no correction has judged it.
    """

    candidate_id: str
    arm: tuple[str, str]
    crystal: Structure
    values: Mapping[str, float]
    reason: str | None
    predicted: Mapping[str, float]
    latent: NDArray[np.float32] | None = None
    remark: str | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    weight: float = 1.0


def unscreened(view: View, proposed: Proposed) -> list[Verdict]:
    """The shortlisted crystals as drawn, in the order of their ids: no surrogate was asked."""
    found: list[Verdict] = []
    for part in proposed.parts:
        found += _of_part(view, part)
    return sorted(found, key=lambda verdict: verdict.candidate_id)


def _of_part(view: View, part: Sifted) -> list[Verdict]:
    proposal = part.drawn.proposal
    found = []
    weights = part.weights
    for place, crystal in enumerate(part.kept):
        row = int(proposal.kept[crystal])
        if part.reasons[row] is not None:
            continue
        latent = None if proposal.latents is None else proposal.latents[row]
        verdict = Verdict(
            candidate_id=id_of(view, part.drawn, row),
            arm=part.drawn.arm.key,
            crystal=proposal.crystals.structure(int(crystal)),
            values={},
            reason=None,
            predicted=named(part.predicted, place),
            latent=latent,
            weight=float(weights[place]),
        )
        found.append(verdict)
    return found


def named(predicted: Prediction, row: int) -> dict[str, float]:
    """What is predicted of one crystal, by property; an unknown value is left out."""
    found = {}
    for name, column in predicted.values.items():
        value = float(column[row])
        if np.isfinite(value):
            found[name] = value
    return found
