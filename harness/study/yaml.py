"""Documents of studies with the line of every key, so that an error can say where; one may extend another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import paths
from harness.errors import UserError, brief, nearest
from harness.study import nodes
from harness.study.nodes import Lines

SIZE = 100_000  # bytes of a file


def value(text: str, where: str) -> Any:
    """One YAML value, as on a command line; `where` is the place that a fault names."""
    if len(text) > SIZE:
        raise UserError(f"a value of {len(text):,} characters", where, f"at most {SIZE:,}")
    return nodes.read(text, lambda line: where)[0]


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set a value by its dotted path, as in `recipe.lr`."""
    *parents, last = path.split(".")
    for part in parents:
        if not isinstance(tree.setdefault(part, {}), dict):
            raise UserError(f"'{path}' does not lead to a value", "path", "dotted keys like recipe.lr or options.rank")
        tree = tree[part]
    tree[last] = value


def read(path: Path, seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], Lines]:
    """A mapping and the line of each of its keys; `extends: FILE` merges over another document beside it."""
    if not paths.is_file(path):
        near = nearest(path.name, [p.name for p in path.parent.glob("*.yaml")] if paths.is_folder(path.parent) else [])
        raise UserError("no such study", brief(str(path), 200), "a YAML file", near)
    with path.open("rb") as file:
        content = file.read(SIZE + 1)
    if len(content) > SIZE:
        raise UserError(f"a study of {path.stat().st_size:,} bytes", path, f"at most {SIZE:,}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"no YAML: byte {error.start} is not UTF-8", path, "text in UTF-8") from error
    plain, lines = nodes.read(text, lambda line: f"{path}:{line}" if line else str(path))
    if not isinstance(plain, dict):
        raise UserError("a study is a mapping of keys", path, "name, backbone, datasets, methods, ...")
    if (parent := plain.pop("extends", None)) is not None:
        at = line_of(path, lines, ("extends",))
        if not isinstance(parent, str) or not parent:
            raise UserError(f"extends: {brief(repr(parent))} is no file", at, "the name of a study beside it")
        other = paths.resolved(path.parent / parent)
        if not paths.is_file(other):
            raise UserError(f"extends: no such study as {brief(parent)}", at, "a YAML file")
        if other in (*seen, path.resolve()):
            raise UserError(f"extends itself through {parent}", at)
        base, theirs = read(other, (*seen, path.resolve()))
        plain = _merge(base, plain)
        # Of a list or value that is replaced nothing is left; of a mapping the keys that are not replaced are.
        own = {place for place in lines if not _is_mapping(plain, place)}
        for place, line in theirs.items():
            if not own.intersection(place[:end] for end in range(1, len(place) + 1)):
                lines.setdefault(place, line if isinstance(line, str) else f"{other}:{line}")
    return plain, lines


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{k: _merge(base[k], v) if k in base else v for k, v in over.items()}}
    return over


def _is_mapping(tree: Any, place: tuple) -> bool:
    for part in place:
        tree = tree[part] if isinstance(tree, list) else tree.get(str(part))
        if not isinstance(tree, list | Mapping):
            return False
    return isinstance(tree, Mapping)


def line_of(path: Path, lines: Lines, place: tuple) -> str:
    """`file:line` of the nearest known key above a place."""
    for end in range(len(place), 0, -1):
        if place[:end] in lines:
            at = lines[place[:end]]
            return at if isinstance(at, str) else f"{path}:{at}"
    return str(path)
