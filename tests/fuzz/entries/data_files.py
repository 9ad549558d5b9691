"""Data files and folders: `data info`."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from tests.fuzz import mutations
from tests.fuzz.case import Case, Facts, Special
from tests.fuzz.examples import cifs, records, training_set
from tests.fuzz.values import PLAIN_VALUES

ENTRY = "data files"
Draw = Callable[[Any], Any]
Record = dict[str, Any]
COLUMNS = ("material_id", "formation_energy_per_atom", "band_gap")

LABELS = {
    "nan": "nan", "infinite": "inf", "minus infinite": "-inf", "huge": "1e300", "word": "metal",
    "empty": "", "blank": " ", "meV": "-1250", "total energy": "-27.3", "negative": "-4.2",
    "decimal comma": "-1,25", "per cent": "5%", "with unit": "1.2 eV", "asterisks": "*****",
    "foreign digits": "١٢", "true": "True", "thousands": "1,234.5", "list": "[1, 2]",
    "null byte": "\0", "long": "9" * 5000, "hexadecimal": "0x10", "complex": "1+2j",
}  # fmt: skip
IDS = {
    "zeros before": "0001", "number": "101", "fraction": "7.0", "nan": "NaN", "none": "None",
    "null": "null", "empty": "", "blank": "  ", "path upwards": "../x", "slash": "a/b",
    "unicode": "Ünï🧪", "markup": "[red]x[/]", "quote": '"', "comma": "a,b", "line break": "a\nb",
    "long": "x" * 5000, "exponent": "1e5", "true": "True", "formula": "=1+1", "null byte": "a\0b",
    "suffix": "mine-0.cif", "another row's": "mine-1", "another case": "MINE-0",
}  # fmt: skip
ATOM = re.compile(r"^\s*[A-Z][a-z]?[\d+-]*\s+\w+\s+\d+\s.*$", re.MULTILINE)


@dataclass(frozen=True)
class Rows:
    """Rows as their author means them; `structure` is a text or a document."""

    records: Sequence[Record]
    kind: str = "nothing"
    place: str = ""
    clear: bool = True  # whether ids and labels are what they look like

    def facts(self) -> Facts:
        """What must come out of them if they are taken."""
        if not self.clear:
            return Facts(len(self.records))
        ids = [str(record["material_id"]) for record in self.records]
        labels = {}
        for record in self.records:
            energy = record.get("formation_energy_per_atom")
            if isinstance(energy, float) and math.isfinite(energy):
                labels[str(record["material_id"])] = energy
        return Facts(len(self.records), frozenset(ids), labels)


def _valid(as_cif: bool) -> list[Record]:
    rows = copy.deepcopy(list(records()))
    if as_cif:
        for row in rows:
            row["structure"] = cifs()[row["material_id"]]
    return rows


@st.composite
def damaged_rows(draw: Draw, as_cif: bool) -> Rows:
    """Good rows with one that is not."""
    rows = _valid(as_cif)
    at = draw(st.integers(0, len(rows) - 1))
    row = rows[at]
    way = draw(st.sampled_from(("label", "label", "id", "crystal", "crystal", "crystal", "row")))
    if way == "label":
        column, kind = draw(st.sampled_from(COLUMNS[1:])), draw(st.sampled_from(sorted(LABELS)))
        row[column] = LABELS[kind]
        return Rows(rows, f"label: {kind}", column)
    if way == "id":
        kind = draw(st.sampled_from(sorted(IDS)))
        row["material_id"] = IDS[kind]
        # A row without an id may be named by its place.
        return Rows(rows, f"id: {kind}", f"row {at}", clear=bool(IDS[kind].strip()))
    if way == "row":
        return draw(_row_damage(rows, at))
    if as_cif:
        damaged = draw(cif_damage(row["structure"]))
    else:
        damaged = draw(mutations.documents({"structure": row["structure"]}, PLAIN_VALUES))
        damaged = damaged._replace(content=damaged.content.get("structure"))
    row["structure"] = damaged.content
    return Rows(rows, f"crystal: {damaged.kind}", damaged.place)


@st.composite
def _row_damage(draw: Draw, rows: list[Record], at: int) -> Rows:
    way = draw(st.sampled_from(("doubled", "all gone", "alone", "swapped crystals", "no crystal")))
    if way == "doubled":
        rows.insert(at, copy.deepcopy(rows[at]))
    elif way == "all gone":
        rows = []
    elif way == "alone":
        rows = rows[:1]
    elif way == "swapped crystals":
        rows[at]["structure"], rows[0]["structure"] = rows[0]["structure"], rows[at]["structure"]
    else:
        rows[at]["structure"] = ""
    return Rows(rows, f"row: {way}", f"row {at}")


CIF_WORDS = {
    "dummy X": ("element", "X"), "dummy M": ("element", "M"), "dummy Q": ("element", "Q"),
    "deuterium": ("element", "D"), "unknown element": ("element", "Uue"),
    "number as element": ("element", "11"), "lower case": ("element", "na"),
    "charged": ("element", "Na1+"), "question mark": ("element", "?"),
}  # fmt: skip


@st.composite
def cif_damage(draw: Draw, text: str) -> mutations.Damaged:
    """A CIF with damaged numbers, lines, atoms, loops or blocks."""
    way = draw(st.sampled_from(("number", "number", "line", "atoms", "element", "block", "bytes")))
    if way == "number":
        return draw(mutations.number_damage(text))
    if way == "line":
        return draw(mutations.line_damage(text))
    if way == "bytes":
        damaged = draw(mutations.byte_damage(text.encode()))
        return damaged._replace(content=damaged.content.decode("utf-8", "replace"))
    if way == "block":
        return draw(_block_damage(text))
    atoms = list(ATOM.finditer(text))
    atom = draw(st.sampled_from(atoms))
    if way == "element":
        kind = draw(st.sampled_from(sorted(CIF_WORDS)))
        words = atom.group().split()
        words[0] = CIF_WORDS[kind][1]
        line, kind = "  " + "  ".join(words), f"element: {kind}"
    else:
        line, kind = draw(_atom_line(atom.group()))
    changed = text[: atom.start()] + line + text[atom.end() :]
    return mutations.Damaged(changed, kind, "atom")


@st.composite
def _atom_line(draw: Draw, line: str) -> tuple[str, str]:
    """Another line, or other lines, in the place of one atom's."""
    words = line.split()
    way = draw(
        st.sampled_from(("twice", "near itself", "occupancy", "third", "too few", "too many"))
    )
    if way == "twice":
        return f"{line}\n{line}", "atom: twice"
    if way == "near itself":
        words[3] = str(float(words[3]) + 0.01)
        return f"{line}\n{'  '.join(words)}", "atom: near itself"
    if way == "occupancy":
        words[-1] = draw(st.sampled_from(("0.5", "0", "-1", "1.2", "2", "0.999", "nan", "1e9")))
        return "  ".join(words), f"atom: occupancy {words[-1]}"
    if way == "third":
        words[3:6] = ["0.333", "0.667", "0.25"]
    elif way == "too few":
        words.pop()
    else:
        words.append("1")
    return "  ".join(words), f"atom: {way}"


