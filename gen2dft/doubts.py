"""Names of the doubts that a label states of its values, and which of them keep a value from
training.
"""

from __future__ import annotations

from collections.abc import Collection

NARROW_GAP = "narrow_gap"
MESH_NOT_CONVERGED = "mesh_not_converged"
MOLECULAR_REFERENCE = "molecular_reference"
KNOWN_FORMULA = "known_formula"

# An unconverged mesh states its error, by which the label is weighed. An error does not tell how
# far a power factor across a narrow gap is off: published ones differ by factors of 0.05 to 27.
UNFIT_TO_LEARN = frozenset({NARROW_GAP})

TEXTS = {
    NARROW_GAP: "narrow gap: the functional decides how many carriers cross it",
    MESH_NOT_CONVERGED: "mesh not converged to the campaign's tolerance",
    MOLECULAR_REFERENCE: "stability against a molecular element, which semilocal DFT gets wrong by "
    "tenths of an eV per molecule",
    KNOWN_FORMULA: "stability against other phases than the known one of its own formula",
}
OF_STABILITY = frozenset({MOLECULAR_REFERENCE, KNOWN_FORMULA})


def doubts_of(name: str, doubts: Collection[str]) -> list[str]:
    """Those of a label's doubts that concern one property."""
    if name == "e_above_hull":
        return [doubt for doubt in doubts if doubt in OF_STABILITY]
    if name == "power_factor":
        return [doubt for doubt in doubts if doubt not in OF_STABILITY]
    return []


def is_unfit(doubts: Collection[str]) -> bool:
    """Whether a power factor with these doubts is kept from training by default."""
    return not UNFIT_TO_LEARN.isdisjoint(doubts)


def doubts_text(doubts: Collection[str]) -> str:
    """Doubts in words; empty without any."""
    return "; ".join(TEXTS.get(doubt, doubt.replace("_", " ")) for doubt in doubts)
