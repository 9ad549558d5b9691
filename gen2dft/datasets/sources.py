"""From a campaign's dataset query to its Dataset: read, join published labels, filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from gen2dft.campaign import PUBLISHED_LABELS, DatasetSpec, PropertySpec
from gen2dft.campaign.properties import defined
from gen2dft.dataset import Dataset
from gen2dft.datasets.computed_labels import join_labels, read_labels
from gen2dft.datasets.filters import filter_dataset
from gen2dft.datasets.imported import imported_file, imported_names
from gen2dft.datasets.ricci import join_ricci
from gen2dft.errors import DatasetError, not_one_of
from gen2dft.label_checks import check_dataset
from gen2dft.properties import DEFAULT_TRANSPORT

STARTER, PROTOTYPES, VANADIUM_OXIDES = "starter", "prototypes", "vanadium-oxides"
MATERIALS_PROJECT = "materials-project"
LEAVE_OPEN = "leave-open"
BUILTIN = (STARTER, PROTOTYPES, VANADIUM_OXIDES, MATERIALS_PROJECT)
SHIPPED = (STARTER, PROTOTYPES, VANADIUM_OXIDES)
LABELLED_BY_A_POTENTIAL = (PROTOTYPES, VANADIUM_OXIDES)
NO_OTHERS: Mapping[str, PropertySpec] = MappingProxyType({})


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
            "2,000 binaries and ternaries of the Materials Project, published labels",
            "nothing; it ships",
        ),
        Builtin(
            PROTOTYPES,
            "small binaries and ternaries on AFLOW prototypes, CHGNet and GPAW labels",
            "nothing; it ships",
        ),
        Builtin(
            VANADIUM_OXIDES,
            "the prototypes' binaries as vanadium oxides, CHGNet labels",
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
    properties: Mapping[str, PropertySpec] = NO_OTHERS,
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
        What transport labels mean, see `gen2dft.definitions.definition_of`.
    properties
        What the campaign says of its properties; each of its own gets a column of labels.

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
    dataset = read_source(spec, cache_dir, progress, definition, properties)
    for name in spec.labels:
        if name == PUBLISHED_LABELS:
            dataset = join_ricci(dataset)
        else:
            leave_open = spec.few_labels == LEAVE_OPEN
            dataset = join_labels(dataset, read_labels(name), definition, leave_open)
            check_dataset(dataset, _accepted(spec, dataset), name)
    own = defined(properties)
    return filter_dataset(dataset.knowing(own), spec, seed)


def read_source(
    spec: DatasetSpec,
    cache_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    definition: str = DEFAULT_TRANSPORT,
    properties: Mapping[str, PropertySpec] = NO_OTHERS,
) -> Dataset:
    """Everything that the source of `spec` holds, before joins and filters.

    Raises
    ------
    DatasetError
        A column of a property where the source is no file; labels that cannot be right, or hardly
        can and are not accepted (see `gen2dft.label_checks`).
    """
    dataset = _source(spec, cache_dir, progress, definition, properties)
    accepted = _accepted(spec, dataset)
    # What ships was looked at when it was built; a test keeps it free of findings.
    if spec.source not in SHIPPED:
        check_dataset(dataset, accepted, f"dataset {spec.source}", defined(properties))
    if spec.accept:
        provenance = {**dataset.provenance, "accepted": list(accepted)}
        return replace(dataset, provenance=provenance)
    return dataset


def _accepted(spec: DatasetSpec, dataset: Dataset) -> tuple[str, ...]:
    """Findings that the user accepts, now or when the data were imported."""
    stored = dataset.provenance.get("accepted", ())
    earlier = map(str, stored) if isinstance(stored, list) else ()
    return tuple(dict.fromkeys((*earlier, *spec.accept)))


def _located(source: str) -> Path:
    """The file or folder that a source names; DatasetError where there is none."""
    imported = imported_file(source)
    if imported is not None:
        return imported
    names = imported_names()
    if names and Path(source).name == source and not _is_there(source):
        raise DatasetError(
            f"dataset {source} does not exist: {not_one_of('dataset', source, (*BUILTIN, *names))} "
            "`gen2dft data list` shows them; or name a file or folder"
        )
    return Path(source)


def _is_there(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # no name that a file can have
        return True  # the reader says why


def _source(
    spec: DatasetSpec,
    cache_dir: Path | None,
    progress: Callable[[int, int], None] | None,
    definition: str,
    properties: Mapping[str, PropertySpec],
) -> Dataset:
    """What the source of `spec` holds, as it is."""
    named = {name: entry.column for name, entry in properties.items() if entry.column}
    if named and spec.source in BUILTIN:
        place = f"properties.{next(iter(named))}.column"
        raise DatasetError(
            f"{place} names a column of a file, but dataset.source is {spec.source!r}: leave it "
            "out, or name a file"
        )
    if spec.source == STARTER:
        from gen2dft.datasets.starter import load_starter

        return load_starter(definition, spec.few_labels == LEAVE_OPEN)
    if spec.source == PROTOTYPES:
        from gen2dft.datasets.prototypes import load_prototypes

        return load_prototypes(definition, spec.few_labels == LEAVE_OPEN)
    if spec.source == VANADIUM_OXIDES:
        from gen2dft.datasets.prototypes import load_vanadium_oxides

        return load_vanadium_oxides()
    if spec.source == MATERIALS_PROJECT:
        from gen2dft.datasets.materials_project import Query, read_materials_project

        elements = (min(spec.num_elements), max(spec.num_elements))
        query = Query(elements, spec.max_sites, spec.max_e_above_hull)
        return read_materials_project(query, cache_dir)
    from gen2dft.datasets.files import read_dataset

    columns = {**spec.columns, **named}
    return read_dataset(_located(spec.source), columns, cache_dir, progress, defined(properties))
