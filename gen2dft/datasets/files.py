"""Datasets from files: a table with a structure column, a folder of CIFs, or a saved dataset
(.npz).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gen2dft.crystal_check import (
    count_reasons,
    first_of,
    only_sound,
    refuse_if_most_failed,
)
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets.refused import RefusedCrystal
from gen2dft.datasets.tables import (
    NO_OTHERS,
    SUFFIXES,
    Labels,
    Wanted,
    check_rows,
    find_column,
    read_frame,
    read_labels,
    refuse_duplicates,
    require_column,
)
from gen2dft.errors import DatasetError, OutputError
from gen2dft.hashing import ContentHash, content_hash
from gen2dft.parallel import map_parts
from gen2dft.properties import Properties

if TYPE_CHECKING:
    from pymatgen.core import Structure

Progress = Callable[[int, int], None]

PARSED_AT_ONCE = 500  # structures per task, where they are shared out among the cores
READER_VERSION = 2
"""Part of the cache's key: raise it when reading changes."""


class DatasetWarning(UserWarning):
    """Some rows of a dataset could not be used; the rest could."""


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
        as CIF text or pymatgen JSON; a folder of .cif files with an optional `labels.csv`; or an
        .npz dataset.
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
        `provenance["skipped"]`, and a DatasetWarning says so. Cells without a value are NaN.

    Raises
    ------
    DatasetError
        Missing file or column, duplicate ids, infinite or non-numeric labels, or nothing that can
        be read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DatasetError(
            f"dataset {path} does not exist; give `starter`, `materials-project`, or a file or "
            "folder"
        )
    if path.suffix == ".npz":
        return _sound_part(path, Dataset.load(path))
    if path.is_file() and not path.name.lower().endswith(SUFFIXES):
        known = f"{', '.join(SUFFIXES)}, .npz or a folder of .cif files"
        raise DatasetError(f"dataset {path} is of an unknown kind; readable are {known}")
    wanted = Wanted.checked(columns or {}, properties)
    cached = cache_dir / "datasets" / f"{_key(path, wanted)}.npz" if cache_dir else None
    dataset = _from_cache(cached)
    if dataset is None:
        dataset = _parse(path, wanted, progress)
        _to_cache(dataset, cached)
    _warn_of_skipped(path, dataset)
    return dataset


def _sound_part(path: Path, dataset: Dataset) -> Dataset:
    """The crystals of a saved dataset that pass the check; others are added to its provenance."""
    kept, left_out = only_sound(dataset.crystals, dataset.ids)
    if not left_out:
        return dataset
    refuse_if_most_failed(path, len(dataset), left_out)
    skipped = {**dataset.provenance.get("skipped", {}), **left_out}
    sound = dataset.select(kept, skipped=skipped, skipped_reasons=count_reasons(skipped))
    _warn_of_skipped(path, sound)
    return sound


class _Rows(NamedTuple):
    """Rows as read: an id each, the text of a structure or the file that holds it, and labels."""

    ids: list[str]
    contents: list[Any]
    labels: Labels


def _parse(path: Path, wanted: Wanted, progress: Progress | None) -> Dataset:
    rows = _read_folder(path, wanted) if path.is_dir() else _read_table(path, wanted)
    ids, contents, labels = rows
    check_rows(path, ids, labels)
    crystals, kept, skipped = _parse_structures(ids, contents, progress)
    refuse_if_most_failed(path, len(ids), skipped)
    provenance = {
        "source": path.name,
        "content_hash": _key(path, Wanted()),
        "columns": dict(wanted.columns),
        "n_read": len(ids),
        "skipped": skipped,
        "skipped_reasons": count_reasons(skipped),
    }
    kept_ids = tuple(ids[row] for row in kept)
    kept_labels = {name: values[kept] for name, values in labels.items()}
    return Dataset(crystals, kept_ids, kept_labels, provenance, wanted.properties)


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
            text = content.read_text("utf-8") if isinstance(content, Path) else content
            structures.append(parse_structure(text))
            problems.append(None)
        except (RefusedCrystal, OSError, UnicodeDecodeError) as err:
            problems.append(problem_of(err))
    return CrystalTable.from_structures(structures), problems


def _read_table(path: Path, wanted: Wanted) -> _Rows:
    frame = read_frame(path)
    structure = require_column(frame, "structure", wanted, path)
    identifier = find_column(frame, "id", wanted, path)
    if identifier:
        ids = [str(value) for value in frame[identifier]]
    else:
        stem = path.name.split(".")[0]
        ids = [f"{stem}-{row}" for row in range(len(frame))]
    return _Rows(ids, list(frame[structure]), read_labels(frame, ids, wanted, path))


def _read_folder(path: Path, wanted: Wanted) -> _Rows:
    files = sorted(path.glob("*.cif"))
    if not files:
        raise DatasetError(f"folder {path} holds no .cif files")
    ids = [file.stem for file in files]
    table = path / "labels.csv"
    if not table.is_file():
        return _Rows(ids, list(files), {})
    frame = read_frame(table)
    identifier = require_column(frame, "id", wanted, table)
    named = [str(value).removesuffix(".cif") for value in frame[identifier]]
    refuse_duplicates(table, named)
    unknown = sorted(set(named) - set(ids))
    if unknown:
        names = ", ".join(unknown[:3])
        warnings.warn(
            f"{table}: {len(unknown)} rows have no .cif file: {names}", DatasetWarning, stacklevel=2
        )
    frame[identifier] = named
    by_file = frame.set_index(identifier).reindex(ids)
    return _Rows(ids, list(files), read_labels(by_file, ids, wanted, table))


def _key(path: Path, wanted: Wanted) -> str:
    """Hash of the content and of how it is read; of a folder, of all its CIFs and labels."""
    how: list[Any] = [READER_VERSION, path.name, dict(wanted.columns)]
    if own := wanted.properties.as_plain():
        how.append(own)
    content = ContentHash()
    content.add(json.dumps(how, sort_keys=True).encode())
    for file in _content_files(path):
        content.add(file.name.encode())
        content.add(bytes.fromhex(content_hash(file.read_bytes())))
    return content.digits(32)


def _content_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted([*path.glob("*.cif"), *path.glob("labels.csv")])


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


def _warn_of_skipped(path: Path, dataset: Dataset) -> None:
    skipped = dataset.provenance.get("skipped", {})
    if skipped:
        warnings.warn(
            f"{path}: {len(skipped)} crystals left out: {first_of(skipped)}",
            DatasetWarning,
            stacklevel=3,
        )
