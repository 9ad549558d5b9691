"""A table of figures: what it holds, and how it is written as text and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MISSING = "\u2013"


@dataclass(frozen=True)
class Column:
    """One kind of figure.

    Parameters
    ----------
    key
        Name in JSON and in reference files.
    title
        Heading, with the unit.
    form
        How a value is printed, as Python's `format` takes it; `.1%` prints a share between 0 and 1
        as percent.
    """

    key: str
    title: str
    form: str

    def text(self, value: float | None) -> str:
        """A value as it is printed."""
        return MISSING if value is None else format(value, self.form)

    def text_of(self, row: Row) -> str:
        """A row's figure as it is printed."""
        figure = row.figures.get(self.key)
        return self.text(figure)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"key": self.key, "title": self.title}


@dataclass(frozen=True)
class Row:
    """Figures of one thing that was measured, or that somebody else measured.

    Parameters
    ----------
    name
        What the figures belong to.
    figures
        Column key to value; a figure that is not known is None or absent.
    source
        Who measured it; empty if this evaluation did.
    """

    name: str
    figures: Mapping[str, float | None]
    source: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"name": self.name, "source": self.source, "figures": dict(self.figures)}


@dataclass(frozen=True)
class Table:
    """One table of the evaluation.

    Parameters
    ----------
    name, title
        For machines, for people.
    columns, rows
        What is printed, in this order.
    notes
        What a reader must know before comparing figures.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())

    def cells(self) -> list[list[str]]:
        """The rows as text, the name first."""
        cells = []
        for row in self.rows:
            texts = [column.text_of(row) for column in self.columns]
            cells.append([row.name, *texts])
        return cells

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        columns = [column.as_dict() for column in self.columns]
        rows = [row.as_dict() for row in self.rows]
        return {
            "name": self.name,
            "title": self.title,
            "columns": columns,
            "rows": rows,
            "notes": list(self.notes),
        }

    def markdown(self) -> str:
        """The table as Markdown, its notes below it."""
        titles = [column.title for column in self.columns]
        to_the_right = ["---:"] * len(titles)
        lines = [["", *titles], ["---", *to_the_right], *self.cells()]
        texts = [" | ".join(cells) for cells in lines]
        table = "\n".join(f"| {text} |" for text in texts)
        parts = [f"## {self.title}", table, *self.notes, *self.sources()]
        return "\n\n".join(parts) + "\n"

    def sources(self) -> list[str]:
        """One line for each row that others measured."""
        return [f"{row.name}: {row.source}" for row in self.rows if row.source]


def mean(values: Sequence[float]) -> float | None:
    """Mean of the values; None if there are none."""
    return share(sum(values), len(values))


def share(part: float, whole: float) -> float | None:
    """The part of a whole; None if there is no whole."""
    return part / whole if whole else None
