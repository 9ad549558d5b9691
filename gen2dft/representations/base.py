"""What every representation offers: an invertible map between crystals and tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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


@dataclass(frozen=True, eq=False)
class DecodeResult:
    """Crystals read from tensors, and why some rows gave none.

    Parameters
    ----------
    crystals
        The `m` decoded crystals.
    kept
        (m,) row of the input that each crystal came from, increasing.
    reasons
        One entry per input row: None for a crystal, else a key of `DECODE_REASONS`.
    repairs
        What was put right in the crystals, by name: how often.

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
        accepted = np.flatnonzero([reason is None for reason in self.reasons])
        if len(self.crystals) != len(self.kept) or not np.array_equal(accepted, self.kept):
            raise ValueError(f"{len(self.crystals)} crystals, {len(self.kept)} kept rows and "
                             f"{len(accepted)} rows "
                             "without a reason do not fit together")  # fmt: skip
        if unknown := {r for r in self.reasons if r is not None} - set(DECODE_REASONS):
            raise ValueError(
                f"unknown decode reasons {sorted(unknown)}; choices: {sorted(DECODE_REASONS)}"
            )

    @classmethod
    def concatenate(cls, parts: list[DecodeResult]) -> DecodeResult:
        """Results of consecutive chunks as one."""
        starts = np.cumsum([0, *(len(part.reasons) for part in parts)])
        kept = [part.kept + start for part, start in zip(parts, starts[:-1], strict=True)]
        repairs: Counter[str] = Counter()
        for part in parts:
            repairs.update(part.repairs)
        return cls(
            CrystalTable.concatenate([part.crystals for part in parts]),
            np.concatenate(kept) if kept else np.zeros(0, np.int64),
            [reason for part in parts for reason in part.reasons],
            dict(repairs),
        )


class Representation(Protocol):
    """An invertible tensor form of crystals."""

    name: ClassVar[str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one crystal's tensor."""
        ...

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, *shape) tensors; DatasetError names crystals that do not fit, by index."""
        ...

    def decode(self, tensors: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, *shape) tensors; any content is allowed and never raises."""
        ...
