"""Short names for things that may share a name and differ in options: `lora (alpha 8)`, `synth_cuhk (size demo)`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def labels(things: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A label for each (name, options): equal things have one, and two that differ have two.

    It is the name alone where nothing else of that name is among the things. Otherwise the options that not all of that
    name have alike stand behind it, sorted; an option that is not given is not shown.
    """
    groups: dict[str, dict[str, dict[str, str]]] = {}
    written = [{key: word(value) for key, value in options.items()} for _, options in things]
    for (name, _), options in zip(things, written, strict=True):
        groups.setdefault(name, {})[_text(options)] = options
    found = {(name, text): _label(name, one, group.values()) for name, group in groups.items()
             for text, one in group.items()}  # fmt: skip
    return [found[name, _text(options)] for (name, _), options in zip(things, written, strict=True)]


def bare(label: str) -> str:
    """The name that a label begins with."""
    return label.split(" (", 1)[0]


def word(value: object) -> str:
    """An option's value in a label: as it is where that cannot be misread, else as JSON."""
    if isinstance(value, str) and re.fullmatch(r"[\w.%+/@:-]+", value) and not _json(value):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _label(name: str, options: Mapping[str, str], group: Iterable[Mapping[str, str]]) -> str:
    told = [key for key in sorted(options) if any(other.get(key) != options[key] for other in group)]
    return f"{name} ({', '.join(f'{key} {options[key]}' for key in told)})" if told else name


def _text(options: Mapping[str, str]) -> str:
    return json.dumps(options, sort_keys=True)


def _json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
