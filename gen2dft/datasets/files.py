"""Datasets from files: a table with a structure column, a folder of CIFs, or a saved dataset
(.npz).
"""

from __future__ import annotations

import difflib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, OutputError, not_one_of
from gen2dft.hashing import ContentHash, content_hash
from gen2dft.parallel import map_parts
from gen2dft.properties import PROPERTIES, Properties

if TYPE_CHECKING:
    import pandas as pd
    from pymatgen.core import Structure

Progress = Callable[[int, int], None]

TABLE_SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".parquet")
PARSED_AT_ONCE = 500  # structures per task, where they are shared out among the cores
READER_VERSION = 1
"""Part of the cache's key: raise it when reading changes."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "id": ("material_id", "id", "mp_id", "entry_id", "identifier", "file", "filename"),
    "structure": ("structure", "cif", "structures", "cif_text"),
    "formation_energy": (
        "formation_energy",
        "formation_energy_per_atom",
        "e_form",
        "e_form_per_atom",
    ),
    "e_above_hull": ("e_above_hull", "energy_above_hull", "e_hull", "ehull"),
    "band_gap": ("band_gap", "bandgap", "gap", "gap pbe", "e_gap"),
}
"""Column names recognised without being told, in order of preference.

Upper and lower case are the same. Other properties are recognised by their own name.
"""


NO_OTHERS = Properties()


class DatasetWarning(UserWarning):
    """Some rows of a dataset could not be used; the rest could."""


@dataclass(frozen=True)
class Wanted:
    """What is read of a table.

    Parameters
    ----------
    columns
        Property (or `id`, `structure`) to the column that was named for it.
    properties
        Whose own ones are read besides those that are built in.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    properties: Properties = NO_OTHERS

    @classmethod
    def checked(cls, columns: Mapping[str, str], properties: Properties) -> Wanted:
        """The same; DatasetError for a column of what is no property."""
        wanted = cls(dict(columns), properties)
        for role in columns:
            if role not in wanted.roles:
                raise DatasetError(not_one_of("columns: property", role, wanted.roles))
        return wanted

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all properties.

        A property of an installed package is not among them unless it is used: what a file holds
        must not depend on what is installed.
        """
        return (*PROPERTIES, *self.properties.own)

    @property
    def roles(self) -> tuple[str, ...]:
        """All that a column may be named for."""
        return ("id", "structure", *self.labels)


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
        Unreadable and partially occupied crystals are left out, counted and named in
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
        return Dataset.load(path)
    if path.is_file() and not path.name.lower().endswith(TABLE_SUFFIXES):
        known = f"{', '.join(TABLE_SUFFIXES)}, .npz or a folder of .cif files"
        raise DatasetError(f"dataset {path} is of an unknown kind; readable are {known}")
    wanted = Wanted.checked(columns or {}, properties)
    cached = cache_dir / "datasets" / f"{_key(path, wanted)}.npz" if cache_dir else None
    dataset = _from_cache(cached) or _parse(path, wanted, cached, progress)
    _warn_of_skipped(path, dataset)
    return dataset


def _parse(path: Path, wanted: Wanted, cached: Path | None, progress: Progress | None) -> Dataset:
    if path.is_dir():
        ids, contents, labels = _read_folder(path, wanted)
    else:
        ids, contents, labels = _read_table(path, wanted)
    _check_rows(path, ids, labels)
    crystals, kept, skipped = _parse_structures(ids, contents, progress)
    if not kept:
        first = next(iter(skipped.values()), "no crystals")
        raise DatasetError(
            f"dataset {path} holds no usable crystal among {len(ids)}; the first problem: {first}"
        )
    provenance = {
        "source": path.name,
        "content_hash": _key(path, Wanted()),
        "columns": dict(wanted.columns),
        "n_read": len(ids),
        "skipped": skipped,
        "skipped_reasons": dict(Counter(reason.split(":")[0] for reason in skipped.values())),
    }
    kept_labels = {name: values[kept] for name, values in labels.items()}
    kept_ids = tuple(ids[i] for i in kept)
    dataset = Dataset(crystals, kept_ids, kept_labels, provenance, wanted.properties)
    _to_cache(dataset, cached)
    return dataset


def _parse_structures(
    ids: Sequence[str], contents: Sequence[Any], progress: Progress | None
) -> tuple[CrystalTable, list[int], dict[str, str]]:
    """Crystals, rows kept, and for each other id `reason: detail`."""
    tables: list[CrystalTable] = []
    problems: list[str | None] = []
    parts = [
        contents[start : start + PARSED_AT_ONCE]
        for start in range(0, len(contents), PARSED_AT_ONCE)
    ]
    for table, found in map_parts(_parse_part, parts):
        tables.append(table)
        problems += found
        if progress:
            progress(len(problems), len(contents))
    kept = [row for row, problem in enumerate(problems) if problem is None]
    skipped = {ids[row]: problem for row, problem in enumerate(problems) if problem is not None}
    return CrystalTable.concatenate(tables), kept, skipped


def _parse_part(contents: Sequence[Any]) -> tuple[CrystalTable, list[str | None]]:
    """Crystals of those contents that hold one, and for each content None or `reason: detail`."""
    from gen2dft.datasets.structure_text import (
        PartialOccupancy,
        UnreadableStructure,
        parse_structure,
    )

    structures: list[Structure] = []
    problems: list[str | None] = []
    for content in contents:
        try:
            structures.append(
                parse_structure(
                    content.read_text("utf-8") if isinstance(content, Path) else content
                )
            )
            problems.append(None)
        except PartialOccupancy as err:
            problems.append(f"partially_occupied: {err}")
        except (UnreadableStructure, OSError, UnicodeDecodeError) as err:
            problems.append(f"unreadable: {err}")
    return CrystalTable.from_structures(structures), problems


def _read_table(
    path: Path, wanted: Wanted
) -> tuple[list[str], list[Any], dict[str, NDArray[np.float64]]]:
    frame = _frame(path)
    structure = _find_column(frame, "structure", wanted, path, required=True)
    identifier = _find_column(frame, "id", wanted, path)
    stem = path.name.split(".")[0]
    ids = (
        [str(v) for v in frame[identifier]]
        if identifier
        else [f"{stem}-{i}" for i in range(len(frame))]
    )
    return ids, list(frame[structure]), _labels(frame, ids, wanted, path)


def _read_folder(
    path: Path, wanted: Wanted
) -> tuple[list[str], list[Any], dict[str, NDArray[np.float64]]]:
    files = sorted(path.glob("*.cif"))
    if not files:
        raise DatasetError(f"folder {path} holds no .cif files")
    ids = [file.stem for file in files]
    table = path / "labels.csv"
    if not table.is_file():
        return ids, list(files), {}
    frame = _frame(table)
    identifier = _find_column(frame, "id", wanted, table, required=True)
    frame[identifier] = [str(value).removesuffix(".cif") for value in frame[identifier]]
    _refuse_duplicates(table, list(frame[identifier]))
    unknown = sorted(set(frame[identifier]) - set(ids))
    if unknown:
        names = ", ".join(unknown[:3])
        warnings.warn(
            f"{table}: {len(unknown)} rows have no .cif file: {names}", DatasetWarning, stacklevel=2
        )
    frame = frame.set_index(identifier).reindex(ids)
    return ids, list(files), _labels(frame, ids, wanted, table)


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    name = path.name.lower()
    try:
        if name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path, low_memory=False)
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        return pd.DataFrame(_records(path))
    except ImportError as err:
        raise DatasetError(
            f"reading {path} needs the package pyarrow: pip install pyarrow"
        ) from err
    except (OSError, ValueError, EOFError, pd.errors.ParserError) as err:
        raise DatasetError(f"cannot read dataset {path}: {err}") from err


def _records(path: Path) -> list[dict[str, Any]]:
    import gzip

    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        content = json.load(file)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError("expected a list of records, one object per crystal")
    return content


def _find_column(
    frame: pd.DataFrame, role: str, wanted: Wanted, path: Path, required: bool = False
) -> str | None:
    """The column of a role: the one named, else the first usual name that is there."""
    present = {str(column).lower(): str(column) for column in frame.columns}
    if role in wanted.columns:
        named = wanted.columns[role]
        if named not in frame.columns:
            near = difflib.get_close_matches(named, list(map(str, frame.columns)), n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            have = ", ".join(map(str, frame.columns))
            raise DatasetError(f"{path} has no column {named!r} (for {role}); it has {have}{hint}")
        return named
    for name in SYNONYMS.get(role, (role.lower(),)):
        if name in present:
            return present[name]
    if required:
        usual, have = " or ".join(SYNONYMS[role][:2]), ", ".join(map(str, frame.columns))
        raise DatasetError(
            f"{path} has no {role} column such as {usual}; it has {have}. Name it: columns: "
            f"{role}: NAME"
        )
    return None


def _labels(
    frame: pd.DataFrame, ids: Sequence[str], wanted: Wanted, path: Path
) -> dict[str, NDArray[np.float64]]:
    import pandas as pd

    labels = {}
    for name in wanted.labels:
        column = _find_column(frame, name, wanted, path)
        if column is None:
            continue
        numeric = pd.to_numeric(frame[column], errors="coerce")
        broken = np.flatnonzero(numeric.isna() & frame[column].notna())
        if len(broken):
            rows = ", ".join(f"{ids[i]} ({frame[column].iloc[i]!r})" for i in broken[:3])
            raise DatasetError(
                f"{path}: column {column!r} is not a number for {rows}; leave a missing label empty"
            )
        labels[name] = numeric.to_numpy(dtype=np.float64)
    return labels


def _check_rows(path: Path, ids: Sequence[str], labels: Mapping[str, NDArray[np.float64]]) -> None:
    _refuse_duplicates(path, ids)
    for name, values in labels.items():
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            rows = ", ".join(ids[i] for i in infinite[:3])
            raise DatasetError(
                f"{path}: {name} is infinite for {len(infinite)} rows: {rows}; leave it empty if "
                "missing"
            )


def _refuse_duplicates(path: Path, ids: Sequence[str]) -> None:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        names = ", ".join(twice[:3])
        raise DatasetError(
            f"{path}: {len(twice)} ids occur more than once: {names}; every crystal needs its own "
            "id"
        )


def _key(path: Path, wanted: Wanted) -> str:
    """Hash of what was read and how; of a folder, of all its CIFs and labels."""
    how: list[Any] = [READER_VERSION, path.name, dict(wanted.columns)]
    if own := wanted.properties.as_plain():
        how.append(own)
    content = ContentHash()
    content.add(json.dumps(how, sort_keys=True).encode())
    for file in _content_files(path):
        content.add(file.name.encode())
        content.add(bytes.fromhex(content_hash(file.read_bytes())))
    return content.digits(32)


def _content_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from sorted(
            file for file in path.iterdir() if file.suffix == ".cif" or file.name == "labels.csv"
        )


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
        names = "; ".join(f"{name}: {why}" for name, why in list(skipped.items())[:3])
        warnings.warn(
            f"{path}: {len(skipped)} crystals left out: {names}", DatasetWarning, stacklevel=3
        )
