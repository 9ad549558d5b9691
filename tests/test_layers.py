"""Imports point one way, lazy ones included, and each heavy library has one home
(docs/design.md).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"gen2dft": "gen2dft", "flows": "gen2dft.flows", "launchpad": "gen2dft.launchpad"}

# Bottom first; a room may import its own layer and those below.
LAYERS = (
    {
        "atomic",
        "calculation",
        "campaign",
        "chemistry",
        "composition",
        "crystal_check",
        "crystal_documents",
        "crystals",
        "dataset",
        "definitions",
        "doubts",
        "errors",
        "funnel",
        "geometry",
        "hashing",
        "input_files",
        "label_checks",
        "parallel",
        "plain_yaml",
        "plugins",
        "properties",
        "settings",
        "statistics",
        "stored_arrays",
        "streams",
        "symmetry",
        "units",
        "workers",
    },
    {"store"},
    {
        "datasets",
        "engines",
        "generators",
        "heads",
        "ledger",
        "property_steps",
        "query",
        "representations",
        "screening",
        "thermo",
        "transport",
    },
    {"ground", "loop", "report", "shipped"},
    {"rounds"},
    {"evaluation", "exchange", "review"},
    {"serve"},
    {"flows"},
    {"launchpad"},
    {"api"},
    {"cli"},
    {"testing"},
)
LAYER_OF = {room: index for index, layer in enumerate(LAYERS) for room in layer}

# Seconds to import or gigabytes to install: where each may be imported, always behind a function
# call of other rooms.
HOMES = {
    "BoltzTraP2": {"transport"},
    "atomate2": {"engines"},
    "chgnet": {"engines"},
    "fireworks": {"launchpad"},
    "gpaw": {"engines"},
    "keras": {"generators"},
    "matminer": {"datasets", "evaluation"},
    "matplotlib": {"report"},
    "mp_api": {"datasets"},
    "optimade": {"serve"},
    "pytest": {"testing"},
    "rich": {"cli"},
    "sklearn": {"heads", "loop"},
    "starlette": {"serve"},
    "tensorflow": {"generators"},
    "torch": {"engines"},
    "typer": {"cli"},
    "uvicorn": {"serve"},
}
SLOW_TO_IMPORT = {
    "BoltzTraP2",
    "atomate2",
    "chgnet",
    "gpaw",
    "keras",
    "matminer",
    "mp_api",
    "sklearn",
    "tensorflow",
    "torch",
}
NOT_AT_START = SLOW_TO_IMPORT | {
    "fireworks",
    "jobflow",
    "matplotlib",
    "pandas",
    "pymatgen",
    "pymongo",
    "scipy",
}


@cache
def modules() -> dict[str, ast.Module]:
    """Module name to syntax tree, for every module of the package."""
    trees = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *parts]).removesuffix(".__init__")
            trees[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


def room(module: str) -> str:
    """The room of a module: `gen2dft.store.documents` is in `store`.

    The root package is in none.
    """
    name = module.partition(".")[2]
    return name if name in LAYER_OF else name.partition(".")[0]


def names_imported(node: ast.AST) -> list[str]:
    """Names that an import statement may load: `from a.b import c` loads `a.b`, and `a.b.c` if that
    is a module.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names] + [f"{node.module}"]
    return []


def own_imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Modules of this package among the imports; the longest name that is a module."""
    found = set()
    for node in nodes:
        names = names_imported(node)
        known = [name for name in names if name in modules()]
        # `from gen2dft import learning` is an import of learning, not of the root package.
        found.update(
            known[:-1]
            if isinstance(node, ast.ImportFrom) and len(known) == len(names) > 1
            else known
        )
    return found


def at_top(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when a module is imported: no function bodies, no `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            continue
        yield node
        yield from at_top(node)


def libraries(nodes: Iterator[ast.AST]) -> set[str]:
    """Top-level names of everything imported."""
    return {name.partition(".")[0] for node in nodes for name in names_imported(node)}


@cache
def loaded_with(module: str) -> frozenset[str]:
    """Libraries that importing a module loads, by way of this package's own modules."""
    seen: set[str] = set()
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name in seen or name not in modules():
            continue
        seen.add(name)
        found |= libraries(at_top(modules()[name]))
        queue += own_imports(at_top(modules()[name]))
        queue.append(name.rpartition(".")[0])
    return frozenset(found)


def test_every_room_has_a_layer():
    assert {room(name) for name in modules()} - {""} == set(LAYER_OF)


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str):
    if module == "gen2dft":
        return
    above = {
        imported
        for imported in own_imports(ast.walk(modules()[module]))
        if room(imported) and LAYER_OF[room(imported)] > LAYER_OF[room(module)]
    }
    assert not above, f"{module} is below what it imports"


def test_rooms_form_no_cycle():
    graph: dict[str, set[str]] = {}
    for name, tree in modules().items():
        graph.setdefault(room(name), set()).update(
            room(other) for other in own_imports(ast.walk(tree))
        )
    try:
        TopologicalSorter({r: others - {r, ""} for r, others in graph.items()}).prepare()
    except CycleError as err:
        pytest.fail(f"rooms import each other in a circle: {' -> '.join(err.args[1])}")


def test_the_store_knows_only_the_foundation():
    of_store = [tree for name, tree in modules().items() if room(name) == "store"]
    rooms = {room(name) for tree in of_store for name in own_imports(ast.walk(tree))}
    assert rooms - {""} <= {"atomic", "errors", "funnel", "hashing", "settings", "store"}


@pytest.mark.parametrize("module", modules())
def test_flows_and_launchpad_are_imported_by_their_full_name(module: str):
    assert not {"flows", "launchpad"} & libraries(ast.walk(modules()[module]))


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_is_imported_only_in_its_home(library: str):
    users = {room(name) for name, tree in modules().items() if library in libraries(ast.walk(tree))}
    assert users <= HOMES[library]


def test_modules_form_no_cycle():
    """Not even by imports inside functions or for types: then no reading order would exist."""
    graph = {
        name: own_imports(ast.walk(tree)) & modules().keys() - {name}
        for name, tree in modules().items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(err.args[1])}")


def test_hashes_are_made_in_one_place():
    users = {
        room(name) for name, tree in modules().items() if "hashlib" in libraries(ast.walk(tree))
    }
    assert users == {"hashing"}


@pytest.mark.parametrize("module", modules())
def test_no_heavy_library_is_loaded_from_outside_its_home(module: str):
    slow = {
        library
        for library in SLOW_TO_IMPORT & loaded_with(module)
        if room(module) not in HOMES[library]
    }
    assert not slow, f"importing {module} loads {slow}: import it inside the function that needs it"


def test_the_command_line_starts_without_anything_heavy():
    code = f"import sys, gen2dft.cli.app; print(*({NOT_AT_START!r} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout.split() == []
