"""Datasets from files: a table with a structure column, a folder of CIFs, or a saved dataset
(.npz).
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft.crystal_check import (
    count_reasons,
    only_sound,
    refuse_if_most_failed,
)
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.cells import id_text
from gen2dft.datasets.columns import (
    NO_OTHERS,
    Labels,
    Wanted,
    check_finite,
    find_column,
    read_labels,
    require_column,
)
from gen2dft.datasets.data_blocks import crystals_of, refuse_several
from gen2dft.datasets.folders import Folder, id_of_file, is_crystal_file, list_folder
from gen2dft.datasets.matching import Matched, first_of, match
from gen2dft.datasets.refused import RefusedCrystal, UnreadableStructure
from gen2dft.datasets.remarks import DatasetWarning, warning_texts
from gen2dft.datasets.tables import SUFFIXES, Table, read_table
from gen2dft.errors import DatasetError, OutputError
from gen2dft.hashing import ContentHash, content_hash
from gen2dft.input_files import (
    UnreadableFile,
    brief,
    existing,
    not_a_file,
    read_bytes,
    read_legacy_text,
)
from gen2dft.parallel import map_parts
from gen2dft.properties import Properties

if TYPE_CHECKING:
    from pymatgen.core import Structure

Progress = Callable[[int, int], None]

PARSED_AT_ONCE = 500  # structures per task, where they are shared out among the cores
READER_VERSION = 3
"""Part of the cache's key: raise it when reading changes."""
NO_ID = "no_id"


def read_dataset(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    properties: Properties = NO_OTHERS,
) -> Dataset:
    """Read crystals and labels from a file or folder.

    Parameters
    ----------
    path
        A table (.csv, .csv.gz, .json with a list of records, .parquet) with a column of structures
        as CIF text or pymatgen JSON; a CIF file of one or several crystals; a folder of such files
        (.cif, .mcif, .cif.gz) with an optional `labels.csv`; or an .npz dataset. Crystals of one
        file are called `file[1]`, `file[2]`, ...
    columns
        Names of columns: property (or `id`, `structure`) to column. Usual names are recognised
        without.
    cache_dir
        Folder for the parsed result, found again by the hash of content and options.
    progress
        Called with (crystals read, crystals in all).
    properties
        Whose own ones are read besides those that are built in.

    Returns
    -------
    Dataset
        Crystals that fail the check of `gen2dft.crystal_check` are left out, counted and named in
        `provenance["skipped"]`, and a DatasetWarning says so; likewise labels without a crystal
        (`labels_without_crystal`) and files that are not read (`not_read`). Cells without a value
        are NaN; `provenance["unlabelled"]` counts them.

    Raises
    ------
    DatasetError
        Missing file or column, duplicate ids, infinite or non-numeric labels, labels of which none
        finds a crystal, or nothing that can be read.
    """
    path = _usable_path(path)
    dataset = _read(path, columns or {}, cache_dir, progress, properties)
    for text in warning_texts(dataset.provenance):
        warnings.warn(f"{path}: {text}", DatasetWarning, stacklevel=2)
    return dataset


def _read(
    path: Path,
    columns: Mapping[str, str],
    cache_dir: Path | None,
    progress: Progress | None,
    properties: Properties,
) -> Dataset:
    if path.name.lower().endswith(".npz"):
        return _sound_part(path, Dataset.load(path))
    wanted = Wanted.checked(columns, properties)
    source = _Source(path, list_folder(path) if path.is_dir() else None)
    cached = cache_dir / "datasets" / f"{_key(source, wanted)}.npz" if cache_dir else None
    dataset = _from_cache(cached)
    if dataset is None:
        dataset = _parse(source, wanted, progress)
        _to_cache(dataset, cached)
    return dataset


def _sound_part(path: Path, dataset: Dataset) -> Dataset:
    """The crystals of a saved dataset that pass the check; others are added to its provenance."""
    kept, left_out = only_sound(dataset.crystals, dataset.ids)
    if not left_out:
        return dataset
    refuse_if_most_failed(path, len(dataset), left_out)
    skipped = {**dataset.provenance.get("skipped", {}), **left_out}
    return dataset.select(kept, skipped=skipped, skipped_reasons=count_reasons(skipped))


def _usable_path(given: Path | str) -> Path:
    """The path; DatasetError for what is neither a folder nor a file of a known kind."""
    try:
        path = existing(given, "dataset")
    except UnreadableFile as err:
        raise DatasetError(str(err)) from err
    if path is None:
        raise DatasetError(
            f"dataset {given} does not exist; give `starter`, `materials-project`, or a file or "
            "folder"
        )
    if path.is_dir():
        return path
    if problem := not_a_file(path):
        raise DatasetError(f"dataset {path} {problem}; name a regular file or a folder")
    if not (is_crystal_file(path) or path.name.lower().endswith((*SUFFIXES, ".npz"))):
        known = f"{', '.join(SUFFIXES)}, .npz, .cif or a folder of .cif files"
        raise DatasetError(f"dataset {path} is of an unknown kind; readable are {known}")
    return path


