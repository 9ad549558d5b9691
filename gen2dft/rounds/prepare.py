"""Training set and hulls of a campaign, and every check that is possible before work begins."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gen2dft.campaign import CampaignSpec
from gen2dft.dataset import Dataset
from gen2dft.datasets import check_labels, load_dataset
from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.generators import load_generator_class
from gen2dft.ground.competing import check_competing
from gen2dft.ground.hulls import (
    campaign_hull,
    check_scales,
    computes_elements,
    element_energies,
    presets,
    screen_hull,
)
from gen2dft.ground.phases import candidate_elements
from gen2dft.ground.roles import asks_engine_for_energies, check_roles
from gen2dft.ground.stability import check_correction
from gen2dft.loop.acquisition import load_acquisition
from gen2dft.property_steps import check_steps
from gen2dft.thermo.corrections import get_correction
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_check import self_test
from gen2dft.thermo.hull_file import is_hull_file

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


def prepare(
    spec: CampaignSpec, cache_dir: Path | None = None, store: Store | None = None
) -> Prepared:
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
        An engine, preset, generator or acquisition function that does not exist; settings of a
        property step that are wrong; a correction of another potential.
    PluginMissing
        A property that a package computes which is not installed here.
    ThermoError
        A hull that is empty or fails its self-test, an unknown correction, energies that cannot
        meet.
    """
    load_engine(spec.screening.surrogate.engine).preset(spec.screening.surrogate.preset)
    for preset in presets(spec):
        load_engine(spec.validation.engine).preset(preset)
    get_correction(spec.validation.correction)
    load_acquisition(spec.learning.acquisition)
    check_steps(spec)
    check_roles(spec)
    check_competing(spec)
    for source in spec.sources:
        load_generator_class(source.name)
    dataset = load_dataset(
        spec.dataset,
        seed=spec.seed,
        cache_dir=cache_dir,
        definition=spec.transport.definition,
        properties=spec.properties,
    )
    hull = campaign_hull(spec, cache_dir, store)
    check_scales(spec, hull)
    self_test(hull, spec.hull.tolerance)
    _check_hull_file(spec, dataset, hull)
    if needs_labels(spec, dataset):
        wanted = [target.property for target in spec.targets]
        check_labels(dataset, wanted, spec.dataset.min_labels)
    of_the_screen = screen_hull(spec, hull, cache_dir)
    check_correction(spec, of_the_screen or hull)
    return Prepared(dataset, hull, of_the_screen)


def _check_hull_file(spec: CampaignSpec, dataset: Dataset, hull: ReferenceHull) -> None:
    """CampaignError if a hull file lacks elements that candidates may have.

    Whatever holds one of them would be relaxed and then have no distance.
    """
    if not is_hull_file(spec.hull.source):
        return
    missing = sorted(candidate_elements(spec, dataset) - hull.elements)
    if missing:
        raise CampaignError(
            f"hull file {spec.hull.source} has no phase of {', '.join(missing)}, which candidates "
            "may have: add phases of them, or leave the elements out "
            f"(screening.excluded_elements: [{', '.join(missing)}])"
        )


def needs_labels(spec: CampaignSpec, dataset: Dataset) -> bool:
    """Whether too few labels for a target, or for all of them, keep a campaign from beginning."""
    if spec.dataset.few_labels == "refuse":
        return True
    if all(source.frozen_snapshot for source in spec.sources):
        return False
    return len(open_targets(spec, dataset)) == len(spec.targets)


def needs_store(spec: CampaignSpec) -> bool:
    """Whether the campaign's hull or correction rests on what is in the database."""
    if spec.hull.source == "engine":
        return True
    correction = get_correction(spec.validation.correction)
    return correction.is_fitted


