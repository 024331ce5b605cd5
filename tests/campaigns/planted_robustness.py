"""Faults in what reports say of shifts at test time: the numbers, what is compared, and what is drawn."""

from __future__ import annotations

STATISTICS = "tests/reports/test_statistics_robustness.py"
HAND = "tests/reports/test_robustness.py"
MARKS = "tests/reports/test_recomputed_figures.py::test_every_mark_is_what_the_slow_script_computes"
CELLS = "tests/reports/test_recomputed_tables.py::test_every_cell_is_what_the_slow_script_computes[robustness]"
S, D, K = "reports/statistics/robustness.py", "reports/robustness/drops.py", "reports/robustness/shifts.py"
HEAT, CURVE, BUDGET = (f"reports/figures/{name}.py" for name in ("shift_heatmap", "shift_curve", "mmi_budget"))
TABLE = "reports/tables/robustness.py"

ROWS: list[tuple[str, str, str, str]] = [
    # The statistic
    (STATISTICS, S, "Sample(100 - kept.values,", "Sample(kept.values - 100,"),
    (STATISTICS, S, "100 * part.values / whole.values)", "100 * part.values / whole.values.mean())"),
    (STATISTICS, S, "100 * part.drawn / whole.drawn,", "100 * part.drawn / whole.drawn[::-1],"),
    (STATISTICS, S, "sizes = by_person(values[0], person)[1]", "person = np.arange(len(person)); sums, sizes = values, np.ones(len(person))"),
    (STATISTICS, S, "by_query = float(means[np.isfinite(means)].var(ddof=1))", "by_query = 0.0"),
    (STATISTICS, S, "*added(by_query, self.people, self.values)", "*added(by_query, self.people, self.values[:1])"),
    (STATISTICS, S, "np.mean(drawn, axis=0), samples[0].people)", "np.max(drawn, axis=0), samples[0].people)"),
    (STATISTICS, S, "a.drawn - b.drawn", "a.drawn - b.drawn[::-1]"),
    (STATISTICS, S, "np.where(whole.values == 0, np.nan,", "np.where(whole.values == 0, 0.0,"),
    # Which data set is another one under a shift
    (HAND, K, 'plain.get(on.unshifted.text)) is not None', 'plain.get(on.unshifted.text, label)) is not None'),
    (HAND, K, 'under = {label for label, on in results.measured_on.items() if "shift" in on.given}', "under = set()"),
    (HAND, K, "value.value in KINDS else", "value.value in KINDS[:2] else"),
    # Means, seeds and kinds
    (HAND, D, "mean_of([mean_of([found[key] for key in some]) for some in at])", "mean_of([found[key] for some in at for key in some])"),
    (HAND, D, "return mean_of([mean_of([found[key] for key in some])", "return mean_of([found[some[-1]]"),
    (HAND, D, "for name in self.severities if kind(name) == one]", 'for name in self.severities if kind(name) in (one, "content")]'),
    (HAND, D, 'if kind(at[0]) != "content":', 'if kind(at[0]) == "content":'),
    (HAND, D, "if severity in (None, s)]", "]"),
    (HAND, D, "first[2] * here[2] / 100", "here[2]"),
    (HAND, D, "if all(s in other.seeds for some in on.values() for other in some))", ")"),
    (HAND, D, "one.at([a.seeds.index(s) for s in both]), two.at([b.seeds.index(s) for s in both])", "one.at(range(len(both))), two.at(range(len(both)))"),
    (HAND, D, "(1 if lowest else -1)", "(-1 if lowest else 1)"),
    (HAND, D, "if a.cell.trained != 0 and b.cell.trained != 0:", "if True:"),
    (HAND, D, "if p > level]", "if p <= level]"),
    (HAND, D, "adjusted = holm(np.array", "adjusted = (np.array"),
    (CELLS, D, "[c.ids[c.seeds.index(s)] for s in seeds], c.measured)", "[c.ids[-1 - c.seeds.index(s)] for s in seeds], c.measured)"),
    (CELLS, D, "effect[at] = mean_of([drop(clean, one) for one in each])", "effect[at] = drop(clean, each[0])"),
    (HAND, D, "elif len(still) == len(some):", "elif still:"),
    (CELLS, D, "first = _values(c, seeds, records, metric)", "first = _values(c, seeds[::-1], records, metric)"),
    # The table
    (CELLS, TABLE, '("mmi_images", "images", True), ("mmi_texts", "texts", True)', '("mmi_images", "texts", True), ("mmi_texts", "images", True)'),
    (CELLS, TABLE, 'lambda u: over(u.retained, every), False)', 'lambda u: over(u.retained, every), True)'),
    (CELLS, TABLE, "if u is not None and u in tied", "if u is not None and u is best"),
    (CELLS, TABLE, 'every = one.at(one.shifts("images", "texts"))', 'every = one.at(one.shifts("images", "texts", "content"))'),
    (CELLS, TABLE, '"*" if u is not None and u.status != "ok"', '"*" if c.status != "ok"'),
    # The figures
    (f"{MARKS}[shift_heatmap]", HEAT, "if u is best or u in tied:", "if u is best:"),
    (f"{MARKS}[shift_heatmap]", HEAT, '"solid" if u is best else', '"solid" if u in tied else'),
    (f"{MARKS}[shift_heatmap]", HEAT, "ties(trained, row.of)", "ties(under, row.of)"),
    (f"{MARKS}[shift_heatmap]", HEAT, "(0.0, 100.0) if content else (-reach, reach)", "(0.0, 100.0) if content else (0.0, reach)"),
    (f"{MARKS}[shift_heatmap]", HEAT, 'drops = [*_rows(one, "images"), *_rows(one, "texts")]', 'drops = [*_rows(one, "texts"), *_rows(one, "images")]'),
    (f"{MARKS}[shift_heatmap]", D, "u.cell.size > largest[u.cell.key].cell.size", "u.cell.size < largest[u.cell.key].cell.size"),
    (f"{MARKS}[shift_heatmap]", "reports/drawing/shades.py", "light = luminance(share, shades) + 0.05", "light = luminance(share) + 0.05"),
    (f"{MARKS}[shift_curve]", CURVE, "over(u.effect, one.at(shifts, severity))", "over(u.effect, one.at(shifts))"),
    (f"{MARKS}[shift_curve]", CURVE, "low, high = [ends[0] for _, ends in banded]", "low, high = [ends[1] for _, ends in banded]"),
    (f"{MARKS}[shift_curve]", D, "set.intersection(*sets)", "set.union(*sets)"),
    (f"{MARKS}[mmi_budget]", BUDGET, "at = one.at(one.shifts(kind))", "at = one.at(one.shifts(*KINDS))"),
    (f"{MARKS}[mmi_budget]", BUDGET, "gid, shift, bounds, interval, by[id(c)].status)", "gid, shift, bounds, None, by[id(c)].status)"),
    (f"{MARKS}[mmi_budget]", BUDGET, "artists.point(axes, c.size,", "artists.point(axes, c.target or c.size,"),
    (f"{MARKS}[mmi_budget]", BUDGET, "reach = 0.6 * max(", "reach = 0.9 * max("),
]  # fmt: skip
PLANTED = [("robustness", *row) for row in ROWS]
