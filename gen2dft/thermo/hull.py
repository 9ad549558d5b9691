"""ReferenceHull: the frozen set of phases that every distance to the hull is measured against."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import DatasetError, StoreError

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PhaseDiagram
    from pymatgen.core import Composition

    from gen2dft.datasets.dataset import Dataset

FORMAT_VERSION = 1


@dataclass(frozen=True)
class HullEntry:
    """One phase: its composition, elements in alphabetical order, and its formation energy, eV/atom."""

    composition: tuple[tuple[str, int], ...]
    formation_energy: float


@dataclass(frozen=True, eq=False)
class ReferenceHull:
    """Phases with formation energies; the elements at 0 eV/atom are always among them.

    Parameters
    ----------
    entries
        The lowest phase of each reduced composition, sorted; use `build`, which sees to that.
    """

    entries: tuple[HullEntry, ...]
    _diagrams: dict[frozenset[str], PhaseDiagram] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def build(cls, compositions: Iterable[Mapping[Any, float]], formation_energies: Iterable[float]) -> ReferenceHull:
        """Hull of phases given by composition (symbol or element to number of atoms) and eV/atom; NaN is left out."""
        lowest: dict[tuple[tuple[str, int], ...], float] = {}
        for composition, energy in zip(compositions, formation_energies, strict=True):
            if np.isnan(energy):
                continue
            key = _reduced(composition)
            lowest[key] = min(float(energy), lowest.get(key, np.inf))
        return cls(tuple(HullEntry(key, lowest[key]) for key in sorted(lowest)))

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> ReferenceHull:
        """Hull of all crystals of a dataset that carry a formation energy.

        Where a crystal is labelled with its distance to its source's hull, that hull lies at Ef - e_above_hull at
        this composition. These points count too: they bring in competing phases that the dataset itself leaves out.
        """
        from pymatgen.core import Element

        crystals = dataset.crystals
        symbols = {int(z): Element.from_Z(int(z)).symbol for z in np.unique(crystals.numbers)}
        compositions = []
        for i in range(len(crystals)):
            numbers, counts = np.unique(crystals.numbers[crystals.sites(i)], return_counts=True)
            compositions.append({symbols[int(z)]: int(n) for z, n in zip(numbers, counts, strict=True)})
        above = np.fmax(dataset.label("e_above_hull"), 0.0)  # NaN (not labelled) becomes 0
        return cls.build(compositions, dataset.label("formation_energy") - above)

    @property
    def num_entries(self) -> int:
        """Number of phases, the elements at 0 not counted."""
        return len(self.entries)

    @functools.cached_property
    def hull_hash(self) -> str:
        """Hash of the content, whatever the order in which the phases were given; 16 hexadecimal digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def e_above_hull(self, composition: Mapping[Any, float] | Composition, formation_energy: float) -> float:
        """Distance to the hull, eV/atom; negative for a phase below it, 0 for the known stable ones.

        Parameters
        ----------
        composition
            Symbol or element to number of atoms. A chemical system without any known phase is measured against
            the elements.
        formation_energy
            eV/atom, on the scale of the hull's entries.
        """
        return float(formation_energy - self.hull_energy(composition))

    def e_above_hull_many(
        self, compositions: Sequence[Mapping[Any, float]], formation_energies: Sequence[float] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n,) distances to the hull, eV/atom, see `e_above_hull`."""
        pairs = zip(compositions, formation_energies, strict=True)
        return np.array([self.e_above_hull(composition, energy) for composition, energy in pairs], dtype=np.float64)

    def hull_energy(self, composition: Mapping[Any, float]) -> float:
        """Energy of the hull at a composition, eV/atom."""
        from pymatgen.core import Composition

        counts = dict(_reduced(composition))
        if len(counts) == 1:
            return min(0.0, *self._energies.get(frozenset(counts), {tuple(counts.items()): 0.0}).values())
        return float(self._diagram(frozenset(counts)).get_hull_energy_per_atom(Composition(counts)))

    @functools.cached_property
    def _energies(self) -> dict[frozenset[str], dict[tuple[tuple[str, int], ...], float]]:
        """Entries by the set of their elements."""
        systems: dict[frozenset[str], dict[tuple[tuple[str, int], ...], float]] = {}
        for entry in self.entries:
            system = frozenset(symbol for symbol, _ in entry.composition)
            systems.setdefault(system, {})[entry.composition] = entry.formation_energy
        return systems

    def _diagram(self, system: frozenset[str]) -> PhaseDiagram:
        """Phase diagram of a chemical system, built when first asked for."""
        if system not in self._diagrams:
            from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
            from pymatgen.core import Composition

            phases: set[tuple[tuple[tuple[str, int], ...], float]] = {(((symbol, 1),), 0.0) for symbol in system}
            for size in range(1, len(system) + 1):
                for subsystem in itertools.combinations(sorted(system), size):
                    phases.update(self._energies.get(frozenset(subsystem), {}).items())
            entries = [
                PDEntry(Composition(dict(composition)), energy * sum(n for _, n in composition))
                for composition, energy in sorted(phases)
            ]
            self._diagrams[system] = PhaseDiagram(entries)
        return self._diagrams[system]

    def to_bytes(self) -> bytes:
        """The hull as JSON; equal content gives equal bytes."""
        rows = [[" ".join(f"{s}{n}" for s, n in e.composition), e.formation_energy] for e in self.entries]
        return json.dumps({"format": FORMAT_VERSION, "unit": "eV/atom", "entries": rows}).encode()

    @classmethod
    def from_bytes(cls, data: bytes, origin: str = "stored hull") -> ReferenceHull:
        """Inverse of `to_bytes`; StoreError names `origin` when the data are broken."""
        from pymatgen.core import Composition

        try:
            content = json.loads(data)
            if content["format"] != FORMAT_VERSION:
                raise StoreError(f"{origin} has format {content['format']}, this version reads {FORMAT_VERSION}")
            formulas, energies = zip(*content["entries"], strict=True) if content["entries"] else ((), ())
            return cls.build([Composition(formula) for formula in formulas], map(float, energies))
        except (KeyError, ValueError, TypeError) as err:
            raise StoreError(f"{origin} is not a gen2dft hull or is damaged: {err}") from err


def _reduced(composition: Mapping[Any, float]) -> tuple[tuple[str, int], ...]:
    """Symbols in alphabetical order with the smallest whole numbers of atoms."""
    counts = {str(getattr(element, "symbol", element)): round(count) for element, count in composition.items()}
    if not counts or min(counts.values()) < 1 or any(abs(n - round(n)) > 1e-6 for n in composition.values()):
        raise DatasetError(f"composition {dict(composition)} must name elements with whole numbers of atoms")
    divisor = int(np.gcd.reduce(list(counts.values())))
    return tuple((symbol, counts[symbol] // divisor) for symbol in sorted(counts))