@dataclass(frozen=True)
class _Source:
    """A file, or a folder with what it holds."""

    path: Path
    folder: Folder | None

    @property
    def files(self) -> list[Path]:
        """All files that are read."""
        return [self.path] if self.folder is None else sorted(self.folder.files)


@dataclass(frozen=True)
class _Rows:
    """Rows as read: an id each, the text of a structure or the file that holds it, and labels."""

    ids: list[str]
    contents: list[Any]
    labels: Labels
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def _parse(source: _Source, wanted: Wanted, progress: Progress | None) -> Dataset:
    path, folder = source.path, source.folder
    if folder is not None:
        rows = _read_folder(folder, wanted)
    elif is_crystal_file(path):
        rows = _Rows(*crystals_of({id_of_file(path): path}), {})
    else:
        rows = _read_table(path, wanted)
    refuse_duplicates(path, rows.ids)
    check_finite(rows.labels, rows.ids, path)
    crystals, kept, unusable = _parse_structures(rows.ids, rows.contents, progress)
    skipped = {**rows.skipped, **unusable}
    n_read = len(rows.ids) + len(rows.skipped)
    refuse_if_most_failed(path, n_read, skipped)
    ids = tuple(rows.ids[row] for row in kept)
    # In the order in which a cached dataset has them.
    labels = {name: rows.labels[name][kept] for name in sorted(rows.labels)}
    provenance = {
        "source": path.name,
        "content_hash": _key(source, Wanted()),
        "columns": dict(wanted.columns),
        "n_read": n_read,
        "skipped": skipped,
        "skipped_reasons": count_reasons(skipped),
        "unlabelled": _unlabelled(ids, labels),
        **rows.notes,
    }
    return Dataset(crystals, ids, labels, provenance, wanted.properties)


def _unlabelled(ids: Sequence[str], labels: Labels) -> dict[str, Any]:
    """Property to the crystals that lack a label of it, where some have one."""
    found = {}
    for name, values in labels.items():
        missing = [ids[row] for row in np.flatnonzero(np.isnan(values)).tolist()]
        if missing:
            found[name] = first_of(missing)
    return found


def _parse_structures(
    ids: Sequence[str], contents: Sequence[Any], progress: Progress | None
) -> tuple[CrystalTable, list[int], dict[str, str]]:
    """Crystals, rows kept, and for each other id `reason: detail`."""
    starts = range(0, len(contents), PARSED_AT_ONCE)
    parts = [contents[start : start + PARSED_AT_ONCE] for start in starts]
    tables: list[CrystalTable] = []
    problems: list[str | None] = []
    for table, found in map_parts(_parse_part, parts):
        tables.append(table)
        problems += found
        if progress:
            progress(len(problems), len(contents))
    kept, skipped = [], {}
    for row, problem in enumerate(problems):
        if problem is None:
            kept.append(row)
        else:
            skipped[ids[row]] = problem
    return CrystalTable.concatenate(tables), kept, skipped


def _parse_part(contents: Sequence[Any]) -> tuple[CrystalTable, list[str | None]]:
    """Crystals of those contents that hold one, and for each content None or `reason: detail`."""
    from gen2dft.datasets.structure_text import parse_structure, problem_of

    structures: list[Structure] = []
    problems: list[str | None] = []
    for content in contents:
        try:
            structures.append(parse_structure(_crystal_text(content)))
            problems.append(None)
        except UnreadableFile as err:
            problems.append(problem_of(UnreadableStructure(f"the file {err}")))
        except RefusedCrystal as err:
            problems.append(problem_of(err))
    return CrystalTable.from_structures(structures), problems


def _crystal_text(content: Any) -> Any:
    """What a file or a cell says of one crystal."""
    text = read_legacy_text(content) if isinstance(content, Path) else content
    if isinstance(text, str):
        try:
            refuse_several(text)
        except ValueError as err:
            raise UnreadableStructure(str(err)) from err
    return text


def _read_table(path: Path, wanted: Wanted) -> _Rows:
    table = read_table(path)
    structure = require_column(table, "structure", wanted)
    identifier = find_column(table, "id", wanted)
    notes = _columns_not_read(table, wanted)
    if identifier is None:
        stem = path.name.split(".")[0]
        ids: list[str] = [f"{stem}-{row}" for row in range(len(table))]
        return _Rows(ids, table.column(structure), read_labels(table, ids, wanted), notes=notes)
    named = _ids_of(table, identifier)
    kept = [row for row, name in enumerate(named) if name is not None]
    skipped = {table.places[row]: f"{NO_ID}: its cell is empty" for row in _others(named, kept)}
    ids = [str(named[row]) for row in kept]
    labels = read_labels(table.only(kept), ids, wanted)
    contents = table.column(structure)
    return _Rows(ids, [contents[row] for row in kept], labels, skipped, notes)