def check_validation(
    spec: CampaignSpec, dataset: Dataset, store: Store | None = None
) -> tuple[str, ...]:
    """Check the engine of the validation for every element that candidates may have.

    Parameters
    ----------
    store
        As for `prepare`.

    Returns
    -------
    What the engine needs and this machine lacks, though those that compute may have it.

    Raises
    ------
    CampaignError, SettingsError
        An element, a pseudopotential, a setting or reference energies that the engine cannot do
        without.
    """
    engine = load_engine(spec.validation.engine)
    symbols = candidate_elements(spec, dataset)
    is_fitted = get_correction(spec.validation.correction).is_fitted
    if spec.validation.references:
        _check_references(spec, symbols)
    elif computes_elements(spec):
        _check_computed_elements(spec, symbols, store)
    elif not is_fitted and asks_engine_for_energies(spec):
        _must_know_an_element(spec, symbols)
    if spec.validates_elsewhere:
        return ()  # whoever computes has what it takes
    missing: dict[str, None] = {}  # in order, each problem once
    for preset in presets(spec):
        problems = engine.check(preset, symbols)
        missing.update(dict.fromkeys(problems))
    return tuple(missing)


def doubts(spec: CampaignSpec, dataset: Dataset) -> tuple[str, ...]:
    """What the engine of the validation doubts about elements that candidates may have."""
    engine = load_engine(spec.validation.engine)
    symbols = candidate_elements(spec, dataset)
    found: dict[str, None] = {}
    for preset in presets(spec):
        found.update(dict.fromkeys(engine.doubts(preset, symbols)))
    return tuple(found)


def _check_computed_elements(
    spec: CampaignSpec, symbols: Collection[str], store: Store | None
) -> None:
    """CampaignError if the engine has not computed all elements of its own hull yet."""
    for preset in presets(spec):
        computed = element_energies(spec, preset, store)
        missing = sorted(set(symbols).difference(computed))
        if missing:
            raise CampaignError(
                f"engine {spec.validation.engine!r} has computed no energy of {', '.join(missing)} "
                f"with preset {preset!r}: run `gen2dft calibrate` with the campaign first, or "
                "leave the element out (screening.allowed_elements, screening.excluded_elements)"
            )


def _check_references(spec: CampaignSpec, symbols: Collection[str]) -> None:
    """CampaignError if the given energies of the elements lack one, or are not what the correction
    is fitted to.
    """
    validation = spec.validation
    correction = get_correction(validation.correction)
    if correction.is_fitted:
        raise CampaignError(
            f"validation.references and correction {validation.correction!r} do not go together: "
            "the calibration computes the elements that it is fitted against (gen2dft calibrate); "
            "leave the references out"
        )
    for preset in presets(spec):
        given = validation.references_of(preset)
        missing = sorted(set(symbols).difference(given))
        if missing:
            stage = "validation" if preset == validation.preset else "validation.refine"
            raise CampaignError(
                f"{stage}.references has no energy of {', '.join(missing)}, "
                "which candidates may have; or leave the references out and let the screen judge "
                f"energies, as `--engine {validation.engine}` does by itself (targets: by: screen)"
            )


def _must_know_an_element(spec: CampaignSpec, symbols: Collection[str]) -> None:
    """CampaignError if the engine has no reference energy at all, so that no target on the energy
    could be judged.
    """
    from pymatgen.core import Composition

    engine, problem = load_engine(spec.validation.engine), None
    for symbol in sorted(symbols):
        try:
            engine.formation_energy(Composition(symbol), 0.0)
        except DatasetError as err:
            problem = err
        else:
            return
    raise CampaignError(
        f"the targets ask for energies, but {problem}; or let the screen judge them, as `--engine "
        f"{engine.name}` does by itself (targets: by: screen)"
    ) from problem


def open_targets(spec: CampaignSpec, dataset: Dataset) -> list[str]:
    """Properties of targets that too few crystals carry to be learnt.

    Labels to come may change that.
    """
    counts = dataset.num_labels()
    least = spec.dataset.min_labels
    names = [target.property for target in spec.targets]
    return [name for name in names if counts.get(name, 0) < least]
