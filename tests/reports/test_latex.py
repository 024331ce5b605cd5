"""Tables as LaTeX: panels that fit a page, floats that fit its height, and a real LaTeX that agrees."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from harness import registry
from reports import latex
from reports.table import Column, Table, Value
from tests.reports.made import FOUND, found

LATEX = shutil.which("pdflatex") or shutil.which("tectonic")


def wide(columns: int, rows: int, group: str = "") -> Table:
    """A table of so many columns of numbers with intervals."""
    names = (Column("method", "Method", align="l"), Column("budget", "Budget"))
    numbers = tuple(Column(f"n{k}", "Rank-1", f"{group}{k // 3}" if group else "") for k in range(columns))
    body = [{"method": f"method {r}", "budget": "1%"} | {c.key: Value(70 + r / 10, 1.5, 3) for c in numbers}
            for r in range(rows)]  # fmt: skip
    return Table("Wide", (*names, *numbers), tuple(body), name="wide")


def test_a_narrow_table_stays_in_its_column_and_a_wide_one_takes_the_page():
    assert r"\begin{table}[t]" in latex.write(wide(3, 2))
    assert r"\begin{table*}[t]" in latex.write(wide(7, 2))
    assert latex.write(wide(7, 2)).count("tabular}{") == 1


def test_what_is_wider_than_the_page_becomes_panels_that_name_their_rows():
    text = latex.write(wide(21, 4, "Place "))
    panels = re.findall(r"\\begin\{tabular\}\{@\{\}(.*?)@\{\}\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(panels) > 1 and text.count(r"\begin{table*}") == 1
    assert sum(len(align) - 2 for align, _ in panels) == 21
    for _, body in panels:
        assert body.count("method ") == 4
    groups = [re.findall(r"Place \d", body) for _, body in panels]
    assert sum(map(len, groups)) == 7, "a group of columns is broken between panels"


def test_what_is_longer_than_a_page_goes_on_in_further_floats():
    table = wide(2, 120)
    text = latex.write(table)
    floats = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, re.DOTALL)
    assert len(floats) == 3
    assert re.findall(r"method \d+", text) == [f"method {k}" for k in range(120)]
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == 3 and text.count("(continued)") == 2


def test_unknown_letters_are_no_fault():
    assert latex.escape("50% of A_1 → ≈ ☃ ü") == r"50\% of A\_1 $\to$ $\approx$ ? ?"


HEAD = r"""\documentclass[10pt,twocolumn]{article}
\usepackage{booktabs,amssymb}
\usepackage[textwidth=6.875in,textheight=8.875in,columnsep=0.3125in]{geometry}
\begin{document}
"""


@pytest.mark.slow
@pytest.mark.skipif(not LATEX, reason="no LaTeX here")
@pytest.mark.parametrize("name", registry.names("tables"))
def test_every_table_compiles_and_fits_a_page_of_two_columns(name, results, under, making, tmp_path):
    study = under if name == "robustness" else results
    if name == "ablation":
        study = making(seeds=2, methods=("l_adapter", "lora", "lora+l_adapter", "up_person"), budgets=("1%",))
    if name == "precision":
        study = found(making(**FOUND), "difference")
    if name == "data_fraction":
        shares = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
        study = making(seeds=2, methods=("lora", "full"), budgets=("1%",), fractions=shares, cross=False, holes=False)
    text = latex.write(registry.find("tables", name).draw(study))
    (tmp_path / "t.tex").write_text(f"{HEAD}{text}\n\\clearpage x\\end{{document}}\n")
    flags = ["-interaction=nonstopmode", "-halt-on-error"] if LATEX.endswith("pdflatex") else ["--keep-logs"]
    done = subprocess.run([LATEX, *flags, "t.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "t.log").read_text(errors="replace")
    assert re.findall(r"Overfull \\hbox.*|Float too large.*", log) == []


def test_a_name_above_columns_that_is_wider_than_these_counts():
    """A data set with its options is longer than the two numbers below it."""
    columns = [Column("method", "Method", align="l")]
    columns += [Column(f"{k}_{m}", m, f"S-CUHK (size {k}, seed {k})") for k in range(6) for m in ("R1", "mAP")]
    narrow = [*columns[:1], *(Column(c.key, c.head, c.group[:6]) for c in columns[1:])]
    row = {c.key: Value(50.0) for c in columns[1:]} | {"method": "LoRA"}
    panels = [latex.write(Table("T", tuple(some), (row,))).count("toprule") for some in (narrow, columns)]
    assert panels == [1, 2]
