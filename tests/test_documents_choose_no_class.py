"""No `@module` of a data file, an archive, a result or a stored document is ever followed."""

from __future__ import annotations

import ast
import copy
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from example_campaign import CAMPAIGN_ID, example_store

from gen2dft.datasets.files import read_dataset
from gen2dft.datasets.materials_project import read_structures
from gen2dft.datasets.own_structures import read_one_crystal, read_own_structures
from gen2dft.datasets.structure_text import parse_structure
from gen2dft.engines.base import CalculationDoc
from gen2dft.engines.kept import FILE, read_outcome
from gen2dft.errors import Gen2DFTError
from gen2dft.ground.phases import structures_in
from gen2dft.report.cif import hit_cif
from gen2dft.screening.surrogate import SurrogateVerdict
from gen2dft.serve.candidates import _shown
from gen2dft.serve.optimade import structure_fields
from gen2dft.store.documents import StoredVerdict
from gen2dft.store.store import Store
from gen2dft.thermo.hull_file import read_hull_file
from tests.test_layers import ROOT
from tests.toys import rock_salt

MODULE = "planted_by_a_document"
NAMED = {"@module": MODULE, "@class": "Trace", "@version": "1", "value": 1}
SALT = rock_salt("Na", "Cl", 5.6)


@pytest.fixture(autouse=True)
def trace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once the planted module was imported or its class called."""
    folder = tmp_path_factory.mktemp("planted")
    left = folder / "trace"
    (folder / f"{MODULE}.py").write_text(
        f"open({str(left)!r}, 'w').close()\n"
        "class Trace:\n"
        "    @classmethod\n"
        "    def from_dict(cls, given):\n"
        f"        open({str(left)!r}, 'w').close()\n"
        "        return cls()\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return left


def planted() -> Iterator[dict[str, Any]]:
    """A crystal's document with the class named in each of its places."""
    document = json.loads(json.dumps(SALT.as_dict()))
    for place in ("properties", "lattice", "charge", "sites"):
        yield {**copy.deepcopy(document), place: NAMED}
    yield {**copy.deepcopy(document), **NAMED}
    for place in ("properties", "species", "abc", "label"):
        changed = copy.deepcopy(document)
        changed["sites"][0][place] = NAMED if place != "properties" else {"magmom": NAMED}
        yield changed
    in_species = copy.deepcopy(document)
    in_species["sites"][0]["species"] = [NAMED]
    yield in_species
    in_lattice = copy.deepcopy(document)
    in_lattice["lattice"] |= {"pbc": NAMED} | NAMED
    yield in_lattice


DOCUMENTS = list(planted())


def of_json(document: dict[str, Any], folder: Path) -> object:
    (folder / "set.json").write_text(json.dumps([{"id": "a", "structure": document}]))
    return read_dataset(folder / "set.json")


def of_json_text(document: dict[str, Any], folder: Path) -> object:
    records = [{"id": "a", "structure": json.dumps(document)}]
    (folder / "set.json").write_text(json.dumps(records))
    return read_dataset(folder / "set.json")


def of_csv(document: dict[str, Any], folder: Path) -> object:
    table = pd.DataFrame({"id": ["a"], "structure": [json.dumps(document)]})
    table.to_csv(folder / "set.csv", index=False)
    return read_dataset(folder / "set.csv")


def of_own_file(document: dict[str, Any], folder: Path) -> object:
    (folder / "one.json").write_text(json.dumps(document))
    return read_own_structures(folder)


def of_own_list(document: dict[str, Any], folder: Path) -> object:
    (folder / "one.json").write_text(json.dumps([document]))
    return read_own_structures(folder)


def of_own_names(document: dict[str, Any], folder: Path) -> object:
    (folder / "one.json").write_text(json.dumps({"mine": document}))
    return read_own_structures(folder)


def of_phases(document: dict[str, Any], folder: Path) -> object:
    (folder / "one.json").write_text(json.dumps(document))
    return structures_in(folder)


def of_one_file(document: dict[str, Any], folder: Path) -> object:
    (folder / "one.json").write_text(json.dumps(document))
    return read_one_crystal(folder / "one.json")


def of_materials_project(document: dict[str, Any], folder: Path) -> object:
    class Client:
        db_version = "1"

        class materials:  # noqa: N801 - as the client names it
            class summary:  # noqa: N801
                @staticmethod
                def search(**_: Any) -> list[dict[str, Any]]:
                    return [{"material_id": "mp-1", "structure": document}]

    return read_structures(["mp-1"], Client())  # type: ignore[arg-type]


