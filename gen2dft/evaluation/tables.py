"""A table of figures: what it holds, and how it is written as text and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    interval
        Whether rows may hold the ends of the figure's interval, as `KEY_low` and `KEY_high`.
    """

    key: str
    title: str
    form: str
    interval: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the figures that this column prints."""
        if not self.interval:
            return (self.key,)
        return (self.key, f"{self.key}_low", f"{self.key}_high")

    def text(self, value: float | None) -> str:
        """A value as it is printed."""
        return MISSING if value is None else format(value, self.form)

    def text_of(self, row: Row, *, intervals: bool = True) -> str:
        """A row's figure as it is printed, with its interval if it has one."""
        figure, *ends = (row.figures.get(key) for key in self.keys)
        text = self.text(figure)
        if not intervals or not ends or None in ends:
            return text
        low, high = (self.text(end).removesuffix("%") for end in ends)
        return f"{text} ({low} to {high})"

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
    turned
        Whether Markdown prints one line per figure, as a table of many columns needs, and the rows
        that others measured below, with the figures that they have.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())
    turned: bool = False

    @property
    def own(self) -> Table:
        """The rows that this evaluation measured, and the columns in which they have figures."""
        return self._of([row for row in self.rows if not row.source])

    @property
    def published(self) -> Table:
        """The rows that others measured, and the columns in which they have figures."""
        return self._of([row for row in self.rows if row.source])

    def _of(self, rows: Sequence[Row]) -> Table:
        columns = [column for column in self.columns if _is_used(column, rows)]
        return replace(self, rows=rows, columns=columns)

    def cells(self, *, intervals: bool = True) -> list[list[str]]:
        """The rows as text, the name first."""
        cells = []
        for row in self.rows:
            texts = [column.text_of(row, intervals=intervals) for column in self.columns]
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
        if not self.turned:
            grids = [_grid(self.lines())]
        else:
            grids = [_grid(self.own.turned_lines())]
            if self.published.rows:
                grids.append(_grid(self.published.lines()))
        parts = [f"## {self.title}", *grids, *self.notes, *self.sources()]
        return "\n\n".join(parts) + "\n"

    def lines(self, *, intervals: bool = True) -> list[list[str]]:
        """Headings and rows as text."""
        titles = [column.title for column in self.columns]
        return [["", *titles], *self.cells(intervals=intervals)]

    def turned_lines(self, *, intervals: bool = True) -> list[list[str]]:
        """The same, one line per figure."""
        lines = self.lines(intervals=intervals)
        return [list(cells) for cells in zip(*lines, strict=True)]

    def sources(self) -> list[str]:
        """One line for each source of rows that others measured."""
        named: dict[str, list[str]] = {}
        for row in self.rows:
            if row.source:
                named.setdefault(row.source, []).append(row.name)
        return [f"{', '.join(names)}: {source}" for source, names in named.items()]


def _is_used(column: Column, rows: Sequence[Row]) -> bool:
    """Whether a row has a figure in a column."""
    return any(row.figures.get(column.key) is not None for row in rows)


def _grid(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as a Markdown table, the first line its headings."""
    head, *body = lines
    to_the_right = ["---:"] * (len(head) - 1)
    texts = [" | ".join(cells) for cells in (head, ["---", *to_the_right], *body)]
    return "\n".join(f"| {text} |" for text in texts)


def mean(values: Sequence[float]) -> float | None:
    """Mean of the values; None if there are none."""
    return share(sum(values), len(values))


def share(part: float, whole: float) -> float | None:
    """The part of a whole; None if there is no whole."""
    return part / whole if whole else None
