"""Engines: what computes energies. Each is loaded when it is first asked for: each is heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gen2dft.errors import CampaignError, not_one_of
from gen2dft.plugins import registry

if TYPE_CHECKING:
    from gen2dft.engines.base import Engine

# Other packages add engines by entry points of this group, each naming an Engine.
ENGINES: dict[str, Callable[[], Engine]] = registry("gen2dft.engines")


def load_engine(name: str) -> Engine:
    """The registered engine of that name; CampaignError names the choices."""
    if name not in ENGINES:
        raise CampaignError(not_one_of("engine", name, ENGINES))
    return ENGINES[name]()
