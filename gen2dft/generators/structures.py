"""Generator `structures`: crystals that the user gives. It makes none and learns nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gen2dft.campaign import GeneratorSpec
from gen2dft.campaign.bounds import Sites
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import CRYSTAL_ARRAYS, Dataset
from gen2dft.errors import SnapshotError
from gen2dft.generators.base import TrainingResult
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.generators.unlearned import UnlearnedGenerator
from gen2dft.screening.same import repeats

NAME = "structures"
REPEATED = "given_twice"
TOO_LARGE = "too_many_sites"


class StructuresSettings(GeneratorSpec):
    """Keys of the generator `structures`; `gen2dft submit --structures DIR` writes them."""

    name: str = NAME
    snapshot: str = Field(
        pattern="^[0-9a-f]{16}$",
        description="id of the stored crystals; `gen2dft submit --structures DIR` reads and stores "
        "them",
    )
    max_sites: Sites | None = Field(
        None, description="largest number of sites in a given cell; no limit unless given"
    )

    @property
    def frozen_snapshot(self) -> str:
        """Id of the stored crystals."""
        return self.snapshot


class StructuresGenerator(UnlearnedGenerator[StructuresSettings]):
    """Proposes the crystals that it was given, in their order.

    Its snapshot holds the crystals and their names, so they have an id before a campaign names it.

    Parameters
    ----------
    names
        (n,) what each crystal is called: the path of its file.
    crystals
        `n` crystals.
    firsts
        Row of each crystal that is the same as one before it, to the row of the first of these.
    max_sites
        Largest number of sites of a cell; None: no limit.
    """

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[GeneratorSpec]] = StructuresSettings

    def __init__(
        self,
        names: Sequence[str] = (),
        crystals: CrystalTable | None = None,
        firsts: Mapping[int, int] | None = None,
        max_sites: int | None = None,
    ) -> None:
        self.names = tuple(names)
        self.crystals = CrystalTable.from_structures([]) if crystals is None else crystals
        self.firsts = dict(firsts or {})
        self.max_sites = max_sites

    @classmethod
    def of(cls, names: Sequence[str], crystals: CrystalTable) -> Self:
        """A generator of these crystals; the same crystal twice is found out."""
        return cls(names, crystals, repeats(crystals))

    def fit(
        self,
        dataset: Dataset,
        spec: StructuresSettings,
        properties: Sequence[str],
        *,
        warm_start: Self | None = None,
        **_: Any,
    ) -> TrainingResult:
        """Take the settings, and the crystals of the stored generator that is given as
        `warm_start`.

        Raises
        ------
        SnapshotError
            There is neither a stored generator nor a crystal.
        """
        if warm_start is not None:
            self.names, self.crystals = warm_start.names, warm_start.crystals
            self.firsts = warm_start.firsts
        if not self.names:
            raise SnapshotError(
                "generator 'structures' has no crystals: gen2dft submit --structures DIR reads "
                "and stores them"
            )
        self.max_sites = spec.max_sites
        return super().fit(dataset, spec, properties)

    def propose(
        self,
        request: Request,
        rng: np.random.Generator,  # noqa: ARG002 - the order is the user's
    ) -> Proposal:
        """The crystals in the order given, as many as are wanted."""
        number = min(request.number, len(self.names))
        return Proposal.of_draws([self._draw(row) for row in range(number)])

    def _draw(self, row: int) -> Draw:
        name, crystal = self.names[row], self.crystals.select([row])
        key = f"{crystal.content_hash()} {name}"
        if row in self.firsts:
            first = self.names[self.firsts[row]]
            return Draw(REPEATED, key, NAME, (), name, f"the same crystal as {first}")
        size = int(crystal.num_sites[0])
        if self.max_sites is not None and size > self.max_sites:
            remark = f"{size} sites, and generator.max_sites is {self.max_sites}"
            return Draw(TOO_LARGE, key, NAME, (), name, remark)
        return Draw(crystal.structure(0), key, NAME, origin=name)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Names, and the arrays of the crystals."""
        arrays = {name: getattr(self.crystals, name) for name in CRYSTAL_ARRAYS}
        firsts = [[row, first] for row, first in sorted(self.firsts.items())]
        config = {"names": list(self.names), "firsts": firsts, "max_sites": self.max_sites}
        return config, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `state`."""
        crystals = CrystalTable(*(arrays[name] for name in CRYSTAL_ARRAYS))
        firsts = {int(row): int(first) for row, first in config["firsts"]}
        return cls(tuple(config["names"]), crystals, firsts, config["max_sites"])
