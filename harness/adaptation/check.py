"""Ask every promise of a method that is not part of the package, in one file:

python -m harness.adaptation.check my_method.py
python -m harness.adaptation.check my_method.py '{"parts": ["lora"]}'     with options, as JSON
"""

from __future__ import annotations

import json
import sys
import textwrap
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from harness.adaptation.probe import Broken, Case
from harness.adaptation.promises import PROMISES
from harness.errors import UserError
from harness.registry import find


@dataclass(frozen=True)
class Result:
    """What became of one promise.

    Attributes:
        promise: Its name.
        kept: Whether it is kept, or None where it does not apply.
        said: What was measured, or what is wrong.
    """

    promise: str
    kept: bool | None
    said: str


def check(file: str | Path, options: Mapping[str, Any] | None = None) -> list[Result]:
    """Every promise of the method in `file`, or of a known method by name.

    Raises:
        UserError: the file cannot be imported, holds no `Method`, or refuses the options.
    """
    module = _load(file)
    case = Case(Path(file).stem, module, dict(options or {}))
    case.make()
    return [_ask(name, case) for name in PROMISES]


def _load(file: str | Path) -> ModuleType:
    try:
        module = find("methods", str(file))
    except UserError:
        raise
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else _line(error, str(Path(file).resolve()))
        raise UserError(f"cannot be imported: {type(error).__name__}: {error}", f"{file}, line {line}") from error
    if not isinstance(getattr(module, "Method", None), type):
        raise UserError("has no class 'Method'", file, "a frozen dataclass as in CONTRIBUTING.md")
    return module


def _ask(name: str, case: Case) -> Result:
    try:
        said = PROMISES[name](case)
    except Broken as error:
        return Result(name, False, error.what)
    except Exception as error:
        file, text = case.module.__file__ or "", " ".join(str(error).split())
        line = _line(error, file)
        place = f" (line {line} of {Path(file).name})" if line else ""
        return Result(name, False, f"{type(error).__name__}: {text[:200]}{place}")
    return Result(name, None if said is None else True, said or "does not apply")


def _line(error: BaseException, file: str) -> int | None:
    """The last line of `file` that an error went through."""
    own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return own[-1] if own else None


def report(results: list[Result], width: int = 80) -> str:
    """One line per promise, broken ones wrapped, and a count."""
    wide = max(len(result.promise) for result in results)
    lines = []
    for result in results:
        mark = {True: "kept  ", False: "BROKEN", None: "-     "}[result.kept]
        meant = PROMISES[result.promise].__doc__ or ""
        start = f"{mark}  {result.promise:<{wide}}  {meant.splitlines()[0]}"
        indent = " " * (len(mark) + wide + 4)
        lines += textwrap.wrap(start, width, subsequent_indent=indent)
        lines += textwrap.wrap(result.said, width, initial_indent=indent, subsequent_indent=indent)
    broken = sum(result.kept is False for result in results)
    asked = sum(result.kept is not None for result in results)
    return "\n".join([*lines, f"{asked - broken} of {asked} promises kept"])


def main(arguments: list[str]) -> int:
    """Print the report; 0 when everything is kept, 2 otherwise."""
    torch.set_num_threads(1)
    try:
        if not 1 <= len(arguments) <= 2:
            raise UserError("one file, and options as JSON if need be", "check_method")
        results = check(arguments[0], json.loads(arguments[1]) if len(arguments) > 1 else None)
    except json.JSONDecodeError as error:
        print(f"check_method: options as JSON: {error}", file=sys.stderr)
        return UserError.exit_code
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(report(results))
    return 2 if any(result.kept is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
