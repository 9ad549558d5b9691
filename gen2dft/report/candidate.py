"""Everything known about one candidate, as command line and pages show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import CampaignSpec, Target
from gen2dft.doubts import doubts_of, doubts_text
from gen2dft.errors import StoreError
from gen2dft.loop.targets import is_met
from gen2dft.properties import Property
from gen2dft.report.decomposition import decomposition_texts
from gen2dft.report.wording import Known, basis_text, pretty, target_text, value_text, words
from gen2dft.store.documents import PREDICTED

if TYPE_CHECKING:
    from gen2dft.store.documents import CandidateDoc, LabelDoc
    from gen2dft.store.store import Store


@dataclass(frozen=True)
class ValueRow:
    """One property of a candidate: the value expected before validation and its basis, the computed
    values, and the target.

    Parameters
    ----------
    computed
        One text per label.
    verdict
        `met` or `missed`; empty if nothing is wanted or nothing tells.
    by_prediction
        Whether the verdict goes by what was expected.
    """

    title: str
    expected: str
    basis: str
    computed: tuple[str, ...]
    wanted: str
    verdict: str
    by_prediction: bool


def labels_of(store: Store, candidate: CandidateDoc) -> list[LabelDoc]:
    """Labels of a candidate, DFT first."""
    found = store.labels(candidate.campaign_id, candidate_id=candidate.candidate_id)
    return sorted(found, key=lambda label: not label.is_dft)


def engine_text(label: LabelDoc) -> str:
    """Engine and preset of a label, and whether it is DFT."""
    kind = "DFT" if label.is_dft else "surrogate, not DFT"
    return f"{label.engine} {label.preset} ({kind})"


def structures_of(
    candidate: CandidateDoc, labels: Sequence[LabelDoc]
) -> list[tuple[dict[str, Any], str]]:
    """Structures of a candidate (pymatgen dictionaries), each with its origin; the best first."""
    found = [(label.structure, f"relaxed by {engine_text(label)}") for label in labels]
    screened = candidate.verdict
    if screened.structure:
        found.append((screened.structure, f"relaxed by the screen ({screened.engine}, not DFT)"))
    if candidate.structure is not None:
        found.append((candidate.structure, "as proposed, not relaxed"))
    return found


def crystal_of(candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> tuple[dict[str, Any], str]:
    """The best structure of a candidate, and its origin.

    Raises
    ------
    StoreError
        If the latent point could not be decoded.
    """
    for found in structures_of(candidate, labels):
        return found
    raise StoreError(
        f"candidate {candidate.candidate_id} has no structure: its state is {candidate.state}"
    )


def value_rows(
    spec: CampaignSpec, candidate: CandidateDoc, labels: Sequence[LabelDoc]
) -> list[ValueRow]:
    """Every property that was predicted, computed or has a target."""
    targets = {target.property: target for target in spec.targets}
    known = spec.known_properties
    rows = []
    for name, prop in known.items():
        computed = [label.values.get(name) for label in labels]
        is_computed = any(value is not None for value in computed)
        if name in candidate.predicted or name in targets or is_computed:
            row = _value_row(prop, candidate, labels, targets.get(name), known)
            rows.append(row)
    return rows


def _computed_text(label: LabelDoc, name: str, known: Known) -> str:
    """Value of a label, and its engine where that is not the label's own."""
    text = value_text(name, label.values.get(name), known)
    surrogate = label.basis.get(name)
    return text if surrogate is None else f"{text} {basis_text(surrogate, {surrogate})}"


def _value_row(
    prop: Property,
    candidate: CandidateDoc,
    labels: Sequence[LabelDoc],
    target: Target | None,
    known: Known,
) -> ValueRow:
    name = prop.name
    expected, basis = _expected(candidate, name, known)
    predicted = candidate.predicted.get(name)
    computed = [label.values.get(name) for label in labels]
    verdict, by_prediction = _verdict(target, computed, predicted)
    title = f"{prop.title} ({pretty(prop.unit)})"
    texts = tuple(_computed_text(label, name, known) for label in labels)
    wanted = "" if target is None else target_text(target, known)
    return ValueRow(title, expected, basis, texts, wanted, verdict, by_prediction)


def _verdict(
    target: Target | None, computed: Sequence[float | None], predicted: float | None
) -> tuple[str, bool]:
    """Whether a target is met, and whether only a prediction says so."""
    label = next((value for value in computed if value is not None), None)
    value = predicted if label is None else label
    if target is None or value is None:
        return "", False
    verdict = "met" if is_met(target, value) else "missed"
    return verdict, label is None


def _expected(candidate: CandidateDoc, name: str, known: Known) -> tuple[str, str]:
    """Value before validation, and whether the surrogate or the generator's head gave it."""
    screened = candidate.verdict
    value = screened.values.get(name)
    if value is not None:
        return value_text(name, value, known), basis_text(screened.engine, {screened.engine})
    if name in candidate.predicted:
        return value_text(name, candidate.predicted[name], known), PREDICTED
    return value_text(name, None), ""


def remarks(labels: Sequence[LabelDoc]) -> Iterator[str]:
    """Doubts and warnings of the labels, and the changes that custodian made while they were
    computed.
    """
    for label in labels:
        if doubts := doubts_of("power_factor", label.doubts):
            yield f"the power factor is doubtful: {doubts_text(doubts)}"
        yield from decomposition_texts(label)
        yield from label.warnings
        for made in label.custodian:
            where = f"custodian, {made['preset']} {made['task']}"
            errors = ", ".join(made["errors"])
            actions = "; ".join(made["actions"])
            yield f"{where}, {errors}: {actions}"
        if label.settings_changed:
            yield (
                "the energy belongs to the settings that custodian changed, not to the preset's own"
            )


def weighed_text(candidate: CandidateDoc) -> str:
    """Which gates weighed a candidate, and whether that counts."""
    parts = [f"{words(key)}, chance times {ratio:g}" for key, ratio in candidate.weighed.items()]
    text = "; ".join(parts)
    if candidate.verdict.stability is None:
        return text
    return f"{text}; superseded by the chance of the correction"
