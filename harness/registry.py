"""Names to modules: the file is the registration.

A method is a file in `methods/`, a data set a file in `harness/datasets/`, and so on for each kind of `PACKAGES`; its
name is the file's name. Other packages add to a kind through the entry-point group `upbench.<kind>`.
Listing names imports nothing, so it costs milliseconds.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from harness import paths
from harness.errors import UserError, brief, nearest

PACKAGES = {
    "methods": "methods",
    "datasets": "harness.datasets",
    "shifts": "harness.shifts",
    "losses": "harness.training.losses",
    "recipes": "harness.training.recipes",
    "metrics": "harness.evaluation.metrics",
    "figures": "reports.figures",
    "tables": "reports.tables",
    "checks": "harness.benchmark.doctor",
}
SUFFIX = {"recipes": ".yaml"}  # of the files of a kind, where they are no Python


@functools.cache
def _files(kind: str) -> dict[str, Path]:
    spec = importlib.util.find_spec(PACKAGES[kind])
    folders = [Path(p) for p in (spec and spec.submodule_search_locations) or ()]
    pattern = f"*{SUFFIX.get(kind, '.py')}"
    return {f.stem: f for d in folders for f in sorted(d.glob(pattern)) if not f.stem.startswith("_")}


@functools.cache
def _plugins(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"upbench.{kind}")}


def names(kind: str) -> list[str]:
    """Known names of a kind, one of `PACKAGES`, sorted."""
    return sorted({**_files(kind), **_plugins(kind)})


def source(kind: str, name: str) -> Path:
    """The file that holds `name`."""
    if name in _files(kind):
        return _files(kind)[name]
    if name in _plugins(kind):
        spec = importlib.util.find_spec(_plugins(kind)[name].module)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin)
    path = Path(name)
    if name.endswith(".py") and paths.is_file(path):
        return path.resolve()
    one = "loss" if kind == "losses" else kind[:-1]
    raise UserError(
        f"unknown {one} '{brief(name)}'",
        expected=f"one of {', '.join(names(kind))}",
        nearest=nearest(name, names(kind)),
    )


@functools.cache
def find(kind: str, name: str) -> ModuleType:
    """Import the module of `name`; `name` may also be the path of a Python file.

    Raises:
        UserError: no such name, with the nearest known one.
    """
    file = source(kind, name)
    if name in _files(kind):
        return importlib.import_module(f"{PACKAGES[kind]}.{name}")
    if name in _plugins(kind):
        return importlib.import_module(_plugins(kind)[name].module)
    spec = importlib.util.spec_from_file_location(f"upbench_{kind}_{file.stem}", file)
    assert spec is not None and spec.loader is not None  # `source` gives Python files only
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name to read their annotations.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def rooted(names: object, folder: Path) -> object:
    """Lists and mappings of names in which the Python files of `folder` have become whole paths."""
    if isinstance(names, list):
        return [rooted(item, folder) for item in names]
    if isinstance(names, dict):
        return {rooted(key, folder): rooted(value, folder) for key, value in names.items()}
    if isinstance(names, str) and names.endswith(".py") and paths.is_file(folder / names):
        return str((folder / names).resolve())
    return names


def summary(kind: str, name: str) -> str:
    """First line of the docstring of `name`, or of the comment that it begins with, read without importing it."""
    if kind in SUFFIX:
        return source(kind, name).read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ")
    text = ast.get_docstring(ast.parse(source(kind, name).read_text(encoding="utf-8"))) or ""
    return text.split("\n", 1)[0]
