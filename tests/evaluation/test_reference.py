import json

import pytest

from gen2dft.errors import DatasetError
from gen2dft.evaluation.reference import PAPER, read_reference
from gen2dft.evaluation.run import TABLES, column_keys
from gen2dft.evaluation.sun.published import PUBLISHED_SUN
from gen2dft.evaluation.tables import MISSING, Table

COLUMNS = {"prediction": ["formation_energy", "band_gap"]}


def write(folder, content):
    path = folder / "theirs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_figures_come_beside_those_measured(tmp_path):
    rows = [{"row": "60 epochs", "figures": {"band_gap": 0.489}}, {"figures": {"band_gap": 0.428}}]
    path = write(tmp_path, {"name": "port", "source": "a port", "tables": {"prediction": rows}})
    table = read_reference(path, COLUMNS).beside(
        Table("prediction", "", TABLES["prediction"].columns, [])
    )
    assert [(row.name, row.source) for row in table.rows] == [
        ("port, 60 epochs", "a port"),
        ("port", "a port"),
    ]
    assert table.cells()[1] == ["port", MISSING, "0.428"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"theirs.json is not of the form"),
        ({"tables": {}}, r"is not of the form .*KeyError 'name'"),
        (
            {"name": "x", "tables": {"prediction": [{"figures": {"band_gap": "low"}}]}},
            r"is not of the form",
        ),
        ({"name": "x", "tables": {"predictions": []}}, r"Did you mean 'prediction'"),
        (
            {"name": "x", "tables": {"prediction": [{"figures": {"bandgap": 1}}]}},
            r"Did you mean 'band_gap'",
        ),
    ],
)
def test_a_broken_file_is_refused(tmp_path, content, message):
    with pytest.raises(DatasetError, match=message):
        read_reference(write(tmp_path, content), COLUMNS)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"cannot be read: No such file"):
        read_reference(tmp_path / "theirs.json", COLUMNS)


def test_published_figures_belong_to_columns_that_exist():
    for reference in (PAPER, PUBLISHED_SUN):
        for table, rows in reference.tables.items():
            assert all(set(row.figures) <= set(column_keys()[table]) and row.source for row in rows)
