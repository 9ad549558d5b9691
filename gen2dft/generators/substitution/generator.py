"""Generator `substitution`: known crystals with other elements in their places.

Ions give way by data-mined probabilities, other elements to their neighbours on Mendeleev's scale.
It learns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.generators.base import TrainingResult
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.generators.substitution.exchanges import (
    ION_EXCHANGE,
    Exchange,
    Parent,
    in_random_order,
    species_of,
)
from gen2dft.generators.substitution.scales import steps_taken
from gen2dft.generators.substitution.settings import NAME, SubstitutionSettings
from gen2dft.generators.unlearned import UnlearnedGenerator
from gen2dft.generators.volumes import resized, volumes_of_atoms
from gen2dft.geometry import cell_angles, in_reduced_cells
from gen2dft.screening.charge import is_charge_balanced, is_semiconducting_formula

NO_EXCHANGE = "no_exchange"
# Bounds of a cell's volume over its parent's; Li4CrO4 would swell to 3.6 times as Cs4CrO4, since
# the sum over the atoms knows nothing of the frame that stays.
GROWTH = (0.5, 2.0)
ANGLES = (45.0, 135.0)  # degree; cells beyond are reduced


class SubstitutionGenerator(UnlearnedGenerator[SubstitutionSettings]):
    """Exchanges elements in the known crystals that are best by the campaign's targets."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[GeneratorSpec]] = SubstitutionSettings

    def fit(
        self, dataset: Dataset, spec: SubstitutionSettings, properties: Sequence[str], **more: Any
    ) -> TrainingResult:
        """Take the settings; DatasetError where no crystal can be a parent."""
        if not any(_has_species(parent, spec) for parent in parents_of(dataset.crystals)):
            raise DatasetError(
                f"none of {len(dataset)} crystals can be a parent of the generator 'substitution', "
                "which exchanges elements of compounds: take a dataset with compounds, or give "
                "max_steps of the generator above 0 for those without oxidation states"
            )
        return super().fit(dataset, spec, properties, **more)

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        """Exchanges in the best known crystals; one of each formula."""
        if not request.number:
            return Proposal.of_draws([])
        chosen = self._choose(request, rng)
        return Proposal.of_draws(as_draws(chosen, request) or [_none_left(request)])

    def _choose(self, request: Request, rng: np.random.Generator) -> list[Exchange]:
        """As many exchanges as the request wants, or all that there are."""
        rows, known = usable_rows(request), request.known.crystals
        taken: set[str] = set()
        if not self.settings.polymorphs:
            taken.update(request.taken, known.formulas())
        chosen: list[Exchange] = []
        for start in range(0, len(rows), self.settings.num_seeds):
            group = rows[start : start + self.settings.num_seeds]
            seeds = parents_of(known, group)
            queues = [self._exchanges(parent, request, rng) for parent in seeds]
            wanted = request.number - len(chosen)
            chosen += in_turn(queues, taken, wanted, request.semiconducting)
            if len(chosen) == request.number:
                break
        return chosen

    def _exchanges(
        self, parent: Parent, request: Request, rng: np.random.Generator
    ) -> Iterator[Exchange]:
        species = species_of(parent, self.settings)
        if species is None:
            return iter(())
        return in_random_order(parent, species, request.elements, rng)


def parents_of(table: CrystalTable, rows: Sequence[int] | None = None) -> Iterator[Parent]:
    """The crystals at these rows, all unless given, as parents."""
    for row in range(len(table)) if rows is None else rows:
        numbers, counts = np.unique(table.numbers[table.sites(row)], return_counts=True)
        per_unit = counts // np.gcd.reduce(counts)
        yield Parent(int(row), tuple(numbers.tolist()), tuple(per_unit.tolist()))


def usable_rows(request: Request) -> list[int]:
    """Compounds among the known crystals within the limits of sites and of elements' number, the
    best by the targets first.
    """
    table = request.known.crystals
    best = np.argsort(-request.merit, kind="stable")
    number = table.num_elements
    fits = (number > 1) & np.isin(number, list(request.num_elements))
    if request.max_sites is not None:
        fits &= table.num_sites <= request.max_sites
    return [int(row) for row in best if fits[row]]


def in_turn(
    queues: Sequence[Iterator[Exchange]], taken: set[str], wanted: int, semiconducting: bool = False
) -> list[Exchange]:
    """Exchanges of one queue after the other until there are enough; those of a formula that is
    taken, or that cannot be neutral, are passed over.

    Parameters
    ----------
    taken
        Formulas that are not drawn any more; grows with the draws.
    semiconducting
        Pass over formulas that are none of semiconductors, too.
    """
    passes = is_semiconducting_formula if semiconducting else is_charge_balanced
    chosen: list[Exchange] = []
    waiting = list(queues)
    while waiting:
        still = []
        for queue in waiting:
            if len(chosen) == wanted:
                return chosen
            exchange = _next_new(queue, taken, passes)
            if exchange is not None:
                chosen.append(exchange)
                still.append(queue)
        waiting = still
    return chosen


