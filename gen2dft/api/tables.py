"""Tables of a campaign as pandas DataFrames; `attrs["units"]` maps columns to their units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.crystal_documents import structure_of
from gen2dft.store.crystal_fields import FIRST_ROUND

if TYPE_CHECKING:
    import pandas as pd

    from gen2dft.properties import Properties
    from gen2dft.report.candidate_table import CandidateRow
    from gen2dft.store.documents import CampaignDoc, HitDoc, LabelDoc
    from gen2dft.store.store import Store

FROM, ERROR = "_from", "_error"
FUNNEL = ("round", "stage", "n_in", "n_out", "reasons")


def hit_table(store: Store, campaign: CampaignDoc, where: str | None = None) -> pd.DataFrame:
    """Hits, best first; see `Campaign.hits`."""
    from gen2dft.query import find_hits
    from gen2dft.report.wording import ranked

    spec = stored_campaign(campaign)
    found = store.hits(campaign.id) if where is None else find_hits(store, where, campaign.id)
    ordered, _ = ranked(found, spec.targets, spec.known_properties)
    names = [target.property for target in spec.targets]
    rows = [_hit_row(hit, names) for hit in ordered]
    first = ("id", "formula", "spacegroup", "round", "evidence")
    last = ("chance", "remarks", "hull", "structure")
    columns = [*first, *_columns(names, FROM, ERROR), *last]
    return _frame(rows, columns, spec.known_properties)


def _hit_row(hit: HitDoc, names: Iterable[str]) -> dict[str, Any]:
    from gen2dft.report.wording import remarks_on

    row: dict[str, Any] = {
        "id": hit.candidate_id,
        "formula": hit.formula,
        "spacegroup": hit.spacegroup,
        "round": hit.round_index + FIRST_ROUND,
        "evidence": hit.evidence,
        "chance": None if hit.stability is None else hit.stability.chance,
        "remarks": list(remarks_on(hit)),
        "hull": hit.hull_id,
        "structure": _crystal(hit.structure),
    }
    for name in names:
        row[name] = hit.values.get(name)
        row[name + FROM] = hit.basis.get(name)
        row[name + ERROR] = hit.errors.get(name)
    return row


def candidate_table(store: Store, campaign: CampaignDoc) -> pd.DataFrame:
    """Candidates that were chosen or given; see `Campaign.candidates`."""
    from gen2dft.report.candidate_table import candidate_rows, shown_properties
    from gen2dft.store.documents import CandidateDoc
    from gen2dft.store.store import candidate_key

    spec = stored_campaign(campaign)
    found = candidate_rows(store, campaign.id, spec)
    keys = [candidate_key(campaign.id, row.candidate_id) for row in found]
    documents = store.find_many(CandidateDoc, keys)
    crystals = {label.candidate_id: label.structure for label in store.labels(campaign.id)}
    names = shown_properties(found, spec)
    rows = []
    for key, shown in zip(keys, found, strict=True):
        candidate = documents[key]
        best = crystals.get(candidate.candidate_id) or candidate.verdict.structure
        row = _candidate_row(shown, names)
        row["round"] = candidate.round_index + FIRST_ROUND
        row["structure"] = _crystal(best or candidate.structure)
        rows.append(row)
    first = ("id", "file", "formula", "spacegroup", "round", "state")
    columns = [*first, *_columns(names, FROM), "remark", "structure"]
    return _frame(rows, columns, spec.known_properties)


def _candidate_row(shown: CandidateRow, names: Iterable[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": shown.candidate_id,
        "file": shown.file,
        "formula": shown.formula,
        "spacegroup": shown.spacegroup,
        "state": shown.state,
        "remark": shown.remark,
    }
    for name in names:
        if name in shown.values:
            row[name], row[name + FROM] = shown.values[name]
    return row


def label_table(store: Store, campaign: CampaignDoc) -> pd.DataFrame:
    """Labels; see `Campaign.labels`."""
    spec = stored_campaign(campaign)
    labels = sorted(store.labels(campaign.id), key=lambda label: label.round_index)
    carried = {name for label in labels for name in label.values}
    names = [name for name in spec.known_properties if name in carried]
    rows = [_label_row(label, names) for label in labels]
    first = ("id", "formula", "round", "engine", "preset", "is_dft")
    last = ("core_hours", "warnings", "hull", "structure")
    columns = [*first, *_columns(names, FROM, ERROR), *last]
    return _frame(rows, columns, spec.known_properties)


def _label_row(label: LabelDoc, names: Iterable[str]) -> dict[str, Any]:
    crystal = _crystal(label.structure)
    row: dict[str, Any] = {
        "id": label.candidate_id,
        "formula": crystal.composition.reduced_formula,
        "round": label.round_index + FIRST_ROUND,
        "engine": label.engine,
        "preset": label.preset,
        "is_dft": label.is_dft,
        "core_hours": label.core_hours,
        "warnings": label.warnings,
        "hull": label.hull_id,
        "structure": crystal,
    }
    for name in names:
        if name in label.values:
            row[name] = label.values[name]
            row[name + FROM] = label.basis.get(name, label.engine)
            row[name + ERROR] = label.errors.get(name)
    return row


def funnel_table(store: Store, campaign: CampaignDoc) -> pd.DataFrame:
    """Stages of all rounds; see `Campaign.funnel`."""
    import pandas as pd

    rows = []
    for document in store.rounds(campaign.id):
        number = document.index + FIRST_ROUND
        for stage in document.funnel:
            rows.append((number, stage.stage, stage.n_in, stage.n_out, dict(stage.reasons)))
    return pd.DataFrame(rows, columns=list(FUNNEL))


def _columns(names: Iterable[str], *endings: str) -> list[str]:
    """Columns of some properties: the value, then what is said of it."""
    found = []
    for name in names:
        found += [name, *(name + ending for ending in endings)]
    return found


def _crystal(stored: Mapping[str, Any] | None) -> Any:
    """A pymatgen Structure; None without one."""
    return None if stored is None else structure_of(stored)


def _frame(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], known: Properties
) -> pd.DataFrame:
    """A table with the units of its columns."""
    import pandas as pd

    # Cell by cell: pandas would take a Structure for a sequence of sites.
    cells = {name: [row.get(name) for row in rows] for name in columns}
    series = {name: pd.Series(found, dtype=_kind(name, known)) for name, found in cells.items()}
    frame = pd.DataFrame(series, columns=list(columns))
    frame.attrs["units"] = _units(columns, known)
    return frame


def _kind(column: str, known: Properties) -> str | None:
    name = column.removesuffix(ERROR)
    if name in known or column in ("chance", "core_hours"):
        return "float64"
    return "int64" if column == "round" else "object"


def _units(columns: Iterable[str], known: Properties) -> dict[str, str]:
    units = {"core_hours": "h"}
    for column in columns:
        name = column.removesuffix(ERROR)
        if name in known:
            units[column] = known[name].unit
    return {column: unit for column, unit in units.items() if column in columns}
