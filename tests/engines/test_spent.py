"""What calculations cost, what they may cost, and what is not computed twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
import springs
from pymatgen.core import Structure
from springs import CSCL, SPRINGS

from gen2dft.calculation import Calculation
from gen2dft.engines.base import CalculationDoc, Engine
from gen2dft.engines.kit import Given, calculate, run_task, starting_structure
from gen2dft.engines.outcomes import costs_of
from gen2dft.engines.spent import within
from gen2dft.errors import CalculationFailed

HERE = replace(SPRINGS, in_process=True)


def final(structure: object, preset: str) -> Calculation:
    """The springs' energy of a structure, as a look or the end of a relaxation."""
    return springs.static(structure, preset).model_copy(update={"ends_as_static": True})


def counted(task: str) -> tuple[Engine, list[str]]:
    """The looking engine, and the structures' formulas that one of its tasks has computed."""
    calls: list[str] = []

    def compute(structure: Structure, preset: str) -> Calculation:
        calls.append(structure.formula)
        return final(structure, preset)

    return replace(LOOKING, **{task: compute}), calls


LOOKING = replace(HERE, look=final, relax=final, at_rest=lambda look, preset: True)


def test_cpu_time_is_the_cost_where_the_engine_computes_in_this_process():
    doc = calculate("static", HERE, "soft", CSCL)
    assert doc.wall_seconds == 1.0  # as the springs say
    assert doc.core_hours == pytest.approx(doc.cpu_seconds / 3600)
    assert calculate("static", SPRINGS, "soft", CSCL).cpu_seconds is None


def test_costs_add_up_by_step():
    relaxed = run_task("relax", HERE, "soft", CSCL, None)
    static = run_task("static", HERE, "soft", None, relaxed)
    assert costs_of([relaxed, static]) == {
        "relax": relaxed.core_hours,
        "static": static.core_hours,
    }
    dense = CSCL.copy()
    dense.scale_lattice(1.0)
    failed = run_task("static", HERE, "soft", dense, None)
    passed_on = run_task("uniform_bands", HERE, "soft", None, failed)
    assert costs_of([relaxed, failed, passed_on]) == {
        "relax": relaxed.core_hours,
        "static": failed.core_hours,
    }


def test_beyond_the_limit_a_calculation_is_too_expensive():
    def endless(structure: object, preset: str) -> Calculation:
        while True:
            pass

    slow = replace(HERE, relax=endless)
    with pytest.raises(
        CalculationFailed, match=r"too_expensive: not finished after 0\.1 CPU"
    ) as caught:
        calculate("relax", slow, "soft", CSCL, Given(cpu_left=0.1))
    assert caught.value.costs["relax"] > 0


def test_the_limit_is_that_of_all_calculations_together():
    first = calculate("relax", HERE, "soft", CSCL, Given(cpu_left=100.0))
    assert first.cpu_left == pytest.approx(100 - first.cpu_seconds)
    second = calculate("static", HERE, "soft", CSCL, Given(first, cpu_left=100.0))
    assert second.cpu_left == pytest.approx(first.cpu_left - second.cpu_seconds)
    spent = first.model_copy(update={"cpu_left": -1.0})
    with pytest.raises(
        CalculationFailed, match=r"too_expensive: .* used up .* validation\.cpu_minutes"
    ):
        calculate("static", HERE, "soft", CSCL, Given(spent))


def test_without_a_limit_nothing_is_limited():
    with within(None):
        pass
    assert calculate("static", HERE, "soft", CSCL).cpu_left is None


def test_what_is_at_rest_is_not_relaxed_and_its_energy_not_computed_again(monkeypatch):
    look = run_task("look", LOOKING, "soft", CSCL, None)
    untouchable = replace(LOOKING, relax=None, static=None)
    relaxed = run_task("relax", untouchable, "soft", None, look)
    static = run_task("static", untouchable, "soft", None, relaxed)
    assert isinstance(static, CalculationDoc)
    assert (relaxed.task, static.task) == ("relax", "static")
    assert (relaxed.core_hours, static.core_hours) == (0.0, 0.0)
    assert static.energy == look.energy


def test_another_structure_than_the_one_before_is_computed():
    engine, calls = counted("static")
    look = run_task("look", engine, "soft", CSCL, None)
    moved = CSCL.copy()
    moved.translate_sites([0], [0.1, 0, 0])
    run_task("static", engine, "soft", CSCL * 2, look)
    run_task("static", engine, "soft", moved, look)
    assert calls == ["Cs8 Cl8", "Cs1 Cl1"]


@pytest.mark.parametrize("changes", [{"settings_hash": "0"}, {"engine": "x"}])
def test_other_settings_are_computed(changes: dict[str, str]):
    engine, calls = counted("static")
    relaxed = run_task("relax", engine, "soft", CSCL, None).model_copy(update=changes)
    run_task("static", engine, "soft", None, relaxed)
    assert calls == ["Cs1 Cl1"]


def test_what_is_not_at_rest_is_relaxed():
    engine, calls = counted("relax")
    restless = replace(engine, at_rest=lambda look, preset: False)
    look = run_task("look", restless, "soft", CSCL, None)
    run_task("relax", restless, "soft", None, look)
    assert calls == ["Cs1 Cl1"]


def test_a_relaxation_gets_the_look_at_its_structure():
    asked: list[object] = []

    def relax(structure, preset, look):
        asked.append(look)
        return final(structure, preset)

    restless = replace(LOOKING, at_rest=None, relax=relax, relaxes_from_look=True)
    look = run_task("look", restless, "soft", CSCL, None)
    run_task("relax", restless, "soft", None, look)
    run_task("relax", restless, "soft", CSCL * 2, look)
    run_task("relax", restless, "soft", CSCL, None)
    assert asked == [look, None, None]


def test_an_engine_without_a_look_says_so():
    with pytest.raises(CalculationFailed, match="no_look: engine 'springs' has no look"):
        calculate("look", SPRINGS, "soft", CSCL)


def test_moments_go_from_one_dft_calculation_to_the_next():
    found = calculate("static", SPRINGS, "soft", CSCL).model_copy(
        update={"magmoms": [1.5, -0.5], "is_dft": True}
    )
    start = starting_structure(None, found)
    assert start.site_properties["magmom"] == [1.5, -0.5]
    assert "magmom" not in found.structure.site_properties
    surrogate = found.model_copy(update={"is_dft": False})
    assert "magmom" not in starting_structure(None, surrogate).site_properties


def test_finer_bands_get_the_folder_of_the_coarser_ones(monkeypatch, tmp_path):
    asked: list[object] = []

    def bands(structure, preset, folder, scale, coarser):
        asked.append(coarser)
        return springs.bands(structure, preset, folder, scale)

    monkeypatch.chdir(tmp_path)
    sharing = replace(HERE, bands=bands, reuses_density=True)
    static = run_task("static", sharing, "soft", CSCL, None)
    first = run_task("uniform_bands", sharing, "soft", None, static)
    run_task("uniform_bands", sharing, "soft", None, first)
    elsewhere = first.model_copy(update={"settings_hash": "other"})
    run_task("uniform_bands", sharing, "soft", None, elsewhere)
    assert asked == [None, tmp_path, None]
