"""Every printed cell of every table, in CSV, Markdown and LaTeX, against `slow.py`; a column that it lacks fails."""

from __future__ import annotations

import csv
import html
import io
import itertools
import math
import re
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest

from harness import registry
from harness.store import schema
from reports import latex
from tests.reports import slow
from tests.reports.slow import NAMES, Group, Mean, Study

PLACES = ("synth_cuhk", "synth_icfg", "synth_rstp")
COSTS = {
    "forward_gflops": ("flops_forward", 1e9, 1), "backward_gflops": ("flops_backward", 1e9, 1),
    "train_mib": ("peak_memory_train", 2**20, 0), "evaluate_mib": ("peak_memory_evaluate", 2**20, 0),
    "step_ms": ("step_seconds", 1e-3, 1), "train_s": ("seconds_train", 1, 1), "evaluate_s": ("seconds_evaluate", 1, 1),
    "data_s": ("seconds_data", 1, 1), "total_s": ("seconds_total", 1, 1), "stored_mib": ("adapter_bytes", 2**20, 2),
}  # fmt: skip


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


Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def study(results, tmp_path_factory):
    return _stored(results, tmp_path_factory.mktemp("tables"))


def _stored(results, folder) -> Study:
    """The study in Parquet files, read back by `slow` alone."""
    for name in ("trials", "scores", "queries"):
        pq.write_table(schema.build(name, getattr(results, name)), folder / f"{name}.parquet")
    return Study(folder, results.study["trials"])


def _named(g: Group) -> dict[str, object]:
    return {"dataset": NAMES[g.dataset], "method": _series(g), "budget": g.budget}


def _series(g: Group) -> str:
    return NAMES.get(g.label, g.label)


def _count(value: float | None) -> Shown:
    return Shown() if value is None else Shown(value, digits=0, text=slow.short(value))


def _p(value: float) -> Shown:
    return Shown(value, digits=3, text="<0.001" if value < 0.001 else "")


def _mean(g: Group, bare: bool = False) -> Shown:
    if not g.scores:
        return Shown(text="–" if bare else g.story)
    return Shown.of(g.interval, mark=g.mark)


def main(study: Study) -> Rows:
    rows: dict[tuple, dict] = {}
    for metric in ("R1", "R5", "R10", "mAP"):
        every = study.groups(metric)
        for g in every:
            row = rows.setdefault((g.label, g.budget), {"method": _series(g), "budget": g.budget})
            if row.get("trained", Shown()).number is None:
                row["trained"] = _count(g.of("trained"))
            row[f"{g.dataset}_{metric}"] = cell = _mean(g)
            rivals = [o for o in every if (o.dataset, o.budget) == (g.dataset, g.budget) and o.scores]
            if g.budget is None or len(rivals) < 2 or not g.scores:
                continue
            best, *others = sorted(rivals, key=lambda o: -o.mean)
            cell.emphasis = "best" if g is best else "second" if g.mean == others[0].mean else ""
            adjusted = slow.holm([study.difference(best, o, metric)[1] for o in others])
            cell.mark += "≈" * any(o is g and p > 0.05 for o, p in zip(others, adjusted, strict=True))
    return list(rows.values())


def budget(study: Study) -> Rows:
    rows: dict[tuple, dict] = {}
    for metric in ("R1", "R5", "R10", "mAP", "mINP"):
        for g in study.groups(metric):
            row = rows.setdefault((g.label, g.budget, g.dataset), _named(g))
            share = g.of("share")
            row |= {
                "target": _count(g.of("budget_parameters")),
                "trained": _count(g.of("trained")),
                "share": Shown(None if share is None else 100 * share, digits=3),
                "seeds": g.story,
                metric: _mean(g, bare=True),
            }
    return list(rows.values())


def cost(study: Study) -> Rows:
    every = study.groups("R1")
    rows = []
    for g in every:
        row = _named(g) | {"trained": _count(g.of("trained"))}
        for key, (column, scale, digits) in COSTS.items():
            largest = max(o.of(column) or 0 for o in every) / scale
            more = digits if not 0 < largest < 1 else max(digits, 2 - math.floor(math.log10(largest)))
            value = g.of(column)
            row[key] = Shown(None if value is None else value / scale, digits=more)
        rows.append(row)
    return rows


