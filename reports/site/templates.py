"""The templates of all pages, and how their values become text."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2

from reports.table import Value

FOLDER = Path(__file__).parents[1]


@functools.cache
def template(name: str) -> jinja2.Template:
    """A template by its path below `reports/`; text is escaped, and a name that is not given is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    env.filters["sort_key"] = _sort_key
    env.filters["is_value"] = lambda entry: isinstance(entry, Value)
    env.filters["thousands"] = lambda entry: f"{entry:,}" if isinstance(entry, int) else entry
    return env.get_template(name)


def _sort_key(entry: object) -> object:
    """What a column is sorted by: the number of a value, empty where there is none."""
    if isinstance(entry, Value):
        return "" if entry.number is None else entry.number
    return "" if entry is None else entry
