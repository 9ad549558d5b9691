"""What became of each candidate: its file, its values and where they are from, its state."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gen2dft.crystal_documents import structure_of
from gen2dft.errors import StoreError
from gen2dft.report.candidate import crystal_of, labels_of
from gen2dft.report.hit_table import STABILITY, stability_cells
from gen2dft.report.wording import Known, basis_text, chemical, words
from gen2dft.store.documents import PREDICTED

if TYPE_CHECKING:
    from gen2dft.campaign import CampaignSpec
    from gen2dft.store.documents import CandidateDoc, LabelDoc, StabilityRecord
    from gen2dft.store.store import Store

NO_PREDICTION = ("rejected",)  # kinds of states whose predictions nobody asked for
COMPUTED = ("queued", "running", "labelled", "hit", "given_up")


class Value(NamedTuple):
    """A value in the property's unit and where it is from, in words."""

    value: float
    basis: str


@dataclass(frozen=True)
class CandidateRow:
    """One candidate.

    Parameters
    ----------
    file
        File that it was given in; empty if a generator made it.
    spacegroup
        Of the best structure there is; empty without one.
    values
        Property to value, as far as there are any: computed ones, or else what screen or heads say.
    remark
        Why it is where it is, and what the screen found; for people.
    stability
        What its distance to the hull is worth; None where DFT or nobody gave it, and without a
        correction.
    """

    candidate_id: str
    file: str
    formula: str
    spacegroup: str
    state: str
    values: dict[str, Value]
    remark: str
    stability: StabilityRecord | None = None

    def as_dict(self, known: Known) -> dict[str, Any]:
        """Plain values, with units, for other programs."""
        values = {
            name: {"value": found.value, "unit": known[name].unit, "basis": found.basis}
            for name, found in self.values.items()
        }
        record = None if self.stability is None else self.stability.model_dump()
        return {**vars(self), "values": values, "stability": record}


def candidate_rows(store: Store, campaign_id: str, spec: CampaignSpec) -> list[CandidateRow]:
    """Every crystal that was given, in the order of the files; of generators', those chosen for
    validation, in the order of their ids.
    """
    query: dict[str, Any] = {}
    if not is_of_own_structures(spec):
        query["state"] = {"$regex": f"^({'|'.join(COMPUTED)})(:|$)"}
    found = store.candidates(campaign_id, **query)
    rows = [candidate_row(store, candidate, spec) for candidate in found]
    return sorted(rows, key=lambda row: row.file)


def is_of_own_structures(spec: CampaignSpec) -> bool:
    """Whether the campaign's crystals were given."""
    return any(source.frozen_snapshot for source in spec.sources)


def candidate_row(store: Store, candidate: CandidateDoc, spec: CampaignSpec) -> CandidateRow:
    """The row of one candidate."""
    labels = labels_of(store, candidate)
    return CandidateRow(
        candidate_id=candidate.candidate_id,
        file=candidate.origin or "",
        formula=chemical(candidate.formula or ""),
        spacegroup=_spacegroup(candidate, labels),
        state=candidate.state,
        values=_values(candidate, labels, spec.known_properties),
        remark=_remark(candidate),
        stability=stability_of(candidate, labels),
    )


def stability_of(candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> StabilityRecord | None:
    """What the distance to the hull of a candidate is worth; None where DFT gave it.

    Parameters
    ----------
    labels
        Of the candidate, DFT first.
    """
    for label in labels:
        if "e_above_hull" in label.values:
            return None if label.is_decomposed else label.stability
    return candidate.verdict.stability


def _spacegroup(candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> str:

    from gen2dft.symmetry import space_group_symbol

    try:
        structure, _ = crystal_of(candidate, labels)
    except StoreError:
        return ""
    return space_group_symbol(structure_of(structure))


def _values(candidate: CandidateDoc, labels: Sequence[LabelDoc], known: Known) -> dict[str, Value]:
    """Labels first, DFT before others; then the screen; then predictions."""
    screened = candidate.verdict
    found: dict[str, Value] = {}
    if candidate.standing.kind not in NO_PREDICTION:
        found |= {name: Value(value, PREDICTED) for name, value in candidate.predicted.items()}
    by_screen = basis_text(screened.engine, {screened.engine})
    for name, value in screened.values.items():
        if value is not None:
            found[name] = Value(value, by_screen)
    for label in reversed(labels):
        for name, value in label.values.items():
            found[name] = Value(value, _basis_of(label, name))
    return {name: found[name] for name in known if name in found}


def _basis_of(label: LabelDoc, name: str) -> str:
    """Whose value a label carries: its engine's, or the surrogate's that it took over."""
    engine = label.basis.get(name, label.engine)
    is_dft = label.is_dft and engine == label.engine
    return basis_text(engine, () if is_dft else {engine})


def _remark(candidate: CandidateDoc) -> str:
    parts = [candidate.failure or "", candidate.verdict.detail or ""]
    reason = candidate.verdict.reason
    if reason is not None and candidate.standing.rejection is None:
        parts.append(f"the screen found: {words(reason)}")  # and only marked it
    return "; ".join(part for part in parts if part)


def shown_properties(rows: Sequence[CandidateRow], spec: CampaignSpec) -> list[str]:
    """The targets' properties, then others that a candidate has a value of."""
    targets = [target.property for target in spec.targets]
    others = [name for name in spec.known_properties if any(name in row.values for row in rows)]
    return list(dict.fromkeys([*targets, *others]))


def candidates_csv(rows: Sequence[CandidateRow], names: Sequence[str], known: Known) -> str:
    """One line per candidate; every value with all its digits, and where it is from.

    Parameters
    ----------
    names
        Properties to show, in this order.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns: list[str] = []
    for name in names:
        columns += [f"{name} ({known[name].unit})", f"{name} from"]
    has_chances = any(row.stability for row in rows)
    more = STABILITY if has_chances else ()
    writer.writerow(["file", "formula", "space group", *columns, *more, "state", "remark", "id"])
    for row in rows:
        expected = stability_cells(row.stability) if has_chances else ()
        writer.writerow(_cells(row, names, expected))
    return text.getvalue()


def _cells(row: CandidateRow, names: Sequence[str], expected: Iterable[str]) -> Iterator[str]:
    yield from (row.file, row.formula, row.spacegroup)
    for name in names:
        found = row.values.get(name)
        yield "" if found is None else repr(found.value)
        yield "" if found is None else found.basis
    yield from expected
    yield from (row.state, row.remark, row.candidate_id)
