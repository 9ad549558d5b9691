"""The reference hull that a campaign names: from its data, the Materials Project, its own engine,
or a file.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import CampaignSpec, DatasetSpec
from gen2dft.campaign.engine_defaults import EXTERNAL
from gen2dft.crystal_documents import structure_of
from gen2dft.datasets import load_dataset
from gen2dft.datasets.sources import BUILTIN, LABELLED_BY_A_POTENTIAL
from gen2dft.engines import load_engine
from gen2dft.errors import MixedEnergies, ThermoError
from gen2dft.ground.energies import fitted_of, formation_energy
from gen2dft.ground.roles import energies_by
from gen2dft.store.documents import HullDoc, ReferenceDoc
from gen2dft.thermo.corrections import get_correction, refuse_twice
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_file import is_hull_file, read_hull_file
from gen2dft.thermo.known_hulls import KNOWN_HULLS
from gen2dft.thermo.materials_project import NAME as WHOLE
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.scales import MATERIALS_PROJECT, must_share, one_engine, one_run_type

if TYPE_CHECKING:
    from gen2dft.calculation import Calculation
    from gen2dft.dataset import Dataset
    from gen2dft.store.store import Store

DEFAULT_THERMO_TYPE = "GGA_GGA+U"
HULLS_KEPT = 4
_LOADED: dict[str, ReferenceHull] = {}


def campaign_hull(
    spec: CampaignSpec, cache_dir: Path | None = None, store: Store | None = None
) -> ReferenceHull:
    """The hull that labels of a campaign are measured against.

    Parameters
    ----------
    cache_dir
        Folder for parsed files and downloads.
    store
        Needed where the campaign's own engine makes the hull.

    Raises
    ------
    ThermoError
        No reference phase computed yet, phases that mix engines or run types, a file that is none.
    """
    if spec.hull.source == "engine":
        return engine_hull(spec, store)
    return hull_from(spec.hull.source, spec, cache_dir)


def hull_from(source: str, spec: CampaignSpec, cache_dir: Path | None = None) -> ReferenceHull:
    """The hull of the campaign's data (`dataset`), or of the source, hull file or dataset that is
    named.
    """
    if source == "dataset":
        return dataset_hull(spec, cache_dir)
    if source == "materials-project":
        return materials_project_hull(spec, cache_dir)
    if source == WHOLE:
        return _with_own_phases(whole_hull(), spec, cache_dir)
    if source in KNOWN_HULLS:
        return KNOWN_HULLS[source]()
    if is_hull_file(source):
        return read_hull_file(Path(source), spec.hull.hash, spec.hull.scale)
    query = DatasetSpec(source=source, columns=spec.dataset.columns, accept=spec.dataset.accept)
    dataset = load_dataset(whole_source(query), seed=spec.seed, cache_dir=cache_dir)
    return _hull_of(dataset, source, spec)


def _with_own_phases(
    hull: ReferenceHull, spec: CampaignSpec, cache_dir: Path | None
) -> ReferenceHull:
    """The hull with the phases of the campaign's data, where these are DFT's on its scale.

    The sets that ship with labels of a potential stay out: its error would move the hull.
    """
    source = spec.dataset.source
    scale = MATERIALS_PROJECT if source in BUILTIN else spec.hull.scale
    if source in LABELLED_BY_A_POTENTIAL or scale != hull.scale:
        return hull
    own = dataset_hull(spec, cache_dir)
    compositions = [dict(entry.composition) for entry in own.entries]
    return hull.joined_by(compositions, [entry.formation_energy for entry in own.entries])


def _hull_of(dataset: Dataset, source: str, spec: CampaignSpec) -> ReferenceHull:
    """Hull of a dataset, on the scale of its source."""
    # Sources that need no file are known; a user's file says its own, or is taken as it is.
    scale = MATERIALS_PROJECT if source in BUILTIN else spec.hull.scale
    return ReferenceHull.from_dataset(dataset, scale=scale, coverage=spec.hull.coverage)


def dataset_hull(spec: CampaignSpec, cache_dir: Path | None = None) -> ReferenceHull:
    """Hull of all crystals of the campaign's source, those too that are filtered out of the
    training set.

    A crystal too far above the hull to learn from still is no stabler for it.
    """
    whole = whole_source(spec.dataset)
    dataset = load_dataset(whole, seed=spec.seed, cache_dir=cache_dir, properties=spec.properties)
    return _hull_of(dataset, spec.dataset.source, spec)


def materials_project_hull(spec: CampaignSpec, cache_dir: Path | None = None) -> ReferenceHull:
    """The Materials Project's stable phases of one thermo type, up to the campaign's number of
    elements.
    """
    from gen2dft.datasets.materials_project import read_stable_phases

    kind = spec.hull.thermo_type
    most_elements = max(spec.dataset.num_elements)
    phases = read_stable_phases(kind, most_elements, cache_dir)
    scale = MATERIALS_PROJECT if kind == DEFAULT_THERMO_TYPE else f"{MATERIALS_PROJECT}:{kind}"
    compositions = [composition for composition, _ in phases]
    energies = [energy for _, energy in phases]
    coverage = spec.hull.coverage
    return ReferenceHull.build(
        compositions, energies, scale=scale, coverage=coverage, known_stable=compositions
    )


def computes_elements(spec: CampaignSpec) -> bool:
    """Whether the campaign's own engine computes its elements too: DFT with a hull of its own and
    none given.
    """
    if spec.hull.source != "engine":
        return False
    validation = spec.validation
    is_dft = load_engine(validation.engine).is_dft
    is_given = get_correction(validation.correction).is_fitted or validation.references
    return is_dft and not is_given


def element_energies(spec: CampaignSpec, preset: str, store: Store | None) -> dict[str, float]:
    """Symbol to energy of the element with a preset, eV/atom: given by the campaign, or computed
    for its own hull.

    Empty where the engine or a calibration brings them.
    """
    if not computes_elements(spec):
        return spec.validation.references_of(preset)
    lowest: dict[str, float] = {}
    for document in _computed_phases(spec, preset, store):
        symbols = list(_composition(document))
        if len(symbols) == 1:
            (symbol,) = symbols
            lowest[symbol] = min(document.energy_per_atom, lowest.get(symbol, math.inf))
    return lowest


def _computed_phases(spec: CampaignSpec, preset: str, store: Store | None) -> list[ReferenceDoc]:
    """Reference phases that the campaign's engine has computed with a preset."""
    if store is None:
        return []
    engine = load_engine(spec.validation.engine)
    return store.references(engine.name, engine.preset(preset).settings_hash)


