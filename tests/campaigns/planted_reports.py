"""Faults in the numbers of the reports, each with the test that must notice: kind, test, file, text, fault."""

from __future__ import annotations

CELLS = "tests/reports/test_recomputed_tables.py::test_every_cell_is_what_the_slow_script_computes"
NEAREST = "tests/reports/test_recomputed_tables.py::test_the_smallest_of_several_budgets_near_full_fine_tuning_is_named"

PLANTED: list[tuple[str, str, str, str, str]] = [
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/paired.py",
        "only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())",
        "only_b, only_a = int((a & ~b).sum()), int((b & ~a).sum())",
    ),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/paired.py",
        "p[order] * (len(p) - np.arange(len(p)))",
        "p[order]",
    ),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/paired.py",
        "np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))",
        "p[order] * (len(p) - np.arange(len(p)))",
    ),
    ("kind 8", f"{CELLS}[pairwise]", "reports/statistics/paired.py", "gap = gap[gap != 0]", "gap = gap[gap > 0]"),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/tables/pairwise.py",
        "for f in frames], axis=0) >= 50",
        "for f in frames], axis=0) > 70",
    ),
    ("kind 8", f"{CELLS}[pairwise]", "reports/tables/pairwise.py", "gaps.std(ddof=1)", "gaps.std(ddof=0)"),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/power.py",
        "level: float = 0.05, wanted: float = 0.8) -> float",
        "level: float = 0.05, wanted: float = 0.9) -> float",
    ),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/intervals.py",
        "by_person(values.mean(axis=0), person)",
        "by_person(values.mean(axis=0), np.arange(len(person)))",
    ),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/intervals.py",
        "np.random.default_rng(seed).multinomial",
        "np.random.default_rng(seed + 1).multinomial",
    ),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/intervals.py",
        "by_query**2 / max(people - 1, 1)",
        "by_query**2",
    ),
    (
        "kind 8",
        f"{CELLS}[pairwise]",
        "reports/statistics/paired.py",
        "half = float(student((1 + level) / 2, df)",
        "half = float(student(level, df)",
    ),
    ("kind 8", f"{CELLS}[main]", "reports/tables/main.py", "c.mean == rest[0]", "c.mean == rest[-1]"),
    (
        "kind 8",
        f"{CELLS}[main]",
        "reports/tables/main.py",
        '"best" if c is best else "second" if',
        '"second" if c is best else "best" if',
    ),
    ("kind 8", f"{CELLS}[main]", "reports/tables/main.py", "(place, budget, part)]", "(place, c.budget, part)]"),
    ("kind 8", f"{CELLS}[main]", "reports/latex.py", '"best": f"\\\\textbf{', '"best": f"\\\\underline{'),
    ("kind 8", f"{CELLS}[main]", "reports/compare.py", "if p > level]", "if p < level]"),
    (
        "kind 8",
        f"{CELLS}[budget]",
        "reports/statistics/intervals.py",
        "values.std(ddof=1) / np.sqrt(n)",
        "values.std(ddof=0) / np.sqrt(n)",
    ),
    (
        "kind 8",
        f"{CELLS}[budget]",
        "reports/statistics/intervals.py",
        "student((1 + level) / 2, n - 1)",
        "student(level, n - 1)",
    ),
    (
        "kind 8",
        f"{CELLS}[budget]",
        "reports/cells.py",
        "for way in CHOICES if choice is None else (choice,):",
        "for way in reversed(CHOICES) if choice is None else (choice,):",
    ),
    ("kind 8", f"{CELLS}[budget]", "reports/cells.py", 'split: str = "test",', 'split: str = "val",'),
    (
        "kind 8",
        f"{CELLS}[budget]",
        "reports/declared.py",
        '"target": whole["budget_parameters"]',
        '"target": whole["trained"]',
    ),
    ("kind 8", f"{CELLS}[budget]", "reports/tables/budget.py", "100 * c.share", "c.share"),
    (
        "kind 8",
        f"{CELLS}[cost]",
        "reports/tables/cost.py",
        '("flops_forward", "forward_gflops"',
        '("flops_backward", "forward_gflops"',
    ),
    ("kind 8", f"{CELLS}[cost]", "reports/tables/cost.py", '"Train MiB", 2**20', '"Train MiB", 1e6'),
    (
        "kind 8",
        f"{CELLS}[cost]",
        "reports/statistics/costs.py",
        "dict.fromkeys(MEDIANS, median)",
        "dict.fromkeys(MEDIANS, extreme(np.max))",
    ),
    (
        "kind 8",
        f"{CELLS}[optimism]",
        "reports/statistics/optimism.py",
        "over_seeds(oracle - selected)",
        "over_seeds(oracle - last)",
    ),
    (
        "kind 8",
        f"{CELLS}[cross_dataset]",
        "reports/tables/cross_dataset.py",
        'row[f"{c.measured}_{metric}"]',
        'row[f"{c.dataset}_{metric}"]',
    ),
    (
        "kind 8",
        f"{CELLS}[data_fraction]",
        "reports/tables/data_fraction.py",
        "= Value.of(c.interval, c.story",
        "= Value.of(some[line][0][1].interval, c.story",
    ),
    (
        "kind 8",
        f"{CELLS}[ablation]",
        "reports/tables/ablation.py",
        "records.difference(c, whole, metric)",
        "records.difference(whole, c, metric)",
    ),
    (
        "kind 8",
        f"{CELLS}[ablation]",
        "reports/compare.py",
        "holm(np.array([p for _, p in known]))",
        "np.array([p for _, p in known])",
    ),
    ("kind 8", NEAREST, "reports/tables/saturation.py", "near[0].trained", "near[-1].trained"),
    (
        "kind 8",
        f"{CELLS}[saturation]",
        "reports/tables/saturation.py",
        "c.score >= full.score - within",
        "c.score >= full.score",
    ),
    (
        "kind 8",
        f"{CELLS}[saturation]",
        "reports/tables/saturation.py",
        "d.interval.low >= -within",
        "d.interval.mean >= -within",
    ),
    (
        "kind 8",
        f"{CELLS}[saturation]",
        "reports/tables/saturation.py",
        "law.needed(full.score - within)",
        "law.needed(full.score)",
    ),
    (
        "kind 8",
        f"{CELLS}[saturation]",
        "reports/statistics/saturation.py",
        "for s in scores) / free)",
        "for s in scores) / sizes.sum())",
    ),
    (
        "kind 8",
        f"{CELLS}[saturation]",
        "reports/statistics/saturation.py",
        "np.quantile(self.ceilings, [(1 - level) / 2, (1 + level) / 2])",
        "np.quantile(self.ceilings, [1 - level, level])",
    ),
    ("kind 8", f"{CELLS}[optimism]", "reports/table.py", "number + half]", "number]"),
]

