"""A table as data, written as LaTeX (booktabs), Markdown or CSV."""

from __future__ import annotations

import csv
import io
import itertools
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
    def of(cls, interval: Interval | None, text: str = "–", **more: object) -> Value:
        """From an interval, or an empty value that says `text`."""
        if interval is None:
            return cls(None, text=text)
        return cls(interval.mean, interval.half, interval.n, **more)

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
    """Rows of entries; a rule is drawn before each row whose index is in `breaks`."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Entry], ...]
    notes: tuple[str, ...] = ()
    breaks: tuple[int, ...] = ()
    name: str = "table"  # \label and file name

    def latex(self) -> str:
        """A floating table; needs the package booktabs. The text is at its final size: \\footnotesize."""
        wide = "*" if len(self.columns) > 7 else ""
        align = "".join(c.align for c in self.columns)
        lines = [
            f"\\begin{{table{wide}}}[t]",
            "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\caption{{{_tex(' '.join([_sentence(self.title), *map(_sentence, self.notes)]))}}}",
            f"\\label{{tab:{self.name}}}",
            f"\\begin{{tabular}}{{@{{}}{align}@{{}}}}",
            "\\toprule",
        ]
        if any(c.group for c in self.columns):
            spans, rules, at = [], [], 1
            for group, some in itertools.groupby(self.columns, key=lambda c: c.group):
                size = len(list(some))
                spans.append(f"\\multicolumn{{{size}}}{{c}}{{{_tex(group)}}}" if group else " & " * (size - 1))
                rules.append(f"\\cmidrule(lr){{{at}-{at + size - 1}}}" if group else "")
                at += size
            lines += [" & ".join(spans) + " \\\\", "".join(rules)]
        lines += [" & ".join(_tex(c.head) for c in self.columns) + " \\\\", "\\midrule"]
        for i, row in enumerate(self.rows):
            lines += ["\\midrule"] * (i in self.breaks and i > 0)
            lines.append(" & ".join(_tex_entry(row.get(c.key)) for c in self.columns) + " \\\\")
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", f"\\end{{table{wide}}}", ""])

    def markdown(self) -> str:
        """A GitHub table with the title above and the notes below."""
        heads = [f"{c.group} {c.head}".strip() for c in self.columns]
        rule = [":---" if c.align == "l" else ":---:" if c.align == "c" else "---:" for c in self.columns]
        body = [[_md_entry(row.get(c.key)) for c in self.columns] for row in self.rows]
        lines = ["| " + " | ".join(_pipe(x) for x in row) + " |" for row in [heads, rule, *body]]
        return "\n".join([f"**{self.title}**", "", *lines, *(f"\n{_sentence(n)}" for n in self.notes), ""])

    def csv(self) -> str:
        """Full-precision numbers; a column with intervals becomes four: key, key_low, key_high, key_seeds."""
        wide = {c.key for c in self.columns if any(_has_interval(r.get(c.key)) for r in self.rows)}
        names = [n for c in self.columns for n in ([c.key] + [f"{c.key}_{x}" for x in PARTS] * (c.key in wide))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in self.rows:
            writer.writerow([x for c in self.columns for x in _raw(row.get(c.key), c.key in wide)])
        return out.getvalue()


PARTS = ("low", "high", "seeds")

_TEX = {
    "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "–": "--", "×": "$\\times$", "†": "\\dag{}",
    "‡": "\\ddag{}", "✓": "$\\checkmark$", "→": "$\\to$", "≥": "$\\ge$", "≤": "$\\le$", "−": "$-$", "·": "$\\cdot$",
    "↓": "$\\downarrow$", "↑": "$\\uparrow$", "Δ": "$\\Delta$", "≈": "$\\approx$",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def _tex_entry(entry: Entry) -> str:
    if not isinstance(entry, Value) or entry.number is None or entry.text:
        return _tex(_plain(entry))
    number = f"{entry.number:.{entry.digits}f}"
    number = {"best": f"\\textbf{{{number}}}", "second": f"\\underline{{{number}}}"}.get(entry.emphasis, number)
    half = "" if entry.half is None else f"{{\\scriptsize$\\pm${entry.half:.{entry.digits}f}}}"
    return number + half + (f"\\textsuperscript{{{_tex(entry.mark)}}}" if entry.mark else "")


def _md_entry(entry: Entry) -> str:
    if not isinstance(entry, Value) or entry.number is None or entry.text:
        return _plain(entry)
    number = f"{entry.number:.{entry.digits}f}"
    number = {"best": f"**{number}**", "second": f"<u>{number}</u>"}.get(entry.emphasis, number)
    return number + ("" if entry.half is None else f" ± {entry.half:.{entry.digits}f}") + entry.mark


def _plain(entry: Entry) -> str:
    if entry is None:
        return "–"
    if isinstance(entry, float):
        return f"{entry:g}"
    return f"{entry:,}" if isinstance(entry, int) else str(entry)


def _pipe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."


def _has_interval(entry: Entry) -> bool:
    return isinstance(entry, Value) and entry.half is not None


def _raw(entry: Entry, wide: bool) -> list[object]:
    if not isinstance(entry, Value):
        return [entry, *[None] * (3 * wide)]
    number = entry.number if entry.number is not None else entry.text
    if not wide:
        return [number]
    ends = [None, None] if entry.half is None else [entry.number - entry.half, entry.number + entry.half]
    return [number, *ends, entry.n]