def engine_hull(spec: CampaignSpec, store: Store | None) -> ReferenceHull:
    """Hull of the reference phases that the campaign's engine has computed (`gen2dft
    calibrate`).
    """
    preset = final_preset(spec)
    found = _computed_phases(spec, preset, store)
    if not found:
        engine = load_engine(spec.validation.engine)
        raise ThermoError(
            f"hull.source is `engine`, and engine {engine.name!r} has computed no reference phase "
            f"with preset {preset!r} yet: run `gen2dft calibrate` with the campaign first, or let "
            "the screen judge stability: --set hull.source=dataset and `by: screen` on the target"
        )
    energies = _reference_energies(spec, store, preset, found)
    stable = [_composition(document) for document in found if document.known_stable]
    return ReferenceHull.build(
        [_composition(document) for document in found],
        [energy.value for energy in energies],
        scale=energies[0].scale,
        coverage=spec.hull.coverage,
        known_stable=stable,
    )


def _reference_energies(
    spec: CampaignSpec, store: Store | None, preset: str, found: list[ReferenceDoc]
) -> list[Any]:
    """Corrected formation energies of reference phases; they must be of one kind."""
    name, what = spec.validation.correction, "the reference phases of the hull"
    engine = load_engine(one_engine((doc.engine for doc in found), what))
    if get_correction(name).scale is None and engine.scale is None:
        one_run_type((doc.run_type for doc in found), what)
    calibration = require_calibration(spec, preset, store)
    fitted = fitted_of(calibration) if calibration else None
    references = element_energies(spec, preset, store)
    return [
        formation_energy(reference_calculation(doc), name, fitted, references, doc.name)
        for doc in found
    ]


def reference_calculation(document: ReferenceDoc) -> Calculation:
    """The calculation of a stored reference phase, as far as it was kept."""
    from gen2dft.calculation import Calculation

    return Calculation(
        engine=document.engine,
        structure=structure_of(document.structure),
        energy_per_atom=document.energy_per_atom,
        converged=True,  # others are not kept
        run_type=document.run_type,
        hubbards=document.hubbards,
    )


def _composition(document: ReferenceDoc) -> dict[str, float]:
    from pymatgen.core import Composition

    return dict(Composition(document.formula).get_el_amt_dict())


def final_preset(spec: CampaignSpec) -> str:
    """The preset that final labels are computed with."""
    refine = spec.validation.refine
    return refine.preset if refine else spec.validation.preset


def presets(spec: CampaignSpec) -> tuple[str, ...]:
    """All presets that labels are computed with: the first stage's and the refinement's."""
    return tuple(dict.fromkeys((spec.validation.preset, final_preset(spec))))


