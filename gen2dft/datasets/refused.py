"""Why the text of a crystal is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2dft.crystal_check import ORDERED_CELL, PARTLY_OCCUPIED, structure_problem

if TYPE_CHECKING:
    from pymatgen.core import Structure

UNREADABLE = "unreadable"
SHOWN = 200  # characters of another package's message
# Everything that readers of other packages raise for damaged input.
DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)


class RefusedCrystal(ValueError):
    """A text that is no crystal which can be used.

    Parameters
    ----------
    reason
        In snake_case, as the provenance of a dataset counts it.
    detail
        What is wrong and how to correct it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class UnreadableStructure(RefusedCrystal):
    """The text is no crystal, or damaged."""

    def __init__(self, detail: str) -> None:
        super().__init__(UNREADABLE, detail)


class PartialOccupancy(RefusedCrystal):
    """A site is shared by several species or partly empty."""

    def __init__(self, detail: str = ORDERED_CELL) -> None:
        super().__init__(PARTLY_OCCUPIED, detail)


def refuse_unsound(structure: Structure) -> None:
    """RefusedCrystal if a crystal fails the check of `gen2dft.crystal_check`."""
    problem = structure_problem(structure)
    if problem is None:
        return
    reason, _, detail = problem.partition(": ")
    if reason == PARTLY_OCCUPIED:
        raise PartialOccupancy(detail)
    raise RefusedCrystal(reason, detail)


def short(error: BaseException) -> str:
    """The message of another package in one line."""
    return " ".join(str(error).split())[:SHOWN] or type(error).__name__
