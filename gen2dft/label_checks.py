"""Labels that cannot be what their column says, or hardly can: wrong units, total energies, swapped
or copied columns.

All labels of a data set pass `check_values`, wherever they were read. What is impossible is
refused; what is improbable is refused unless it is accepted by its name, `PROPERTY.FINDING`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, not_one_of
from gen2dft.input_files import brief
from gen2dft.properties import Property
from gen2dft.units import ENERGY, PER_ATOM

FINDINGS = {
    "range": "values beyond those of known crystals",
    "elements": "elements with a formation energy below 0",
    "total_energies": "formation energies too low for what the crystals are made of",
    "sign": "formation energies that are positive for most crystals",
    "no_spread": "the same value for every crystal",
}
"""What can be accepted by name, `PROPERTY.FINDING`."""

FORMATION_ENERGY = "formation_energy"
# eV/atom. The lowest of 41,335 formulas of the Materials Project have -5.2 with oxygen or fluorine,
# -3.0 with the other anions, -1.9 with none of them; elements are the zero of the scale.
LOWEST = {"O F": -5.5, "Cl Br I S Se N": -3.5, "": -2.5}
LOWEST_MEDIAN = -4.0
HIGHEST_MEDIAN = 0.5
LOWEST_ELEMENT, IMPOSSIBLE_ELEMENT = -0.1, -1.0
MANY = 3  # labels of which a median says something
SPREAD_OF = 3  # labels that should differ
# All at 0 is what a set of stable crystals, or of metals, has.
MAY_BE_ZERO = ("e_above_hull", "band_gap")
OTHER_UNITS: Mapping[str, Mapping[str, float]] = {
    "eV/atom": {name: PER_ATOM[name] for name in ("meV/atom", "kJ/mol-atom")},
    "eV": {"meV": ENERGY["meV"]},
}
MOST = 0.5
NAMED = 3  # crystals that a message names

Values = NDArray[np.float64]
NO_OWN: Mapping[str, Property] = MappingProxyType({})


@dataclass(frozen=True)
class Finding:
    """What is wrong with a column of labels.

    Parameters
    ----------
    name
        As it is accepted; None: it is impossible.
    text
        One sentence that names crystals and values.
    """

    name: str | None
    text: str


def check_names(accepted: Collection[str]) -> None:
    """ValueError for a name that no finding can have."""
    for name in accepted:
        prop, _, finding = name.rpartition(".")
        if finding not in FINDINGS or not prop:
            raise ValueError(
                f"{not_one_of('accepted finding', finding, FINDINGS)} Write it with its property, "
                "e.g. formation_energy.range"
            )


def check_dataset(
    dataset: Dataset, accepted: Collection[str], origin: str, own: Mapping[str, Property] = NO_OWN
) -> None:
    """Refuse a data set with labels that cannot be right, or hardly can and are not accepted.

    Parameters
    ----------
    accepted
        Names of findings that the user has looked at.
    origin
        What the labels are from, for the message.
    own
        Definitions of a campaign, which have the last word on bounds.

    Raises
    ------
    DatasetError
        Naming property, crystals, values and the remedy.
    """
    refused = [found for found in findings(dataset, own) if found.name not in accepted]
    if not refused:
        return
    lines = [f"{origin}: labels that cannot be right:"]
    lines += [f"  {finding.text}" for finding in refused]
    names = sorted({finding.name for finding in refused if finding.name is not None})
    lines.append("Correct them, or name the right column (--column, dataset.columns)")
    if all(finding.name is not None for finding in refused):
        options = " ".join(f"--accept {name}" for name in names)
        listed = ", ".join(names)
        lines.append(f"If they are right: {options} (in a campaign, dataset.accept: [{listed}])")
    raise DatasetError("\n".join(lines))


def findings(dataset: Dataset, own: Mapping[str, Property] = NO_OWN) -> list[Finding]:
    """All that is wrong with the labels of a data set, one finding of each kind and property."""
    found: list[Finding] = []
    known = {**dataset.properties, **own}
    for name in sorted(dataset.labels):
        column = _Column(known[name], dataset.label(name), dataset.ids)
        found += _of_any(column)
        if name == FORMATION_ENERGY:
            found += _of_formation_energies(column, dataset.crystals)
    return found


@dataclass(frozen=True, eq=False)
class _Column:
    """The labels of one property."""

    definition: Property
    values: Values
    ids: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def known(self) -> Values:
        return self.values[np.isfinite(self.values)]

    def finding(self, kind: str, text: str) -> Finding:
        return Finding(f"{self.name}.{kind}", f"{self.name}: {text}")

    def examples(self, which: NDArray[np.bool_]) -> str:
        """Crystals of a mask with their values: `3 crystals (a: -7.1, b: -6.5, ...)`."""
        rows = np.flatnonzero(which)
        shown = [f"{brief(self.ids[row])}: {self.values[row]:g}" for row in rows[:NAMED]]
        more = ", ..." if len(rows) > NAMED else ""
        noun = "crystal" if len(rows) == 1 else "crystals"
        return f"{len(rows):,} {noun} ({', '.join(shown)}{more})"


def _of_any(column: _Column) -> Iterator[Finding]:
    possible, probable = column.definition.possible, column.definition.probable
    cannot = _outside(column.values, possible)
    unit = column.definition.unit
    if cannot.any():
        bounds = _bounds_text(possible, unit)
        hint = _other_unit(column)
        text = f"{column.name}: {bounds}, but not of {column.examples(cannot)}{hint}"
        yield Finding(None, text)
    hardly = _outside(column.values, probable) & ~cannot
    if hardly.any():
        bounds = _bounds_text(probable, unit)
        yield column.finding("range", f"{bounds}, but not of {column.examples(hardly)}")
    yield from _of_spread(column)


def _of_spread(column: _Column) -> Iterator[Finding]:
    known = column.known
    if len(known) < SPREAD_OF or np.ptp(known) > 0:
        return
    if known[0] == 0 and column.name in MAY_BE_ZERO:
        return
    yield column.finding("no_spread", f"all {len(known):,} labels are {known[0]:g}")


def _of_formation_energies(column: _Column, crystals: CrystalTable) -> Iterator[Finding]:
    values, is_element = column.values, crystals.num_elements == 1
    too_low = is_element & (values < LOWEST_ELEMENT)
    if too_low.any():
        text = (
            f"{column.name}: elements have 0 eV/atom at their lowest, but not "
            f"{column.examples(too_low)}: the column holds total energies, or is off by a reference"
        )
        is_impossible = bool((values[too_low] < IMPOSSIBLE_ELEMENT).any())
        yield Finding(None if is_impossible else f"{column.name}.elements", text)
    unlike = ~is_element & (values < _floors(crystals))
    if unlike.any():
        yield column.finding(
            "total_energies",
            f"no known compound of such elements lies as low as {column.examples(unlike)}: total "
            "energies, or another unit",
        )
    yield from _of_median(column)


def _of_median(column: _Column) -> Iterator[Finding]:
    if len(column.known) < MANY:
        return
    median = float(np.median(column.known))
    if median < LOWEST_MEDIAN:
        yield column.finding(
            "total_energies",
            f"half of all labels are below {median:.2f} eV/atom, as total energies are; half of "
            "the known compounds have -1.0 or more",
        )
    if median > HIGHEST_MEDIAN:
        yield column.finding(
            "sign",
            f"half of all labels are above {median:.2f} eV/atom; compounds have negative ones",
        )


def _floors(crystals: CrystalTable) -> Values:
    """(n,) the lowest formation energy that known crystals of such elements have, eV/atom."""
    from pymatgen.core import Element

    floors = np.full(len(crystals), LOWEST[""])
    owners = crystals.owners
    # The lowest floor last: a crystal with several anions has that one.
    for symbols, floor in sorted(LOWEST.items(), key=lambda entry: -entry[1]):
        numbers = [Element(symbol).Z for symbol in symbols.split()]
        has_any = np.isin(crystals.numbers, numbers)
        floors[owners[has_any]] = floor
    return floors


def _outside(values: Values, bounds: tuple[float, float]) -> NDArray[np.bool_]:
    low, high = bounds
    return (values < low) | (values > high)


def _bounds_text(bounds: tuple[float, float], unit: str) -> str:
    low, high = bounds
    if np.isinf(high):
        limits = f"at least {low:g}"
    elif np.isinf(low):
        limits = f"at most {high:g}"
    else:
        limits = f"between {low:g} and {high:g}"
    return f"values are {limits} {unit}".rstrip()


def _other_unit(column: _Column) -> str:
    """In which unit the values would be usual, where most are not as they are."""
    if np.mean(_outside(column.known, column.definition.probable)) < MOST:
        return "; another unit, or another quantity"
    units: Mapping[str, float] = OTHER_UNITS.get(column.definition.unit, {})
    fitting = []
    for unit, factor in units.items():
        if not _outside(column.known * factor, column.definition.probable).any():
            fitting.append(unit)
    if not fitting:
        return "; another unit, or another quantity"
    option = f"--column {column.definition.name}=COLUMN:{fitting[0]}"
    return f"; in {' or '.join(fitting)} they could be right: say so, {option}"
