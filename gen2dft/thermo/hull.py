"""ReferenceHull: the frozen set of phases that every distance to the hull is measured against."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError, StoreError, ThermoError
from gen2dft.hashing import content_hash
from gen2dft.thermo.lower_hull import LowerHull

if TYPE_CHECKING:
    from gen2dft.crystals import CrystalTable
    from gen2dft.dataset import Dataset

FORMAT_VERSION = 2
READABLE = (1, 2)
ON_HULL = (
    1e-6  # eV/atom; a labelled distance below it says that the source calls the crystal stable
)
SYSTEMS_KEPT = 5000  # chemical systems whose hulls stay in memory

Formula = tuple[tuple[str, int], ...]
Coverage = Literal["elements", "compounds"]


@dataclass(frozen=True)
class HullEntry:
    """One phase: its composition, elements in alphabetical order, and its formation energy,
    eV/atom.
    """

    composition: Formula
    formation_energy: float


@dataclass(frozen=True, eq=False)
class ReferenceHull:
    """Phases with formation energies; the elements at 0 eV/atom are always among them.

    Parameters
    ----------
    entries
        The lowest phase of each reduced composition, sorted; use `build`, which sees to that.
    scale
        What the energies are measured on, see `gen2dft.thermo.scales`; None if the source does not
        say.
    coverage
        When a chemical system counts as covered: `elements`, if each of its elements occurs in some
        phase; `compounds`, if moreover at least one compound of its elements alone is known. Beyond
        that no distance is given.
    known_stable
        Compositions that the source itself calls stable, for the self-test
        (`gen2dft.thermo.hull_check`).
    """

    entries: tuple[HullEntry, ...]
    scale: str | None = None
    coverage: Coverage = "elements"
    known_stable: tuple[Formula, ...] = ()
    _systems: dict[tuple[str, ...], LowerHull] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def build(
        cls,
        compositions: Iterable[Mapping[Any, float]],
        formation_energies: Iterable[float],
        **fields: Any,
    ) -> ReferenceHull:
        """Hull of phases given by composition (symbol or element to number of atoms) and eV/atom.

        NaN is left out.

        Parameters
        ----------
        fields
            `scale`, `coverage` and `known_stable` (compositions like the others).
        """
        lowest: dict[Formula, float] = {}
        for composition, energy in zip(compositions, formation_energies, strict=True):
            if math.isnan(energy):
                continue
            key = reduced(composition)
            lowest[key] = min(float(energy), lowest.get(key, math.inf))
        fields["known_stable"] = tuple(
            sorted({reduced(composition) for composition in fields.pop("known_stable", ())})
        )
        return cls(tuple(HullEntry(key, lowest[key]) for key in sorted(lowest)), **fields)

    @classmethod
    def from_dataset(cls, dataset: Dataset, **fields: Any) -> ReferenceHull:
        """Hull of all crystals of a dataset that carry a formation energy.

        Where a crystal is labelled with its distance to its source's hull, that hull lies at Ef -
        e_above_hull at this composition. These points count too: they bring in competing phases
        that the dataset itself leaves out. A crystal whose labelled distance is 0 is one that the
        source calls stable.
        """
        from pymatgen.core import Element

        crystals = dataset.crystals
        symbols = {int(z): Element.from_Z(int(z)).symbol for z in np.unique(crystals.numbers)}
        compositions = []
        for i in range(len(crystals)):
            numbers, counts = np.unique(crystals.numbers[crystals.sites(i)], return_counts=True)
            compositions.append(
                {symbols[int(z)]: int(n) for z, n in zip(numbers, counts, strict=True)}
            )
        labelled = dataset.label("e_above_hull")
        energies = dataset.label("formation_energy")
        stable = [
            compositions[i]
            for i in np.flatnonzero((np.abs(labelled) <= ON_HULL) & np.isfinite(energies))
        ]
        above = np.fmax(labelled, 0.0)  # NaN (not labelled) becomes 0
        return cls.build(compositions, energies - above, known_stable=stable, **fields)

    def joined_by(
        self, compositions: Iterable[Mapping[Any, float]], formation_energies: Iterable[float]
    ) -> ReferenceHull:
        """The hull with further phases, on the same scale."""
        more = ReferenceHull.build(compositions, formation_energies).entries
        phases = [*self.entries, *more]
        joined = ReferenceHull.build(
            (dict(e.composition) for e in phases), (e.formation_energy for e in phases)
        )
        # What the source calls stable need not be so any more, once other phases have joined.
        return replace(self, entries=joined.entries, known_stable=() if more else self.known_stable)

    @property
    def num_entries(self) -> int:
        """Number of phases, the elements at 0 not counted."""
        return len(self.entries)

    @functools.cached_property
    def hull_hash(self) -> str:
        """Hash of the content, whatever the order in which the phases were given.

        16 hexadecimal digits.
        """
        return content_hash(self.to_bytes(), digits=16)

    # Distances
    # --------------------------------------------------------------------------------------------

    def e_above_hull(self, composition: Mapping[Any, float], formation_energy: float) -> float:
        """Distance to the hull, eV/atom.

        Negative for a phase below it, 0 for the known stable ones.

        Parameters
        ----------
        composition
            Symbol or element to number of atoms.
        formation_energy
            eV/atom, on the scale of the hull's entries.

        Raises
        ------
        ThermoError
            If the hull does not cover the chemical system.
        """
        return float(formation_energy - self.hull_energy(composition))

    def e_above_hull_many(
        self,
        compositions: Sequence[Mapping[Any, float]],
        formation_energies: Sequence[float] | NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(n,) distances to the hull, eV/atom.

        NaN where the hull does not cover the chemical system.

        One hull is made per chemical system and kept; all compositions of a system are measured at
        once.
        """
        energies = np.asarray(formation_energies, dtype=np.float64)
        if len(compositions) != len(energies):
            raise ThermoError(
                f"{len(compositions)} compositions and {len(energies)} formation energies do not "
                "fit"
            )
        formulas = [reduced(composition) for composition in compositions]
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row, formula in enumerate(formulas):
            rows_of.setdefault(tuple(symbol for symbol, _ in formula), []).append(row)
        distances = np.full(len(energies), np.nan)
        for system, rows in rows_of.items():
            if self.gap(system) is None:
                counts = np.array([[n for _, n in formulas[row]] for row in rows], dtype=np.float64)
                fractions = counts / counts.sum(axis=1, keepdims=True)
                distances[rows] = energies[rows] - self.system(system).energy(fractions)
        return distances

    def energies_beneath(self, crystals: CrystalTable) -> NDArray[np.float64]:
        """(n,) energies of the hull at crystals' compositions, eV/atom.

        NaN where it does not cover the system.
        """
        amounts = [structure.composition.get_el_amt_dict() for structure in crystals.structures()]
        return -self.e_above_hull_many(amounts, np.zeros(len(crystals)))

    def hull_energy(self, composition: Mapping[Any, float]) -> float:
        """Energy of the hull at a composition, eV/atom.

        ThermoError if the hull does not cover its system.
        """
        formula = reduced(composition)
        system = tuple(symbol for symbol, _ in formula)
        if (gap := self.gap(system)) is not None:
            raise ThermoError(
                f"{gap}; no distance to the hull can be given. Choose a reference that knows it "
                "(`hull`)"
            )
        counts = np.array([[n for _, n in formula]], dtype=np.float64)
        return float(self.system(system).energy(counts / counts.sum())[0])

    def gap(self, system: Iterable[str]) -> str | None:
        """What the hull lacks of a chemical system; None if it covers it."""
        symbols = sorted(set(system))
        name = "-".join(symbols)
        missing = [symbol for symbol in symbols if symbol not in self.elements]
        if missing:
            return (
                f"chemical system {name} is not covered: no phase of the reference holds "
                f"{', '.join(missing)}"
            )
        if (
            self.coverage == "compounds"
            and len(symbols) > 1
            and not any(len(f) > 1 for f, _ in self.phases(symbols))
        ):
            return (
                f"chemical system {name} is not covered: the reference has no compound of "
                "these elements"
            )
        return None

    @functools.cached_property
    def elements(self) -> frozenset[str]:
        """Elements that occur in some phase."""
        return frozenset(symbol for system in self._by_system for symbol in system)

    # Chemical systems
    # -----------------------------------------------------------------------------------------

    def system(self, symbols: Iterable[str]) -> LowerHull:
        """Lower hull of a chemical system, made when first asked for.

        Elements in alphabetical order.
        """
        key = tuple(sorted(set(symbols)))
        if key not in self._systems:
            if len(self._systems) >= SYSTEMS_KEPT:
                self._systems.clear()
            phases = self.phases(key)
            fractions = np.zeros((len(phases), len(key)))
            for row, (formula, _) in enumerate(phases):
                for symbol, count in formula:
                    fractions[row, key.index(symbol)] = count
            fractions /= fractions.sum(axis=1, keepdims=True)
            self._systems[key] = LowerHull.of_phases(
                fractions, np.array([energy for _, energy in phases])
            )
        return self._systems[key]

    def phases(self, symbols: Iterable[str]) -> list[tuple[Formula, float]]:
        """Phases of a chemical system and its subsystems, the elements at no more than 0 among
        them; sorted.
        """
        key = sorted(set(symbols))
        found: dict[Formula, float] = {((symbol, 1),): 0.0 for symbol in key}
        for size in range(1, len(key) + 1):
            for subsystem in itertools.combinations(key, size):
                for formula, energy in self._by_system.get(subsystem, {}).items():
                    found[formula] = min(energy, found.get(formula, math.inf))
        return sorted(found.items())

    @functools.cached_property
    def _by_system(self) -> dict[tuple[str, ...], dict[Formula, float]]:
        """Entries by their elements, in alphabetical order."""
        systems: dict[tuple[str, ...], dict[Formula, float]] = {}
        for entry in self.entries:
            system = tuple(symbol for symbol, _ in entry.composition)
            systems.setdefault(system, {})[entry.composition] = entry.formation_energy
        return systems

    # Bytes
    # --------------------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """The hull as JSON; equal content gives equal bytes."""
        content = {
            "format": FORMAT_VERSION,
            "unit": "eV/atom",
            "scale": self.scale,
            "coverage": self.coverage,
            "known_stable": [formula_text(formula) for formula in self.known_stable],
            "entries": [[formula_text(e.composition), e.formation_energy] for e in self.entries],
        }
        return json.dumps(content).encode()

    @classmethod
    def from_bytes(cls, data: bytes, origin: str = "stored hull") -> ReferenceHull:
        """Inverse of `to_bytes`; StoreError names `origin` when the data are broken."""
        try:
            content = json.loads(data)
            if content["format"] not in READABLE:
                raise StoreError(
                    f"{origin} has format {content['format']}, this version reads {FORMAT_VERSION}"
                )
            formulas, energies = (
                zip(*content["entries"], strict=True) if content["entries"] else ((), ())
            )
            return cls.build(
                map(_parse, formulas),
                map(float, energies),
                scale=content.get("scale"),
                coverage=content.get("coverage", "elements"),
                known_stable=map(_parse, content.get("known_stable", ())),
            )
        except (KeyError, ValueError, TypeError) as err:
            raise StoreError(f"{origin} is not a gen2dft hull or is damaged: {err}") from err


def reduced(composition: Mapping[Any, float]) -> Formula:
    """Symbols in alphabetical order with the smallest whole numbers of atoms.

    DatasetError if there are none.
    """
    counts = {
        str(getattr(element, "symbol", element)): round(count)
        for element, count in composition.items()
    }
    if (
        not counts
        or min(counts.values()) < 1
        or any(abs(n - round(n)) > 1e-6 for n in composition.values())
    ):
        raise DatasetError(
            f"composition {dict(composition)} must name elements with whole numbers of atoms"
        )
    divisor = math.gcd(*counts.values())
    return tuple((symbol, counts[symbol] // divisor) for symbol in sorted(counts))


def formula_text(formula: Formula) -> str:
    """`Li2 O1`: every element with its number of atoms."""
    return " ".join(f"{symbol}{count}" for symbol, count in formula)


def _parse(text: str) -> dict[str, int]:
    """Inverse of `formula_text`; ten times as quick as pymatgen's, for hulls of many phases."""
    parts = [re.fullmatch(r"([A-Z][a-z]?)(\d+)", word) for word in text.split()]
    if not all(parts):
        raise ValueError(f"{text!r} is no formula like 'Li2 O1'")
    return {part[1]: int(part[2]) for part in parts if part}
