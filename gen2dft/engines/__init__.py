"""Engines: what computes energies.

Each is loaded when it is first asked for, because each is heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gen2dft.errors import CampaignError, not_one_of
from gen2dft.plugins import registered

if TYPE_CHECKING:
    from gen2dft.engines.base import Engine


def _mlip() -> Engine:
    from gen2dft.engines.mlip import ENGINE

    return ENGINE


def _gpaw() -> Engine:
    from gen2dft.engines.gpaw.engine import ENGINE

    return ENGINE


def _vasp() -> Engine:
    from gen2dft.engines.vasp.engine import ENGINE

    return ENGINE


# Other packages add engines by entry points of the group `gen2dft.engines`, each naming an Engine.
ENGINES: dict[str, Callable[[], Engine]] = registered(
    {"gpaw": _gpaw, "mlip": _mlip, "vasp": _vasp}, "gen2dft.engines"
)


def load_engine(name: str) -> Engine:
    """The registered engine of that name; CampaignError names the choices."""
    if name not in ENGINES:
        raise CampaignError(not_one_of("engine", name, ENGINES))
    return ENGINES[name]()
