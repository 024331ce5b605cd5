"""Who may import whom: wings point downwards, no circles, and the heavy libraries only where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [p for top in ("harness", "methods", "reports", "studies") for p in sorted((ROOT / top).rglob("*.py"))]

# Wings from the ground up. A wing imports from lower floors only; a file belongs to its wing wherever it lies in it, so
# that a new file is covered without being listed. "ground" are the files of harness/ itself.
FLOORS = [
    {"ground"},
    {"model", "store"},
    {"adaptation", "data"},
    {"training", "evaluation", "datasets", "methods", "shifts"},
    {"trial", "export"},
    {"benchmark", "study", "execution", "backbones", "retrieval", "reports"},
    {"api"},
    {"cli"},
]
# What reports may read, so that drawing needs neither torch nor a data set.
READ = ("harness.store", "harness.labels", "harness.errors", "harness.registry", "harness.parallel")
READ += ("harness.data.quality.overlap", "harness.stein")
KINDS = ("methods", "harness/datasets", "harness/shifts", "harness/evaluation/metrics", "harness/cli/commands")
KINDS += ("reports/figures", "reports/tables")  # one file = one thing: these folders may be long
MOST = 13  # files on one level of a wing, besides its __init__


def name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name(path): path for path in FILES}


@cache
def imports(path: Path) -> frozenset[str]:
    """Modules that a file imports, at its top or within its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are written in full"
            module = node.module or ""
            full = [f"{module}.{alias.name}" for alias in node.names]
            found.update(n if n in MODULES else module for n in full)
    return frozenset(found)


def own(path: Path) -> list[str]:
    # A function that is sent to another process may import its own module.
    return sorted(m for m in imports(path) if m in MODULES and MODULES[m] != path)


def wing(module: str) -> str:
    top, *rest = module.split(".")
    if top != "harness":
        return top
    return rest[0] if rest and (ROOT / "harness" / rest[0]).is_dir() else "ground"


def floor(module: str) -> int:
    found = [number for number, wings in enumerate(FLOORS) if wing(module) in wings]
    assert found, f"{module}: name its wing in FLOORS"
    return found[0]


def pointing_up() -> Iterator[str]:
    for module, path in MODULES.items():
        for other in own(path):
            if wing(module) != wing(other) and floor(other) >= floor(module):
                yield f"{module} imports {other} from above"


def test_imports_point_downwards():
    assert not list(pointing_up())


def test_no_import_circle_is_left():
    state: dict[str, int] = {}

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert state.get(module) != 1, " -> ".join((*way[way.index(module) :], module))
        if module in state:
            return
        state[module] = 1
        for other in own(MODULES[module]):
            visit(other, (*way, module))
        state[module] = 2

    for module in MODULES:
        visit(module, ())


def test_reports_read_the_store_alone():
    for module, path in MODULES.items():
        if wing(module) == "reports":
            far = [m for m in own(path) if wing(m) != "reports" and not m.startswith(READ)]
            assert not far, f"{module} imports {far}"
            assert not {m.split(".")[0] for m in imports(path)} & {"torch", "ray"}, module


OWNERS = {
    "ray": ("harness.execution.ray",),
    "open_clip": ("harness.model.weights", "harness.model.open_clip_files", "harness.model.tokenizer"),
    "matplotlib": ("reports",),
    "seaborn": ("reports",),
}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_one_room(library):
    for module, path in MODULES.items():
        if any(m.split(".")[0] == library for m in imports(path)):
            inside = any(module == owner or module.startswith(f"{owner}.") for owner in OWNERS[library])
            assert inside, f"{module} imports {library}"


LIGHT = (
    "harness.study.reading",
    "harness.registry",
    "harness.store.store",
    "reports.page",
    "harness.cli.main",
    "harness.api.asking",
)


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_neither_torch_nor_ray(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'ray', 'open_clip') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_no_file_grows_past_its_purpose():
    long = {module: n for module, p in MODULES.items() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long


def folders() -> Iterator[Path]:
    for top in ("harness", "methods", "reports"):
        yield from (p for p in (ROOT / top, *(ROOT / top).rglob("*")) if p.is_dir() and any(p.glob("*.py")))


def test_no_level_of_a_wing_is_crowded():
    sizes = {p.relative_to(ROOT).as_posix(): len([*p.glob("*.py")]) - 1 for p in folders()}
    assert not {place: size for place, size in sizes.items() if size > MOST and place not in KINDS}


def test_each_wing_says_what_is_in_it_where_to_begin_and_who_may_come():
    for folder in folders():
        assert (folder / "__init__.py").is_file(), folder
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        begin = [word for word in text.replace("`", " ").split() if word.endswith((".py", ".yaml"))]
        assert "ead `" in text and begin, f"{folder}: its __init__ names no file to read first"
        assert any((folder / file).is_file() for file in begin), f"{folder}: {begin} are not there"
        assert "import" in text or "ound by name" in text or "calls" in text, f"{folder}: who may import it?"


def test_tests_mirror_the_house():
    """A folder of tests for a wing stands where the wing stands."""
    for folder in (p for p in (ROOT / "tests" / "harness").rglob("*") if p.is_dir() and p.name != "__pycache__"):
        assert (ROOT / folder.relative_to(ROOT / "tests")).is_dir(), folder