def cross_dataset(study: Study) -> Rows:
    measured = {(m, on): study.groups(m, on=on) for m in ("R1", "mAP") for on in PLACES}
    rows: dict[tuple, dict] = {}
    largest: dict[str, float] = {}
    for (metric, on), groups in measured.items():
        for g in groups:
            if metric == "R1" and g.dataset != on and g.scores:
                largest[g.label] = max(largest.get(g.label, 0), g.of("budget_parameters") or 0)
    for (metric, on), groups in measured.items():
        for g in groups:
            if g.label == "zero_shot":
                if g.dataset == on:
                    row = rows.setdefault(("",), {"method": "Zero-shot", "budget": None, "trained_on": "–"})
                    row[f"{on}_{metric}"] = Shown.of(g.interval)
            elif (g.of("budget_parameters") or 0) == largest[g.label]:
                given = {"method": _series(g), "budget": g.budget, "trained_on": NAMES[g.dataset]}
                row = rows.setdefault((g.label, g.dataset), given)
                row[f"{on}_{metric}"] = _mean(g)
    return list(rows.values())


def optimism(study: Study) -> Rows:
    ways = {way: study.groups("R1", way) for way in ("last", "selected", "oracle")}
    rows = []
    for last, chosen, best in zip(*ways.values(), strict=True):
        seeds = [s for s in last.scores if s in chosen.scores and s in best.scores]
        if not seeds:
            continue
        a, b, c = ([g.scores[s] for s in seeds] for g in (last, chosen, best))
        row = _named(last) | {"seeds": len(seeds)}
        for key, values in (
            ("last", a), ("selected", b), ("oracle", c), ("gap", [z - y for y, z in zip(b, c, strict=True)]),
            ("regret", [y - x for x, y in zip(a, b, strict=True)]),
        ):  # fmt: skip
            row[key] = Shown.of(slow.student(values))
        rows.append(row)
    return rows


def saturation(study: Study, within: float = 1.0) -> Rows:
    every = study.groups("R1")
    rows = []
    for place in PLACES:
        here = [g for g in every if g.dataset == place]
        (full,) = (g for g in here if g.label == "full")
        for label in dict.fromkeys(g.label for g in here if g.budget):
            curve = sorted((g for g in here if g.label == label and g.scores), key=lambda g: g.of("trained"))
            best = max(curve, key=lambda g: g.mean)
            row = {"dataset": NAMES[place], "method": NAMES[label], "best": Shown.of(best.interval)}
            near = [g for g in curve if g.mean >= full.mean - within]
            gaps = [(g, study.difference(g, full, "R1")[0]) for g in curve if g.ids.keys() & full.ids.keys()]
            sure = [g for g, d in gaps if d.half is not None and d.mean - d.half >= -within]
            row["smallest"] = _count(near[0].of("trained") if near else None)
            row["sure"] = _count(sure[0].of("trained") if sure else None)
            if len(curve) > 3:
                fit = slow.law(curve)
                words = f"{fit['ceiling']:.1f} [{fit['low']:.1f}, {fit['high']:.1f}]"
                row |= {"ceiling": Shown(fit["ceiling"], text=words), "rate": Shown(fit["rate"])}
                row["law"] = _count(_needed(fit, curve, full.mean - within))
            rows.append(row)
    return rows


def _needed(fit: dict, curve: list[Group], score: float) -> float | None:
    smallest, largest = curve[0].of("trained"), curve[-1].of("trained")
    if score >= fit["ceiling"] or fit["drop"] <= 0:
        return None
    found = smallest * ((fit["ceiling"] - score) / fit["drop"]) ** (-1 / fit["rate"])
    return None if found > 10 * largest else max(found, smallest)


