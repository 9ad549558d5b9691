import json
import re
from dataclasses import replace

import pytest
from toy_settings import HULL, toy_setting

from gen2dft import engines
from gen2dft.errors import CampaignError, MixedEnergies
from gen2dft.evaluation.reference import Reference
from gen2dft.evaluation.setting import Budget
from gen2dft.evaluation.sun.published import PUBLISHED_SUN, TABLE
from gen2dft.evaluation.sun.table import check, check_scale, surrogate_of, table_against
from gen2dft.evaluation.tables import Row, Table
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

SMALL = Budget(draws=20, relaxations=3, ways=("toy", "substitution", "both"))


@pytest.fixture
def asked(monkeypatch, toy_plugins) -> list[str]:
    """Formulas that the toy engine relaxed."""
    formulas: list[str] = []
    relax = toys.TOY_ENGINE.relax

    def counted(structure, preset):
        formulas.append(structure.composition.reduced_formula)
        return relax(structure, preset)

    engine = replace(toys.TOY_ENGINE, relax=counted)
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: engine)
    return formulas


@pytest.fixture(scope="module")
def table() -> Table:
    """Of the small budget; no test changes it."""
    with toys.toys_registered():
        return table_against(toy_setting(budget=SMALL), HULL, None)


def test_every_way_has_a_row_and_so_has_every_method(table):
    names = [row.name for row in table.rows]
    assert names[:3] == ["toy", "toy: local", "toy: random"]
    assert names[-2:] == ["substitution", "both"]
    figures = {row.name: row.figures for row in table.rows}
    assert 0 < figures["toy"]["relaxed"] <= 3
    assert figures["both"]["draws"] == 20
    assert figures["substitution"]["new"] > figures["toy"]["new"]


def test_an_interrupted_run_relaxes_nothing_twice(asked, tmp_path):
    first = table_against(toy_setting(budget=SMALL, snapshot_dir=tmp_path), HULL, None)
    made = len(asked)
    assert made > 0
    again = table_against(toy_setting(budget=SMALL, snapshot_dir=tmp_path), HULL, None)
    assert len(asked) == made
    assert again.as_dict() == first.as_dict()


def test_what_failed_is_told_below_the_table(asked):
    budget = Budget(draws=20, relaxations=20, ways=("substitution",))
    table = table_against(toy_setting(budget=budget), HULL, None)
    assert any(
        re.search(r"Failed relaxations: .*relaxation_exploded \d", note) for note in table.notes
    )
    assert "No correction of this potential is installed" in table.notes[0]


def test_energies_of_another_scale_are_refused(toy_plugins):
    surrogate = surrogate_of(toy_setting())
    other = ReferenceHull.build([{"Na": 1, "Cl": 1}], [-1.0], scale="gpaw:PBE")
    with pytest.raises(MixedEnergies, match=r"engine 'toy' are on scale 'materials-project'"):
        check_scale(surrogate, other)


def test_ways_and_engines_that_do_not_exist_are_refused_first(toy_plugins):
    check(toy_setting(budget=SMALL))
    with pytest.raises(CampaignError, match=r"way 'ftpc' is not one of"):
        check(toy_setting(budget=Budget(ways=("ftpc",))))


def test_published_rows_lie_below_with_their_definitions(table):
    page = PUBLISHED_SUN.beside(table).markdown()
    own, theirs = page.split("| ion exchange (Szymanski) |")
    assert re.search(r"\n\| draws \| 20 ", own)
    assert "9.2%" in theirs and "9.2%" not in own
    for definition in ("decomposition energy", "MSUN", "MP-20", "Alex-MP-ICSD"):
        assert definition in theirs
    json.dumps(table.as_dict())


def test_a_users_figures_go_beside(table):
    mine = Reference("mine", "me", {TABLE: [Row("mine", {"within_100": 0.5}, "me")]})
    assert "| mine | 50.0% |" in mine.beside(table).markdown()
