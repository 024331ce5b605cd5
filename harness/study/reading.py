"""Reading a study strictly: every fault of the file in one pass, with its line and the nearest known name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from harness import registry
from harness.errors import UserError
from harness.study import faults
from harness.study.study import Study
from harness.study.yaml import line_of, put, read
from harness.study.yaml import value as scalar


def load(
    path: str | Path,
    settings: Mapping[str, str] | None = None,
    check: faults.Check | None = None,
) -> Study:
    """Read a study.

    Args:
        path: A YAML file (version 1.2, so `no` is text and `1e-3` a number); `extends:` names another one beside it.
        settings: Dotted keys and YAML values that replace what the file says.
        check: Faults of a method's options, one line each; they are reported with the others.

    Raises:
        UserError: all faults of the file, one per line.
    """
    path = Path(path)
    tree, lines = read(path)
    for key, text in (settings or {}).items():
        put(tree, key, scalar(text))
        lines[tuple(key.split("."))] = "--set " + key
    tree |= {"methods": registry.rooted(tree["methods"], path.parent)} if "methods" in tree else {}
    found: list[faults.Fault] = []
    study = None
    try:
        study = Study(**tree)
    except ValidationError as error:
        found += faults.of_values(error)
    found += [*faults.of_names(tree), *faults.of_entries(tree, check), *faults.of_axes(tree, check)]
    if study is not None:
        found += faults.of_study(study)
    if not found and study is not None:
        found += faults.of_trials(study)
    if found or study is None:
        shown = {f"{line_of(path, lines, place)}: {text}": line_of(path, lines, place) for place, text in found}
        raise UserError("\n".join(sorted(shown, key=lambda row: _number(shown[row]))))
    return study


def _number(line: str) -> int:
    last = line.rsplit(":", 1)[-1]
    return int(last) if last.isdigit() else 0
