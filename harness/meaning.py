"""What code computes, as a hash: of a file and of everything in this project that it reaches by imports.

Comments, docstrings, layout, type hints of functions, and where a file lies or how it is reached do not count; every
other change does. An import stands in the hash of a file as the names that it brings and the meaning of where they come
from, so that two functions of one name are told apart and a file may move.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
OURS = ("harness", "methods", "reports", "studies", "upbench")
FACE = "upbench"  # a lazy module: what is imported from it comes from elsewhere
SILENT = ("ctx", "type_comment", "type_params", "kind", "returns")  # fields that decide nothing, or not in every Python


def digest(files: Iterable[Path], exempt: Collection[str] = ()) -> str:
    """Hash, 16 hex digits, of what these files and all that they reach compute; see `reached`."""
    meanings = sorted({_meaning(path, tuple(exempt)) for path in reached(files, exempt)})
    return hashlib.sha256(json.dumps(meanings).encode()).hexdigest()[:16]


def reached(files: Iterable[Path], exempt: Collection[str] = ()) -> set[Path]:
    """These files and those of the project that they import, at their top or within functions, directly or not.

    Args:
        files: Python files, of this project or from anywhere.
        exempt: Modules and packages, such as `harness.store`, that are neither taken nor entered.
    """
    exempt, found, waiting = tuple(exempt), set(), [Path(file) for file in files]
    waiting += [around for path in waiting if (name := module(path)) for around in _files(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for _, name in _imports(path) if not _under(name, exempt) for file in _files(name)]
    return found


def module(path: Path) -> str | None:
    """The dotted name of a file of this project; None of others."""
    try:
        parts = path.resolve().relative_to(ROOT.resolve()).with_suffix("").parts
    except ValueError:
        return None
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def file_of(name: str) -> Path | None:
    """The file of a module of this project."""
    if name.split(".")[0] not in OURS:
        return None
    place = ROOT.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _under(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def _files(name: str) -> Iterator[Path]:
    """The file of a module and those of the packages around it, which Python runs too."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        if path := file_of(".".join(parts[:end])):
            yield path


@functools.cache
def _imports(path: Path) -> tuple[tuple[str, str], ...]:
    """The name that each import of this project brings, and the module it comes from, in order of the names."""
    if path == file_of(FACE):
        return ()  # lazy: a file that uses it says what it takes from it
    return tuple(sorted({(here, name) for node in ast.walk(_tree(path)) for name, _, here in _brought(node)}))


def _brought(node: ast.AST) -> Iterator[tuple[str, str | None, str]]:
    """What an import of this project brings: the module it comes from, the name there (None: itself), the name here."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name == FACE:
                yield FACE, None, alias.asname or FACE
            elif file_of(alias.name):
                yield alias.name, None, alias.asname or alias.name
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            here, whole = alias.asname or alias.name, f"{node.module}.{alias.name}"
            if node.module == FACE and alias.name in _offered():
                yield *_behind(alias.name), here
            elif file_of(whole):
                yield whole, None, here
            elif file_of(node.module):
                yield node.module, alias.name, here
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == FACE:
        yield *_behind(node.attr), node.attr


def _behind(name: str) -> tuple[str, str | None]:
    """The module behind a name of the face, and the name there; of a module that is offered, itself."""
    home = _offered().get(name, FACE)
    return (whole, None) if file_of(whole := f"{home}.{name}") else (home, name)


@functools.cache
def _offered() -> dict[str, str]:
    """Name in the face -> module that it comes from."""
    path = file_of(FACE)
    for node in ast.walk(_tree(path)) if path else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "OFFERED":
            return ast.literal_eval(node.value) if node.value else {}
    return {}


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _meaning(path: Path, exempt: tuple[str, ...]) -> str:
    """Hash of what a file computes: its own text, and for each name that it imports the text that it comes from."""
    brought = [name for _, name in _imports(path) if not _under(name, exempt)]
    return _hash([_text(path), [_text(file) for name in brought if (file := file_of(name))]])


@functools.cache
def _text(path: Path) -> str:
    """Hash of a file by itself, in which an import of this project is the names that it brings."""
    return _hash(_plain(_tree(path)))


def _hash(plain: object) -> str:
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def _plain(node: object) -> object:
    """A tree as JSON values, equal for equal meaning and in every Python that parses it."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, ast.AST):
        return node if node is None or isinstance(node, str | int | float) else repr(node)
    if isinstance(node, ast.Constant):
        return ["constant", type(node.value).__name__, repr(node.value)]
    if isinstance(node, ast.Import | ast.ImportFrom) and (brought := list(_brought(node))):
        return ["import", sorted([there or "", here] for _, there, here in brought)]
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        fields["body"] = _worded(node.body)
    if isinstance(node, ast.arg):
        del fields["annotation"]
    told = {k: _plain(v) for k, v in fields.items() if k not in SILENT and v is not None and v != []}
    return [type(node).__name__, told]


def _worded(body: list[ast.stmt]) -> list[ast.stmt]:
    """A body without what is for readers and for type checkers."""
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return [node for node in body if not _for_checkers(node)]


def _for_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
