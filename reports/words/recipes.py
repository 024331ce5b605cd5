"""How a study trained: what all its methods share, and what is set for some of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reports.declared import declared, leaves, text
from reports.drawing import palette

if TYPE_CHECKING:
    from harness.store.store import Results


def recipes(results: Results) -> list[tuple[str, str]]:
    """(setting, value) of everything that decided a training beside the method, defaults written out.

    Where trials differ, the values stand with the labels that have them. Methods without training have no recipe.
    """
    frame = declared(results)
    seen: dict[str, dict[str, list[str]]] = {}
    known: dict[str, dict[str, object]] = {}
    for label, recipe in dict.fromkeys(zip(frame["label"], frame["recipe"], strict=True)):
        if not isinstance(recipe, str):
            continue
        values = known.setdefault(recipe, leaves(json.loads(recipe)))
        if values.get("epochs") == 0:
            continue
        for key, value in values.items():
            labels = seen.setdefault(key, {}).setdefault(_text(value), [])
            labels += [palette.name(label)] if palette.name(label) not in labels else []
    rows = []
    for key, said in seen.items():
        if len(said) == 1:
            rows.append((key, next(iter(said))))
        else:
            rows.append((key, "; ".join(f"{value} ({', '.join(labels)})" for value, labels in said.items())))
    return rows


def _text(value: object) -> str:
    return "–" if value is None or value == () else "yes" if value is True else "no" if value is False else text(value)