@st.composite
def _block_damage(draw: Draw, text: str) -> mutations.Damaged:
    changed = {
        "no loop": text.replace("loop_", "", 1),
        "loop twice": text.replace("loop_", "loop_\nloop_", 1),
        "no block": text.replace("data_", "", 1),
        "two blocks": text + "\n" + text,
        "empty block after": text + "\ndata_none\n",
        "open text field": text.replace("_cell_volume", "_note\n;open", 1),
        "no cell": re.sub(r"^_cell_length_a.*\n", "", text, flags=re.MULTILINE),
        "no positions": text.replace("_atom_site_fract_z", "_atom_site_other"),
        "no occupancy": text.replace("_atom_site_occupancy", "_atom_site_other"),
        "wrong formula": re.sub(r"_chemical_formula_sum.*", "_chemical_formula_sum 'H9'", text),
        "wrong space group": re.sub(r"\bP ?1\b|'[FPI]m?-?3m'", "'I a -3 d'", text),
        "wrong operation": re.sub(r"'x, y, z'", "'x, y, z/0'", text, count=1),
        "flat": re.sub(r"(_cell_length_c\s+)\S+", r"\g<1>0.001", text),
        "giant": re.sub(r"(_cell_length_[abc]\s+)\S+", r"\g<1>9e9", text),
        "sheared": re.sub(r"(_cell_angle_\w+\s+)\S+", r"\g<1>179.9", text),
        "no text": "",
        "another format": "POSCAR\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa\n1\ndirect\n0 0 0\n",
        "only a comment": "# nothing",
        "reserved words": text.replace("data_", "global_\nstop_\nsave_\ndata_", 1),
    }
    kind = draw(st.sampled_from(sorted(changed)))
    return mutations.Damaged(changed[kind], f"CIF: {kind}", "block")


