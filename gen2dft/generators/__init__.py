"""Generators: models that encode crystals, decode latent vectors and predict properties.

Each is loaded when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gen2dft.errors import CampaignError, not_one_of
from gen2dft.plugins import registered

if TYPE_CHECKING:
    from gen2dft.generators.base import Generator


def _ftcp() -> type[Generator]:
    from gen2dft.generators.ftcp.generator import FTCPGenerator

    return FTCPGenerator


def _imatgen() -> type[Generator]:
    from gen2dft.generators.imatgen.generator import ImatgenGenerator

    return ImatgenGenerator


# Other packages add generators by entry points of the group `gen2dft.generators`, each naming a
# class.
GENERATORS: dict[str, Callable[[], type[Generator]]] = registered(
    {"ftcp": _ftcp, "imatgen": _imatgen}, "gen2dft.generators"
)


def load_generator_class(name: str) -> type[Generator]:
    """The registered generator of that name; CampaignError names the choices."""
    if name not in GENERATORS:
        raise CampaignError(not_one_of("generator", name, GENERATORS))
    return GENERATORS[name]()
