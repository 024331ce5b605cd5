"""`{cuhk_pedes: {shifts: images}}` among what is measured on: one data set for each shift and severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import registry
from harness.errors import brief, nearest
from harness.measured_on import SEVERITIES, SHIFT
from harness.study.values import named

SUITES = {"images": ("images",), "texts": ("texts",), "all": ("images", "texts"), "content": ("content",)}
KEYS = ("shifts", "severities")


def spread(items: Sequence[Any]) -> list[Any]:
    """Data sets in the order given, those with `shifts` as one for each shift, sorted, and severity.

    The data set as it is is not added: it is measured where it is listed.

    Raises:
        ValueError: no such group of shifts, or severities that are none.
    """
    return [each for item in items for each in _each(named(item, "dataset"))]


def fault(options: Mapping[str, Any]) -> str | None:
    """What is wrong with `shifts` and `severities` among the options of a data set, in a sentence."""
    group, severities = options.get("shifts"), options.get("severities", SEVERITIES)
    if "shifts" not in options:
        return "severities: it goes with shifts, one of " + ", ".join(SUITES) if "severities" in options else None
    if not isinstance(group, str) or group not in SUITES:
        near = nearest(group, SUITES) if isinstance(group, str) else None
        text = f"shifts: unknown group {brief(repr(group))}; expected one of {', '.join(SUITES)}"
        return text + (f"; did you mean {near}?" if near else "")
    if both := [key for key in SHIFT[:2] if key in options]:
        return f"{both[0]}: it goes with one shift, and shifts asks for the group {group}"
    whole = isinstance(severities, list | tuple) and all(type(each) is int for each in severities)
    if not whole or not severities or not set(severities) <= set(SEVERITIES) or len(set(severities)) < len(severities):
        return f"severities: got {brief(repr(severities))}; expected a list of whole numbers from 1 to 5, each once"
    return None


def _each(item: Any) -> list[Any]:
    options = item.get("options") if isinstance(item, Mapping) else None
    if not isinstance(options, Mapping) or not set(KEYS) & set(options):
        return [item]
    if text := fault(options):
        raise ValueError(f"{item.get('dataset')}: {text}")
    rest = {key: value for key, value in options.items() if key not in KEYS}
    kinds = SUITES[options["shifts"]]
    names = [name for kind in kinds for name in registry.names("shifts") if _kind(name) == kind]
    return [
        {**item, "options": {**rest, "shift": name, "severity": severity}}
        for name in names
        for severity in options.get("severities", SEVERITIES)
    ]


def _kind(name: str) -> str:
    return str(registry.find("shifts", name).KIND)
