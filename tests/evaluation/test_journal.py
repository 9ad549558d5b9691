import pytest

from gen2dft.errors import OutputError
from gen2dft.evaluation.journal import Journal
from gen2dft.screening.surrogate import SurrogateVerdict
from tests.toys import rock_salt

SALT, MAGNESIA = rock_salt("Na", "Cl", 5.6), rock_salt("Mg", "O", 4.2)


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def relax(asked):
    def relax(structure):
        asked.append(structure.formula)
        if structure == MAGNESIA:
            return SurrogateVerdict("relaxation_out_of_time", "toy", "toy-v1", detail="too slow")
        return SurrogateVerdict(
            None, "toy", "toy-v1", structure, -1.0, -0.5, 0.01, True, 0.02, 3, 0.1
        )

    return relax


def test_no_verdict_is_computed_twice(tmp_path, relax, asked):
    path = tmp_path / "kept" / "relaxations.jsonl"
    first = [Journal(path, relax, "s")(structure) for structure in (SALT, MAGNESIA)]
    again = [Journal(path, relax, "s")(structure) for structure in (SALT, MAGNESIA)]
    assert asked == ["Na1 Cl1", "Mg1 O1"]
    assert [v.as_dict() for v in first] == [v.as_dict() for v in again]


def test_other_settings_and_other_structures_are_computed(tmp_path, relax, asked):
    path = tmp_path / "relaxations.jsonl"
    Journal(path, relax, "s")(SALT)
    Journal(path, relax, "t")(SALT)
    Journal(path, relax, "s")(rock_salt("Na", "Cl", 5.7))
    assert len(asked) == 3


def test_a_line_that_was_cut_off_is_computed_again(tmp_path, relax, asked):
    path = tmp_path / "relaxations.jsonl"
    for structure in (SALT, MAGNESIA):
        Journal(path, relax, "s")(structure)
    path.write_text(path.read_text()[:-40])
    verdict = Journal(path, relax, "s")(MAGNESIA)
    assert verdict.reason == "relaxation_out_of_time" and asked[2:] == ["Mg1 O1"]
    Journal(path, relax, "s")(MAGNESIA)
    assert len(asked) == 3


def test_without_a_file_nothing_is_kept(tmp_path, relax, asked):
    journal = Journal(None, relax, "s")
    journal(SALT)
    assert asked == ["Na1 Cl1"] and not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path, relax):
    (tmp_path / "relaxations.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*relaxations.jsonl: Is a directory"):
        Journal(tmp_path / "relaxations.jsonl", relax, "s")(SALT)
