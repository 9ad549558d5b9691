"""What is asked of a generator that proposes crystals, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import Target
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.representations.base import DecodeResult

if TYPE_CHECKING:
    from pymatgen.core import Structure

REASON = re.compile(r"[a-z][a-z0-9_]*")  # as a funnel counts it


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked of a generator that proposes crystals itself; values only.

    Parameters
    ----------
    number
        Draws wanted.
    targets
        What a hit must be.
    known
        Crystals and labels that may be learnt from, those of earlier rounds included.
    merit
        (n,) how good each known crystal is by the targets, larger is better; by its labels or,
        where there is none, by prediction.
    elements
        Atomic numbers that a crystal may have.
    num_elements
        Numbers of different elements that a crystal may have.
    max_sites
        Most sites of a cell; None: no limit.
    properties
        Properties that the campaign predicts.
    taken
        Formulas, as `CrystalTable.formulas` writes them, that are known or were proposed before.
    semiconducting
        Whether only formulas of semiconductors pass the gate `charge`, which is `strict`.
    """

    number: int
    targets: tuple[Target, ...]
    known: Dataset
    merit: NDArray[np.float64]
    elements: frozenset[int]
    num_elements: frozenset[int]
    max_sites: int | None = None
    properties: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()
    semiconducting: bool = False

    def __post_init__(self) -> None:
        if self.merit.shape != (len(self.known),):
            raise ValueError(
                f"merit of shape {self.merit.shape} does not fit {len(self.known)} known crystals"
            )


class Points(Protocol):
    """Points of a latent space and where they came from."""

    @property
    def points(self) -> NDArray[np.float32]:
        """(m, d) latent vectors."""
        ...

    @property
    def methods(self) -> tuple[str, ...]:
        """(m,) name of the sampling method of each point."""
        ...

    @property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """(m,) rows of the known crystals that each point was made from."""
        ...


@dataclass(frozen=True)
class Draw:
    """One draw of a generator that makes its crystals one by one.

    Parameters
    ----------
    outcome
        The crystal, or why there is none, in snake_case.
    key
        Short text that tells this draw from the others, see `Proposal.keys`.
    method
        Name of the way of drawing.
    parents
        Rows of the known crystals that it was made from.
    origin
        File that the crystal was read from; empty for a crystal that a generator made.
    remark
        What there is to say of the outcome, for people.
    recipe
        How the crystal was made of its parents, in one line for people.
    """

    outcome: Structure | str
    key: str
    method: str
    parents: tuple[int, ...] = ()
    origin: str = ""
    remark: str = ""
    recipe: str = ""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What was drawn: for each of `m` draws a crystal or one reason, and how it was drawn.

    Parameters
    ----------
    crystals
        Crystals of the draws that gave one.
    kept
        Row of the draw that each crystal came from, increasing.
    reasons
        (m,) None for a crystal, else why the draw gave none, in snake_case.
    methods
        (m,) name of the way of drawing.
    parents
        (m,) rows of the known crystals that each draw was made from; often empty.
    keys
        (m,) short bytes that tell a draw from the others. With the source, its settings and the
        seed they identify it, and become the candidate's id; so they must not be list positions.
    repairs
        What was put right in the crystals, by name: how often.
    latents
        (m, d) latent vectors, for draws from a latent space.
    origins, remarks, recipes
        (m,) as those of a `Draw`; empty where there are none.

    Raises
    ------
    ValueError
        The parts do not fit together, or a reason is no word in snake_case.
    """

    crystals: CrystalTable
    kept: NDArray[np.int64]
    reasons: tuple[str | None, ...]
    methods: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]
    keys: tuple[bytes, ...]
    repairs: Mapping[str, int] = field(default_factory=dict)
    latents: NDArray[np.float32] | None = None
    origins: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._require_one_entry_per_draw()
        self._require_a_crystal_or_a_reason()
        self._require_readable_reasons()

    def _require_one_entry_per_draw(self) -> None:
        lengths = {
            "reasons": len(self.reasons),
            "methods": len(self.methods),
            "parents": len(self.parents),
            "keys": len(self.keys),
        }
        if self.latents is not None:
            lengths["latents"] = len(self.latents)
        for name in ("origins", "remarks", "recipes"):
            if texts := getattr(self, name):
                lengths[name] = len(texts)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"each draw needs one entry in every part, and these have {lengths}")

    def _require_a_crystal_or_a_reason(self) -> None:
        accepted = _without_reason(self.reasons)
        if len(self.crystals) == len(self.kept) and np.array_equal(accepted, self.kept):
            return
        raise ValueError(
            f"{len(self.crystals)} crystals, {len(self.kept)} kept draws and {len(accepted)} draws "
            "without a reason do not fit together"
        )

    def _require_readable_reasons(self) -> None:
        for reason in self.reasons:
            if reason is not None and not REASON.fullmatch(reason):
                raise ValueError(f"reason {reason!r} is no word in snake_case")

    def __len__(self) -> int:
        return len(self.reasons)

    @classmethod
    def of_points(cls, points: Points, decoded: DecodeResult) -> Proposal:
        """Points of a latent space and the crystals decoded from them."""
        # The bytes of a vector must not depend on the machine's byte order: they become an id.
        vectors = np.ascontiguousarray(points.points, dtype="<f4")
        return cls(
            crystals=decoded.crystals,
            kept=decoded.kept,
            reasons=tuple(decoded.reasons),
            methods=points.methods,
            parents=points.parents,
            keys=tuple(vector.tobytes() for vector in vectors),
            repairs=decoded.repairs,
            latents=points.points,
        )

    @classmethod
    def of_draws(cls, draws: Sequence[Draw]) -> Proposal:
        """Draws that were made one by one.

        Raises
        ------
        ValueError
            A crystal has partially occupied sites.
        """
        crystals: list[Structure] = []
        reasons: list[str | None] = []
        for draw in draws:
            if isinstance(draw.outcome, str):
                reasons.append(draw.outcome)
            else:
                reasons.append(None)
                crystals.append(draw.outcome)
        return cls(
            crystals=CrystalTable.from_structures(crystals),
            kept=_without_reason(reasons),
            reasons=tuple(reasons),
            methods=tuple(draw.method for draw in draws),
            parents=tuple(draw.parents for draw in draws),
            keys=tuple(draw.key.encode() for draw in draws),
            origins=_if_any([draw.origin for draw in draws]),
            remarks=_if_any([draw.remark for draw in draws]),
            recipes=_if_any([draw.recipe for draw in draws]),
        )


def _if_any(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts; nothing if all are empty."""
    return tuple(texts) if any(texts) else ()


def _without_reason(reasons: Sequence[str | None]) -> NDArray[np.int64]:
    """Rows of the draws that gave a crystal."""
    rows = [row for row, reason in enumerate(reasons) if reason is None]
    return np.array(rows, dtype=np.int64)
