"""Options of `submit` and `run` for crystals of one's own, in the place of a generator."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gen2dft.cli.options import in_path
from gen2dft.errors import CampaignError
from gen2dft.report.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from gen2dft.campaign.own_structures import Given
    from gen2dft.campaign.reading import Change
    from gen2dft.datasets.own_structures import OwnStructures
    from gen2dft.generators.structures import StructuresGenerator
    from gen2dft.store.store import Store

Structures = Annotated[
    Path | None,
    typer.Option(
        "--structures",
        metavar="DIR",
        help="Crystals of your own (CIF, POSCAR, pymatgen JSON) in the place of the generator; "
        "docs/own-structures.md.",
        parser=in_path,
    ),
]
SkipBroken = Annotated[
    bool,
    typer.Option("--skip-broken", help="With --structures: go on without files that are broken."),
]
Novelty = Annotated[
    bool,
    typer.Option("--novelty", help="With --structures: reject crystals that are known, too."),
]
All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="With --structures: validate each of them, whatever gates and surrogate find.",
    ),
]


@dataclass(frozen=True)
class Asked:
    """The options, as they were given."""

    folder: Path | None = None
    skip_broken: bool = False
    novelty: bool = False
    everything: bool = False


@dataclass(frozen=True, eq=False)
class ToCompute:
    """Crystals that were read, as a campaign takes them and as the store keeps them."""

    given: Given
    generator: StructuresGenerator

    def change(self, overrides: Collection[str]) -> Change:
        """What puts the crystals in the place of a campaign's generators.

        Parameters
        ----------
        overrides
            Dotted keys that the command line sets.
        """
        from gen2dft.campaign.own_structures import take_the_place

        return partial(take_the_place, given=self.given, asked=frozenset(overrides))

    def freeze(self, store: Store) -> None:
        """Keep the crystals in the store."""
        from gen2dft.rounds.own_structures import freeze

        freeze(store, self.generator)


def read_asked(asked: Asked, console: Console) -> ToCompute | None:
    """Read the folder that was given, and say what there is to say of it; None without one.

    Raises
    ------
    CampaignError
        Options that need a folder, without one, or that contradict each other.
    DatasetError
        A folder that cannot be used.
    """
    from gen2dft.datasets.own_structures import read_own_structures

    _refuse_wrong_options(asked)
    if asked.folder is None:
        return None
    with console.status("reading the structures"):
        found = read_own_structures(asked.folder, skip_broken=asked.skip_broken)
        crystals = _prepared(found, asked)
    _say(found, crystals.generator, console)
    return crystals


def _refuse_wrong_options(asked: Asked) -> None:
    options = {
        "--skip-broken": asked.skip_broken,
        "--novelty": asked.novelty,
        "--all": asked.everything,
    }
    for name, is_given in options.items():
        if is_given and asked.folder is None:
            raise CampaignError(f"{name} is for crystals of your own: give --structures DIR, too")
    if asked.novelty and asked.everything:
        raise CampaignError("--novelty rejects known crystals, and --all rejects none: give one")


def _prepared(found: OwnStructures, asked: Asked) -> ToCompute:
    import numpy as np
    from pymatgen.core import Element

    from gen2dft.campaign.own_structures import Given
    from gen2dft.generators.snapshot import snapshot_id, to_bytes
    from gen2dft.generators.structures import StructuresGenerator

    generator = StructuresGenerator.of(found.names, found.crystals)
    numbers = np.unique(found.crystals.numbers).tolist()
    given = Given(
        snapshot=snapshot_id(to_bytes(generator)),
        number=len(found.names),
        elements=tuple(Element.from_Z(number).symbol for number in numbers),
        novelty=asked.novelty,
        everything=asked.everything,
    )
    return ToCompute(given, generator)


def _say(found: OwnStructures, generator: StructuresGenerator, console: Console) -> None:
    number = len(found.names) - len(generator.firsts)
    console.print(f"{counted(number, 'crystal')} of your own; no generator is used")
    for row, first in generator.firsts.items():
        text = f"{found.names[row]} is the same crystal as {found.names[first]}"
        console.print(f"[yellow]{escape(text)}[/]", highlight=False)
    for broken in found.broken:
        text = f"left out {broken.name}: {broken.problem}"
        console.print(f"[yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)
