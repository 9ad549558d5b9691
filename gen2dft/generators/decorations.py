"""Crystal prototypes with their inequivalent positions, and decorations: two or three elements on
these.

Source of the prototypes: the AFLOW library as kept by pymatgen (Mehl et al., Comput. Mater. Sci.
136, S1 (2017)).
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gen2dft.errors import DatasetError

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_ORBITS = 5
# Placeholders of the blocks of a decoration; chemically far apart, so that a matcher never confuses
# them.
_PLACEHOLDERS = ("Li", "Fe", "O")


@dataclass(frozen=True, eq=False)
class Decoration:
    """A prototype whose symmetry orbits are shared out among two or three elements.

    Parameters
    ----------
    prototype
        AFLOW label and type compound, e.g. `AB_oP8_62_c_c:SnS`; several types share a label.
    space_group
        Number of the prototype's space group.
    cell
        Primitive standard cell of the prototype with placeholder elements; only its shape and
        positions count.
    blocks
        Element position (0, 1 or 2 in the order of `counts`) of every site of `cell`.
    as_published
        Whether the decoration is the prototype's own, not one made by splitting an element's
        orbits.
    """

    prototype: str
    space_group: int
    cell: Structure
    blocks: tuple[int, ...]
    as_published: bool

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Sites of each element in the cell."""
        number = max(self.blocks) + 1
        return tuple(self.blocks.count(block) for block in range(number))

    @property
    def name(self) -> str:
        """Unique name: the prototype and the element of each site: `AB_cF8_225_a_b:NaCl/01`."""
        elements = "".join(map(str, self.blocks))
        return f"{self.prototype}/{elements}"

    def fill(self, symbols: Sequence[str]) -> Structure:
        """The crystal with `symbols[i]` on the sites of element `i`, in the prototype's own cell
        size.
        """
        from pymatgen.core import Structure

        species = [symbols[block] for block in self.blocks]
        return Structure(self.cell.lattice, species, self.cell.frac_coords)


def decorations(
    max_sites: int = 14, library: Sequence[dict[str, Any]] | None = None
) -> list[Decoration]:
    """All distinct binary and ternary decorations of the prototypes with at most `max_sites` sites.

    A prototype is decorated as published, and also with the orbits of one element split among two:
    BaAl4 so gives ThCr2Si2, Co2Si gives TiNiSi, Fe2P gives ZrNiAl. Decorations that differ by a
    symmetry of the prototype are given once; those that differ by exchanging two elements of equal
    number are both given.

    Parameters
    ----------
    max_sites
        Largest primitive cell.
    library
        Entries with `snl` and `tags` as in pymatgen; by default pymatgen's AFLOW library.

    Returns
    -------
    list of Decoration
        Elements in ascending order of their number of sites; sorted by name.
    """
    found: dict[str, Decoration] = {}
    for entry in _aflow() if library is None else library:
        structure = entry["snl"].structure
        if not structure.is_ordered or len(structure.composition) not in (2, 3):
            continue
        label = f"{entry['tags']['aflow']}:{structure.composition.reduced_formula}"
        for decoration in _decorations_of(label, structure, max_sites):
            found.setdefault(decoration.name, decoration)
    return [found[name] for name in sorted(found)]


def _aflow() -> Sequence[dict[str, Any]]:
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    library: Sequence[dict[str, Any]] = AFLOW_PROTOTYPE_LIBRARY
    if not library:
        raise DatasetError("pymatgen's AFLOW prototype library is empty; reinstall pymatgen")
    return library


def _decorations_of(label: str, structure: Structure, max_sites: int) -> Iterator[Decoration]:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    cell = SpacegroupAnalyzer(structure, symprec=0.01).get_primitive_standard_structure()
    if len(cell) > max_sites:
        return
    symmetry = SpacegroupAnalyzer(cell, symprec=0.01).get_symmetry_dataset()
    # Orbit of each site, named by its first site.
    orbits = symmetry.equivalent_atoms.tolist()
    owners = {orbit: cell[orbit].specie.symbol for orbit in orbits}
    if len(owners) > MAX_ORBITS:
        return
    published = _ranked([owners[orbit] for orbit in orbits])
    for partition in _refinements(owners):
        blocks = tuple(partition[orbit] for orbit in orbits)
        as_published = _ranked(blocks) == published
        template = Decoration(label, int(symmetry.number), cell, blocks, as_published)
        yield from _distinct_orders(template)


def _refinements(owners: dict[int, str]) -> Iterator[dict[int, int]]:
    """Ways to share the orbits among 2 or 3 elements so that no two published elements become
    one.
    """
    orbits = sorted(owners)
    seen = set()
    for choice in itertools.product(range(3), repeat=len(orbits)):
        # Which element has which number makes no difference.
        canonical = tuple(_ranked(choice))
        if canonical in seen or len(set(canonical)) < 2:
            continue
        seen.add(canonical)
        partition = dict(zip(orbits, canonical, strict=True))
        pairs = {(block, owners[orbit]) for orbit, block in partition.items()}
        # No block holds orbits of two published elements.
        if len(pairs) == len(set(canonical)):
            yield partition


def _distinct_orders(template: Decoration) -> Iterator[Decoration]:
    """Name the blocks in ascending order of their size.

    Orders among equals that give another crystal are all kept.
    """
    from pymatgen.core.structure_matcher import StructureMatcher

    matcher = StructureMatcher(primitive_cell=False, scale=False)
    kept: list[Structure] = []
    for order in itertools.permutations(range(len(template.counts))):
        blocks = tuple(order[block] for block in template.blocks)
        decoration = replace(template, blocks=blocks)
        if list(decoration.counts) != sorted(decoration.counts):
            continue
        filled = decoration.fill(_PLACEHOLDERS)
        if not any(matcher.fit(filled, other) for other in kept):
            kept.append(filled)
            yield decoration


def _ranked(values: Sequence[Hashable]) -> list[int]:
    """Values renamed 0, 1, 2 by first appearance."""
    names: dict[Hashable, int] = {}
    return [names.setdefault(value, len(names)) for value in values]