@cache
def example() -> Store:
    return example_store()


def of_hit(document: dict[str, Any], folder: Path) -> object:
    (hit, *_) = example().hits(CAMPAIGN_ID)
    return hit_cif(hit.model_copy(update={"structure": document}), {"mlip"})


def of_web_page(document: dict[str, Any], folder: Path) -> object:
    return _shown(document, "relaxed", 0)


def of_optimade(document: dict[str, Any], folder: Path) -> object:
    return structure_fields(document)


def of_verdict(document: dict[str, Any], folder: Path) -> object:
    stored = StoredVerdict(reason=None, engine="toy", preset="toy", structure=document)
    return SurrogateVerdict.from_stored(stored)


def of_calculation(document: dict[str, Any], folder: Path) -> object:
    fields = {"structure": document, "energy_per_atom": -1.0, "converged": True}
    return CalculationDoc.model_validate(fields)


def of_kept_result(document: dict[str, Any], folder: Path) -> object:
    outcome = {"structure": document, "energy_per_atom": -1.0, "converged": True}
    content = {"job": "a 1", "kind": "CalculationDoc", "outcome": outcome}
    (folder / FILE).write_text(json.dumps(content))
    return read_outcome(folder / FILE, "a 1")


def of_hull_file(document: dict[str, Any], folder: Path) -> object:
    content = {"hash": NAMED, "entries": [document, NAMED], "formulas": NAMED, **NAMED}
    (folder / "hull.json").write_text(json.dumps(content))
    return read_hull_file(folder / "hull.json")


WAYS: tuple[Callable[[dict[str, Any], Path], object], ...] = (
    of_json, of_json_text, of_csv, of_own_file, of_own_list, of_own_names, of_phases, of_one_file,
    of_materials_project, of_hit, of_web_page, of_optimade, of_verdict, of_calculation,
    of_kept_result, of_hull_file,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_class_that_a_document_names_is_imported(way, tmp_path, trace):
    for number, document in enumerate(DOCUMENTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with suppress(Gen2DFTError, ValueError):  # refused by name, which is as good
            way(document, folder)
        assert not trace.exists(), f"document {number} had {MODULE} imported"
    assert MODULE not in sys.modules


@pytest.mark.filterwarnings("ignore:Not all sites have property")
def test_the_planted_class_is_one_that_pymatgen_follows(trace):
    """So that the test above would fail with pymatgen's own reader."""
    from pymatgen.core import Structure

    document = json.loads(json.dumps(SALT.as_dict()))
    document["sites"][0]["properties"] = {"magmom": NAMED}
    Structure.from_dict(document)
    assert trace.exists()
    assert parse_structure(document)[0].properties == {}


# Readers that decode a document by the class that it names.
DECODERS = {"MontyDecoder", "loadfn", "process_decoded", "load_object", "get_decoded"}
OF_CLASSES = {"from_dict"}
GUESSING = {("Structure", "from_str"), ("Structure", "from_file"), ("Molecule", "from_file")}
# Jobs, which jobflow and FireWorks decode themselves, and output of this very process.
EXCEPTIONS = {
    "flows/common.py": {"MontyDecoder", "process_decoded"},
    "flows/power_factors.py": {"MontyDecoder", "process_decoded"},
    "launchpad/ids.py": {"from_dict"},
    "launchpad/config_files.py": {"from_dict"},
    # Files that VASP has just written: CONTCAR, no JSON.
    "gen2dft/engines/vasp/attempts.py": {"Structure.from_file"},
    "gen2dft/engines/vasp/run.py": {"Structure.from_file"},
}
FOLDERS = ("gen2dft", "flows", "launchpad", "examples")


def decoders_in(path: Path) -> set[str]:
    """What a module uses that lets a document choose a class."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.alias):
            name = node.id if isinstance(node, ast.Name) else node.name
            found |= {name} & DECODERS
        if isinstance(node, ast.Attribute):
            found |= {node.attr} & (DECODERS | OF_CLASSES)
            owner = getattr(node.value, "id", "")
            found |= {f"{owner}.{node.attr}"} if (owner, node.attr) in GUESSING else set()
    return found


def test_no_module_decodes_documents_by_the_class_that_they_name():
    used = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            found = decoders_in(path)
            if found:
                used[path.relative_to(ROOT).as_posix()] = found
    assert used == EXCEPTIONS
