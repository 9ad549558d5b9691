"""A decomposition energy in words: products, shares, energies, and what was missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gen2dft.doubts import doubts_of, doubts_text
from gen2dft.report.wording import chemical

if TYPE_CHECKING:
    from gen2dft.store.documents import CompetingPhase, LabelDoc


def decomposition_texts(label: LabelDoc) -> Iterator[str]:
    """Lines on the competing phases of a label; none where nobody asked for them."""
    found = label.decomposition
    if found is None:
        return
    by = f"{label.engine} {label.preset}"
    if found.energy is None:
        problem = found.problem or "a product is missing"
        yield f"no decomposition energy by {by}: {problem}"
    else:
        energy = f"{found.energy:+.3f} eV/atom"
        yield f"decomposition: {energy} against its products by {by}{_beside(label)}"
    for product in found.products:
        yield f"  {_product_text(product)}"
    doubts = doubts_of("e_above_hull", label.doubts)
    if doubts:
        yield f"the stability is doubtful: {doubts_text(doubts)}"


def _beside(label: LabelDoc) -> str:
    """The distance that the decomposition energy has replaced."""
    found = label.decomposition
    if found is None or found.replaced is None:
        return ""
    basis = found.replaced_basis or label.engine
    return f"; {found.replaced:+.3f} above the hull by {basis}"


def _product_text(product: CompetingPhase) -> str:
    name, share = chemical(product.formula), f"{100 * product.share:.0f} % of the atoms"
    if product.energy_per_atom is None:
        return f"{name}, {share}: missing: {product.problem}"
    energy = f"{product.energy_per_atom:.4f} eV/atom"
    return f"{name}, {share}: {energy}, {product.name} from {product.origin}"