NOTES = "tests/reports/test_recomputed_tables.py::test_every_note_is_what_the_slow_script_says"
MAIN, COST = "reports/tables/main.py", "reports/tables/cost.py"
AGAINST = "reports/tables/against_full.py"
STRAYS = "tests/reports/test_statistics_intervals.py::test_a_training_that_failed_strays_and_a_wide_spread_does_not"
LEARNT = "tests/reports/test_cells.py::test_a_seed_that_did_not_learn_is_told_in_figures_and_tables"

# table, file, text, fault
PRINTED = [
    ("main", MAIN, "records = records_of(results, direction)", "records = records_of(results)"),
    ("main", MAIN, 'cells(results, BACK, direction="i2t")', "cells(results, BACK)"),
    ("main", MAIN, 'line["certainty"] == "paper" else', 'line["certainty"] != "second hand" else'),
    ("main", MAIN, "Value(float(line[metric]), mark=mark)", 'Value(float(line["R1"]), mark=mark)'),
    ("main", MAIN, ' & (literature["table"] == "main")', ""),
    ("main", MAIN, "Value(float(trained), digits=0", "Value(trained / 1.05, digits=0"),
    ("main", MAIN, "row[f\"{line['dataset']}_{metric}\"]", 'row[f"{where[0]}_{metric}"]'),
    ("main", MAIN, 'c.status in ("partial", "single") else "") +', 'c.status == "single" else "") +'),
    ("main", MAIN, '("≈" if c in tied else "")', '("≈" if c in tied[1:] else "")'),
    ("main", MAIN, "palette.name(m) + ", "palette.name(METRICS[0]) + "),
    ("main", "reports/compare.py", "best = max(scored, key=lambda c: c.score)", "best = min(scored, key=lambda c: c.score)"),
    ("main", "reports/compare.py", "adjusted = holm(np", "adjusted = (np"),
    ("main", "reports/latex.py", '"‡": "\\\\ddag{}"', '"‡": "\\\\dag{}"'),
    ("cost", COST, '("seconds_train", "train_s", "Train s"', '("seconds_train", "train_s", "Eval s"'),
    ("cost", COST, "micro < batch", "micro <= batch"),
    ("cost", COST, 'CACHED = ("seconds_evaluate", "seconds_total")', 'CACHED = ("seconds_evaluate", "seconds_train")'),
    ("cost", COST, 'cost in ("peak_memory_train", "step_seconds")', 'cost in ("peak_memory_evaluate", "step_seconds")'),
    ("cost", "reports/statistics/costs.py", '"features_cached": extreme(np.max)', '"features_cached": extreme(np.median)'),
    ("cost", "reports/statistics/costs.py", '"micro_batch": extreme(np.min)', '"micro_batch": extreme(np.max)'),
    (
        "pairwise",
        "reports/tables/pairwise.py",
        'adjusted = holm(np.array([row["p"] if row["p"] is not None else 1.0 for row in rows[start:]]))',
        'adjusted = [holm(np.array([row["p"]]))[0] for row in rows[start:]]',
    ),
    ("data_fraction", "reports/tables/data_fraction.py", "style.percent(x)} %", "style.percent(x / 100)} %"),
    ("against_full", "reports/compare.py", "holm(np.array([p for _, p in known]))", "np.array([p for _, p in known])"),
    ("against_full", AGAINST, '"p": gap.p}', '"p": gap.p if c.budget else None}'),
    ("against_full", AGAINST, "alone = gap_over_seeds(c, full)", "alone = gap_over_seeds(full, c)"),
    ("against_full of width", "reports/compare.py", "list(gaps), a.design.first) if a.design else by_seed", "list(gaps), 99) if a.design else by_seed"),
]  # fmt: skip
SAID = [
    ("main", MAIN, 's["seconds"] / s.get("shared_by", 1)', 's["seconds"]'),
    ("main", MAIN, 's["trials"] for s in some.values()', "1 for s in some.values()"),
    ("main", MAIN, "if c.trained and not c.tuned]", "if not c.tuned]"),
    ("main", MAIN, "{key}={search['values'][key]}", "{key}={search['trials']}"),
    ("main", "reports/words/releases.py", "if len(seen) > 1:", "if len(seen) > 2:"),
    ("main", "reports/words/sentences.py", "for w in CHOICES if w in {c.choice", "for w in CHOICES if w not in {c.choice"),
    ("budget", "reports/words/sentences.py", "    found = [c for c in found if c.val]", "    found = [c for c in found if not c.val]"),
    ("cost", COST, "if len(hardware) > 1 else", "if len(hardware) > 2 else"),
    ("saturation", "reports/tables/saturation.py", "at most {within:g} points", "at most {2 * within:g} points"),
    ("data_fraction", "reports/tables/data_fraction.py", '{c.mean:.2f}" for at', '{c.mean:.1f}" for at'),
    ("against_full of width", AGAINST, "        *resampled(found),\n", ""),
]  # fmt: skip
PLANTED += [
    ("strays", STRAYS, "reports/statistics/intervals.py", "max(10.0, 5 * 1.4826", "max(0.0, 5 * 1.4826"),
    ("strays", STRAYS, "reports/statistics/intervals.py", "max(10.0, 5 * 1.4826", "max(10.0, 0 * 1.4826"),
    ("strays", LEARNT, "reports/words/sentences.py", "*unreached(found), *strange(found)])", "*unreached(found)])"),
    ("strays", LEARNT, "reports/words/sentences.py", "[*told, *unreached(found), *strange(found)]", "[*told, *unreached(found)]"),
]  # fmt: skip
PLANTED += [("printed number", f"{CELLS}[{table}]", file, old, new) for table, file, old, new in PRINTED]
PLANTED += [("printed number", f"{NOTES}[{table}]", file, old, new) for table, file, old, new in SAID]
