"""Who judges what: the validation's engine, the surrogate of the screen, both, or the heads.

Energies on different scales never share a hull. Where the engine's cannot meet the campaign's hull,
the surrogate says how stable a crystal is, and the engine computes the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gen2dft.campaign import CampaignSpec, Target
from gen2dft.campaign.engine_defaults import EXTERNAL
from gen2dft.campaign.spec import OF_THE_ENGINE, OF_THE_SCREEN
from gen2dft.datasets.sources import BUILTIN
from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.ground.elsewhere import check_elsewhere
from gen2dft.properties import ENERGIES
from gen2dft.property_steps import provided
from gen2dft.thermo.corrections import get_correction
from gen2dft.thermo.known_hulls import KNOWN_HULLS
from gen2dft.thermo.scales import MATERIALS_PROJECT

if TYPE_CHECKING:
    from gen2dft.engines.base import Engine

STABILITY = "e_above_hull"
FREE_DFT = "`--engine gpaw`"


def asks_engine_for_energies(spec: CampaignSpec) -> bool:
    """Whether a target on an energy is the engine's to judge, which takes references and a hull.

    The distance to the hull takes neither where competing phases are computed.
    """
    asked = [target for target in _on_energies(spec) if target.by in OF_THE_ENGINE]
    if spec.validation.competing and not gives_energies(spec):
        asked = [target for target in asked if target.property != STABILITY]
    return bool(asked)


def energies_by(spec: CampaignSpec) -> Literal["engine", "screen"]:
    """Whose formation energies and distances to the hull the labels of a campaign carry.

    The engine's if a target asks it for them. Without a target on energies they are the engine's
    where they can meet the hull. All other labels take the surrogate's.
    """
    if asks_engine_for_energies(spec):
        return "engine"
    is_told = bool(_on_energies(spec))
    return "screen" if is_told or not gives_energies(spec) else "engine"


def _on_energies(spec: CampaignSpec) -> list[Target]:
    return [target for target in spec.targets if target.property in ENERGIES]


def gives_energies(spec: CampaignSpec) -> bool:
    """Whether the engine's energies can meet the campaign's hull: they have references, and are not
    known to be on another scale.

    Results that are told name their scale, and those on another are refused.
    """
    if spec.validation.engine == EXTERNAL:
        return True
    correction = get_correction(spec.validation.correction)
    if spec.hull.source == "engine" or correction.is_fitted:
        return True
    engine = load_engine(spec.validation.engine)
    if not (spec.validation.references or _knows_an_element(engine)):
        return False
    is_on_a_scale = (correction.scale or engine.scale) is not None
    return is_on_a_scale or not _has_corrected_hull(spec)


def _knows_an_element(engine: Engine) -> bool:
    """Whether an engine brings a reference energy of any element."""
    from pymatgen.core import Composition, Element

    for element in Element:
        try:
            engine.formation_energy(Composition(element.symbol), 0.0)
        except DatasetError:
            continue
        return True
    return False


def _has_corrected_hull(spec: CampaignSpec) -> bool:
    """Whether the energies of the campaign's hull are the Materials Project's."""
    source = spec.hull.source
    if source == "dataset":
        source = spec.dataset.source
    return source in {*BUILTIN, *KNOWN_HULLS} or spec.hull.scale == MATERIALS_PROJECT


def with_stability_by_the_screen(spec: CampaignSpec) -> CampaignSpec:
    """The campaign with targets on energies judged by the screen, if the engine's energies cannot
    meet the hull.

    Targets that say who judges them stay as they are.
    """
    if gives_energies(spec):
        return spec
    targets = []
    for target in spec.targets:
        is_left_open = target.property in ENERGIES and target.by is None
        by = "screen" if is_left_open else target.by
        targets.append(target.model_copy(update={"by": by}))
    return spec.model_copy(update={"targets": tuple(targets)})


def check_roles(spec: CampaignSpec) -> None:
    """CampaignError for a target whose judge does not compute its property, and for what nobody
    could do in a campaign whose results are told.
    """
    check_elsewhere(spec)
    engine, surrogate = spec.validation.engine, spec.screening.surrogate.engine
    for target in spec.targets:
        # Whatever is measured or computed elsewhere may be told.
        if target.by in ("engine", "both") and engine != EXTERNAL:
            _must_compute(target, engine, provided(spec, engine))
        if target.by in OF_THE_SCREEN:
            _must_compute(target, surrogate, load_engine(surrogate).provides)


def _must_compute(target: Target, engine: str, computed: frozenset[str]) -> None:
    if target.property in computed:
        return
    raise CampaignError(
        f"target {target.property!r} is judged `by: {target.by}`, but engine {engine!r} computes "
        f"{', '.join(sorted(computed))} alone: choose an engine that computes it, such as "
        f"{FREE_DFT}, or by: prediction"
    )
