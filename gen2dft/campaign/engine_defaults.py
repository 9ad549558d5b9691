"""What a campaign leaves to its engine: the preset and the quorum.

Engines lie above this room, so they are looked up in the registry, as gates are.
"""

from __future__ import annotations

from typing import Any

from gen2dft.plugins import registry

GROUP = "gen2dft.engines"
# The share of a batch that a round waits for. Times of DFT differ a hundredfold between crystals,
# so that the last few would keep every worker idle.
QUORUM_OF_DFT = 0.8
# The engine of most files; to look it up would load pymatgen for a file that is only read.
SURROGATE = "mlip"
# The engine of campaigns whose results are told (`gen2dft tell`): nothing of theirs is computed by
# gen2dft's workers after the choice of a batch.
EXTERNAL = "external"
# Labels of answers that DFT computed name another engine: tables tell DFT by the engine's name.
EXTERNAL_DFT = "external-dft"


def registered(name: object) -> Any | None:
    """The engine of that name; None if it is not here, which the checks of the campaign report."""
    engines = registry(GROUP)
    if not isinstance(name, str) or name not in engines:
        return None
    try:
        return engines[name]()
    except (ImportError, AttributeError, TypeError):
        return None


def default_preset(name: object) -> str | None:
    """The preset that an engine named alone takes; None if the engine is not here."""
    engine = registered(name)
    if engine is None:
        return None
    preset: str = engine.preset_named_alone
    return preset


def default_quorum(name: str) -> float:
    """The share of finished candidates at which a round may close, by the kind of the engine."""
    return QUORUM_OF_DFT if is_dft(name) else 1.0


def is_dft(name: str) -> bool:
    """Whether an engine is DFT; a worker that lacks it cannot tell, and says no."""
    if name in (SURROGATE, EXTERNAL):
        return False
    engine = registered(name)
    return engine is not None and bool(engine.is_dft)
