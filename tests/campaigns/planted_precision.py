"""Faults of studies whose number of seeds is found, and of the intervals that they report."""

from __future__ import annotations

F = "tests/harness/study/precision/test_further.py::"
ASKS, CUTS = F + "test_each_cell_gets_what_its_pilot_asks_for", F + "test_most_cuts_and_what_was_wanted_is_kept"
PAIRED, GRID = (
    F + "test_a_difference_is_paired_and_the_other_method_has_the_seeds_of_all",
    F + "test_the_same_point_of_a_grid_is_compared",
)
ANYWHERE = F + "test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_trials"
TOLD, LIKELY = F + "test_run_plan_and_status_tell_the_phases", F + "test_plan_counts_by_what_is_known_of_a_pilot"
MISSING, LOST = (
    F + "test_a_pilot_seed_without_a_score_counts_as_missing",
    F + "test_a_lost_trial_keeps_its_pilot_open",
)
ONE = F + "test_a_pilot_with_one_score_asks_for_no_more"
COUNTS = F + "test_rank_1_on_the_test_split_of_what_is_trained_on_counts_as_reports_take_it"
READ = F + "test_faults_have_their_line"
RULE, FURTHER, RUNNING = (
    "harness/study/precision/rule.py",
    "harness/study/precision/further.py",
    "harness/api/running.py",
)

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("seeds", ASKS, RULE, "special.stdtrit(len(values) - 1, (1 + LEVEL) / 2)", "special.ndtri((1 + LEVEL) / 2)"),
    ("seeds", ASKS, RULE, "(1 + LEVEL) / 2))", "LEVEL))"),
    ("seeds", ASKS, RULE, "math.ceil(min(", "math.floor(min("),
    ("seeds", ASKS, RULE, "errors * errors", "errors"),
    ("seeds", ASKS, FURTHER, "pilots[cell].trial.model_copy", "laid.placed[-1][0].trial.model_copy"),
    ("seeds", COUNTS, FURTHER, '(scores["split"] == "test")', '(scores["split"] == "val")'),
    ("seeds", COUNTS, FURTHER, '(scores["direction"] == "t2i")', '(scores["direction"] != "")'),
    ("seeds", COUNTS, FURTHER, '== "ok" and dataset == on[ident]', '== "ok"'),
    ("seeds", COUNTS, FURTHER, 'statuses[ident] == "ok" and ', ""),
    ("seeds", COUNTS, FURTHER, '("selected", "last", "oracle")', '("last", "selected", "oracle")'),
    ("seeds", CUTS, FURTHER, "seeds=None if count is None else min(count, rule.most)", "seeds=count"),
    ("seeds", PAIRED, FURTHER, "[value - against.scores[seed] for", "[value for"),
    ("seeds", PAIRED, FURTHER, "most = max(counts", "most = min(counts"),
    ("seeds", GRID, FURTHER, "if point(c) == point(cell)] or near", "] or near"),
    ("seeds", MISSING, RULE, "stdtrit(len(values) - 1", "stdtrit(4"),
    ("seeds", ONE, FURTHER, "if count is None and through:", "if False:"),
    ("seeds", LOST, FURTHER, '.get(ident, "lost") != "lost"', '.get(ident, "lost") != ""'),
    ("seeds", LOST, FURTHER, "if found.decided else 0", "if True else 0"),
    ("seeds", ANYWHERE, FURTHER, "range(study.precision.first, (found", "range(study.precision.first + 1, (found"),
    ("seeds", TOLD, RUNNING, "or not laid.pending", "or not laid.waiting"),
    ("seeds", LIKELY, FURTHER, "decided=through", "decided=count is not None"),
    ("seeds", READ, "harness/study/faults.py", "if asked.most < asked.first:", "if False:"),
    ("seeds", READ, "harness/study/faults.py", 'if "seed" in rule.when:', "if False:"),
    ("seeds", READ, "harness/study/faults.py", "set(study.possible) &", "set(study.certain) &"),
]
