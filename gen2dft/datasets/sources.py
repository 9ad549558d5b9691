"""From a campaign's dataset query to its Dataset: read, join published labels, filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gen2dft.campaign import PUBLISHED_LABELS, DatasetSpec
from gen2dft.dataset import Dataset
from gen2dft.datasets.computed_labels import join_labels, read_labels
from gen2dft.datasets.filters import filter_dataset
from gen2dft.datasets.ricci import join_ricci
from gen2dft.properties import DEFAULT_TRANSPORT

STARTER, VANADIUM_OXIDES = "starter", "vanadium-oxides"
MATERIALS_PROJECT = "materials-project"


@dataclass(frozen=True)
class Builtin:
    """A source that needs no file: its name, what it holds, and what it takes to use it."""

    name: str
    content: str
    needs: str


def builtin_datasets() -> list[Builtin]:
    """Sources that a campaign can name without a file."""
    return [
        Builtin(
            STARTER,
            "small binaries and ternaries on AFLOW prototypes, CHGNet and GPAW labels",
            "nothing",
        ),
        Builtin(
            VANADIUM_OXIDES,
            "the starter set's binaries as vanadium oxides, CHGNet labels",
            "nothing; it ships",
        ),
        Builtin(
            MATERIALS_PROJECT,
            "formation energy, e_above_hull (GGA/GGA+U, MP2020), PBE band gap",
            "network and an API key in MP_API_KEY",
        ),
    ]


def load_dataset(
    spec: DatasetSpec,
    *,
    seed: int,
    cache_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    definition: str = DEFAULT_TRANSPORT,
) -> Dataset:
    """The training data of a campaign.

    Parameters
    ----------
    spec
        Source, label columns, joins and filters.
    seed
        Of the random part that `max_crystals` asks for.
    cache_dir
        Folder for parsed files and downloads; None caches nothing.
    progress
        Called with (crystals read, crystals in all) while a file is parsed.
    definition
        What the power factors mean, see `gen2dft.properties.TRANSPORT_DEFINITIONS`.

    Returns
    -------
    Dataset
        Its provenance says what was read, what was skipped, and in `filter` (a StageCount) what the
        query left out.

    Raises
    ------
    DatasetError
        Whatever is wrong with the data: see the source's module and `filter_dataset`.
    SettingsError
        A missing API key or package.
    """
    dataset = read_source(spec, cache_dir, progress, definition)
    for name in spec.labels:
        published = name == PUBLISHED_LABELS
        dataset = (
            join_ricci(dataset)
            if published
            else join_labels(dataset, read_labels(name), definition)
        )
    return filter_dataset(dataset, spec, seed)


def read_source(
    spec: DatasetSpec,
    cache_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    definition: str = DEFAULT_TRANSPORT,
) -> Dataset:
    """Everything that the source of `spec` holds, before joins and filters."""
    if spec.source in (STARTER, VANADIUM_OXIDES):
        from gen2dft.datasets.starter import load_starter, load_vanadium_oxides

        return load_starter(definition) if spec.source == STARTER else load_vanadium_oxides()
    if spec.source == MATERIALS_PROJECT:
        from gen2dft.datasets.materials_project import Query, read_materials_project

        elements = (min(spec.num_elements), max(spec.num_elements))
        return read_materials_project(
            Query(elements, spec.max_sites, spec.max_e_above_hull), cache_dir
        )
    from gen2dft.datasets.files import read_dataset

    return read_dataset(spec.source, spec.columns, cache_dir, progress)