def require_calibration(spec: CampaignSpec, preset: str, store: Store | None) -> Any:
    """The calibration of the campaign's correction for one preset.

    None if the correction needs none.

    Raises
    ------
    ThermoError
        If it needs one and there is none: nothing may be ranked before it exists.
    """
    name = spec.validation.correction
    if not get_correction(name).is_fitted:
        return None
    engine = load_engine(spec.validation.engine)
    settings_hash = engine.preset(preset).settings_hash
    found = store.calibration(name, engine.name, settings_hash) if store else None
    if found is None:
        raise ThermoError(
            f"campaign {spec.name!r} uses correction {name!r}, which is not fitted yet for engine "
            f"{engine.name!r} with preset {preset!r}: run `gen2dft calibrate` with the campaign "
            "first; nothing is ranked before"
        )
    return found


def check_scales(spec: CampaignSpec, hull: ReferenceHull) -> None:
    """Refuse, before work begins, energies that cannot meet the hull.

    Raises
    ------
    ThermoError
        A correction applied to energies that carry it already, another scale than the hull's, or
        own phases that would join a hull of unknown scale.
    """
    name = spec.validation.correction
    engine = load_engine(spec.validation.engine)
    is_of_the_screen = energies_by(spec) == "screen"
    if not is_of_the_screen:
        refuse_twice(name, engine.name, engine.scale)
    if hull.scale is None:
        _refuse_own_phases(spec, engine.name)
    if hull.scale is None or is_of_the_screen:
        return  # energies of the screen are measured against a hull of their own scale
    if engine.name == EXTERNAL:
        return  # each answer names its scale, which is compared then
    scale = get_correction(name).scale or engine.scale
    hull_engine, _, _ = hull.scale.partition(":")
    if scale is None and hull_engine == engine.name:
        return  # the run type is only known once something has run; ingest compares it
    labels = f"labels of engine {engine.name!r} with correction {name!r}"
    remedy = (
        f"Let the screen judge stability, as `--engine {engine.name}` does by itself (targets: "
        "by: screen), choose validation.correction so that labels come to the hull's scale, or "
        "hull.source: engine"
    )
    must_share(hull.scale, [scale or engine.name], labels, remedy)


def _refuse_own_phases(spec: CampaignSpec, engine: str) -> None:
    """Refuse labels that would join a hull of unknown scale."""
    if spec.hull.own_phases:
        raise MixedEnergies(
            f"hull.own_phases: labels of engine {engine!r} would join a hull that does not say "
            "what its energies are measured on: say it, hull.scale: materials-project for such "
            "energies, or set hull.own_phases: false"
        )


def screen_hull(
    spec: CampaignSpec, hull: ReferenceHull, cache_dir: Path | None = None
) -> ReferenceHull | None:
    """The hull for the surrogate where its energies are on another scale than the labels': that of
    the dataset.
    """
    engine = load_engine(spec.screening.surrogate.engine)
    scale = engine.scale or engine.name
    if hull.scale in (None, scale):
        return None
    own = dataset_hull(spec, cache_dir)
    remedy = "Choose a surrogate on the scale of dataset or hull"
    must_share(own.scale, [scale], f"energies of the screen's engine {engine.name!r}", remedy)
    return own


def put_hull(store: Store, hull: ReferenceHull, source: str) -> str:
    """Keep a hull; its id. The same hull again adds nothing."""
    key = hull.hull_hash
    blob_id = store.put_blob(hull.to_bytes(), "hull")
    document = HullDoc(
        id=key,
        blob_id=blob_id,
        source=source,
        num_entries=hull.num_entries,
        scale=hull.scale,
    )
    store.insert_new(document)
    return key


def get_hull(store: Store, hull_id: str) -> ReferenceHull:
    """A stored hull; it is read once per process, with the hulls of its chemical systems."""
    if hull_id not in _LOADED:  # an id is the hash of the content, whichever store it comes from
        document = store.get(HullDoc, hull_id)
        data = store.get_blob(document.blob_id)
        if len(_LOADED) >= HULLS_KEPT:
            _LOADED.clear()
        _LOADED[hull_id] = ReferenceHull.from_bytes(data, f"hull {hull_id}")
    return _LOADED[hull_id]


def whole_source(spec: DatasetSpec) -> DatasetSpec:
    """The whole source.

    Materials Project's own distances already carry its whole hull, so it is not fetched whole.
    """
    if spec.source == "materials-project":
        return spec
    no_limits = {
        "num_elements": tuple(range(1, 10)),
        "max_sites": 10**6,
        "max_e_above_hull": None,
        "max_crystals": None,
    }
    return spec.model_copy(update=no_limits)
