"""Reading a study strictly: every fault of the file in one pass, with its line and the nearest known name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from harness import registry
from harness.errors import UserError
from harness.study import extent, faults
from harness.study.study import Study
from harness.study.yaml import line_of, put, read
from harness.study.yaml import value as scalar
from harness.trial.spec import Trial


def load(
    path: str | Path,
    settings: Mapping[str, str] | None = None,
    check: faults.Check | None = None,
    many: bool = False,
) -> Study:
    """Read a study.

    Args:
        path: A YAML file (version 1.2, so `no` is text and `1e-3` a number); `extends:` names another one beside it.
        settings: Dotted keys and YAML values that replace what the file says.
        check: Faults of a method's options, one line each; they are reported with the others.
        many: Allow more than `extent.TRIALS` trials.

    Raises:
        UserError: all faults of the file, one per line.
    """
    path = Path(path)
    tree, lines = read(path)
    for key, text in (settings or {}).items():
        put(tree, key, scalar(text, f"--set {key}"))
        lines[tuple(key.split("."))] = "--set " + key
    tree |= {"methods": registry.rooted(tree["methods"], path.parent)} if "methods" in tree else {}
    found: list[faults.Fault] = []
    study = None
    try:
        study = Study(**tree)
    except ValidationError as error:
        found += faults.of_values(error)
    seen: Callable[[Iterable[Trial]], Iterable[faults.Fault]] | None = None
    parts: list[Iterable[faults.Fault]] = [
        faults.of_names(tree),
        faults.of_entries(tree, check),
        faults.of_axes(tree, check),
    ]
    if check is not None:
        from harness.study import inside

        parts += [inside.of_data(tree), inside.of_budgets(tree)]
        seen = inside.of_trials
    if study is not None:
        parts += [faults.of_study(study), extent.of_lists(study), () if many else extent.of_extent(study)]
    found += itertools.islice(itertools.chain(*parts), faults.MOST)
    # A number is told once, in the words of what it is for where there are any.
    told = list(found)
    for place, text in itertools.islice(extent.of_numbers(tree), faults.MOST):
        value = text.rsplit(", ", 1)[1].split(" (")[0]
        if not any(place == other or (place[: len(other)] == other and value in words) for other, words in told):
            found.append((place, text))
    if not found and study is not None:
        found += itertools.islice(faults.of_trials(study, seen), faults.MOST)
    if found or study is None:
        shown: dict[str, str] = {}
        alike: set[str] = set()
        for place, text in found:
            row = f"{(where := line_of(path, lines, place))}: {text}"
            if (same := re.sub(r"\.\d+: ", ": ", row)) not in alike:  # items of a list with one fault are told once
                shown[row] = where
                alike.add(same)
        raise UserError("\n".join(sorted(shown, key=lambda row: _number(shown[row]))))
    return study


def _number(line: str) -> int:
    last = line.rsplit(":", 1)[-1]
    return int(last) if last.isdigit() else 0
