"""The evaluation as a whole: what is asked for, checked before work begins, table after table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft import __version__
from gen2dft.campaign import CampaignSpec
from gen2dft.datasets import load_dataset
from gen2dft.engines import load_engine
from gen2dft.errors import DatasetError, not_one_of
from gen2dft.evaluation import invention, prediction, reconstruction, rediscovery, semi_supervised
from gen2dft.evaluation.setting import Budget, Progress, Setting, silent
from gen2dft.evaluation.split import read_split, split_by_hash
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


TABLES: dict[str, Kind] = {
    "reconstruction": Kind(reconstruction.reconstruction_table, reconstruction.COLUMNS),
    "prediction": Kind(prediction.prediction_table, prediction.COLUMNS),
    "rediscovery": Kind(rediscovery.rediscovery_table, rediscovery.COLUMNS),
    "invention": Kind(invention.invention_table, invention.COLUMNS),
    "semi-supervised": Kind(semi_supervised.semi_supervised_table, semi_supervised.COLUMNS),
}


def column_keys() -> dict[str, list[str]]:
    """Table name to the keys of its columns, for reference files."""
    return {name: [column.key for column in kind.columns] for name, kind in TABLES.items()}


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
    dataset, whole = read(spec.dataset), read(whole_source(spec.dataset))
    split = read_split(split_file, dataset.ids) if split_file else split_by_hash(dataset.ids)
    if max_crystals is not None:
        rng = np.random.default_rng([spec.seed, EvaluationStream.PART_OF_SPLIT])
        split = split.part(max_crystals, rng)
    return Setting(
        specs=specs,
        dataset=dataset,
        split=split,
        known=whole.crystals,
        hull=ReferenceHull.from_dataset(whole),
        seed=spec.seed,
        budget=budget,
        snapshot_dir=snapshot_dir,
        progress=progress,
    )


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
    labels = setting.dataset.num_labels()
    chosen = [name for name in TABLES if name in names] or [
        name for name in TABLES if name != "semi-supervised" or labels.get(semi_supervised.PROPERTY)
    ]
    if set(chosen) - {"semi-supervised"}:
        _ = setting.properties  # raises without labels
    if "invention" in chosen:
        invention.seed_rows(setting.train)
        _ = engine_settings(setting.any_spec)
    if "semi-supervised" in chosen:
        semi_supervised.check_labels(setting.train, setting.test)
    return chosen


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are not of tables."""
    for name in names:
        if name not in TABLES:
            raise DatasetError(not_one_of("table", name, TABLES))


def make_tables(names: Sequence[str], setting: Setting) -> Iterator[Table]:
    """The tables, each when it is ready."""
    return (TABLES[name].make(setting) for name in names)


def engine_settings(spec: CampaignSpec) -> dict[str, str]:
    """Engine, preset and settings hash of the surrogate; fails if it is not installed."""
    surrogate = spec.screening.surrogate
    preset = load_engine(surrogate.engine).preset(surrogate.preset)
    return {
        "engine": surrogate.engine,
        "preset": surrogate.preset,
        "settings_hash": preset.settings_hash,
    }


def as_document(setting: Setting, tables: Sequence[Table]) -> dict[str, Any]:
    """Tables and all that decided them, as plain values."""
    return {
        "format": FORMAT_VERSION,
        "gen2dft": __version__,
        "seed": setting.seed,
        "dataset": {
            "source": setting.any_spec.dataset.source,
            "content_hash": setting.dataset.content_hash,
            "crystals": len(setting.dataset),
            "known": len(setting.known),
            "hull": setting.hull.hull_hash,
        },
        "split": {
            "origin": setting.split.origin,
            "train": len(setting.split.train),
            "test": len(setting.split.test),
        },
        "budget": {
            "samples": setting.budget.samples,
            "draws": setting.budget.draws,
            "scales": list(setting.budget.scales),
            "relaxations": setting.budget.relaxations,
        },
        "generators": {
            name: spec.only_generator.model_dump(mode="json")
            for name, spec in setting.specs.items()
        },
        "tables": {table.name: table.as_dict() for table in tables},
    }


def as_markdown(setting: Setting, tables: Sequence[Table]) -> str:
    """Tables as a page of Markdown."""
    return "\n".join(
        [f"# Evaluation\n\n{summary(setting)}\n", *(table.markdown() for table in tables)]
    )


def summary(setting: Setting) -> str:
    """What was evaluated, in one sentence or two."""
    parts = [f"{len(rows):,} crystals to {verb} on" for verb, rows in _parts(setting)]
    epochs = [
        f"{name} {spec.only_generator.total_epochs(warm=False)} epochs"
        for name, spec in setting.specs.items()
    ]
    return (
        f"Dataset {setting.any_spec.dataset.source} ({setting.dataset.content_hash}): "
        f"{', '.join(parts)} "
        f"({setting.split.origin}). {', '.join(epochs)}; seed {setting.seed}; gen2dft "
        f"{__version__}."
    )


def _parts(setting: Setting) -> tuple[tuple[str, NDArray[np.int64]], ...]:
    return ("train", setting.split.train), ("test", setting.split.test)