def _columns_not_read(table: Table, wanted: Wanted) -> dict[str, Any]:
    """A note on columns that are neither id nor structure nor labels."""
    used = {find_column(table, role, wanted) for role in wanted.roles}
    unread = [name or "(no name)" for name in table.names if name not in used]
    return {"columns_not_read": first_of(unread)} if unread else {}


def _ids_of(table: Table, column: str) -> list[str | None]:
    """(n,) ids as they stand in their cells, None for empty ones."""
    found = []
    for place, cell in zip(table.places, table.column(column), strict=True):
        try:
            found.append(id_text(cell))
        except ValueError as err:
            raise DatasetError(f"{table.path}, {place}: id {err}") from err
    return found


def _others(rows: Sequence[Any], kept: Iterable[int]) -> list[int]:
    """The rows that are not kept."""
    return sorted(set(range(len(rows))) - set(kept))


def _read_folder(folder: Folder, wanted: Wanted) -> _Rows:
    ids, contents = crystals_of(folder.crystals)
    notes: dict[str, Any] = {}
    if folder.unread:
        notes["not_read"] = first_of(folder.unread)
    if folder.labels is None:
        return _Rows(ids, contents, {}, notes=notes)
    table = read_table(folder.labels)
    notes |= _columns_not_read(table, wanted)
    column = require_column(table, "id", wanted)
    named = _ids_of(table, column)
    rows = [row for row, name in enumerate(named) if name is not None]
    skipped = {
        f"{folder.labels.name}, {table.places[row]}": f"{NO_ID}: its cell is empty"
        for row in _others(named, rows)
    }
    labelled = [str(named[row]) for row in rows]
    refuse_duplicates(folder.labels, labelled)
    alone = folder.crystals.keys() & set(ids)
    found = match(labelled, ids, {folder.crystals[key].name: key for key in alone})
    _refuse_strangers(folder.labels, found)
    if found.without_crystal:
        notes["labels_without_crystal"] = found.summary()
    labels = read_labels(table.only(rows), labelled, wanted)
    return _Rows(ids, contents, _beside(labels, found, ids), skipped, notes)


def _refuse_strangers(table: Path, found: Matched) -> None:
    """DatasetError if no label belongs to a crystal, or two to one."""
    if found.doubled:
        names = ", ".join(found.doubled[:3])
        raise DatasetError(
            f"{table}: {len(found.doubled)} ids occur more than once: {names} (with and without "
            "the ending of the file); every crystal needs its own id"
        )
    if found.without_crystal and not found.row_of:
        near = found.near_text()
        names = ", ".join(map(brief, found.without_crystal[:3]))
        hint = f" ({near})" if near else ""
        raise DatasetError(
            f"{table}: none of its {len(found.without_crystal)} ids is the name of a crystal's "
            f"file: {names}{hint}"
        )


def _beside(labels: Labels, found: Matched, ids: Sequence[str]) -> Labels:
    """(n,) labels of crystals, from those of rows; NaN where a crystal has no row."""
    targets = [row for row, name in enumerate(ids) if name in found.row_of]
    sources = [found.row_of[ids[row]] for row in targets]
    placed = {}
    for name, values in labels.items():
        column = np.full(len(ids), np.nan)
        column[targets] = values[sources]
        placed[name] = column
    return placed


def refuse_duplicates(path: Path, ids: Iterable[str]) -> None:
    """DatasetError if an id occurs twice."""
    counts = Counter(ids)  # in the order of the file
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        names = ", ".join(map(brief, repeated[:3]))
        raise DatasetError(
            f"{path}: {len(repeated)} ids occur more than once: {names}; every crystal needs its "
            "own id"
        )


def _key(source: _Source, wanted: Wanted) -> str:
    """Hash of the content and of how it is read; of a folder, of all its files."""
    how: list[Any] = [READER_VERSION, source.path.name, dict(wanted.columns)]
    if own := wanted.properties.as_plain():
        how.append(own)
    if source.folder is not None:
        how.append(source.folder.unread)
    content = ContentHash()
    content.add(json.dumps(how, sort_keys=True).encode())
    for file in source.files:
        content.add(file.name.encode())
        content.add(bytes.fromhex(content_hash(_raw(file))))
    return content.digits(32)


def _raw(file: Path) -> bytes:
    """Content for the hash; empty where it cannot be read, which its reader will say."""
    try:
        return read_bytes(file)
    except UnreadableFile:
        return b""


def _from_cache(cached: Path | None) -> Dataset | None:
    if cached is None or not cached.is_file():
        return None
    try:
        return Dataset.load(cached)
    except DatasetError:
        return None  # damaged or of an older format: read again and written anew


def _to_cache(dataset: Dataset, cached: Path | None) -> None:
    if cached is None:
        return
    try:
        dataset.save(cached)
    except OutputError as err:
        warnings.warn(
            f"the dataset is not cached and will be parsed again next time: {err}",
            DatasetWarning,
            stacklevel=2,
        )
