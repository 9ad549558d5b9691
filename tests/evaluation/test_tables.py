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


SHARES = Table(
    "s",
    "Shares",
    (
        Column("part", "part", ".1%", interval=True),
        Column("sun", "S.U.N.", ".1%", interval=True),
        Column("rest", "rest", ".2f"),
    ),
    [
        Row("a", {"part": 0.5, "part_low": 0.25, "part_high": 0.75}),
        Row("b", {"part": 0.1}),
        Row("c", {"sun": 0.03}, "Somebody, 2022"),
        Row("d", {"sun": 0.04}, "Somebody, 2022"),
    ],
    turned=True,
)


def test_intervals_stand_in_brackets_where_they_are_known():
    first, second = (SHARES.columns[0].text_of(row) for row in SHARES.rows[:2])
    assert (first, second) == ("50.0% (25.0 to 75.0)", "10.0%")
    assert SHARES.cells(intervals=False)[0] == ["a", "50.0%", MISSING, MISSING]


def test_a_turned_table_has_a_line_per_figure_and_published_rows_below():
    own, theirs = SHARES.markdown().split("\n\n")[1:3]
    assert own.splitlines() == [
        "|  | a | b |",
        "| --- | ---: | ---: |",
        "| part | 50.0% (25.0 to 75.0) | 10.0% |",
    ]
    assert theirs.splitlines()[::2] == ["|  | S.U.N. |", "| c | 3.0% |"]


def test_rows_of_one_source_share_a_line():
    assert SHARES.sources() == ["c, d: Somebody, 2022"]


def test_a_turned_table_without_published_rows_is_one_grid():
    assert SHARES.own.markdown().count("| --- |") == 1
