"""ReferenceHull: the frozen set of phases that every distance to the hull is measured against."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import StoreError, ThermoError
from gen2dft.hashing import content_hash
from gen2dft.thermo.formulas import (
    Formula,
    System,
    formula_text,
    parse_formula,
    reduced,
    system_of,
)
from gen2dft.thermo.lower_hull import LowerHull

if TYPE_CHECKING:
    from gen2dft.crystals import CrystalTable
    from gen2dft.dataset import Dataset

FORMAT_VERSION = 2
READABLE = (1, 2)
# eV/atom; a labelled distance below it says that the source calls the crystal stable.
ON_HULL = 1e-6
SYSTEMS_KEPT = 5000  # chemical systems whose hulls stay in memory

Coverage = Literal["elements", "compounds"]


@dataclass(frozen=True)
class HullEntry:
    """One phase: its composition, elements in alphabetical order, and its formation energy,
    eV/atom.
    """

    composition: Formula
    formation_energy: float


@dataclass(frozen=True)
class Product:
    """A phase of a decomposition.

    Parameters
    ----------
    composition
        Elements in alphabetical order.
    share
        Of the atoms, 0 to 1.
    formation_energy
        eV/atom.
    is_mixed
        Whether the energy is on the mixed scale, see `ReferenceHull`.
    """

    composition: Formula
    share: float
    formation_energy: float
    is_mixed: bool


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
    mixed
        Compositions whose energies are on another scale, which is near enough to serve as a
        competing phase, see `gen2dft.thermo.scales.MIXED`.
    """

    entries: tuple[HullEntry, ...]
    scale: str | None = None
    coverage: Coverage = "elements"
    known_stable: tuple[Formula, ...] = ()
    mixed: frozenset[Formula] = frozenset()
    _systems: dict[System, LowerHull] = field(default_factory=dict, init=False, repr=False)

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
            `scale`, `coverage`, `known_stable` and `mixed` (compositions like the others).
        """
        lowest: dict[Formula, float] = {}
        for composition, energy in zip(compositions, formation_energies, strict=True):
            if math.isnan(energy):
                continue
            formula = reduced(composition)
            lowest[formula] = min(float(energy), lowest.get(formula, math.inf))
        entries = [HullEntry(formula, energy) for formula, energy in sorted(lowest.items())]
        given = fields.pop("known_stable", ())
        stable = {reduced(composition) for composition in given}
        mixed = frozenset(reduced(composition) for composition in fields.pop("mixed", ()))
        known_stable = tuple(sorted(stable))
        return cls(tuple(entries), known_stable=known_stable, mixed=mixed, **fields)

    @classmethod
    def from_dataset(cls, dataset: Dataset, **fields: Any) -> ReferenceHull:
        """Hull of all crystals of a dataset that carry a formation energy.

        Where a crystal is labelled with its distance to its source's hull, that hull lies at Ef -
        e_above_hull at this composition. These points count too: they bring in competing phases
        that the dataset itself leaves out. A crystal whose labelled distance is 0 is one that the
        source calls stable.
        """
        compositions = _compositions(dataset.crystals)
        labelled = dataset.label("e_above_hull")
        energies = dataset.label("formation_energy")
        is_stable = (np.abs(labelled) <= ON_HULL) & np.isfinite(energies)
        stable = [compositions[row] for row in np.flatnonzero(is_stable)]
        above = np.fmax(labelled, 0.0)  # NaN (not labelled) becomes 0
        return cls.build(compositions, energies - above, known_stable=stable, **fields)

    def joined_by(
        self, compositions: Iterable[Mapping[Any, float]], formation_energies: Iterable[float]
    ) -> ReferenceHull:
        """The hull with further phases, on the same scale."""
        more = ReferenceHull.build(compositions, formation_energies).entries
        phases = [*self.entries, *more]
        formulas = (dict(phase.composition) for phase in phases)
        energies = (phase.formation_energy for phase in phases)
        joined = ReferenceHull.build(formulas, energies)
        # What the source calls stable need not be so any more, once other phases have joined.
        known_stable = () if more else self.known_stable
        own = {(entry.composition, entry.formation_energy) for entry in more}
        lowered = {entry.composition for entry in joined.entries if _key(entry) in own}
        mixed = self.mixed - lowered
        return replace(self, entries=joined.entries, known_stable=known_stable, mixed=mixed)

    def without(self, composition: Mapping[Any, float]) -> ReferenceHull:
        """The hull without the phases of one composition: where a known compound would lie if it
        were not known.
        """
        formula = reduced(composition)
        entries = tuple(entry for entry in self.entries if entry.composition != formula)
        known_stable = tuple(known for known in self.known_stable if known != formula)
        return replace(self, entries=entries, known_stable=known_stable, mixed=self.mixed)

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
        count = len(compositions)
        if count != len(energies):
            raise ThermoError(
                f"{count} compositions and {len(energies)} formation energies do not fit"
            )
        formulas = [reduced(composition) for composition in compositions]
        distances = np.full(count, np.nan)
        for system, rows in _rows_by_system(formulas).items():
            if self.gap(system) is None:
                beneath = self._energies([formulas[row] for row in rows])
                distances[rows] = energies[rows] - beneath
        return distances

    def _energies(self, formulas: Sequence[Formula]) -> NDArray[np.float64]:
        """(n,) energies of the hull at compositions of one chemical system, eV/atom."""
        counts = [[count for _, count in formula] for formula in formulas]
        atoms = np.array(counts, dtype=np.float64)
        fractions = atoms / atoms.sum(axis=1, keepdims=True)
        system = self.system(system_of(formulas[0]))
        return system.energy(fractions)

    def energies_beneath(self, crystals: CrystalTable) -> NDArray[np.float64]:
        """(n,) energies of the hull at crystals' compositions, eV/atom.

        NaN where it does not cover the system.
        """
        amounts = [structure.composition.get_el_amt_dict() for structure in crystals.structures()]
        at_zero = np.zeros(len(crystals))
        return -self.e_above_hull_many(amounts, at_zero)

    def hull_energy(self, composition: Mapping[Any, float]) -> float:
        """Energy of the hull at a composition, eV/atom.

        ThermoError if the hull does not cover its system.
        """
        formula = reduced(composition)
        gap = self.gap(system_of(formula))
        if gap is not None:
            raise ThermoError(
                f"{gap}; no distance to the hull can be given. Choose a reference that knows it "
                "(`hull`)"
            )
        (energy,) = self._energies([formula])
        return float(energy)

    def decomposition(self, composition: Mapping[Any, float]) -> list[Product]:
        """The phases into which a composition would fall apart, the largest share first.

        Raises
        ------
        ThermoError
            If the hull does not cover the chemical system.
        """
        self.hull_energy(composition)  # refuses what is not covered
        formula = reduced(composition)
        system = system_of(formula)
        atoms = np.array([count for _, count in formula], dtype=np.float64)
        shares = self.system(system).shares(atoms / atoms.sum())
        phases = self.phases(system)
        found = []
        for row, share in shares.items():
            phase, energy = phases[row]
            found.append(Product(phase, share, energy, phase in self.mixed))
        return sorted(found, key=lambda product: (-product.share, product.composition))

    def compounds(self, symbols: Iterable[str]) -> int:
        """Number of compounds of a chemical system, those of a part of its elements included."""
        return sum(len(formula) > 1 for formula, _ in self.phases(symbols))

    def knows(self, composition: Mapping[Any, float]) -> bool:
        """Whether a phase of the hull has this formula."""
        formula = reduced(composition)
        return formula in self._by_system.get(system_of(formula), {})

    def gap(self, system: Iterable[str]) -> str | None:
        """What the hull lacks of a chemical system; None if it covers it."""
        symbols = sorted(set(system))
        name = "-".join(symbols)
        missing = [symbol for symbol in symbols if symbol not in self.elements]
        if missing:
            unknown = ", ".join(missing)
            return (
                f"chemical system {name} is not covered: no phase of the reference holds {unknown}"
            )
        if self.coverage == "compounds" and not self._has_compound(symbols):
            return (
                f"chemical system {name} is not covered: the reference has no compound of "
                "these elements"
            )
        return None

    def _has_compound(self, symbols: Sequence[str]) -> bool:
        """Whether a compound of these elements alone is known; an element needs none."""
        if len(symbols) == 1:
            return True
        phases = self.phases(symbols)
        return any(len(formula) > 1 for formula, _ in phases)

    @functools.cached_property
    def elements(self) -> frozenset[str]:
        """Elements that occur in some phase."""
        return frozenset(symbol for system in self._by_system for symbol in system)

    @functools.cached_property
    def formulas(self) -> frozenset[str]:
        """Formulas of all phases, as `CrystalTable.formulas` writes them."""
        return frozenset(formula_text(entry.composition) for entry in self.entries)

    @functools.cached_property
    def unmixed_elements(self) -> frozenset[str]:
        """Elements that no phase of the mixed scale holds; none where the hull has one scale."""
        if not self.mixed:
            return frozenset()
        held = {symbol for formula in self.mixed for symbol, _ in formula}
        return self.elements - held

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
            self._systems[key] = self._lower_hull(key)
        return self._systems[key]

    def _lower_hull(self, system: System) -> LowerHull:
        """Lower hull of a chemical system."""
        phases = self.phases(system)
        energies = np.array([energy for _, energy in phases])
        atoms = np.zeros((len(phases), len(system)))
        columns = {symbol: column for column, symbol in enumerate(system)}
        for row, (formula, _) in enumerate(phases):
            for symbol, count in formula:
                atoms[row, columns[symbol]] = count
        fractions = atoms / atoms.sum(axis=1, keepdims=True)
        return LowerHull.of_phases(fractions, energies)

    def phases(self, symbols: Iterable[str]) -> list[tuple[Formula, float]]:
        """Phases of a chemical system and its subsystems, the elements at no more than 0 among
        them; sorted.
        """
        system = sorted(set(symbols))
        lowest: dict[Formula, float] = {}
        for subsystem in _subsystems(system):
            lowest.update(self._by_system.get(subsystem, {}))
        for symbol in system:
            element = ((symbol, 1),)
            lowest[element] = min(lowest.get(element, 0.0), 0.0)
        return sorted(lowest.items())

    @functools.cached_property
    def _by_system(self) -> dict[System, dict[Formula, float]]:
        """Entries by their elements, in alphabetical order."""
        systems: dict[System, dict[Formula, float]] = {}
        for entry in self.entries:
            system = system_of(entry.composition)
            phases = systems.setdefault(system, {})
            phases[entry.composition] = entry.formation_energy
        return systems

    # Bytes
    # --------------------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """The hull as JSON; equal content gives equal bytes."""
        entries = [[formula_text(e.composition), e.formation_energy] for e in self.entries]
        stable = [formula_text(formula) for formula in self.known_stable]
        content = {
            "format": FORMAT_VERSION,
            "unit": "eV/atom",
            "scale": self.scale,
            "coverage": self.coverage,
            "known_stable": stable,
            "entries": entries,
        }
        if self.mixed:  # left out otherwise, so that hulls of one scale keep their hashes
            content["mixed"] = sorted(map(formula_text, self.mixed))
        return json.dumps(content).encode()

    @classmethod
    def from_bytes(cls, data: bytes, origin: str = "stored hull") -> ReferenceHull:
        """Inverse of `to_bytes`; StoreError names `origin` when the data are broken."""
        try:
            content = json.loads(data)
            version = content["format"]
            if version not in READABLE:
                raise StoreError(
                    f"{origin} has format {version}, this version reads {FORMAT_VERSION}"
                )
            return cls._parsed(content)
        except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as err:
            raise StoreError(f"{origin} is not a gen2dft hull or is damaged: {err}") from err

    @classmethod
    def _parsed(cls, content: Mapping[str, Any]) -> ReferenceHull:
        """The hull from plain values."""
        entries = content["entries"]
        compositions = [parse_formula(text) for text, _ in entries]
        energies = [float(energy) for _, energy in entries]
        if not all(map(math.isfinite, energies)):
            raise ValueError("an energy is not a finite number")
        stable = content.get("known_stable", ())
        return cls.build(
            compositions,
            energies,
            scale=content.get("scale"),
            coverage=content.get("coverage", "elements"),
            known_stable=map(parse_formula, stable),
            mixed=map(parse_formula, content.get("mixed", ())),
        )


def _key(entry: HullEntry) -> tuple[Formula, float]:
    return entry.composition, entry.formation_energy


def _compositions(crystals: CrystalTable) -> list[dict[str, int]]:
    """Symbol to number of atoms, for each crystal."""
    from pymatgen.core import Element

    symbols = {int(z): Element.from_Z(int(z)).symbol for z in np.unique(crystals.numbers)}
    compositions = []
    for row in range(len(crystals)):
        elements = crystals.numbers[crystals.sites(row)]
        numbers, counts = np.unique(elements, return_counts=True)
        pairs = zip(numbers.tolist(), counts.tolist(), strict=True)
        compositions.append({symbols[number]: count for number, count in pairs})
    return compositions


def _rows_by_system(formulas: Sequence[Formula]) -> dict[System, list[int]]:
    """Chemical system to the places of its formulas."""
    rows: dict[System, list[int]] = {}
    for row, formula in enumerate(formulas):
        rows.setdefault(system_of(formula), []).append(row)
    return rows


def _subsystems(system: Sequence[str]) -> Iterator[System]:
    """The chemical systems of some or all elements of a system."""
    for size in range(1, len(system) + 1):
        yield from itertools.combinations(system, size)