def as_draws(chosen: Sequence[Exchange], request: Request) -> list[Draw]:
    """The crystals of the exchanges, with parents and recipes."""
    known = request.known
    crystals = exchanged(known.crystals, chosen)
    draws = []
    for place, exchange in enumerate(chosen):
        row = exchange.parent.row
        draw = Draw(
            outcome=crystals.structure(place),
            key=f"{known.ids[row]} {exchange.way} {list(exchange.numbers)}",
            method=exchange.way,
            parents=(row,),
            recipe=recipe(exchange, known.ids[row]),
        )
        draws.append(draw)
    return draws


def exchanged(known: CrystalTable, chosen: Sequence[Exchange]) -> CrystalTable:
    """The parents with their new elements, and volumes that grow with those of the atoms."""
    parents = compact(known.select([exchange.parent.row for exchange in chosen]))
    numbers = parents.numbers.copy()
    for place, exchange in enumerate(chosen):
        numbers[parents.sites(place)] = _replaced(parents.numbers[parents.sites(place)], exchange)
    crystals = replace(parents, numbers=numbers)
    growth = volumes_of_atoms(crystals) / volumes_of_atoms(parents)
    growth = np.clip(growth, *GROWTH)
    return resized(crystals, parents.volumes * growth)


def compact(table: CrystalTable) -> CrystalTable:
    """The same crystals, flat cells as reduced ones: the primitive cell of a layered rhombohedral
    crystal has angles that the gate `geometry` takes for a broken cell.
    """
    angles = cell_angles(table.lattices)
    is_flat = (angles < ANGLES[0]) | (angles > ANGLES[1])
    return in_reduced_cells(table, np.flatnonzero(is_flat.any(axis=1)))


def recipe(exchange: Exchange, parent_id: str) -> str:
    """For people: `ion exchange in mp-123 (ZnS): Zn -> Cd, S -> Te, probability 0.012`."""
    parent = exchange.parent
    pairs = zip(parent.numbers, exchange.numbers, strict=True)
    steps = ", ".join(f"{_symbol(old)} -> {_symbol(new)}" for old, new in pairs if old != new)
    name = "ion exchange" if exchange.way == ION_EXCHANGE else "exchange with neighbours"
    text = f"{name} in {parent_id} ({_reduced_formula(parent)}): {steps}"
    if exchange.way == ION_EXCHANGE:
        return f"{text}, probability {exchange.chance:.2g}"
    number = steps_taken(exchange.chance)
    places = "1 place" if number == 1 else f"{number} places"
    return f"{text}, {places} on Mendeleev's scale"


def _has_species(parent: Parent, settings: SubstitutionSettings) -> bool:
    return len(parent.numbers) > 1 and species_of(parent, settings) is not None


def _next_new(
    queue: Iterator[Exchange],
    taken: set[str],
    passes: Callable[[tuple[int, ...], tuple[int, ...]], bool],
) -> Exchange | None:
    """The next exchange whose elements and counts pass and whose formula is not taken; None: no
    more.
    """
    for exchange in queue:
        counts = exchange.parent.counts
        formula = _formula(exchange.numbers, counts)
        if formula not in taken and passes(exchange.numbers, counts):
            taken.add(formula)
            return exchange
    return None


def _replaced(sites: NDArray[np.uint8], exchange: Exchange) -> NDArray[np.uint8]:
    """New atomic numbers of a parent's sites."""
    places = np.searchsorted(exchange.parent.numbers, sites)
    return np.array(exchange.numbers, dtype=np.uint8)[places]


def _none_left(request: Request) -> Draw:
    remark = (
        f"none of {len(request.known)} known crystals has an exchange left whose formula is new, "
        "neutral and within the campaign's elements and sites"
    )
    return Draw(NO_EXCHANGE, NO_EXCHANGE, NAME, remark=remark)


def _formula(numbers: Sequence[int], counts: Sequence[int]) -> str:
    """Formula as `CrystalTable.formulas` writes it."""
    atoms = {_symbol(number): count for number, count in zip(numbers, counts, strict=True)}
    return " ".join(f"{symbol}{atoms[symbol]}" for symbol in sorted(atoms))


def _reduced_formula(parent: Parent) -> str:
    from pymatgen.core import Composition

    composition = Composition(_formula(parent.numbers, parent.counts))
    return str(composition.reduced_formula)


def _symbol(number: int) -> str:
    from pymatgen.core import Element

    return str(Element.from_Z(number).symbol)
