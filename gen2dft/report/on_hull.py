"""What a campaign's hull says of a candidate, in words: decomposition, known compounds, caveats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, StoreError
from gen2dft.ground.on_hull import OnHull, candidate_on_hull, is_in_dataset
from gen2dft.report.wording import chemical, counted, words
from gen2dft.thermo.formulas import formula_text, reduced
from gen2dft.thermo.hull import Product

if TYPE_CHECKING:
    from gen2dft.store.documents import CampaignDoc, CandidateDoc, LabelDoc
    from gen2dft.store.store import Store


@dataclass(frozen=True)
class Share:
    """A phase of a decomposition, as it is shown.

    Parameters
    ----------
    formula
        As chemists write it.
    amount
        Formula units per formula unit of the candidate.
    share
        Of the atoms, 0 to 1.
    formation_energy
        eV/atom.
    is_mixed
        Whether the energy is of the scheme that mixes in r2SCAN.
    """

    formula: str
    amount: float
    share: float
    formation_energy: float
    is_mixed: bool


@dataclass(frozen=True)
class HullFacts:
    """What hull and training set say of a candidate's composition.

    Parameters
    ----------
    on_hull
        See `gen2dft.ground.on_hull`.
    shares
        Its products.
    known_to
        What holds its formula: `hull`, `training set`, both or neither.
    """

    on_hull: OnHull
    shares: tuple[Share, ...]
    known_to: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for other programs."""
        found = vars(self.on_hull) | {"products": [vars(share) for share in self.shares]}
        return {**found, "remarks": list(self.on_hull.remarks), "known_to": list(self.known_to)}


def facts_on_hull(
    store: Store, candidate: CandidateDoc, labels: Sequence[LabelDoc]
) -> HullFacts | None:
    """What the hull says of a candidate; None without a formula, or without the hull itself."""
    from pymatgen.core import Composition

    try:
        counts = Composition(candidate.formula or "").get_el_amt_dict()
        formula = dict(reduced(counts))
    except (ValueError, DatasetError):
        return None
    campaign = store.campaign(candidate.campaign_id)
    found = candidate_on_hull(store, campaign, formula, labels)
    if found is None:
        return None
    num_atoms = sum(formula.values())
    shares = tuple(_share(product, num_atoms) for product in found.products)
    known_to = ["hull"] if found.knows_formula else []
    if _is_in_training_set(store, campaign, formula):
        known_to.append("training set")
    return HullFacts(found, shares, tuple(known_to))


def _is_in_training_set(store: Store, campaign: CampaignDoc, counts: dict[str, int]) -> bool:
    try:
        data = store.get_blob(campaign.dataset_id)
    except StoreError:  # an archive may leave the training data out
        return False
    return is_in_dataset(Dataset.from_bytes(data, f"dataset of {campaign.id}"), counts)


def _share(product: Product, num_atoms: int) -> Share:
    atoms = sum(count for _, count in product.composition)
    return Share(
        formula=chemical(formula_text(product.composition)),
        amount=product.share * num_atoms / atoms,
        share=product.share,
        formation_energy=product.formation_energy,
        is_mixed=product.is_mixed,
    )


def hull_texts(facts: HullFacts) -> Iterator[tuple[str, str]]:
    """Title and text of each fact."""
    found = facts.on_hull
    if facts.known_to:
        yield "known formula", f"in the {' and the '.join(facts.known_to)}"
    if found.gap:
        yield "hull", found.gap
        return
    number = counted(found.compounds, "compound")
    yield "hull", f"{number} of {found.system} in hull {found.hull_id}"
    yield "falls apart into", products_text(facts.shares)
    for remark in found.remarks:
        yield "caveat", REMARKS.get(remark, words(remark))


REMARKS = {
    "hull_mixes_r2scan": "hull mixes r2scan: a product marked * has no GGA energy but one of "
    "the scheme that mixes in r2SCAN, off by less than 0.01 eV/atom in three cases of four",
    "hull_of_older_phases": "hull of older phases: the hull knows no phase of 2025 with "
    "one of the elements; competing phases may be missing",
}


def products_text(shares: Sequence[Share]) -> str:
    """`Li3P + AlP (0.67, 0.33 of the atoms)`; `*` marks energies of the mixed scale."""
    terms = [_term(share) for share in shares]
    if len(shares) == 1:
        return terms[0]
    parts = ", ".join(f"{share.share:.2f}" for share in shares)
    return f"{' + '.join(terms)} ({parts} of the atoms)"


def _term(share: Share) -> str:
    mark = "*" if share.is_mixed else ""
    amount = f"{share.amount:.3g}"
    return f"{share.formula}{mark}" if amount == "1" else f"{amount} {share.formula}{mark}"
