"""What a gate is: a named check with settings of its own, and the values it may compare with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign.part import Part
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset

S = TypeVar("S", bound=Part)


class NoSettings(Part):
    """Settings of a gate that has none."""


@dataclass(frozen=True, eq=False)
class GateContext:
    """What the gates of a round may compare its crystals with.

    Parameters
    ----------
    known
        Training set.
    allowed
        Atomic numbers that a crystal may hold.
    num_elements
        Numbers of different elements that a crystal may have.
    earlier
        Candidates of earlier rounds, which are not to be computed again; None in the first.
    phases
        Formulas of the hull, as `CrystalTable.formulas` writes them.
    """

    known: Dataset
    allowed: frozenset[int]
    num_elements: frozenset[int]
    earlier: CrystalTable | None = None
    phases: frozenset[str] = frozenset()

    @cached_property
    def known_formulas(self) -> frozenset[str]:
        """Reduced formulas of training set and hull, as `CrystalTable.formulas` writes them."""
        return self.phases.union(self.known.crystals.formulas())


class Gate(ABC, Generic[S]):
    """A cheap check of decoded crystals; other packages add theirs as `gen2dft.gates`.

    A gate is made once per batch with the settings of the campaign. It must be vectorised: a
    round passes thousands of crystals through it.

    Parameters
    ----------
    settings
        An instance of the class's `Settings`.
    """

    name: ClassVar[str]
    """Name in the registry, in campaign files, and of the stage in the funnel."""
    reasons: ClassVar[Mapping[str, str]]
    """Each reason that the gate may give, short and in snake case, to one sentence about it."""
    Settings: ClassVar[type[Part]] = NoSettings
    """The part of the campaign file that the gate reads."""
    must_refuse: ClassVar[str] = ""
    """Why the gate cannot weigh in place of refusing, for people; empty: it can."""
    depends_on_order: ClassVar[bool] = False
    """Whether a verdict depends on the crystals before it in the table."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @property
    def measured_ratio(self) -> float | None:
        """Share of good crystals among those refused, over that among those passed, with these
        settings; None where nobody has measured it. With `mode: weigh` the default of `ratio`.
        """
        return None

    @abstractmethod
    def judge(self, table: CrystalTable, context: GateContext) -> Sequence[str | None]:
        """One of `reasons` for each of n crystals, or None for those that pass.

        Must not change the table, and must not remember anything from one call to the next.
        Crystals that earlier gates of the list stopped are not in the table: a gate at the head of
        the list has to cope with decoded nonsense, such as flat cells.
        """


def as_reasons(refused: Iterable[bool] | NDArray[np.bool_], reason: str) -> list[str | None]:
    """The reason where (n,) `refused` is true, None elsewhere."""
    return [reason if stop else None for stop in refused]
