"""Labels that an engine computed for the crystals of a dataset: a text file of their own, joined by
id and content.

The file is JSON lines: first what holds for all (engine, settings, versions, definitions), then one
record per crystal, in the order in which they were finished. A record is a label or says why there
is none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gen2dft.dataset import Dataset
from gen2dft.datasets.label_tensors import LabelTensors, read_tensors, tensors_path
from gen2dft.datasets.matching import first_of
from gen2dft.datasets.tables import without_doubled_keys
from gen2dft.definitions import definition_of, with_gap_of
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.input_files import UnreadableFile, decoded, read_bytes
from gen2dft.properties import TransportDefinition
from gen2dft.transport import POWER_FACTOR
from gen2dft.transport.reductions import factor_of

Number = Annotated[float, Field(ge=0, strict=True)]  # no text and no truth value
Line = TypeVar("Line", bound=BaseModel)

SCHEMA = 1
METAL = "metal"


class LabelSettings(BaseModel):
    """The head of a file: facts that hold for all its records."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int = Field(SCHEMA, ge=1, le=SCHEMA)
    source: str = Field(description="dataset whose crystals are labelled")
    cells: str = Field(description="what cells and positions were computed")
    engine: str
    preset: str
    settings_hash: str
    settings: dict[str, Any] = Field(description="all that the preset sets")
    versions: dict[str, str] = Field(description="program to version")
    method: str = Field(description="how bands become transport")
    program: str = Field(
        "gen2dft", description="program that did so: gen2dft or boltztrap2, in `versions`"
    )
    approximation: str
    relaxation_time: float = Field(gt=0, description="s")
    definitions: dict[str, dict[str, Any]] = Field(
        description="what the power factors mean, by name"
    )


class LabelRecord(BaseModel):
    """One crystal: its label, or why there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(description="the crystal's id in its dataset")
    crystal: str = Field(description="content hash of the crystal, see `crystal_hash`")
    formula: str
    band_gap: Number | None = Field(None, description="eV, on the mesh; 0 for a metal")
    power_factor: dict[str, Number] = Field(
        {}, description="definition to uW cm^-1 K^-2 at tau = 1e-14 s; holes"
    )
    mesh: tuple[int, int, int] | None = Field(None, description="k-points of the bands")
    spacing: float | None = Field(None, description="1/Angstrom, with 2 pi")
    cpu_seconds: float = Field(0.0, description="of this process, from the cell to the label")
    reason: str | None = Field(
        None, description="why there is no power factor: `metal`, or what failed"
    )
    detail: str | None = Field(None, description="the same for people")


@dataclass(frozen=True)
class ComputedLabels:
    """The content of a file of labels.

    Parameters
    ----------
    settings
        Facts that hold for all records.
    records
        One per crystal.
    tensors
        Those beside the file, from which power factors by any definition are read; None: there are
        none.
    """

    settings: LabelSettings
    records: tuple[LabelRecord, ...]
    tensors: LabelTensors | None = field(default=None, compare=False)

    def counts(self) -> dict[str, int]:
        """Number of crystals with a power factor (`labelled`), and without one by reason."""
        counts = Counter(record.reason or "labelled" for record in self.records)
        return dict(sorted(counts.items()))


def crystal_hash(dataset: Dataset, index: int) -> str:
    """Hash of one crystal's cell, elements and positions."""
    return dataset.crystals.select([index]).content_hash()


def complete_lines(data: bytes, origin: str) -> list[str]:
    """The lines of a file that were written whole; a last one that a kill cut off is left out.

    DatasetError names `origin` if it is no text.
    """
    end = data.rfind(b"\n") + 1
    try:
        text = decoded(data[:end])
    except UnreadableFile as err:
        raise DatasetError(f"{origin} {err}") from err
    return [line for line in text.split("\n") if line.strip()]


def parse_labels(data: bytes, origin: str) -> ComputedLabels:
    """Labels from the bytes of a file; DatasetError names `origin` and the line that is broken."""
    lines = complete_lines(data, origin)
    if not lines:
        raise DatasetError(f"{origin} is empty; gen2dft data label writes files of labels")
    settings = _line(LabelSettings, lines[0], f"{origin}, line 1")
    records: dict[str, LabelRecord] = {}
    for number, line in enumerate(lines[1:], start=2):
        place = f"{origin}, line {number}"
        record = _line(LabelRecord, line, place)
        if records.setdefault(record.id, record) != record:
            raise DatasetError(
                f"{place}: {record.id} has another record before: remove one of the two lines"
            )
    return ComputedLabels(settings, tuple(records.values()))


def _line(model: type[Line], text: str, place: str) -> Line:
    """One line of a file of labels; DatasetError if it is none."""
    try:
        return model.model_validate(json.loads(text, object_pairs_hook=without_doubled_keys))
    except ValidationError as err:
        problems = _problems(err)
    except (ValueError, RecursionError) as err:
        problems = str(err)[:200]
    raise DatasetError(f"{place}, is not one of computed labels: {problems}")


def _problems(error: ValidationError) -> str:
    """The first problems of a line, each with its key."""
    texts = []
    for problem in error.errors()[:3]:
        place = ".".join(map(str, problem["loc"])) or "line"
        texts.append(f"{place}: {problem['msg']}")
    return "; ".join(texts)


