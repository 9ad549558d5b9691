"""Registered engines describe themselves, and the contract finds what is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import springs
from springs import CSCL, SPRINGS

from gen2dft import engines
from gen2dft.calculation import Calculation
from gen2dft.engines import ENGINES, load_engine
from gen2dft.engines.base import Engine
from gen2dft.engines.contract import validate_bands, validate_engine
from gen2dft.engines.makers import makers_of
from gen2dft.errors import CalculationFailed, CampaignError, PluginMissing
from gen2dft.properties import PROPERTIES


@pytest.mark.parametrize("name", ENGINES)
def test_registered_engines_describe_themselves(name: str):
    engine = load_engine(name)
    assert engine.provides <= set(PROPERTIES)
    for preset_name, preset in engine.presets.items():
        assert preset.name == preset_name
        assert preset.contents()["description"] == preset.description
    makers = makers_of(engine, next(iter(engine.presets)))
    assert (makers.uniform_bands is not None) == ("band_gap" in engine.provides)
    assert (engine.read_bands is not None) == ("band_gap" in engine.provides)


def test_the_contract_holds_for_springs():
    validate_engine(SPRINGS, "soft", CSCL)
    validate_bands(SPRINGS, "soft", CSCL)


def told(**changes: object) -> Callable[..., Calculation]:
    """The static calculation of springs with some of its result changed."""

    def static(structure, preset):
        found = {name: value(structure) for name, value in changes.items()}
        return springs.static(structure, preset).model_copy(update=found)

    return static


def collapsed(structure, preset):
    return springs.static(CSCL, preset).model_copy(update={"structure": structure})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"static": told(energy_per_atom=len)}, "supercell changes the energy"),
        ({"static": told(energy_per_atom=lambda s: s.frac_coords[0][0])}, "translation changes"),
        ({"static": told(energy_per_atom=lambda s: np.nan)}, "energy_per_atom is not finite"),
        ({"static": told(values=lambda s: {"taste": 1.0})}, "no unit is registered for taste"),
        ({"static": told(values=lambda s: {"band_gap": np.inf})}, "band_gap is not finite"),
        ({"relax": told(energy_per_atom=lambda s: 9.0)}, "relaxation raises the energy to 9.0"),
        ({"relax": lambda s, p: springs.static(s * 2, p)}, "changes the composition"),
        ({"formation_energy": lambda c, e: np.nan}, "formation energy is not finite"),
        ({"static": collapsed}, "1 Angstrom.3 per atom is accepted"),
    ],
)
def test_a_broken_contract_is_found(changes: dict, message: str):
    with pytest.raises(CalculationFailed, match=f"contract_broken: .*{message}"):
        validate_engine(replace(SPRINGS, **changes), "soft", CSCL)


def same_mesh(structure, preset, folder, scale):
    return springs.bands(structure, preset, folder, 1.0)


def of_another_crystal(structure, preset, folder, scale):
    return springs.bands(springs.OTHER, preset, folder, scale)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"read_bands": None}, "'springs' lacks `bands` or `read_bands`"),
        ({"provides": frozenset()}, "must name band_gap in `provides`"),
        ({"bands": same_mesh}, "a scale of 0.7 leaves the mesh as coarse as it is"),
        ({"bands": of_another_crystal}, "the bands are those of another crystal"),
        ({"read_bands": springs.made_up_bands}, "bands are read from an empty folder"),
    ],
)
def test_broken_bands_are_found(changes: dict, message: str):
    with pytest.raises(CalculationFailed, match=f"contract_broken: .*{message}"):
        validate_bands(replace(SPRINGS, **changes), "soft", CSCL)


def test_unknown_engine_and_preset_are_refused_with_the_choices():
    with pytest.raises(CampaignError, match=r"engine 'mlpi' is not one of .* Did you mean 'mlip'"):
        load_engine("mlpi")
    with pytest.raises(
        CampaignError, match=r"preset of engine 'springs' 'hard' is not one of \['soft'\]"
    ):
        SPRINGS.preset("hard")
    with pytest.raises(CampaignError, match="preset of engine 'springs' 'hard' is not one of"):
        makers_of(SPRINGS, "hard")


@pytest.mark.parametrize("error", [ImportError("no module named x"), TypeError("no argument x")])
def test_an_engine_that_cannot_be_loaded_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def broken() -> Engine:
        raise error

    monkeypatch.setitem(engines.ENGINES, "broken", broken)
    with pytest.raises(PluginMissing, match=r"engine 'broken' of .* cannot be loaded: no .* x"):
        load_engine("broken")
