"""The evaluation as a whole: what is asked for, checked before work begins, table after table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gen2dft import __version__
from gen2dft.campaign import CampaignSpec
from gen2dft.datasets import load_dataset
from gen2dft.errors import DatasetError, not_one_of
from gen2dft.evaluation import prediction, reconstruction, rediscovery, semi_supervised
from gen2dft.evaluation.setting import Budget, Progress, Setting, silent
from gen2dft.evaluation.split import Split, read_split, split_by_hash
from gen2dft.evaluation.sun import figures
from gen2dft.evaluation.sun import table as sun
from gen2dft.evaluation.tables import Column, Table
from gen2dft.ground.hulls import whole_source
from gen2dft.streams import EvaluationStream
from gen2dft.thermo.hull import ReferenceHull

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Kind:
    """One kind of table: how it is made, and the columns that it has."""

    make: Callable[[Setting], Table]
    columns: Sequence[Column]


SEMI_SUPERVISED = "semi-supervised"
TABLES: dict[str, Kind] = {
    "reconstruction": Kind(reconstruction.reconstruction_table, reconstruction.COLUMNS),
    "prediction": Kind(prediction.prediction_table, prediction.COLUMNS),
    "rediscovery": Kind(rediscovery.rediscovery_table, rediscovery.COLUMNS),
    sun.NAME: Kind(sun.sun_table, figures.COLUMNS),
    SEMI_SUPERVISED: Kind(semi_supervised.semi_supervised_table, semi_supervised.COLUMNS),
}


def column_keys() -> dict[str, list[str]]:
    """Table name to the keys of its columns, for reference files."""
    keys = {}
    for name, kind in TABLES.items():
        of_columns = (column.keys for column in kind.columns)
        keys[name] = list(itertools.chain.from_iterable(of_columns))
    return keys


def prepare_setting(
    specs: Mapping[str, CampaignSpec],
    *,
    split_file: Path | None = None,
    max_crystals: int | None = None,
    budget: Budget,
    snapshot_dir: Path | None = None,
    cache_dir: Path | None = None,
    progress: Progress = silent,
) -> Setting:
    """Read the data and split them.

    Parameters
    ----------
    specs
        Variant to campaign; the campaigns differ in `generator` alone.
    split_file
        See `read_split`; without it the split is by a hash of the id.
    max_crystals
        A seeded random part of the split of about this size.

    Raises
    ------
    DatasetError
        Data or split that are missing or broken.
    """
    spec = next(iter(specs.values()))
    read = partial(load_dataset, seed=spec.seed, cache_dir=cache_dir, properties=spec.properties)
    dataset = read(spec.dataset)
    whole = read(whole_source(spec.dataset))
    return Setting(
        specs=specs,
        dataset=dataset,
        split=_split(dataset.ids, split_file, max_crystals, spec.seed),
        known=whole.crystals,
        hull=ReferenceHull.from_dataset(whole),
        seed=spec.seed,
        budget=budget,
        snapshot_dir=snapshot_dir,
        progress=progress,
    )


def _split(
    ids: Sequence[str], split_file: Path | None, max_crystals: int | None, seed: int
) -> Split:
    """The split asked for, or a part of it."""
    split = read_split(split_file, ids) if split_file else split_by_hash(ids)
    if max_crystals is None:
        return split
    rng = np.random.default_rng([seed, EvaluationStream.PART_OF_SPLIT])
    return split.part(max_crystals, rng)


def choose_tables(names: Sequence[str], setting: Setting) -> list[str]:
    """The tables asked for in their order; of none, all for which the dataset has labels.

    Raises
    ------
    DatasetError
        A table that does not exist, or labels that it needs and the dataset lacks.
    CampaignError, SettingsError
        An engine or preset that does not exist or is not installed.
    """
    check_names(names)
    asked = [name for name in TABLES if name in names]
    chosen = asked or _possible_tables(setting)
    if set(chosen) - {SEMI_SUPERVISED}:
        _ = setting.properties  # raises without labels
    if sun.NAME in chosen:
        sun.check(setting)
    if SEMI_SUPERVISED in chosen:
        semi_supervised.check_labels(setting.train, setting.test)
    return chosen


def _possible_tables(setting: Setting) -> list[str]:
    """All tables, but the one whose labels are rare only where there are any."""
    labels = setting.dataset.num_labels()
    has_labels = bool(labels.get(semi_supervised.PROPERTY))
    return [name for name in TABLES if name != SEMI_SUPERVISED or has_labels]


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are not of tables."""
    for name in names:
        if name not in TABLES:
            raise DatasetError(not_one_of("table", name, TABLES))


def make_tables(names: Sequence[str], setting: Setting) -> Iterator[Table]:
    """The tables, each when it is ready."""
    return (TABLES[name].make(setting) for name in names)


def as_document(setting: Setting, tables: Sequence[Table]) -> dict[str, Any]:
    """Tables and all that decided them, as plain values."""
    generators = {}
    for name, spec in setting.specs.items():
        generators[name] = spec.only_generator.model_dump(mode="json")
    by_name = {table.name: table.as_dict() for table in tables}
    return {
        "format": FORMAT_VERSION,
        "gen2dft": __version__,
        "seed": setting.seed,
        "dataset": _dataset_fields(setting),
        "split": setting.split.as_dict(),
        "budget": setting.budget.as_dict(),
        "generators": generators,
        "tables": by_name,
    }


def _dataset_fields(setting: Setting) -> dict[str, Any]:
    """The data, as plain values."""
    dataset = setting.dataset
    source = setting.any_spec.dataset.source
    return {
        "source": source,
        "content_hash": dataset.content_hash,
        "crystals": len(dataset),
        "known": len(setting.known),
        "hull": setting.hull.hull_hash,
    }


def as_markdown(setting: Setting, tables: Sequence[Table]) -> str:
    """Tables as a page of Markdown."""
    head = f"# Evaluation\n\n{summary(setting)}\n"
    pages = [table.markdown() for table in tables]
    return "\n".join([head, *pages])


def summary(setting: Setting) -> str:
    """What was evaluated, in one sentence or two."""
    epochs = []
    for name, spec in setting.specs.items():
        total = spec.only_generator.total_epochs(warm=False)
        epochs.append(f"{name} {total} epochs")
    trained = ", ".join(epochs)
    return (
        f"Dataset {setting.any_spec.dataset.source} ({setting.dataset.content_hash}): "
        f"{_sizes(setting.split)}. {trained}; seed {setting.seed}; gen2dft {__version__}."
    )


def _sizes(split: Split) -> str:
    """Crystals in each part, and where the split is from."""
    train, test = len(split.train), len(split.test)
    return f"{train:,} crystals to train on, {test:,} crystals to test on ({split.origin})"
