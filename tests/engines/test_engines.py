from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stand_in_environment
from pymatgen.core import Lattice, Structure

from gen2dft.engines import ENGINES, load_engine
from gen2dft.engines.base import (
    CalculationDoc,
    CalculationFailure,
    Engine,
    Makers,
    Relaxed,
    run_task,
    validate_engine,
)
from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.properties import PROPERTIES

CSCL = Structure(Lattice.cubic(4.2), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.47]])


def unavailable(preset: str) -> Makers:
    raise NotImplementedError(preset)


def spring_energy(structure: Structure) -> float:
    """Half the squared deviation of each nearest distance from 3.5 Angstrom, eV/atom."""
    if structure.volume < 10 * len(structure):
        raise CalculationFailed("volume_out_of_range", "too dense")
    distances = structure.distance_matrix + 99 * np.eye(len(structure))
    return float(0.5 * (distances.min(axis=1) - 3.5) @ (distances.min(axis=1) - 3.5)) / len(
        structure
    )


def spring_static(structure: Structure, preset: str) -> Relaxed:
    return Relaxed(structure, spring_energy(structure), None, None, None, True, 0.0, 0, 1.0)


def spring_relax(structure: Structure, preset: str) -> Relaxed:
    grown = structure.copy()
    grown.scale_lattice(structure.volume * 1.01)
    return spring_static(grown, preset)


class Soft:
    name = "soft"
    settings_hash = "0123456789ab"


SPRINGS = Engine(
    "springs",
    False,
    frozenset(),
    {"soft": Soft()},
    spring_relax,
    spring_static,
    unavailable,
    lambda composition, energy: energy,
)


def ready_engine(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[Engine, str]:
    """An engine that can run here, and a preset for CsCl.

    VASP is stood in for, and has no references of its own.
    """
    if name == "vasp":
        stand_in_environment.install(monkeypatch, folder)
        monkeypatch.chdir(folder)
        return replace(
            load_engine(name), formation_energy=lambda composition, energy: energy
        ), "mp-ggau-v1"
    pytest.importorskip("chgnet")
    return load_engine(name), next(iter(load_engine(name).presets))


# GPAW is not everywhere, and slow: tests/engines/gpaw tests its contract with rough settings.
@pytest.mark.filterwarnings(*stand_in_environment.WARNINGS)
@pytest.mark.parametrize("name", sorted(set(ENGINES) - {"gpaw"}))
def test_registered_engines_keep_their_contract(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    engine, preset = ready_engine(name, monkeypatch, tmp_path)
    assert engine.name == name
    assert engine.provides <= set(PROPERTIES)
    validate_engine(engine, preset, CSCL)


@pytest.mark.parametrize("name", ENGINES)
def test_registered_engines_describe_themselves(name: str):
    engine = load_engine(name)
    for preset_name, preset in engine.presets.items():
        assert preset.name == preset_name
        assert preset.contents()["description"] == preset.description
    makers = engine.makers(next(iter(engine.presets)))
    assert (makers.uniform_bands is not None) == ("band_gap" in engine.provides)


def test_the_contract_holds_for_springs():
    validate_engine(SPRINGS, "soft", CSCL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"static": lambda s, p: replace(spring_static(s, p), energy=float(len(s)))},
            "supercell changes the energy",
        ),
        (
            {"static": lambda s, p: replace(spring_static(s, p), energy=s.frac_coords[0][0])},
            "translation changes",
        ),
        (
            {"relax": lambda s, p: replace(spring_static(s, p), energy=9.0)},
            "relaxation raises the energy",
        ),
        ({"relax": lambda s, p: spring_static(s * 2, p)}, "changes the composition"),
        ({"formation_energy": lambda c, e: np.nan}, "formation energy is not finite"),
        (
            {"static": lambda s, p: replace(spring_static(CSCL, p), structure=s)},
            "1 Angstrom.3 per atom is accepted",
        ),
    ],
)
def test_a_broken_contract_is_found(changes: dict, message: str):
    with pytest.raises(CalculationFailed, match=message):
        validate_engine(replace(SPRINGS, **changes), "soft", CSCL)


def test_unknown_engine_and_preset_are_refused_with_the_choices():
    with pytest.raises(CampaignError, match=r"engine 'mlpi' is not one of .* Did you mean 'mlip'"):
        load_engine("mlpi")
    with pytest.raises(
        CampaignError, match=r"preset of engine 'springs' 'hard' is not one of \['soft'\]"
    ):
        SPRINGS.preset("hard")


def test_a_document_carries_total_energy_cost_and_settings():
    doc = run_task("static", SPRINGS, "soft", CSCL * 2, None, {"springs": "1"})
    assert isinstance(doc, CalculationDoc)
    assert doc.energy == pytest.approx(16 * doc.energy_per_atom)
    assert doc.core_hours == pytest.approx(1 / 3600)
    assert (doc.settings_hash, doc.is_dft, doc.versions) == (
        "0123456789ab",
        False,
        {"springs": "1"},
    )


def test_a_failed_calculation_becomes_a_document_and_stops_the_next():
    dense = CSCL.copy()
    dense.scale_lattice(1.0)
    failed = run_task("relax", SPRINGS, "soft", dense, None, {})
    assert failed == CalculationFailure(reason="volume_out_of_range", detail="too dense")
    assert run_task("static", SPRINGS, "soft", None, failed, {}) == failed
    assert run_task("static", SPRINGS, "soft", None, None, {}).reason == "no_structure"
