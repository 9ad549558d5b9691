"""Generator `prototypes`: random charge-balanced elements on the sites of known prototypes.

A baseline without learning; Szymanski and Bartel, Mater. Horiz. (2025), give its figures by DFT.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from gen2dft import chemistry
from gen2dft.campaign import GeneratorSpec
from gen2dft.campaign.bounds import Few, Sites
from gen2dft.crystals import CrystalTable
from gen2dft.generators.decorations import Decoration, decorations
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.generators.unlearned import UnlearnedGenerator
from gen2dft.generators.volumes import predicted_volumes, resized
from gen2dft.screening.charge import is_charge_balanced

NAME = "prototypes"
NOT_BALANCED = "no_balanced_elements"
NO_PROTOTYPE = "no_prototype"
LARGEST = 20  # sites of a prototype's cell where the campaign has no limit


class PrototypesSettings(GeneratorSpec):
    """Keys of the generator `prototypes`."""

    name: str = NAME
    max_sites: Sites = Field(
        14, le=LARGEST, description="largest primitive cell; the campaign's limit holds too"
    )
    split: bool = Field(
        False,
        description="also share the sites of one element of a prototype out among two, as TiNiSi "
        "does with Co2Si",
    )
    attempts: Few = Field(
        500, description="sets of elements tried for a prototype until one is charge-balanced"
    )


class PrototypesGenerator(UnlearnedGenerator[PrototypesSettings]):
    """Draws a prototype and elements for it, both at random."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[GeneratorSpec]] = PrototypesSettings

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        """Independent draws; a crystal that comes twice is drawn once."""
        if not request.number:
            return Proposal.of_draws([])
        usable = self._usable(request)
        if not usable:
            return Proposal.of_draws([_no_prototype(request)])
        seeds = rng.integers(2**63, size=request.number)
        draws = [self._draw(usable, request, int(seed)) for seed in seeds]
        by_key = {draw.key: draw for draw in draws}
        return Proposal.of_draws(list(by_key.values()))

    def _usable(self, request: Request) -> list[Decoration]:
        """Prototypes within the limits of sites and of elements' number."""
        found = [some for some in _library(self.settings.max_sites) if _fits(some, request)]
        if self.settings.split:
            return found
        return [prototype for prototype in found if prototype.as_published]

    def _draw(self, usable: Sequence[Decoration], request: Request, seed: int) -> Draw:
        rng = np.random.default_rng(seed)
        prototype = usable[int(rng.integers(len(usable)))]
        symbols = balanced_symbols(prototype, request, self.settings.attempts, rng)
        if symbols is None:
            key = f"{prototype.name} {seed}"
            return Draw(NOT_BALANCED, key, NAME)
        table = CrystalTable.from_structures([prototype.fill(symbols)])
        crystal = resized(table, predicted_volumes(table)).structure(0)
        key = f"{prototype.name} {' '.join(symbols)}"
        text = f"{', '.join(symbols)} on the sites of {prototype.prototype}"
        return Draw(crystal, key, NAME, recipe=text)


def _fits(prototype: Decoration, request: Request) -> bool:
    if len(prototype.counts) not in request.num_elements:
        return False
    return request.max_sites is None or len(prototype.blocks) <= request.max_sites


def balanced_symbols(
    prototype: Decoration, request: Request, attempts: int, rng: np.random.Generator
) -> tuple[str, ...] | None:
    """Different allowed elements for a prototype's sites that are charge-balanced with one common
    oxidation state each; None if no attempt finds any.
    """
    from pymatgen.core import Element

    allowed = sorted(request.elements)
    number = len(prototype.counts)
    if len(allowed) < number:
        return None
    divisor = math.gcd(*prototype.counts)
    per_unit = [count // divisor for count in prototype.counts]
    for _ in range(attempts):
        chosen = rng.choice(allowed, size=number, replace=False)
        symbols = tuple(Element.from_Z(int(z)).symbol for z in chosen)
        formula = dict(zip(symbols, per_unit, strict=True))
        if chemistry.is_charge_balanced(formula) and _passes_the_gate(formula):
            return symbols
    return None


def _passes_the_gate(formula: Mapping[str, int]) -> bool:
    """Whether the gate `charge` lets a formula pass; it has other states and signs in mind."""
    from pymatgen.core import Element

    numbers = tuple(int(Element(symbol).Z) for symbol in formula)
    return is_charge_balanced(numbers, tuple(formula.values()))


@functools.cache
def _library(max_sites: int) -> tuple[Decoration, ...]:
    """AFLOW's prototypes; seconds for the first call."""
    return tuple(decorations(max_sites))


def _no_prototype(request: Request) -> Draw:
    remark = (
        f"no prototype has {sorted(request.num_elements)} elements and at most "
        f"{request.max_sites} sites"
    )
    return Draw(NO_PROTOTYPE, NO_PROTOTYPE, NAME, remark=remark)
