"""Faults of where the spread comes from, and of what more seeds or more identities would do."""

from __future__ import annotations

V = "tests/reports/test_statistics_variance.py::"
HAND, MEANS, DRAWN = (
    V + "test_two_seeds_and_two_identities_by_hand",
    V + "test_people_with_unequal_queries_count_by_these",
    V + "test_components_are_recovered",
)
PEOPLE, BELOW = V + "test_queries_of_one_person_stand_together", V + "test_a_negative_estimate_is_set_to_zero_and_named"
BOTH, HOLDS = V + "test_both_parts_count_in_the_interval", V + "test_the_interval_holds_the_truth"
P = "tests/reports/test_power.py::"
COUNTED, NEVER = (
    P + "test_the_interval_of_both_says_how_many_seeds",
    P + "test_no_number_of_seeds_helps_where_the_identities_are_too_few",
)
MEAN, PAIRED = P + "test_a_mean_by_hand", P + "test_differences_are_paired_and_to_the_best_or_to_a_label"
LESS, FAULTS, SAID = (
    P + "test_without_records_or_seeds_it_says_so",
    P + "test_faults_are_one_line_each",
    P + "test_the_command",
)
T = "tests/reports/test_recomputed_tables.py::test_every_"
CELLS, NOTES = T + "cell_is_what_the_slow_script_computes", T + "note_is_what_the_slow_script_says"
CODE, PARTS = "reports/statistics/variance.py", "reports/spread/parts.py"
POWER, TABLE = "reports/spread/power.py", "reports/tables/variance.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # The components
    ("variance", HAND, CODE, "((rows - mean) ** 2).sum() / (s - 1)", "((rows - mean) ** 2).sum() / s"),
    ("variance", DRAWN, CODE, "((rows - mean) ** 2).sum() / (s - 1)", "((rows - mean) ** 2).sum() / s"),
    ("variance", DRAWN, CODE, "float(by_seed - joint) / i", "float(by_seed - joint) / s"),
    ("variance", DRAWN, CODE, "float(by_seed - joint) / i", "float(by_seed) / i"),
    ("variance", DRAWN, CODE, "float(by_identity - joint) / s", "float(by_identity) / s"),
    ("variance", HAND, CODE, "((s - 1) * (i - 1))", "(s * i)"),
    ("variance", DRAWN, CODE, "z - rows - columns + mean", "z - columns"),
    ("variance", PEOPLE, CODE, "np.unique(person, ", "np.unique(np.arange(len(person)), "),
    ("variance", CELLS + "[variance]", CODE, "np.unique(person, ", "np.unique(np.arange(len(person)), "),
    ("variance", MEANS, CODE, "(sums - sizes * scores)", "(sums - sizes * values.mean())"),
    ("variance", BELOW, CODE, "if value < -small", "if value < -1e9"),
    ("variance", BELOW, CODE, 'max(found["seeds"], 0.0)', 'found["seeds"]'),
    ("variance", BELOW, CODE, 'max(found["identities"], 0.0)', 'found["identities"]'),
    # The interval
    ("variance", BOTH, CODE, "total = by_seed + by_identity", "total = by_seed"),
    ("variance", HOLDS, CODE, "total = by_seed + by_identity", "total = by_seed"),
    ("variance", CELLS + "[variance]", CODE, "total = by_seed + by_identity", "total = by_seed"),
    ("variance", BOTH, CODE, "(self.seeds + self.joint / i) / s, self", "self.seeds / s, self"),
    ("variance", HAND, CODE, "self.joint / (s * i)", "0.0"),
    ("variance", BOTH, CODE, "by_identity**2 / (i - 1)", "by_identity**2 / (s - 1)"),
    # The table
    ("variance", CELLS + "[variance]", TABLE, "found.half(), found.n_seeds", "c.interval and c.interval.half, found.n_seeds"),
    ("variance", CELLS + "[variance]", TABLE, 'if seeds < identities else "identities"', 'if seeds > identities else "identities"'),
    ("variance", CELLS + "[variance]", TABLE, 'mark="†" if name in found.negative else ""', 'mark=""'),
    ("variance", CELLS + "[variance]", TABLE, '"‡" if seconds is not None and c', '"‡" if c.trained is None and c'),
    ("variance", CELLS + "[variance]", TABLE, "if c.trained != 0]", "]"),
    ("variance", NOTES + "[variance of width]", TABLE, "* bool(design_of(results))", "* False"),
    ("variance", V + "test_time_on_processors_counts_each_of_them", TABLE, '== "cpu", 1)', '== "cuda", 1)'),
    ("variance", V + "test_a_cell_says_why_it_has_no_components", PARTS, 'return None, "no records"', 'return None, ""'),
    ("variance", V + "test_a_cell_says_why_it_has_no_components", PARTS, 'if len(c.values) < 2:', "if False:"),
    ("variance", V + "test_a_difference_is_paired", PARTS, "pair[0] - pair[1]", "pair[0] + pair[1]"),
    ("variance", V + "test_nothing_varies", TABLE, "    if seeds == identities:", "    if False:"),
    # How many
    ("variance", COUNTED, CODE, "self.spread(n_seeds=n)", "self.spread(n_identities=n)"),
    ("variance", COUNTED, CODE, "chance(effect / np.sqrt(variance), df)", "chance(effect / np.sqrt(variance), 1e6)"),
    ("variance", NEVER, "reports/statistics/power.py", "return None\n    low, high", "return most\n    low, high"),
    ("variance", MEAN, POWER, "np.std(values, ddof=1)", "np.std(values)"),
    ("variance", MEAN, POWER, "needed > parts.n_identities", "needed < parts.n_identities"),
    ("variance", MEAN, POWER, "left=parts.parts[1]", "left=parts.parts[0]"),
    ("variance", MEAN, POWER, "float(np.sqrt(parts.identities))", "float(parts.identities)"),
    ("variance", PAIRED, POWER, "tuple(paired(c, other).values())", "c.values"),
    ("variance", PAIRED, POWER, "key=lambda o: o.score", "key=lambda o: -o.score"),
    ("variance", PAIRED, POWER, "in trained if c.label != to]", "in trained]"),
    ("variance", LESS, POWER, "        return replace(here, why=why)", "        return here"),
    ("variance", FAULTS, POWER, "for c in trained) < 2:", "for c in trained) < 1:"),
    ("variance", FAULTS, POWER, "nearest(to, known)", "None"),
    ("variance", SAID, "harness/cli/commands/power.py", "math.isfinite(detect) and detect > 0", "detect != 0"),
    ("variance", SAID, "harness/cli/commands/power.py", 'if of == "mean" and to is not None:', "if False:"),
]  # fmt: skip
