"""A table as data, written as Markdown or CSV; `latex.py` writes it for papers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from reports.statistics import Interval


@dataclass(frozen=True)
class Value:
    """A number with what is known about it; `number` None means that there is none, and `text` says why."""

    number: float | None
    half: float | None = None  # half-width of the 95 % interval
    n: int | None = None  # seeds
    digits: int = 2
    emphasis: str = ""  # best | second
    mark: str = ""  # sign behind the number, explained in the table's notes
    text: str = ""  # shown in place of the number

    @classmethod
    def of(cls, interval: Interval | None, text: str = "–", emphasis: str = "", mark: str = "") -> Value:
        """From an interval, or an empty value that says `text`."""
        if interval is None:
            return cls(None, text=text)
        return cls(interval.mean, interval.half, interval.n, emphasis=emphasis, mark=mark)

    def __str__(self) -> str:
        if self.text or self.number is None:
            return self.text or "–"
        half = "" if self.half is None else f" ± {self.half:.{self.digits}f}"
        return f"{self.number:.{self.digits}f}{half}{self.mark}"


@dataclass(frozen=True)
class Column:
    """`key` in the rows and in the CSV, `head` for people, `group` above neighbouring columns that share it."""

    key: str
    head: str
    group: str = ""
    align: str = "r"


Entry = Value | str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows of entries; a rule is drawn before each row whose index is in `breaks`.

    A note that begins with "* " explains that sign, and is left out where no number carries it.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Entry], ...]
    notes: tuple[str, ...] = ()
    breaks: tuple[int, ...] = ()
    name: str = "table"  # \label and file name

    def __post_init__(self) -> None:
        marked = any(isinstance(value, Value) and "*" in value.mark for row in self.rows for value in row.values())
        object.__setattr__(self, "notes", tuple(n for n in self.notes if marked or not n.startswith("* ")))

    def markdown(self) -> str:
        """A GitHub table with the title above and the notes below."""
        heads = [f"{c.group} {c.head}".strip() for c in self.columns]
        rule = [":---" if c.align == "l" else ":---:" if c.align == "c" else "---:" for c in self.columns]
        body = [[_md_entry(row.get(c.key)) for c in self.columns] for row in self.rows]
        lines = ["| " + " | ".join(x.replace("\n", " ") for x in row) + " |" for row in [map(_md, heads), rule, *body]]
        notes = (f"\n{_sentence(_md(n))}" for n in self.notes)
        return "\n".join([f"**{_md(self.title)}**", "", *lines, *notes, ""])

    def csv(self) -> str:
        """Full-precision numbers; a column with intervals becomes four: key, key_low, key_high, key_seeds."""
        wide = {c.key for c in self.columns if any(_has_interval(r.get(c.key)) for r in self.rows)}
        names = [n for c in self.columns for n in ([c.key] + [f"{c.key}_{x}" for x in PARTS] * (c.key in wide))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(map(_cell, names))
        for row in self.rows:
            writer.writerow([_cell(x) for c in self.columns for x in _raw(row.get(c.key), c.key in wide)])
        return out.getvalue()


PARTS = ("low", "high", "seeds")
FORMULA = ("=", "+", "-", "@", "\t", "\n")  # what a spreadsheet takes for the start of one


def _md_entry(entry: Entry) -> str:
    if not isinstance(entry, Value) or entry.number is None or entry.text:
        return _md(plain(entry))
    number = f"{entry.number:.{entry.digits}f}"
    number = {"best": f"**{number}**", "second": f"<u>{number}</u>"}.get(entry.emphasis, number)
    return number + ("" if entry.half is None else f" ± {entry.half:.{entry.digits}f}") + _md(entry.mark)


def plain(entry: Entry) -> str:
    """An entry as text without any markup."""
    if entry is None:
        return "–"
    if isinstance(entry, float):
        return f"{entry:g}"
    return f"{entry:,}" if isinstance(entry, int) else str(entry)


def _md(text: str) -> str:
    """Text that a Markdown page shows as it is: no tag, cell, code, link or picture of its own."""
    text = re.sub(r"([\\`|\[\]])", r"\\\1", text)
    return text.replace("<", "&lt;")


def _cell(entry: object) -> object:
    """A CSV cell that no spreadsheet takes for a formula; numbers are left as they are."""
    if not isinstance(entry, str):
        return entry
    text = entry.replace("\r", " ")  # which would begin another row
    return f"'{text}" if text.startswith(FORMULA) and not _number(text) else text


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."


def _has_interval(entry: Entry) -> bool:
    return isinstance(entry, Value) and entry.half is not None


def _raw(entry: Entry, wide: bool) -> list[object]:
    if not isinstance(entry, Value):
        return [entry, *[None] * (3 * wide)]
    number, half = entry.number, entry.half
    if not wide:
        return [entry.text if number is None else number]
    ends = [None, None] if number is None or half is None else [number - half, number + half]
    return [entry.text if number is None else number, *ends, entry.n]
