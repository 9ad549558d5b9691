"""Generator `pyxtal`: random symmetric crystals of given formulas. It learns nothing."""

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from pymatgen.core import Composition

from gen2dft.campaign import GeneratorSpec
from gen2dft.generators.proposals import Draw, Proposal
from gen2dft.generators.unlearned import UnlearnedGenerator

Group = Annotated[int, Field(ge=1, le=230)]


class PyxtalSettings(GeneratorSpec):
    name: str = "pyxtal"
    formulas: tuple[str, ...] = Field(min_length=1, description="drawn from at random")
    units: tuple[PositiveInt, ...] = Field((1, 2), description="formula units of a primitive cell")
    space_groups: tuple[Group, Group] = Field((2, 230), description="first and last number")
    volume_factor: PositiveFloat = Field(1.1, description="cell volume over that of the atoms")
    attempts: PositiveInt = Field(10, description="tries per draw, each in another space group")

    @field_validator("formulas")
    @classmethod
    def _formulas_can_be_read(cls, formulas):
        for formula in formulas:
            composition = Composition(formula)  # ValueError names the formula
            whole = all(float(number).is_integer() for number in composition.values())
            if not (composition.valid and whole):
                raise ValueError(f"{formula!r} must name elements and whole numbers of atoms")
        return formulas


class PyxtalGenerator(UnlearnedGenerator[PyxtalSettings]):
    name = "pyxtal"
    Settings = PyxtalSettings

    def propose(self, request, rng):
        seeds = rng.integers(2**32, size=request.number)
        return Proposal.of_draws([self._draw(request, int(seed)) for seed in seeds])

    def _draw(self, request, seed):
        rng = np.random.default_rng(seed)
        formula = str(rng.choice(self.settings.formulas))
        units = int(rng.choice(self.settings.units))
        composition = Composition(formula) * units
        outcome = outside(composition, request) or self._crystal(composition, rng)
        return Draw(outcome, f"{units} {formula}, seed {seed}", "random-symmetric")

    def _crystal(self, composition, rng):
        from pyxtal import pyxtal
        from pyxtal.msg import Comp_CompatibilityError

        species = [element.symbol for element in composition]
        counts = [int(composition[element]) for element in composition]
        first, last = sorted(self.settings.space_groups)
        crystal = pyxtal()
        for _ in range(self.settings.attempts):
            group = int(rng.integers(first, last, endpoint=True))
            factor = self.settings.volume_factor
            options = {"conventional": False, "random_state": rng}
            try:
                crystal.from_random(3, group, species, counts, factor, **options)
            except Comp_CompatibilityError:
                continue  # the group's sites cannot hold these numbers of atoms
            if crystal.valid:
                return crystal.to_pymatgen().get_primitive_structure()
        return "no_structure"


def outside(composition, request):
    numbers = {element.Z for element in composition}
    if not numbers <= request.elements:
        return "foreign_element"
    if len(numbers) not in request.num_elements:
        return "number_of_elements"
    too_large = request.max_sites is not None and composition.num_atoms > request.max_sites
    return "too_many_sites" if too_large else None
