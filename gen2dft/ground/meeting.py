"""Where energies of two kinds meet on one hull although no rule forbids it: the word that says so.

`gen2dft.thermo.scales` refuses energies whose scales are known to differ. A file does not say what
its energies are measured on, and a potential's pass for those that it was fitted to. So a user must
be told, before work begins and in the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gen2dft.campaign import CampaignSpec
from gen2dft.campaign.hull import WHOLE_HULL
from gen2dft.datasets.sources import BUILTIN, LABELLED_BY_A_POTENTIAL
from gen2dft.engines import load_engine
from gen2dft.ground.roles import energies_by
from gen2dft.thermo.scales import MATERIALS_PROJECT

OFF = "tenths of an eV/atom"
LOUD = "ENERGIES OF TWO KINDS MEET ON ONE HULL"


def energies_that_meet(spec: CampaignSpec, hull_scale: str | None) -> tuple[str, ...]:
    """One text for each way in which energies of two kinds share the campaign's hull.

    Each says which energies meet, on which scale, what that does to distances, and the key of the
    campaign file that mends it. Empty where all energies are of one kind, or are corrected to it.

    Parameters
    ----------
    hull_scale
        Scale of the campaign's hull; None: nobody states it.
    """
    return tuple(f"{LOUD}: {text}" for text in _texts(spec, hull_scale))


def _texts(spec: CampaignSpec, hull_scale: str | None) -> Iterator[str]:
    if hull_scale is None:
        yield _of_unknown_scale(spec)
    elif _is_of_a_file(spec) and spec.hull.scale == MATERIALS_PROJECT:
        yield _of_a_stated_scale(spec)
    if _potential_joins(spec):
        yield _of_own_phases(spec)
    if _hull_is_of_a_potential(spec) and not _is_surrogate(spec):
        yield _of_a_potential_below_dft(spec)


def _of_unknown_scale(spec: CampaignSpec) -> str:
    """The energies of a file, and those of an engine."""
    return (
        f"the hull is made of the formation energies of {_file(spec)}, of which nobody says the "
        f"scale, and {_measured(spec)} are measured against it. Distances to the hull then hold "
        f"the difference of the two scales as well, often {OFF}: they do not measure stability, "
        f"and no correction applies. If the file's energies are the Materials Project's "
        f"(GGA/GGA+U, MP2020), say hull.scale: {MATERIALS_PROJECT}; if they are DFT of your own, "
        f"hull.source: {WHOLE_HULL} measures distances against the Materials Project alone, and "
        "your energies only train"
    )


def _of_a_stated_scale(spec: CampaignSpec) -> str:
    """The energies of a file that is said to be on the Materials Project's scale."""
    return (
        f"the formation energies of {_file(spec)} lie on one hull with {_measured(spec)}, since "
        f"the campaign says hull.scale: {MATERIALS_PROJECT}. Uncorrected DFT of your own is not on "
        f"that scale, and shifts distances by {OFF}; remove hull.scale then, and set hull.source: "
        f"{WHOLE_HULL}"
    )


def _of_own_phases(spec: CampaignSpec) -> str:
    """A potential's labels, which join a hull of DFT."""
    return (
        f"hull.own_phases lets formation energies of {_potential(spec)}, a potential, join a hull "
        f"of DFT energies. Its error, often {OFF}, then moves the hull itself for all later "
        "rounds: one energy that is too low makes its neighbours look unstable. "
        "hull.own_phases: false keeps the hull as it is"
    )


def _of_a_potential_below_dft(spec: CampaignSpec) -> str:
    """DFT labels, on a hull of the potential's energies."""
    engine = spec.validation.engine
    return (
        f"the hull is made of the energies of {spec.dataset.source}, which a potential (CHGNet) "
        f"computed, and labels of {engine} (DFT) are measured against it. Distances hold the "
        f"potential's error, often {OFF}. hull.source: {WHOLE_HULL} measures DFT against DFT"
    )


def _is_of_a_file(spec: CampaignSpec) -> bool:
    """Whether phases of the user's own data lie on the hull."""
    joins = spec.hull.source in ("dataset", WHOLE_HULL)
    return joins and spec.dataset.source not in BUILTIN


def _potential_joins(spec: CampaignSpec) -> bool:
    if not spec.hull.own_phases or _hull_is_of_a_potential(spec):
        return False
    return energies_by(spec) == "screen" or _is_surrogate(spec)


def _hull_is_of_a_potential(spec: CampaignSpec) -> bool:
    return spec.hull.source == "dataset" and spec.dataset.source in LABELLED_BY_A_POTENTIAL


def _is_surrogate(spec: CampaignSpec) -> bool:
    """Whether the labels' energies are a potential's."""
    return energies_by(spec) == "screen" or not load_engine(spec.validation.engine).is_dft


def _measured(spec: CampaignSpec) -> str:
    """The energies that are measured against the hull, with their scales."""
    surrogate = spec.screening.surrogate
    names = [_with_scale(surrogate.engine, surrogate.preset)]
    validation = spec.validation
    if energies_by(spec) == "engine" and validation.engine != surrogate.engine:
        names.append(_with_scale(validation.engine, str(validation.preset)))
    return f"the energies of {' and of '.join(names)}"


def _with_scale(name: str, preset: str) -> str:
    scale = load_engine(name).scale
    return f"{name} {preset} ({'scale ' + scale if scale else 'a scale of its own'})"


def _potential(spec: CampaignSpec) -> str:
    surrogate = spec.screening.surrogate
    by_the_screen = energies_by(spec) == "screen"
    return surrogate.engine if by_the_screen else spec.validation.engine


def _file(spec: CampaignSpec) -> str:
    """The data whose energies make the hull, by its short name."""
    source = spec.hull.source
    return Path(spec.dataset.source if source in ("dataset", WHOLE_HULL) else source).name
