"""The interface shared by all representations: an invertible map between crystals and tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

DECODE_REASONS: dict[str, str] = {
    "non_finite": "the tensor holds NaN or infinity where the crystal is read from",
    "bad_lattice": "lengths and angles do not form a cell of positive volume",
    "no_atoms": "no site holds an element",
    "missing_element": "an element that every crystal must hold is not there",
    "too_many_sites": "there are more atoms than a crystal may have",
    "flat_cell": "two faces of the cell are so close that its image would meet itself",
    "long_cell": "the cell is longer than its image can show",
    "larger_than_box": "the atoms reach beyond the box of their image",
    "oxidation_state": "no valid oxidation state makes the composition neutral",
}


def first_reasons(count: int, tests: Iterable[tuple[str, NDArray[np.bool_]]]) -> list[str | None]:
    """For each of `count` rows the first reason that refuses it, None for an accepted row.

    Parameters
    ----------
    tests
        Reasons in the order in which they count, each with the (count,) rows that it refuses.
    """
    reasons = np.full(count, None, dtype=object)
    for reason, refused in tests:
        undecided = reasons == None  # noqa: E711 - elementwise
        reasons[refused & undecided] = reason
    return list(reasons)


def accepted_rows(reasons: Sequence[str | None]) -> NDArray[np.int64]:
    """Indices of the rows without a reason, in ascending order."""
    is_accepted = [reason is None for reason in reasons]
    return np.flatnonzero(is_accepted)


@dataclass(frozen=True, eq=False)
class DecodeResult:
    """Decoded crystals, and the reason for every row that gave none.

    Parameters
    ----------
    crystals
        The `m` decoded crystals.
    kept
        (m,) input row of each crystal, in ascending order.
    reasons
        One entry per input row: None for a crystal, else a key of `DECODE_REASONS`.
    repairs
        Repairs made to the crystals: name to number.

    Raises
    ------
    ValueError
        If the three disagree; every row is either kept or has exactly one reason.
    """

    crystals: CrystalTable
    kept: NDArray[np.int64]
    reasons: list[str | None]
    repairs: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._require_agreement()
        given = {reason for reason in self.reasons if reason is not None}
        unknown = given.difference(DECODE_REASONS)
        if unknown:
            choices = sorted(DECODE_REASONS)
            raise ValueError(f"unknown decode reasons {sorted(unknown)}; choices: {choices}")

    def _require_agreement(self) -> None:
        accepted = accepted_rows(self.reasons)
        num_crystals = len(self.crystals)
        num_kept = len(self.kept)
        is_same = np.array_equal(accepted, self.kept)
        if num_crystals != num_kept or not is_same:
            problem = (
                f"{num_crystals} crystals, {num_kept} kept rows and {len(accepted)} rows "
                "without a reason do not fit together"
            )
            raise ValueError(problem)

    @classmethod
    def concatenate(cls, parts: Sequence[DecodeResult]) -> DecodeResult:
        """Results of consecutive chunks as one."""
        kept = [np.zeros(0, np.int64)]
        reasons: list[str | None] = []
        repairs: Counter[str] = Counter()
        for part in parts:
            # Each chunk counts its rows from 0; as many rows as there are reasons came before it.
            rows = part.kept + len(reasons)
            kept.append(rows)
            reasons += part.reasons
            repairs.update(part.repairs)
        crystals = CrystalTable.concatenate([part.crystals for part in parts])
        return cls(crystals, np.concatenate(kept), reasons, dict(repairs))


class Representation(Protocol):
    """An invertible tensor form of crystals."""

    name: ClassVar[str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one crystal's tensor."""
        ...

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, *shape) tensors; DatasetError gives the indices of crystals that do not fit."""
        ...

    def decode(self, tensors: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, *shape) tensors; any content is allowed and never raises."""
        ...