def read_labels(path: Path | str) -> ComputedLabels:
    """Labels from a file that `gen2dft data label` wrote, with the tensors beside it.

    DatasetError if it is missing or broken.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"there is no file of labels {path}; gen2dft data label writes one")
    try:
        data = read_bytes(path)
    except UnreadableFile as err:
        raise DatasetError(f"{path} {err}; gen2dft data label writes files of labels") from err
    labels = parse_labels(data, str(path))
    return replace(labels, tensors=read_tensors(tensors_path(path)))


def join_labels(
    dataset: Dataset, labels: ComputedLabels, definition: str, leave_open: bool = False
) -> Dataset:
    """Add band gaps and power factors to the crystals that they were computed for.

    Parameters
    ----------
    dataset
        Labels that a crystal already has are kept.
    definition
        Which power factor, by name.
    leave_open
        Join band gaps alone where no power factor can be had by this definition.

    Raises
    ------
    DatasetError
        If no id is the dataset's, a crystal is another one than that of its label, or nothing was
        computed by this definition.
    """
    found = _records_of(dataset, labels)
    _must_be_the_same_crystals(dataset, found)
    gaps = {row: record.band_gap for row, record in found}
    try:
        factors = _factors(labels, found, definition)
        problem = None
    except DatasetError as error:
        if not leave_open:
            raise
        factors, problem = {}, str(error)
    joined = {
        **dataset.labels,
        "band_gap": _filled(dataset.label("band_gap"), gaps),
        POWER_FACTOR: _filled(dataset.label(POWER_FACTOR), factors),
    }
    settings = labels.settings.model_dump(mode="json")
    note = {**settings, "definition": definition, "counts": labels.counts()}
    note |= _strangers(dataset, labels)
    if problem is not None:
        note["open"] = problem
    provenance = {**dataset.provenance, "computed_labels": note}
    return replace(dataset, labels=joined, provenance=provenance)


def _strangers(dataset: Dataset, labels: ComputedLabels) -> dict[str, Any]:
    """A note on labels of no crystal of the dataset; empty if there are none."""
    known = set(dataset.ids)
    strangers = [record.id for record in labels.records if record.id not in known]
    return {"without_crystal": first_of(strangers)} if strangers else {}


def _factors(
    labels: ComputedLabels, found: Iterable[tuple[int, LabelRecord]], definition: str
) -> dict[int, float]:
    """Row to power factor by a definition, of the crystals that have one.

    DatasetError if it is neither among the labels nor can be read from tensors.
    """
    meaning = definition_of(definition)
    factors: dict[int, float] = {}
    refusals: list[str] = []
    for row, record in found:
        try:
            factor = _factor(labels, record, meaning)
        except CampaignError as refusal:
            refusals.append(str(refusal))
            continue
        if factor is not None:
            factors[row] = factor
    if factors or not refusals:
        return factors
    raise DatasetError(
        f"the computed labels have no power factors by definition {definition!r}: {refusals[0]}. "
        "dataset.few_labels: leave-open begins with open heads, until the campaign has computed "
        "enough"
    )


def _factor(
    labels: ComputedLabels, record: LabelRecord, meaning: TransportDefinition
) -> float | None:
    """The power factor of one crystal; None for one that has none, whatever the definition.

    CampaignError if it has one by other definitions only.
    """
    if not record.power_factor:
        return None
    gap = record.band_gap or 0.0
    if meaning.gap is not None and gap < meaning.gap:
        raise CampaignError(
            f"the gap of {record.id}, {gap:.3f} eV, would have to be opened in its bands"
        )
    # Where the gap is wide enough, nothing is opened.
    as_computed = with_gap_of(meaning, None)
    if as_computed.name in record.power_factor:
        return record.power_factor[as_computed.name]
    tensors = labels.tensors
    tables = None if tensors is None else tensors.tables(record.id, record.crystal)
    if tables is None:
        known = ", ".join(labels.settings.definitions)
        raise CampaignError(
            f"{record.id} has no tensors, only {known}; gen2dft data tensors makes them from kept "
            "bands"
        )
    return factor_of(tables, as_computed).value


def _records_of(dataset: Dataset, labels: ComputedLabels) -> list[tuple[int, LabelRecord]]:
    """Records of the dataset's crystals, each with its row; see `join_labels` for the errors."""
    row_of = {name: row for row, name in enumerate(dataset.ids)}
    found = []
    for record in labels.records:
        if record.id in row_of:
            found.append((row_of[record.id], record))
    if not found:
        raise DatasetError(
            f"none of the {len(labels.records)} computed labels of {labels.settings.source!r} is "
            "of a crystal of this dataset: they go by id"
        )
    return found


def _filled(column: NDArray[np.float64], values: Mapping[int, float | None]) -> NDArray[np.float64]:
    """A column with values put in by row, where it has none yet."""
    filled = column.copy()
    for row, value in values.items():
        if value is not None and np.isnan(column[row]):
            filled[row] = value
    return filled


def _must_be_the_same_crystals(dataset: Dataset, found: Iterable[tuple[int, LabelRecord]]) -> None:
    for row, record in found:
        if crystal_hash(dataset, row) != record.crystal:
            raise DatasetError(
                f"the label of {record.id} was computed for another crystal than the dataset's of "
                "that id: the dataset was built anew; label it again with gen2dft data label"
            )


def to_line(model: BaseModel) -> str:
    """One line of a file of labels."""
    content = model.model_dump(mode="json", exclude_defaults=True)
    return f"{json.dumps(content)}\n"
