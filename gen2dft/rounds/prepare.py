"""Training set and hull of a campaign, and every check that is possible before work begins."""

from __future__ import annotations

from pathlib import Path

from gen2dft.campaign import CampaignSpec, DatasetSpec
from gen2dft.datasets import check_labels, load_dataset
from gen2dft.datasets.dataset import Dataset
from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.screening.validity import allowed_elements
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
    hull = ReferenceHull.from_dataset(load_dataset(_for_the_hull(spec.dataset), seed=spec.seed, cache_dir=cache_dir))
    wanted = [target.property for target in spec.targets]
    if spec.dataset.few_labels == "refuse" or len(open_targets(spec, dataset)) == len(wanted):
        check_labels(dataset, wanted, spec.dataset.min_labels)
    return dataset, hull


def check_validation(spec: CampaignSpec, dataset: Dataset) -> tuple[str, ...]:
    """Check the engine of the validation for every element that candidates may have.

    Returns
    -------
    What the engine needs and this machine lacks, though those that compute may have it.

    Raises
    ------
    CampaignError, SettingsError
        An element, a pseudopotential, a setting or reference energies that the engine cannot do without.
    """
    from pymatgen.core import Element

    validation, engine = spec.validation, load_engine(spec.validation.engine)
    symbols = {Element.from_Z(z).symbol for z in allowed_elements(spec.screening, dataset.crystals)}
    if validation.references:
        if missing := sorted(symbols - set(validation.references)):
            raise CampaignError(
                f"validation.references has no energy of {', '.join(missing)}, which candidates may have"
            )
    elif {target.property for target in spec.targets} & {"formation_energy", "e_above_hull"}:
        _must_know_an_element(spec, symbols)
    return engine.check(validation.preset, symbols)


def _must_know_an_element(spec: CampaignSpec, symbols: set[str]) -> None:
    """CampaignError if the engine has no reference energy at all, so that no target on the energy could be judged."""
    from pymatgen.core import Composition

    engine, problem = load_engine(spec.validation.engine), None
    for symbol in sorted(symbols):
        try:
            engine.formation_energy(Composition(symbol), 0.0)
        except DatasetError as err:
            problem = err
        else:
            return
    raise CampaignError(f"the targets ask for energies, but {problem}") from problem


def _for_the_hull(spec: DatasetSpec) -> DatasetSpec:
    """The whole source. Materials Project's own distances already carry its whole hull, so it is not fetched whole."""
    if spec.source == "materials-project":
        return spec
    return spec.model_copy(
        update={"num_elements": tuple(range(1, 10)), "max_sites": 10**6, "max_e_above_hull": None, "max_crystals": None}
    )


def open_targets(spec: CampaignSpec, dataset: Dataset) -> list[str]:
    """Properties of targets that too few crystals carry to be learnt; labels to come may change that."""
    counts = dataset.num_labels()
    return [t.property for t in spec.targets if counts.get(t.property, 0) < spec.dataset.min_labels]
