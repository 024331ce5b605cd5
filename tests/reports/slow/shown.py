"""What a cell must show, and how it is written in CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.reports.slow.numbers import Mean


@dataclass
class Shown:
    """What a cell must show."""

    number: float | None = None
    half: float | None = None
    n: int | None = None
    digits: int = 2
    emphasis: str = ""
    mark: str = ""
    text: str = ""

    @classmethod
    def of(cls, mean: Mean, **more) -> Shown:
        return cls(mean.mean, mean.half, mean.n, **more)


def same(line: dict[str, str], key: str, entry: object) -> None:
    if not isinstance(entry, Shown):
        assert line[key] == ("" if entry is None else str(entry)), key
        return
    if entry.number is None:
        assert line[key] == entry.text, key
    else:
        assert float(line[key]) == pytest.approx(entry.number, rel=1e-6, abs=1e-9), key
    if entry.half is not None:
        ends = entry.number - entry.half, entry.number + entry.half
        assert [float(line[f"{key}_{end}"]) for end in ("low", "high")] == pytest.approx(ends, rel=1e-6, abs=1e-6), key
    if f"{key}_seeds" in line:
        assert line[f"{key}_seeds"] == ("" if entry.n is None else str(entry.n)), key


def markdown(entry: object) -> str:
    if entry is None:
        return "–"
    if not isinstance(entry, Shown):
        return f"{entry:,}" if isinstance(entry, int) else str(entry)
    if entry.number is None or entry.text:
        return entry.text or "–"
    number = f"{entry.number:.{entry.digits}f}"
    number = {"best": f"**{number}**", "second": f"<u>{number}</u>"}.get(entry.emphasis, number)
    return number + ("" if entry.half is None else f" ± {entry.half:.{entry.digits}f}") + entry.mark


def latex(entry: object) -> str:
    """The Markdown in LaTeX's signs."""
    said = markdown(entry)
    star = isinstance(entry, Shown) and entry.number is not None and not entry.text and entry.mark
    said = said.removesuffix(star) if star else said
    said = re.sub(r"\*\*(.*?)\*\*", r"\\textbf{\1}", said)
    said = re.sub(r"<u>(.*?)</u>", r"\\underline{\1}", said)
    said = re.sub(r" ± ([\d.]+)", r"{\\scriptsize$\\pm$\1}", said)
    for sign, tex in (("%", "\\%"), ("<", "$<$"), (">", "$>$"), ("–", "--"), ("✓", "$\\checkmark$"), ("_", "\\_")):
        said = said.replace(sign, tex)
    raised = (star or "").replace("≈", "$\\approx$").replace("†", "\\dag{}").replace("‡", "\\ddag{}")
    return said + (f"\\textsuperscript{{{raised}}}" if raised else "")


def latex_rows(text: str, stub: list[str]) -> list[list[str]]:
    """Rows of all floats, their panels put side by side; the columns that name a row stand once."""
    rows: list[list[str]] = []
    for one in re.split(r"\\end\{table\*?\}", text)[:-1]:
        panels = re.findall(r"\\begin\{tabular\}.*?\n(.*?)\\bottomrule", one, flags=re.DOTALL)
        made: list[list[str]] = []
        for k, panel in enumerate(panels):
            lines = panel.split("\\midrule\n", 1)[1].replace("\\midrule\n", "").splitlines()
            cells = [[cell.strip() for cell in line.removesuffix(" \\\\").split(" & ")] for line in lines]
            made = cells if k == 0 else [a + b[len(stub) :] for a, b in zip(made, cells, strict=True)]
        rows += made
    return rows
