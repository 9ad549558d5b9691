"""What a campaign's hull says of one composition: products, known compounds, known formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.dataset import Dataset
from gen2dft.ground.hulls import get_hull
from gen2dft.store.documents import HullDoc
from gen2dft.thermo.formulas import formula_text, reduced, system_of
from gen2dft.thermo.hull import Product, ReferenceHull
from gen2dft.thermo.placing import hull_remarks

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, LabelDoc
    from gen2dft.store.store import Store


@dataclass(frozen=True)
class OnHull:
    """What a hull says of a composition.

    Parameters
    ----------
    hull_id
        Hash of the hull.
    system
        Chemical system, such as `Al-Li-P`.
    gap
        Why no distance can be given; None if one can.
    products
        The phases into which the composition would fall apart, the largest share first; empty where
        there is a gap.
    compounds
        Number of compounds of the system that the hull knows, those of a part of its elements
        included.
    knows_formula
        Whether a phase of the hull has this formula.
    remarks
        See `gen2dft.thermo.placing.hull_remarks`.
    """

    hull_id: str
    system: str
    gap: str | None
    products: tuple[Product, ...]
    compounds: int
    knows_formula: bool
    remarks: tuple[str, ...]


def on_hull(hull: ReferenceHull, composition: Mapping[Any, float]) -> OnHull:
    """What a hull says of a composition (symbol or element to number of atoms)."""
    system = system_of(reduced(composition))
    gap = hull.gap(system)
    return OnHull(
        hull_id=hull.hull_hash,
        system="-".join(system),
        gap=gap,
        products=() if gap else tuple(hull.decomposition(composition)),
        compounds=hull.compounds(system),
        knows_formula=hull.knows(composition),
        remarks=tuple(hull_remarks(hull, composition)),
    )


def candidate_on_hull(
    store: Store,
    campaign: CampaignDoc,
    composition: Mapping[Any, float],
    labels: Sequence[LabelDoc] = (),
) -> OnHull | None:
    """The same for a candidate, against the hull that its distance was measured with.

    Parameters
    ----------
    labels
        Of the candidate, the first of which counts; without any, the screen's hull.

    Returns
    -------
    None where the store does not hold that hull, as after an import without it.
    """
    screened_with = campaign.screen_hull_id or campaign.hull_id
    hull_id = labels[0].hull_id if labels else screened_with
    if store.find(HullDoc, hull_id) is None:
        return None
    return on_hull(get_hull(store, hull_id), composition)


def is_in_dataset(dataset: Dataset, composition: Mapping[Any, float]) -> bool:
    """Whether a crystal of a training set has this formula."""
    return formula_text(reduced(composition)) in dataset.crystals.formulas()
