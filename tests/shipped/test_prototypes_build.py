import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from gen2dft.calculation import Calculation
from gen2dft.errors import CalculationFailed, DatasetError, OutputError
from gen2dft.generators.decorations import decorations
from gen2dft.shipped import prototypes_build
from gen2dft.shipped.prototypes_build import build_checkpoint, ordered_formulas, rank, work_on
from gen2dft.shipped.prototypes_checkpoint import BuildPlan

PLAN = BuildPlan(max_sites=4, relaxations=2)
FORMULAS = ["NaCl", "MgO", "KBr", "CaS"]


def library():
    types = {"rs": ("Fm-3m", [0.5] * 3), "zb": ("F-43m", [0.25] * 3)}
    for label, (group, place) in types.items():
        crystal = Structure.from_spacegroup(
            group, Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], place]
        )
        yield {"snl": SimpleNamespace(structure=crystal), "tags": {"aflow": label}}
    chloride = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(4), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]
    )
    yield {"snl": SimpleNamespace(structure=chloride), "tags": {"aflow": "cscl"}}


def fake(structure, settings, converged=True):
    """Rock salt lowest, zincblende fails, everything under a pressure of 10 GPa."""
    group = structure.get_space_group_info()[1]
    if group == 216:
        raise CalculationFailed("atoms_too_close", "zincblende")
    energy = {225: -4.0, 221: -3.9}[group]
    return Calculation(
        structure=structure,
        energy_per_atom=energy,
        stress=-10 * np.eye(3),
        converged=converged,
        max_force=0.01,
        num_steps=7,
    )


@pytest.fixture(scope="module")
def kept():
    return tuple(decorations(4, list(library())))


@pytest.fixture(autouse=True)
def _small_library_and_engine(monkeypatch, kept):
    monkeypatch.setattr(prototypes_build, "_all_decorations", lambda max_sites: kept)
    monkeypatch.setattr("gen2dft.engines.mlip.engine.static", fake)
    monkeypatch.setattr("gen2dft.engines.mlip.engine.relax", fake)
    prototypes_build._fitting.cache_clear()
    yield
    prototypes_build._fitting.cache_clear()


def test_ranking_is_by_energy_at_estimated_zero_pressure():
    ranked, reasons = rank("NaCl", PLAN)
    assert [item[1].prototype for item in ranked] == ["rs:NaCl", "cscl:CsCl"]
    assert ranked[0][0] < -4.0  # relaxing the volume can only lower the energy
    assert reasons == {"atoms_too_close": 1}


def test_volume_grows_under_pressure():
    result = fake(
        Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
        ),
        None,
    )
    assert prototypes_build._at_zero_pressure(result)[1] == pytest.approx(1 + 10 / 140)


def test_record_accounts_for_every_prototype():
    record = work_on("NaCl", PLAN)
    assert len(record["relaxed"]) == 2
    assert record["failed"] == {"atoms_too_close": 1}
    assert record["not_among_the_best"] == 0
    json.dumps(record)


def test_poor_second_prototype_is_not_relaxed():
    record = work_on("NaCl", BuildPlan(max_sites=4, max_energy_gap=0.05))
    assert [r["prototype"].partition("/")[0] for r in record["relaxed"]] == ["rs:NaCl"]
    assert record["not_among_the_best"] == 1


def test_killed_build_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    whole = build_checkpoint(FORMULAS, PLAN, 8, tmp_path / "whole.jsonl")
    path = tmp_path / "killed.jsonl"
    build_checkpoint(FORMULAS, PLAN, 3, path)
    path.write_bytes(path.read_bytes() + b'{"formula": "cut o')
    worked: list[str] = []
    real = prototypes_build.work_on
    monkeypatch.setattr(
        prototypes_build, "work_on", lambda f, plan: worked.append(f) or real(f, plan)
    )
    assert build_checkpoint(FORMULAS, PLAN, 8, path) == whole
    assert worked == ["KBr", "CaS"]
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_smaller_size_is_the_beginning_of_a_larger_one(tmp_path):
    whole = build_checkpoint(FORMULAS, PLAN, 8, tmp_path / "c.jsonl")
    assert build_checkpoint(FORMULAS, PLAN, 4, tmp_path / "c.jsonl") == whole[:2]


def test_checkpoint_of_another_plan_is_refused(tmp_path):
    build_checkpoint(FORMULAS, PLAN, 2, tmp_path / "c.jsonl")
    with pytest.raises(DatasetError, match=r"belongs to another build"):
        build_checkpoint(FORMULAS, BuildPlan(seed=1, max_sites=4), 2, tmp_path / "c.jsonl")


def test_checkpoint_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write checkpoint"):
        build_checkpoint(FORMULAS, PLAN, 2, tmp_path / "file" / "c.jsonl")


def test_order_is_seeded_and_keeps_the_share_of_binaries():
    known = ["NaCl", "KBr", "MgO", "CuAu", "FeAl", "HeNe", "NaClO9", *FORMULAS]
    orders = [ordered_formulas(known, BuildPlan(seed=seed, max_sites=4)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted({*FORMULAS, "CuAu", "FeAl"})


def test_weights_hold_for_every_beginning():
    merged = prototypes_build._interleave([["a"] * 30, ["b"] * 10], (0.75, 0.25))
    assert Counter(merged[:20]) == {"a": 15, "b": 5}
    assert len(merged) == 40


def test_formulas_are_reduced_before_they_are_filled():
    structure = rank("NaCl", PLAN)[0][0][2]
    assert structure.composition.reduced_composition == Composition("NaCl")
