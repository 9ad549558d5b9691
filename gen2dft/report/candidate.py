"""What is known of one candidate, as command line and pages show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import CampaignSpec, Target
from gen2dft.errors import StoreError
from gen2dft.loop.targets import is_met
from gen2dft.report.wording import PREDICTED, Known, basis_text, pretty, target_text, value_text

if TYPE_CHECKING:
    from gen2dft.store.documents import CandidateDoc, LabelDoc
    from gen2dft.store.store import Store


@dataclass(frozen=True)
class ValueRow:
    """One property: what was expected before validation and on what basis, what was computed, what
    is wanted.

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
    """Which engine made a label, and whether that is DFT."""
    return f"{label.engine} {label.preset} ({'DFT' if label.is_dft else 'surrogate, not DFT'})"


def structures_of(
    candidate: CandidateDoc, labels: Sequence[LabelDoc]
) -> list[tuple[dict[str, Any], str]]:
    """Structures there are of a candidate (pymatgen dictionaries) and what they are, the best
    first.
    """
    found = [(label.structure, f"relaxed by {engine_text(label)}") for label in labels]
    screened = candidate.verdict
    if screened.structure:
        found.append((screened.structure, f"relaxed by the screen ({screened.engine}, not DFT)"))
    if candidate.structure is not None:
        found.append((candidate.structure, "as decoded, not relaxed"))
    return found


def crystal_of(candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> tuple[dict[str, Any], str]:
    """The best structure there is of a candidate, and what it is.

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
    """Every property that was expected, computed or is wanted."""
    targets = {target.property: target for target in spec.targets}
    known = spec.known_properties
    rows = []
    for name, prop in known.items():
        computed = [label.values.get(name) for label in labels]
        if (
            name not in candidate.predicted
            and name not in targets
            and not any(v is not None for v in computed)
        ):
            continue
        verdict, by_prediction = _verdict(
            targets.get(name), computed, candidate.predicted.get(name)
        )
        rows.append(
            ValueRow(
                f"{prop.title} ({pretty(prop.unit)})",
                *_expected(candidate, name, known),
                tuple(value_text(name, value, known) for value in computed),
                target_text(targets[name], known) if name in targets else "",
                verdict,
                by_prediction,
            )
        )
    return rows


def _verdict(
    target: Target | None, computed: Sequence[float | None], predicted: float | None
) -> tuple[str, bool]:
    """Whether a target is met, and whether that goes by prediction alone."""
    label = next((value for value in computed if value is not None), None)
    value = predicted if label is None else label
    if target is None or value is None:
        return "", False
    return ("met" if is_met(target, value) else "missed"), label is None


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
    """What a reader of the labels should know: warnings, and what custodian changed while they were
    computed.
    """
    for label in labels:
        yield from label.warnings
        for made in label.custodian:
            where = f"custodian, {made['preset']} {made['task']}"
            yield f"{where}, {', '.join(made['errors'])}: {'; '.join(made['actions'])}"
        if label.settings_changed:
            yield (
                "the energy belongs to the settings that custodian changed, not to the preset's own"
            )
