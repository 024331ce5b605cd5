"""YAML documents with the line of every key, so that an error can say where.

YAML 1.2 is read: `no` is text, `1e-3` a number, a key given twice is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from harness.errors import UserError, nearest

Lines = dict[tuple, int | str]


def value(text: str) -> Any:
    """One YAML value, as on a command line."""
    return YAML(typ="safe").load(text)


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
    if not path.is_file():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else [])
        raise UserError("no such study", path, "a YAML file", near)
    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except DuplicateKeyError as error:
        raise UserError(
            f"key given twice: {error.problem.split(chr(34))[1]}", f"{path}:{error.problem_mark.line + 1}"
        ) from error
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise UserError(f"no YAML: {getattr(error, 'problem', None) or error}", where) from error
    if not isinstance(tree, Mapping):
        raise UserError("a study is a mapping of keys", path, "name, backbone, datasets, methods, ...")
    lines: Lines = {}
    plain = _plain(tree, (), lines)
    if parent := plain.pop("extends", None):
        other = (path.parent / str(parent)).resolve()
        if other in seen:
            raise UserError(f"extends itself through {parent}", path)
        base, theirs = read(other, (*seen, path.resolve()))
        plain = _merge(base, plain)
        # Of a list or value that is replaced nothing is left; of a mapping the keys that are not replaced are.
        own = {place for place in lines if not _is_mapping(plain, place)}
        for place, line in theirs.items():
            if not own.intersection(place[:end] for end in range(1, len(place) + 1)):
                lines.setdefault(place, line if isinstance(line, str) else f"{other}:{line}")
    return plain, lines


def _plain(node: Any, place: tuple, lines: Lines) -> Any:
    marked: Any = node  # ruamel's nodes know their lines by `lc`
    if isinstance(node, Mapping):
        for key in node:
            lines[(*place, key)] = marked.lc.key(key)[0] + 1
        return {str(key): _plain(value, (*place, key), lines) for key, value in node.items()}
    if isinstance(node, list):
        for index in range(len(node)):
            lines[(*place, index)] = marked.lc.item(index)[0] + 1
        return [_plain(value, (*place, index), lines) for index, value in enumerate(node)]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


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