def pairwise(study: Study) -> Rows:
    every = [g for g in study.groups("R1") if g.budget and g.scores]
    across: dict[str, dict[tuple, float]] = {}
    for g in every:
        across.setdefault(g.label, {}).update({(g.dataset, g.budget, s): v for s, v in g.scores.items()})
    rows = []
    for place, size in dict.fromkeys((g.dataset, g.budget) for g in every):
        here = []
        for a, b in slow.pairs([g for g in every if (g.dataset, g.budget) == (place, size)]):
            seeds = [s for s in a.scores if s in b.scores]
            gap, p = study.difference(a, b, "R1")
            only_a, only_b, chance = slow.mcnemar(study.right(a, seeds), study.right(b, seeds))
            shared = across[a.label].keys() & across[b.label].keys()
            row = {
                "dataset": NAMES[place], "budget": size, "a": _series(a), "b": _series(b), "p": p,
                "difference": Shown.of(gap), "only_a": only_a, "only_b": only_b, "mcnemar": _p(chance),
                "wilcoxon": _p(slow.wilcoxon([across[a.label][k] - across[b.label][k] for k in sorted(shared)])),
            }  # fmt: skip
            if len(seeds) > 1:
                apart = [a.scores[s] - b.scores[s] for s in seeds]
                deviation = math.sqrt(slow.variance(apart))
                row["detectable"] = Shown(slow.detectable(len(seeds)) * deviation)
                needed = _seeds(sum(apart) / len(apart), deviation)
                row["needed"] = Shown(needed, digits=0, text="" if needed else ">1000")
            here.append(row)
        for row, p in zip(here, slow.holm([row["p"] for row in here]), strict=True):
            row["p"] = _p(p)
        rows += here
    return rows


def _seeds(effect: float, deviation: float) -> int | None:
    """Fewest seeds, by halving: power grows with their number."""
    low, high = 1, 1000
    if slow.power(effect, deviation, high) < 0.8:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if slow.power(effect, deviation, middle) >= 0.8 else (middle, high)
    return high


def data_fraction(study: Study) -> Rows:
    rows: dict[tuple, dict] = {}
    for g in study.groups("R1"):
        if g.label != "zero_shot":
            line = f"{_series(g)} {g.budget}"
            row = rows.setdefault((g.dataset, line), {"dataset": NAMES[g.dataset], "method": line})
            row[f"fraction_{100 * g.fraction:g}"] = _mean(g)
    return list(rows.values())


PARTS = {"l_adapter": ("l_adapter",), "lora": ("lora",), "lora+l_adapter": ("lora", "l_adapter"),
         "up_person": ("s_prefix", "lora", "l_adapter")}  # fmt: skip


def ablation(study: Study) -> Rows:
    rows = []
    every = study.groups("R1")
    for place in PLACES:
        here = [g for g in every if g.dataset == place]
        (whole,) = (g for g in here if g.label == "up_person")
        fewer = [g for g in here if g is not whole]
        gaps = [study.difference(g, whole, "R1") for g in fewer]
        known = zip(fewer, gaps, slow.holm([p for _, p in gaps]), strict=True)
        for g, gap, p in [*((g, d, p) for g, (d, _), p in known), (whole, None, None)]:
            row = _named(g) | {name: "✓" * (name in PARTS[g.label]) for name in PARTS["up_person"]}
            row |= {"trained": _count(g.of("trained")), "score": _mean(g), "difference": Shown(), "p": None}
            row["score"].emphasis = "best" * (g is whole)
            if gap is not None:
                row |= {"difference": Shown.of(gap), "p": _p(p)}
            rows.append(row)
    return rows


SLOW = {f.__name__: f for f in (main, budget, cost, cross_dataset, optimism, saturation, pairwise, data_fraction,
                                ablation)}  # fmt: skip
KEYS = ("dataset", "method", "budget", "a", "b", "trained_on")


def test_every_table_has_a_slow_twin():
    assert set(SLOW) == set(registry.names("tables"))


