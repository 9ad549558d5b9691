"""Tables as files: cells as they stand, separators found, what is damaged named."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from gen2dft.datasets.tables import read_table
from gen2dft.errors import DatasetError

ROWS = "id,cif,formation_energy\n0001,x,1e5\nNaN,NA,True\n"


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_cells_of_a_csv_file_stay_text(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, ROWS))
    assert table.names == ("id", "cif", "formation_energy")
    assert table.rows == (("0001", "x", "1e5"), ("NaN", "NA", "True"))
    assert table.places == ("line 2", "line 3")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(tmp_path: Path, separator: str, end: str) -> None:
    text = ROWS.replace(",", separator).replace("\n", end)
    assert read_table(written(tmp_path, text)).rows[0] == ("0001", "x", "1e5")


def test_a_spreadsheet_may_state_its_separator(tmp_path: Path) -> None:
    text = "sep=;\n" + ROWS.replace(",", ";").replace("x", "a,b,c,d")
    assert read_table(written(tmp_path, text)).rows[0][1] == "a,b,c,d"


def test_blank_rows_and_empty_cells_behind_the_last_change_nothing(tmp_path: Path) -> None:
    text = ROWS.replace("1e5\n", "1e5,,\n\n , ,\n") + ",,\n\n"
    table = read_table(written(tmp_path, text))
    assert [row[0] for row in table.rows] == ["0001", "NaN"]
    assert table.places == ("line 2", "line 5")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (" \n", "it holds no rows"),
        (ROWS + "b,x\n", "line 4 has 2 cells, but the header names 3 columns"),
        (ROWS + "b,x,1,2\n", "line 4 has 4 cells"),
        (ROWS + 'b,"x', r"line 4, cells separated by comma: unexpected end of data"),
        (ROWS + 'b,"x"y,1\n', r"line 4, cells separated by comma: .* expected after"),
        ("Würz,b\n".encode("latin-1"), r"is no UTF-8 text \(byte 0xfc in line 1\)"),
    ],
)
def test_a_damaged_csv_file_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    with pytest.raises(DatasetError, match=rf"cannot read the table .*t\.csv: .*{problem}"):
        read_table(written(tmp_path, text))


def test_a_cell_may_be_larger_than_csv_allows_by_itself(tmp_path: Path) -> None:
    text = f'id,cif\na,"{"x" * 300_000}"\n'
    assert len(read_table(written(tmp_path, text)).rows[0][1]) == 300_000


def test_a_doubled_column_is_refused_where_it_is_read(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "id,cif,id\na,x,b\n"))
    assert table.column("cif") == ["x"]
    with pytest.raises(DatasetError, match="has two columns 'id': remove or rename one"):
        table.column("id")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1}', "expected a list of records"),
        ("[1]", "expected a list of records"),
        ("[]", "it holds no records"),
        ('[{"id": "a"', "Expecting"),
        ('[{"id": "a", "id": "b"}]', "an object has the key 'id' twice"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[" + "9" * 5000 + "]", "Exceeds the limit"),
    ],
)
def test_a_damaged_json_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DatasetError, match=rf"cannot read the table .*t\.json: {problem}"):
        read_table(written(tmp_path, text, "t.json"))


def test_records_may_lack_keys(tmp_path: Path) -> None:
    text = json.dumps([{"id": "a"}, {"cif": "x", "id": 7}])
    table = read_table(written(tmp_path, gzip.compress(text.encode()), "t.json.gz"))
    assert table.names == ("id", "cif")
    assert table.rows == (("a", None), (7, "x"))


def parquet(**columns: list[object]) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def test_whole_numbers_of_parquet_stay_whole(tmp_path: Path) -> None:
    path = written(tmp_path, parquet(id=[1, 2], cif=["x", None]), "t.parquet")
    assert read_table(path).rows == ((1, "x"), (2, None))


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    whole = parquet(id=["a"])
    for content in (whole[:-30], whole[30:], b"PAR1junkPAR1"):
        with pytest.raises(DatasetError, match="it is no whole parquet file"):
            read_table(written(tmp_path, content, "t.parquet"))
    with pytest.raises(DatasetError, match="it holds no rows"):
        read_table(written(tmp_path, parquet(id=[]), "t.parquet"))
