"""What DFT is expected to say of a potential's distances, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gen2dft.store.documents import StabilityRecord

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc

DISTANCE = "e_above_hull"
NOTHING = "\u2013"


def chance_text(record: StabilityRecord | None) -> str:
    """The chance that DFT confirms the target: `29 %`; a dash where nobody tells."""
    if record is None:
        return NOTHING
    return percent(record.chance)


def percent(chance: float) -> str:
    """A chance in per cent; never 0 or 100, which no estimate is sure of."""
    if chance < 0.01:
        return "< 1 %"
    if chance > 0.99:
        return "> 99 %"
    return f"{100 * chance:.0f} %"


def potential_text(record: StabilityRecord | None) -> str:
    """The distance as the potential gives it, eV/atom; a dash without a correction."""
    return NOTHING if record is None else f"{record.potential:.3f}"


def stability_text(record: StabilityRecord) -> str:
    """All that a record says, in one line."""
    parts = [
        f"{record.potential:.3f} eV/atom above the hull by the potential",
        f"DFT is expected to find {record.corrected:.3f} \u00b1 {record.error:.3f}",
        f"at most {record.most:g} with a chance of {percent(record.chance)}",
    ]
    if record.known:
        parts.append("the hull has its formula, where the potential needs no correction")
    if record.unlike:
        parts.append("its composition is unlike all that the correction was fitted to")
    return f"{'; '.join(parts)} ({model_text(record)})"


def model_text(record: StabilityRecord) -> str:
    """The correction behind a record, with the DFT labels that refined it."""
    name = f"correction {record.model}, {record.model_hash}"
    if not record.refined_by:
        return name
    ending = "" if record.refined_by == 1 else "s"
    return f"{name}, refined by {record.refined_by} DFT label{ending} of the campaign"


def expected_hits(hits: Sequence[HitDoc]) -> tuple[float, int]:
    """How many of the hits whose distance a potential gave DFT is expected to confirm, and how
    many those are.
    """
    chances = [hit.stability.chance for hit in hits if hit.stability is not None]
    return sum(chances), len(chances)


def are_for_dft(hits: Sequence[HitDoc]) -> bool:
    """Whether DFT has judged no target of any hit."""
    return bool(hits) and all(hit.evidence == "surrogate" for hit in hits)


def heading(hits: Sequence[HitDoc]) -> str:
    """What a list of hits is called: `candidates for DFT` where a surrogate alone judged them."""
    return "candidates for DFT" if are_for_dft(hits) else "hits"


def counted_hits(hits: Sequence[HitDoc]) -> str:
    """`2 hits`, `1 candidate for DFT`."""
    noun = heading(hits)
    if len(hits) == 1:
        noun = noun.replace("candidates", "candidate").replace("hits", "hit")
    return f"{len(hits):,} {noun}"
