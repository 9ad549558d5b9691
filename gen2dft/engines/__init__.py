"""Engines: what computes energies. Each is loaded when it is first asked for: each is heavy."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from gen2dft.campaign.engine_defaults import GROUP
from gen2dft.errors import CampaignError, PluginMissing, not_one_of
from gen2dft.plugins import origin, registry

if TYPE_CHECKING:
    from gen2dft.engines.base import Engine

# Other packages add engines by entry points of this group, each naming an Engine.
ENGINES: dict[str, Callable[[], Engine]] = registry(GROUP)


def load_engine(name: str) -> Engine:
    """The registered engine of that name.

    Raises
    ------
    CampaignError
        Names the choices.
    PluginMissing
        If its package cannot be imported, or was written for another version of gen2dft.
    """
    if name not in ENGINES:
        raise CampaignError(not_one_of("engine", name, ENGINES))
    try:
        return ENGINES[name]()
    except (ImportError, AttributeError, TypeError) as err:
        package = " ".join(origin(GROUP, name))
        raise PluginMissing(f"engine {name!r} of {package} cannot be loaded: {err}") from err


def installed_engine(name: str, package: str | None = None) -> Engine:
    """The engine that a stored job or campaign names; whoever submitted it had it installed.

    Parameters
    ----------
    package
        Where the engine is from, for the message.

    Raises
    ------
    PluginMissing
        If it is not installed here, or cannot be loaded.
    """
    if name in ENGINES:
        return load_engine(name)
    raise PluginMissing(
        f"engine {name!r} is from {package or 'another package'}, which is not installed "
        f"on {socket.gethostname()}: pip install it on every worker"
    )
