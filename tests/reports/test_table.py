"""Tables as LaTeX, Markdown and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import re

import pytest

from harness import registry
from reports import latex
from reports.cells import cells, home
from reports.compare import reference
from reports.statistics import Interval
from reports.table import Column, Table, Value
from tests.reports.made import FOUND, found

FIRST = {"m": "a_b", "x": Value(74.166, 0.2, 3, emphasis="best"), "y": Value(60.0, emphasis="second", mark="≈"), "n": 3}
TABLE = Table(
    "A & B",
    (Column("m", "Method", align="l"), Column("x", "R1 (%)", "One"), Column("y", "R1 (%)", "One"), Column("n", "#")),
    (
        {
            "m": "a_b",
            "x": Value(74.166, 0.2, 3, emphasis="best"),
            "y": Value(60.0, mark="≈", emphasis="second"),
            "n": 3,
        },
        {"m": "50% | c", "x": Value(None, text="infeasible"), "y": None, "n": 149_617_664},
    ),
    notes=("± is 95 %",),
    breaks=(0, 1),
    name="t",
)


def test_latex():
    text = latex.write(TABLE)
    assert r"a\_b & \textbf{74.17}{\scriptsize$\pm$0.20} & \underline{60.00}\textsuperscript{$\approx$} & 3 \\" in text
    assert r"50\% $|$ c & infeasible & -- & 149,617,664 \\" in text
    assert r" & \multicolumn{2}{c}{One} &  \\" in text
    assert r"\cmidrule(lr){2-3}" in text
    assert r"\caption{A \& B. $\pm$ is 95 \%.}" in text
    assert text.count(r"\midrule") == 2 and text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_markdown():
    text = TABLE.markdown().splitlines()
    assert text[2] == "| Method | One R1 (%) | One R1 (%) | # |"
    assert text[3] == "| :--- | ---: | ---: | ---: |"
    assert text[4] == "| a_b | **74.17** ± 0.20 | <u>60.00</u>≈ | 3 |"
    assert text[5] == "| 50% \\| c | infeasible | – | 149,617,664 |"


def test_csv_has_full_numbers_and_ends():
    rows = list(csv.DictReader(io.StringIO(TABLE.csv())))
    assert list(rows[0]) == ["m", "x", "x_low", "x_high", "x_seeds", "y", "n"]
    assert (float(rows[0]["x"]), float(rows[0]["x_low"]), float(rows[0]["x_high"])) == pytest.approx(
        (74.166, 73.966, 74.366)
    )
    assert (rows[1]["x"], rows[1]["x_low"], rows[1]["y"]) == ("infeasible", "", "")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1"])
def test_no_label_is_a_formula_and_a_negative_number_stays_one(text):
    table = Table("t", (Column("m", "M"), Column("x", "X")), ({"m": text, "x": Value(-1.5)}, {"m": "-2", "x": -3}))
    rows = list(csv.reader(io.StringIO(table.csv(), newline="")))
    assert rows[1][0] == f"'{text}" and [rows[1][1], *rows[2]] == ["-1.5", "-2", "-3"]


def test_no_label_is_markup():
    label = "<script>a</script> `b` [c](d) ![e](f) g|h \\\\| <u>"
    columns = (Column("m", "M|<b>"),)
    rows = ({"m": label}, {"m": Value(None, text=label)}, {"m": Value(1.0, mark="<i>", emphasis="second")})
    text = Table(label, columns, rows, notes=(label,)).markdown()
    assert not re.search(r"<(?!/?u>\d|/u>)", text) and "&lt;script>a&lt;/script>" in text
    assert re.findall(r"(?<!\\)(?:\\\\)*[`\[\]]", text) == []
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines] == [2] * 5
    assert "<u>1.00</u>&lt;i>" in text


def test_value_of_an_interval():
    assert str(Value.of(Interval(70.0, 69.0, 71.0, 3))) == "70.00 ± 1.00"
    assert str(Value.of(Interval(70.0, None, None, 1), mark="*")) == "70.00*"
    assert str(Value.of(None, "diverged")) == "diverged"


def check_panels(text, table):
    """Every row is in every panel once, and every column of the table in one panel at least."""
    tabulars = re.findall(r"\\begin\{tabular\}\{@\{\}(.*?)@\{\}\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    rows = 0
    for align, body in tabulars:
        lines = [line for line in body.split(r"\midrule", 1)[1].splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(align) - 1}
        rows += len(lines)
    floats = text.count(r"\end{table")
    panels = len(tabulars) // floats
    assert rows == panels * len(table.rows) > 0
    heads = [line for _, body in tabulars[:panels] for line in body.split(r"\midrule")[0].splitlines()]
    for column in table.columns:
        assert any(latex.escape(column.head) in line for line in heads), column.head


@pytest.mark.parametrize("name", registry.names("tables"))
def test_every_table_is_well_formed(name, results, under, making):
    module = registry.find("tables", name)
    study = under if name == "robustness" else results
    if name == "ablation":
        study = making(seeds=2, methods=("l_adapter", "lora", "lora+l_adapter", "up_person"), budgets=("1%",))
    if name == "precision":
        study = found(making(**FOUND), "difference")
    if name == "data_fraction":
        study = making(seeds=2, methods=("lora",), budgets=("1%",), fractions=(0.1, 1.0), cross=False, holes=False)
    assert module.applies(study)
    table = module.draw(study)
    text = latex.write(table)
    assert "?" not in text, "a sign that LaTeX is not told"
    assert text.isascii(), re.findall(r"[^\x00-\x7f]", text)
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    check_panels(text, table)
    assert len(list(csv.reader(io.StringIO(table.csv())))) == len(table.rows) + 1
    assert all(set(row) <= {c.key for c in table.columns} for row in table.rows)
    assert list(table.breaks) == sorted(set(table.breaks))


def test_a_sign_is_explained_where_a_number_carries_it():
    columns, note = (Column("x", "X"),), "* one seed, or fewer seeds than declared"
    for mark, notes in (("*", (note, "Percent")), ("", ("Percent",)), ("≈", ("Percent",))):
        made = Table("t", columns, ({"x": Value(1.0, mark=mark)}, {"x": None}), (note, "Percent"))
        assert made.notes == notes


def test_transfer_begins_with_no_training(making):
    study = making(seeds=2, methods=("zero_shot", "lora"), budgets=("1%",), holes=False)
    first, second = registry.find("tables", "cross_dataset").draw(study).rows[:2]
    assert first["trained_on"] == "–" and first["method"] == "Zero-shot" and second["method"] != "Zero-shot"
    places = {key for key in second if key.endswith("_R1")}
    assert places and {key for key in first if key.endswith("_R1")} == places
    alone = {c.measured: c.mean for c in home(cells(study)) if c.trained == 0}
    assert all(first[f"{place}_R1"].number == pytest.approx(mean) for place, mean in alone.items())


def test_full_fine_tuning_is_that_of_the_same_part_of_the_data(making):
    shares = (0.1, 1.0)
    study = making(
        seeds=3, methods=("full", "lora"), budgets=("1%",), places=("synth_cuhk",), fractions=shares, holes=False
    )
    here = home(cells(study))
    part = "dataset.options.fraction"
    full, lora = ({dict(c.variant)[part]: c for c in here if c.label == name} for name in ("full", "lora"))
    assert [reference(lora[share], here) for share in shares] == [full[share] for share in shares]
    found = {row["method"]: row for row in registry.find("tables", "saturation").draw(study, within=5.0).rows}
    near = {share: lora[share].mean >= full[share].mean - 5.0 for share in shares}
    assert len(found) == 2 and [row["smallest"].number is not None for row in found.values()] == list(near.values())
    assert "law" not in next(iter(found.values()))


def test_between_several_full_fine_tunings_no_score_chooses(making):
    study = making(seeds=2, methods=("full", "lora"), budgets=("1%",), places=("synth_cuhk",), holes=False)
    full, lora = home(cells(study))
    slow, fast = (dataclasses.replace(full, variant=(("recipe.lr", lr),)) for lr in (1e-4, 1e-3))
    mine = dataclasses.replace(lora, variant=(("recipe.lr", 1e-3),))
    assert reference(lora, [full, lora]) is full and reference(mine, [slow]) is slow
    assert reference(mine, [slow, fast]) is fast and reference(lora, [slow, fast]) is None
    cut = dataclasses.replace(full, variant=(("dataset.options.fraction", "10%"),))
    assert reference(lora, [cut]) is None


def test_methods_are_compared_on_the_same_part_of_the_data(making):
    given = {"seeds": 3, "budgets": ("1%",), "places": ("synth_cuhk",), "holes": False, "fractions": (0.1, 1.0)}
    study = making(methods=("lora", "prefix"), **given)
    rows = registry.find("tables", "pairwise").draw(study).rows
    assert len(rows) == 2
    assert all(row["a"].partition("fraction")[2] == row["b"].partition("fraction")[2] for row in rows)
    marked = [row["synth_cuhk_R1"].emphasis for row in registry.find("tables", "main").draw(study).rows]
    assert marked.count("best") == marked.count("second") == 2