def as_csv(rows: Sequence[Record], delimiter: str = ",") -> bytes:
    """A table as spreadsheets write it."""
    text = io.StringIO()
    names = ["material_id", "structure", *COLUMNS[1:]]
    writer = csv.DictWriter(text, names, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "structure": _as_text(row.get("structure"))})
    return text.getvalue().encode("utf-8", "surrogatepass")


def _as_text(structure: Any) -> str:
    return structure if isinstance(structure, str) else json.dumps(structure)


def as_json(rows: Sequence[Record]) -> bytes:
    """A list of records."""
    return json.dumps(list(rows)).encode()


def as_parquet(rows: Sequence[Record]) -> bytes:
    """A parquet file, all columns but those of numbers as text."""
    plain = [{**row, "structure": _as_text(row.get("structure"))} for row in rows]
    frame = pd.DataFrame(plain, columns=["material_id", "structure", *COLUMNS[1:]])
    text = io.BytesIO()
    frame.astype(str).to_parquet(text)
    return text.getvalue()


def _info(name: str, files: Mapping[str, bytes], rows: Rows, known: bool = True) -> Case:
    facts = rows.facts() if known else None
    argv = ("data", "info", name, "--json")
    # The second time the answer comes from the cache, and must be the same.
    return Case(ENTRY, rows.kind, f"{name}: {rows.place}", argv, files, {}, (argv,), facts)


@st.composite
def tables(draw: Draw) -> Case:
    """A table with one damaged row, or a damaged file around good rows."""
    suffix = draw(st.sampled_from((".csv", ".csv", ".json", ".json", ".csv.gz", ".parquet")))
    rows = draw(damaged_rows(as_cif=suffix != ".json" and draw(st.booleans())))
    if suffix == ".json":
        content = as_json(rows.records)
    elif suffix == ".parquet":
        content = as_parquet(rows.records)
        rows = replace(rows, clear=False)
    else:
        content = as_csv(rows.records)
        rows = replace(rows, clear="\0" not in str(rows.records))
    name = f"mine{suffix}"
    return _info(name, {name: gzip.compress(content) if suffix.endswith(".gz") else content}, rows)


@st.composite
def folders(draw: Draw) -> Case:
    """A folder of CIFs with a file of labels, one of which is damaged."""
    rows = draw(damaged_rows(as_cif=True))
    files = {}
    for number, (row, good) in enumerate(zip(rows.records, records(), strict=False)):
        suffix = ".cif"
        if number == 0:
            suffix = draw(st.sampled_from((".cif", ".cif", ".CIF", ".cif.gz", ".mcif")))
        content = row["structure"].encode("utf-8", "surrogatepass")
        content = gzip.compress(content) if suffix == ".cif.gz" else content
        files[f"set/{good['material_id']}{suffix}"] = content
    files["set/labels.csv"] = _labels(rows.records, draw(st.sampled_from(",,,;\t|")))
    damaged_ids = rows.kind.startswith(("id", "row"))
    case = _info("set", files, replace(rows, place=f"{rows.place} {min(files)}"), not damaged_ids)
    if case.facts is None or case.facts.ids is None:
        return case
    # What cannot be used may be named by its file.
    names = {name.removeprefix("set/") for name in files}
    return replace(case, facts=replace(case.facts, ids=case.facts.ids | names))


