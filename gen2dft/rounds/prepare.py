"""Training set and hull of a campaign, and every check that is possible before work begins."""

from __future__ import annotations

from pathlib import Path

from gen2dft.campaign import CampaignSpec, DatasetSpec
from gen2dft.datasets import check_labels, load_dataset
from gen2dft.datasets.dataset import Dataset
from gen2dft.engines import load_engine
from gen2dft.thermo.hull import ReferenceHull


def prepare(spec: CampaignSpec, cache_dir: Path | None = None) -> tuple[Dataset, ReferenceHull]:
    """Read the campaign's data.

    The hull is made of all crystals of the source, those too that are filtered out of the training set: a crystal
    too far above the hull to learn from still is no stabler for it.

    Raises
    ------
    DatasetError
        Data that are missing, broken, or carry too few labels for a target.
    CampaignError
        An engine or preset that does not exist.
    """
    for part in (spec.validation, spec.screening.surrogate):
        load_engine(part.engine).preset(part.preset)
    dataset = load_dataset(spec.dataset, seed=spec.seed, cache_dir=cache_dir)
    hull = ReferenceHull.from_dataset(load_dataset(whole_source(spec.dataset), seed=spec.seed, cache_dir=cache_dir))
    wanted = [target.property for target in spec.targets]
    if spec.dataset.few_labels == "refuse" or len(open_targets(spec, dataset)) == len(wanted):
        check_labels(dataset, wanted, spec.dataset.min_labels)
    return dataset, hull


def whole_source(spec: DatasetSpec) -> DatasetSpec:
    """The query that asks for the whole source.

    Materials Project's own distances already carry its whole hull, so it is not fetched whole.
    """
    if spec.source == "materials-project":
        return spec
    return spec.model_copy(
        update={"num_elements": tuple(range(1, 10)), "max_sites": 10**6, "max_e_above_hull": None, "max_crystals": None}
    )


def open_targets(spec: CampaignSpec, dataset: Dataset) -> list[str]:
    """Properties of targets that too few crystals carry to be learnt; labels to come may change that."""
    counts = dataset.num_labels()
    return [t.property for t in spec.targets if counts.get(t.property, 0) < spec.dataset.min_labels]