@pytest.mark.parametrize("name", sorted(SLOW))
def test_every_cell_is_what_the_slow_script_computes(name, results, study, making, tmp_path):
    """Every column of every row, in the three ways a table is written."""
    if name == "ablation":
        results = making(seeds=2, methods=tuple(PARTS), budgets=("1%",), holes=False, cross=False)
        study = _stored(results, tmp_path)
    if name == "data_fraction":
        results = making(seeds=2, methods=("zero_shot", "lora", "prefix"), budgets=("1%",), holes=False, cross=False,
                         fractions=(0.01, 0.1, 1.0))  # fmt: skip
        study = _stored(results, tmp_path)
    table = registry.find("tables", name).draw(results)
    columns = [c.key for c in table.columns]
    expected = SLOW[name](study)
    assert {key for row in expected for key in row} == set(columns)  # no column more, none less
    stub = list(itertools.takewhile(lambda key: key in KEYS, columns))
    by = {tuple(_markdown(row.get(key)) for key in stub): row for row in expected}
    assert len(by) == len(expected) == len(table.rows)

    body = [line for line in table.markdown().splitlines() if line.startswith("|")][2:]
    printed = [
        [html.unescape(re.sub(r"\\(\W)", r"\1", cell.strip())) for cell in line.strip("|").split("|")] for line in body
    ]
    order = [by[tuple(cells[columns.index(key)] for key in stub)] for cells in printed]
    assert printed == [[_markdown(row.get(key)) for key in columns] for row in order]
    assert _latex_rows(table, stub) == [[_latex(row.get(k)) for k in [*stub, *_rest(columns, stub)]] for row in order]
    for line, row in zip(csv.DictReader(io.StringIO(table.csv())), order, strict=True):
        for key in columns:
            _same(line, key, row.get(key))


def test_the_smallest_of_several_budgets_near_full_fine_tuning_is_named(results, study):
    """Where more than one budget is near, the first by size."""
    drawn = registry.find("tables", "saturation").draw(results, within=8.0)
    wanted = {(row["dataset"], row["method"]): row for row in saturation(study, 8.0)}
    for row in drawn.rows:
        want = wanted[row["dataset"], row["method"]]
        for key in ("smallest", "sure", "law"):
            if key in row:
                assert str(row[key]) == _markdown(want[key]), key


def _rest(columns: list[str], stub: list[str]) -> list[str]:
    return [key for key in columns if key not in stub]


def _same(line: dict[str, str], key: str, entry: object) -> None:
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


def _markdown(entry: object) -> str:
    if entry is None:
        return "–"
    if not isinstance(entry, Shown):
        return f"{entry:,}" if isinstance(entry, int) else str(entry)
    if entry.number is None or entry.text:
        return entry.text or "–"
    number = f"{entry.number:.{entry.digits}f}"
    number = {"best": f"**{number}**", "second": f"<u>{number}</u>"}.get(entry.emphasis, number)
    return number + ("" if entry.half is None else f" ± {entry.half:.{entry.digits}f}") + entry.mark


def _latex(entry: object) -> str:
    """The Markdown in LaTeX's signs."""
    said = _markdown(entry)
    star = isinstance(entry, Shown) and entry.number is not None and not entry.text and entry.mark
    said = said.removesuffix(star) if star else said
    said = re.sub(r"\*\*(.*?)\*\*", r"\\textbf{\1}", said)
    said = re.sub(r"<u>(.*?)</u>", r"\\underline{\1}", said)
    said = re.sub(r" ± ([\d.]+)", r"{\\scriptsize$\\pm$\1}", said)
    for sign, tex in (("%", "\\%"), ("<", "$<$"), (">", "$>$"), ("–", "--"), ("✓", "$\\checkmark$"), ("_", "\\_")):
        said = said.replace(sign, tex)
    raised = (star or "").replace("≈", "$\\approx$")
    return said + (f"\\textsuperscript{{{raised}}}" if raised else "")


def _latex_rows(table, stub: list[str]) -> list[list[str]]:
    """Rows of all floats, their panels put side by side; the columns that name a row stand once."""
    rows: list[list[str]] = []
    for one in re.split(r"\\end\{table\*?\}", latex.write(table))[:-1]:
        panels = re.findall(r"\\begin\{tabular\}.*?\n(.*?)\\bottomrule", one, flags=re.DOTALL)
        made: list[list[str]] = []
        for k, panel in enumerate(panels):
            lines = panel.split("\\midrule\n", 1)[1].replace("\\midrule\n", "").splitlines()
            cells = [[cell.strip() for cell in line.removesuffix(" \\\\").split(" & ")] for line in lines]
            made = cells if k == 0 else [a + b[len(stub) :] for a, b in zip(made, cells, strict=True)]
        rows += made
    return rows