def _labels(rows: Sequence[Record], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


@st.composite
def containers(draw: Draw) -> Case:
    """A file of good rows that is itself damaged."""
    suffix = draw(st.sampled_from((".csv", ".csv", ".json", ".csv.gz", ".parquet", ".npz", "set")))
    if suffix == "set":
        return draw(_odd_folders())
    content = _good(suffix)
    if suffix in (".csv", ".json") and draw(st.booleans()):
        text = content.decode()
        change = _table_texts() if suffix == ".csv" else _json_texts()
        name = draw(st.sampled_from(sorted(change)))
        damaged = mutations.Damaged(change[name](text), f"{suffix}: {name}", "file")
    else:
        damaged = draw(mutations.byte_damage(content))
    new = damaged.content
    content = new.encode("utf-8", "surrogatepass") if isinstance(new, str) else new
    rows = Rows([], f"{suffix} {damaged.kind}", damaged.place)
    return _info(f"mine{suffix}", {f"mine{suffix}": content}, rows, known=False)


def _good(suffix: str) -> bytes:
    rows = _valid(as_cif=True)
    if suffix == ".npz":
        return training_set()
    writers = {".json": as_json, ".parquet": as_parquet}
    content = writers.get(suffix, as_csv)(rows)
    return gzip.compress(content) if suffix == ".csv.gz" else content


def _table_texts() -> dict[str, Callable[[str], str | bytes]]:
    return {
        "semicolons": lambda text: as_csv(_valid(True), ";"),
        "tabs": lambda text: as_csv(_valid(True), "\t"),
        "bars": lambda text: as_csv(_valid(True), "|"),
        "no header": lambda text: text.split("\n", 1)[1],
        "header twice": lambda text: text.split("\n", 1)[0] + "\n" + text,
        "a column twice": lambda text: text.replace("band_gap", "formation_energy_per_atom", 1),
        "two columns for one": lambda text: text.replace("band_gap", "formation_energy", 1),
        "columns swapped": lambda text: text.replace(
            "material_id,structure", "structure,material_id", 1
        ),
        "no structure": lambda text: text.replace("structure", "crystal_thing", 1),
        "nameless column": lambda text: text.replace("band_gap", "", 1),
        "blanks in names": lambda text: text.replace("band_gap", " band_gap ", 1),
        "a blank last row": lambda text: text + ",,,\r\n",
        "blank lines": lambda text: text + "\r\n\r\n",
        "total row": lambda text: text + "sum,,99,99\r\n",
        "open quote": lambda text: text + '"',
        "byte order mark": lambda text: text.encode("utf-8-sig"),
        "utf-16": lambda text: text.encode("utf-16"),
        "latin-1": lambda text: text.replace("mine-0", "Tellür").encode("latin-1"),
        "sep line": lambda text: "sep=,\r\n" + text,
        "comment": lambda text: "# mine\r\n" + text,
        "null bytes": lambda text: text.replace("mine-3", "mi\0ne", 1),
        "empty": lambda text: "",
        "header alone": lambda text: text.split("\n", 1)[0],
        "thousand columns": lambda text: ",".join(map(str, range(1000))) + "\n" + text,
        "carriage returns": lambda text: text.replace("\r\n", "\r"),
    }


def _json_texts() -> dict[str, Callable[[str], str | bytes]]:
    return {
        "mapping of rows": lambda text: f'{{"rows": {text}}}',
        "mapping of columns": lambda text: '{"material_id": ["a"], "structure": ["b"]}',
        "list of numbers": lambda text: "[1, 2, 3]",
        "list of lists": lambda text: f"[{text}]",
        "null": lambda text: "null",
        "nothing": lambda text: "",
        "nan": lambda text: "[NaN]",
        "deep": lambda text: "[" * 100_000,
        "huge number": lambda text: text.replace("-1.0", "-" + "9" * 5000, 1),
        "beyond double": lambda text: text.replace("-1.0", "-1e999", 1),
        "lines": lambda text: text.replace("}, {", "}\n{").strip("[]"),
        "lone surrogate": lambda text: text.replace("mine-0", "\\ud800", 1),
        "key twice": lambda text: text.replace('"material_id"', '"band_gap": 1, "material_id"', 1),
        "trailing comma": lambda text: text.replace("]", ",]", 1),
        "byte order mark": lambda text: text.encode("utf-8-sig"),
        "utf-16": lambda text: text.encode("utf-16"),
        "mixed keys": lambda text: text.replace("material_id", "id", 1),
    }


@st.composite
def _odd_folders(draw: Draw) -> Case:
    """A folder with something in it that is no crystal, or in the place of a file."""
    files = {f"set/{name}.cif": text.encode() for name, text in cifs().items()}
    files["set/labels.csv"] = _labels(_valid(True), ",")
    place = draw(st.sampled_from(("set/mine-0.cif", "set/labels.csv", "set")))
    special: Special = draw(st.sampled_from(("folder", "fifo", "null", "dangling", "itself")))
    if place == "set":
        files = {}
    kind = f"in the place of a file: {special}"
    argv = ("data", "info", "set", "--json")
    return Case(ENTRY, kind, place, argv, files, {place: special})


def valid_files() -> list[Case]:
    """Every kind of file and folder as it should be."""
    cases = []
    for suffix in (".csv", ".csv.gz", ".json", ".parquet"):
        name = f"mine{suffix}"
        cases.append(_info(name, {name: _good(suffix)}, Rows(_valid(as_cif=True))))
    files = {f"set/{name}.cif": text.encode() for name, text in cifs().items()}
    files["set/labels.csv"] = _labels(_valid(True), ",")
    cases.append(_info("set", files, Rows(_valid(as_cif=True))))
    cases.append(_info("mine.npz", {"mine.npz": training_set()}, Rows([]), known=False))
    return cases


def data_files() -> st.SearchStrategy[Case]:
    """All kinds of data files."""
    return st.one_of(tables(), folders(), tables(), folders(), containers())
