from gen2dft.evaluation.tables import MISSING, Column, Row, Table, mean

TABLE = Table(
    "t",
    "A table",
    (Column("right", "right", ".1%"), Column("mae", "MAE, eV", ".3f")),
    [Row("mine", {"right": 0.5, "mae": None}), Row("theirs", {"mae": 0.0631}, "Somebody, 2022")],
    ("Mind this.",),
)


def test_values_are_printed_as_the_column_says_and_unknown_ones_as_a_dash():
    assert TABLE.cells() == [["mine", "50.0%", MISSING], ["theirs", MISSING, "0.063"]]


def test_markdown_holds_figures_notes_and_sources():
    text = TABLE.markdown()
    assert (
        "## A table" in text
        and f"| mine | 50.0% | {MISSING} |" in text
        and f"| theirs | {MISSING} | 0.063 |" in text
    )
    assert "Mind this." in text and "theirs: Somebody, 2022" in text


def test_plain_values_keep_all_digits():
    plain = TABLE.as_dict()
    assert plain["rows"][1] == {
        "name": "theirs",
        "source": "Somebody, 2022",
        "figures": {"mae": 0.0631},
    }
    assert plain["columns"][0] == {"key": "right", "title": "right"}


def test_the_mean_of_nothing_is_unknown():
    assert mean([]) is None and mean([1.0, 2.0]) == 1.5
