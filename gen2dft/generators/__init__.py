"""Generators: what proposes new crystals. Each is loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gen2dft.campaign.sources import generator_class
from gen2dft.plugins import registry

if TYPE_CHECKING:
    from gen2dft.generators.base import AnyGenerator

# Other packages add generators by entry points of this group, each naming a class.
GENERATORS: dict[str, Callable[[], type[AnyGenerator]]] = registry("gen2dft.generators")


def load_generator_class(name: str) -> type[AnyGenerator]:
    """The registered generator of that name.

    Raises
    ------
    CampaignError
        There is none, its package cannot be imported, or it has the methods of neither kind.
    """
    return generator_class(name)
