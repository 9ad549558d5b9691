"""Training set and hulls of a campaign, and every check that is possible before work begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gen2dft.campaign import CampaignSpec
from gen2dft.datasets import check_labels, load_dataset
from gen2dft.datasets.dataset import Dataset
from gen2dft.engines import load_engine
from gen2dft.rounds.hulls import campaign_hull, check_scales, presets, screen_hull
from gen2dft.thermo.corrections import get_correction
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_check import self_test

if TYPE_CHECKING:
    from gen2dft.store.store import Store


class Prepared(NamedTuple):
    """What a campaign begins with.

    Parameters
    ----------
    dataset
        Training set.
    hull
        What labels are measured against.
    screen_hull
        What the surrogate is measured against, if that is another one.
    """

    dataset: Dataset
    hull: ReferenceHull
    screen_hull: ReferenceHull | None


def prepare(spec: CampaignSpec, cache_dir: Path | None = None, store: Store | None = None) -> Prepared:
    """Read the campaign's data.

    Parameters
    ----------
    cache_dir
        Folder for parsed files and downloads.
    store
        Where reference phases of the campaign's own engine are, if it needs them (`needs_store`).

    Raises
    ------
    DatasetError
        Data that are missing, broken, or carry too few labels for a target.
    CampaignError
        An engine or preset that does not exist.
    ThermoError
        A hull that is empty or fails its self-test, an unknown correction, energies that cannot meet.
    """
    load_engine(spec.screening.surrogate.engine).preset(spec.screening.surrogate.preset)
    for preset in presets(spec):
        load_engine(spec.validation.engine).preset(preset)
    get_correction(spec.validation.correction)
    dataset = load_dataset(spec.dataset, seed=spec.seed, cache_dir=cache_dir)
    hull = campaign_hull(spec, cache_dir, store)
    check_scales(spec, hull)
    self_test(hull, spec.hull.tolerance)
    wanted = [target.property for target in spec.targets]
    if spec.dataset.few_labels == "refuse" or len(open_targets(spec, dataset)) == len(wanted):
        check_labels(dataset, wanted, spec.dataset.min_labels)
    return Prepared(dataset, hull, screen_hull(spec, hull, cache_dir))


def needs_store(spec: CampaignSpec) -> bool:
    """Whether the campaign's hull or correction rests on what is in the database."""
    return spec.hull.source == "engine" or get_correction(spec.validation.correction).is_fitted


def open_targets(spec: CampaignSpec, dataset: Dataset) -> list[str]:
    """Properties of targets that too few crystals carry to be learnt; labels to come may change that."""
    counts = dataset.num_labels()
    return [t.property for t in spec.targets if counts.get(t.property, 0) < spec.dataset.min_labels]
