"""Tables as LaTeX (booktabs) that fit a paper: as wide as a column or the page, and never shrunk.

What is wider than the page is broken into panels of some columns each, one below the other, which repeat the columns
that name the row; what is longer than a page goes on in further floats. Widths are estimated from the letters at
\\footnotesize, on the wide side: a table that is set wider than it had to be is better than one that runs off the page.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from reports.table import Column, Entry, Table, Value, plain

COLUMN, PAGE = 236.0, 495.0  # points: a column and the whole width of a two-column page, the narrower of CVPR and IEEE
LINES = 48  # rows of all panels of one float, so that caption and heads have room beside them
LETTER, SMALL, GAP = 4.4, 4.1, 6.0  # points: a letter at \footnotesize and at \scriptsize, and the room between columns
NAMES = ("dataset", "method", "budget", "a", "b", "trained_on")  # keys of columns that name a row

_TEX = {
    "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "–": "--", "×": "$\\times$", "†": "\\dag{}",
    "‡": "\\ddag{}", "✓": "$\\checkmark$", "→": "$\\to$", "≥": "$\\ge$", "≤": "$\\le$", "−": "$-$", "·": "$\\cdot$",
    "↓": "$\\downarrow$", "↑": "$\\uparrow$", "Δ": "$\\Delta$", "≈": "$\\approx$", "<": "$<$", ">": "$>$",
    "|": "$|$", "…": "\\ldots{}", "“": "``", "”": "''", "’": "'", "—": "---", "µ": "$\\mu$", "²": "$^2$",
    "√": "$\\surd$", "⌈": "$\\lceil$", "⌉": "$\\rceil$",
}  # fmt: skip


def write(table: Table) -> str:
    """The floats of a table; they need the packages booktabs and amssymb."""
    panels = _panels(table)
    widest = max(sum(map(_width(table), panel)) for panel in panels)
    wide = "*" if widest > COLUMN else ""
    parts = _parts(len(table.rows), table.breaks, max(8, LINES // len(panels)))
    floats = []
    for number, (start, end) in enumerate(parts):
        if number:
            caption, label = f"{table.title} (continued).", f"{table.name}-{number + 1}"
        else:
            caption, label = " ".join([_sentence(table.title), *map(_sentence, table.notes)]), table.name
        lines = [
            f"\\begin{{table{wide}}}[t]",
            "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\caption{{{escape(caption)}}}",
            f"\\label{{tab:{label}}}",
        ]
        for k, panel in enumerate(panels):
            lines += ["\\par\\medskip"] * (k > 0) + _tabular(table, panel, start, end)
        floats.append("\n".join([*lines, f"\\end{{table{wide}}}", ""]))
    return "\n".join(floats)


def escape(text: str) -> str:
    """Text that LaTeX prints as it is; a letter outside of ASCII that has no known sign becomes a question mark."""
    return "".join(_TEX.get(letter, letter if letter.isascii() else "?") for letter in text)


def _tabular(table: Table, columns: Sequence[Column], start: int, end: int) -> list[str]:
    align = "".join(c.align for c in columns)
    lines = [f"\\begin{{tabular}}{{@{{}}{align}@{{}}}}", "\\toprule"]
    if any(c.group for c in columns):
        spans, rules, at = [], [], 1
        for group, some in itertools.groupby(columns, key=lambda c: c.group):
            size = len(list(some))
            spans.append(f"\\multicolumn{{{size}}}{{c}}{{{escape(group)}}}" if group else " & " * (size - 1))
            rules.append(f"\\cmidrule(lr){{{at}-{at + size - 1}}}" if group else "")
            at += size
        lines += [" & ".join(spans) + " \\\\", "".join(rules)]
    lines += [" & ".join(escape(c.head) for c in columns) + " \\\\", "\\midrule"]
    for i in range(start, end):
        lines += ["\\midrule"] * (i in table.breaks and i > start)
        lines.append(" & ".join(_entry(table.rows[i].get(c.key)) for c in columns) + " \\\\")
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def _panels(table: Table) -> list[list[Column]]:
    """The columns in panels that fit the page; columns of one group stay together as far as they fit."""
    columns = list(table.columns)
    width = _width(table)
    if sum(map(width, columns)) <= PAGE:
        return [columns]
    stub = list(itertools.takewhile(lambda c: c.key in NAMES, columns))
    room = PAGE - sum(map(width, stub))
    panels: list[list[Column]] = [[]]
    for _, some in itertools.groupby(columns[len(stub) :], key=lambda c: c.group or c.key):
        group = list(some)
        together = sum(map(width, group))
        if panels[-1] and sum(map(width, panels[-1])) + together > room:
            panels.append([])
        for c in group:
            if panels[-1] and sum(map(width, panels[-1])) + width(c) > room:
                panels.append([])
            panels[-1].append(c)
    return [[*stub, *panel] for panel in panels]


def _parts(rows: int, breaks: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Ranges of at most `most` rows, broken at rules where one is near the end."""
    parts, start = [], 0
    while rows - start > most:
        rules = [b for b in breaks if start + most // 2 <= b <= start + most]
        end = max(rules, default=start + most)
        parts.append((start, end))
        start = end
    return [*parts, (start, rows)]


def _width(table: Table):
    """A function from a column to its width in points; a name above columns may make them wider."""
    known: dict[str, float] = {}
    sizes = Counter(c.group for c in table.columns if c.group)

    def width(column: Column) -> float:
        if column.key not in known:
            entries = [_points(row.get(column.key)) for row in table.rows]
            share = LETTER * len(column.group) / sizes[column.group] if column.group else 0.0
            known[column.key] = max([LETTER * len(column.head), share, *entries]) + GAP
        return known[column.key]

    return width


def _points(entry: Entry) -> float:
    if not isinstance(entry, Value) or entry.number is None or entry.text:
        return LETTER * len(plain(entry))
    half = 0.0 if entry.half is None else SMALL * (len(f"{entry.half:.{entry.digits}f}") + 1.7)
    return LETTER * len(f"{entry.number:.{entry.digits}f}") + half + SMALL * len(entry.mark)


def _entry(entry: Entry) -> str:
    if not isinstance(entry, Value) or entry.number is None or entry.text:
        return escape(plain(entry))
    number = f"{entry.number:.{entry.digits}f}"
    number = {"best": f"\\textbf{{{number}}}", "second": f"\\underline{{{number}}}"}.get(entry.emphasis, number)
    half = "" if entry.half is None else f"{{\\scriptsize$\\pm${entry.half:.{entry.digits}f}}}"
    return number + half + (f"\\textsuperscript{{{escape(entry.mark)}}}" if entry.mark else "")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."
