"""Faults of studies whose number of seeds is found, and of the intervals that they report."""

from __future__ import annotations

F, R = "tests/harness/study/precision/test_further.py::", "tests/harness/study/precision/test_runs.py::"
ASKS, CUTS = F + "test_each_cell_gets_what_its_pilot_asks_for", F + "test_most_cuts_and_what_was_wanted_is_kept"
PAIRED, GRID = (
    F + "test_a_difference_is_paired_and_the_other_method_has_the_seeds_of_all",
    F + "test_the_same_point_of_a_grid_is_compared",
)
ANYWHERE = R + "test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_trials"
TOLD, LIKELY = R + "test_run_plan_and_status_tell_the_phases", R + "test_plan_counts_by_what_is_known_of_a_pilot"
MISSING, LOST = (
    F + "test_a_pilot_seed_without_a_score_counts_as_missing",
    F + "test_a_lost_trial_keeps_its_pilot_open",
)
ONE = F + "test_a_pilot_with_one_score_asks_for_no_more"
COUNTS = F + "test_rank_1_on_the_test_split_of_what_is_trained_on_counts_as_reports_take_it"
CERTAIN = R + "test_trials_that_are_infeasible_are_not_certain_to_run"
TIME = R + "test_the_time_of_further_seeds_is_that_of_as_many_more_trials"
PUBLISHED = R + "test_nothing_is_published_before_every_cell_has_what_its_pilot_asks_for"
PART = "tests/harness/study/precision/test_partial.py::test_"
ON, OPEN, SHOWN = (
    PART + "a_study_goes_on_elsewhere_from_what_was_published_of_it",
    PART + "pilots_that_are_through_and_have_not_asked_yet_are_not_complete",
    PART + "nothing_shows_a_study_that_is_not_complete_as_complete",
)
ONE_PHASE, LINES = PART + "listed_seeds_have_one_phase", PART + "faults_of_publishing_in_part_are_one_line"
RUNS_AGAIN = PART + "a_lost_trial_runs_again_and_is_not_published"
PUBLISH, OWN, STORE = "harness/cli/commands/publish.py", "harness/store/declared.py", "harness/store/store.py"
READ = F + "test_faults_have_their_line"
RULE, FURTHER, RUNNING = (
    "harness/stein.py",
    "harness/study/precision/further.py",
    "harness/api/running.py",
)

S = "tests/reports/test_statistics_stein.py::"
HAND, SAME = S + "test_number_and_interval_by_hand", S + "test_a_run_asks_for_what_reports_say"
COVERS = S + "test_two_stages_cover_what_they_say_and_growing_does_not"
GAP, GONE = S + "test_a_difference_and_its_p", S + "test_seeds_without_a_score_are_missing_in_the_pilot"
T = "tests/reports/test_recomputed_tables.py::test_every_"
CELLS, NOTES = T + "cell_is_what_the_slow_script_computes", T + "note_is_what_the_slow_script_says"
MARKS = (
    "tests/reports/test_recomputed_figures.py::test_every_mark_is_what_the_slow_script_computes[budget_curve of width]"
)
STEIN, TABLE = "reports/statistics/stein.py", "reports/tables/precision.py"

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
    ("seeds", CERTAIN, "harness/cli/commands/plan.py", "sum(not _is_infeasible(row) for row in made.trials)", "len(made.trials)"),
    ("seeds", CERTAIN, "harness/cli/commands/plan.py", 'bool(row["reason"]) and row["state"] != "waiting"', 'row["state"] == "infeasible"'),
    ("seeds", PUBLISHED, "harness/cli/commands/publish.py", '.get("phase") == "pilot"', '.get("phase") == "x"'),
    ("seeds", TIME, "harness/api/planning.py", "each.seeds or most)", "each.seeds or first)"),
    ("seeds", TIME, "harness/api/planning.py", "range(n[end] - first)", "range(n[end])"),
    ("seeds", LIKELY, FURTHER, "decided=through", "decided=count is not None"),
    ("seeds", READ, "harness/study/faults.py", "if asked.most < asked.first:", "if False:"),
    ("seeds", READ, "harness/study/faults.py", 'if "seed" in rule.when:', "if False:"),
    ("seeds", READ, "harness/study/faults.py", "set(study.possible) &", "set(study.certain) &"),
    # Published as far as it has come
    ("partial", ON, OWN, "_extent(ours) < _extent(theirs)", "_extent(ours) > _extent(theirs)"),
    ("partial", ON, OWN, "return -waiting, len(stages) - waiting", "return 0, len(stages)"),
    ("partial", ON, STORE, "            self.files.replace(path, seal(theirs))\n", "            pass\n"),
    ("partial", ON, PUBLISH, 'there = target.read(study, ("trials",), tuning=True)', 'there = here.read(study, ("trials",), tuning=True)'),
    ("partial", ON, PUBLISH, '{"partial": asdict(there.partial)} if there.partial else {}', "{}"),
    ("partial", ON, PUBLISH, "; or as far as it has come: --partial", ""),
    ("partial", OPEN, OWN, 'if done == of and not main["open"]:', "if done == of:"),
    ("partial", OPEN, OWN, 'trial["seed"] >= seeds["first"]', 'trial["seed"] > seeds["first"]'),
    ("partial", OPEN, "harness/store/record.py", 'if self.open and "further" in self.phases:', "if False:"),
    ("partial", SHOWN, STORE, "{*missing, *(search - self.done(search))}", "{*missing, *search}"),
    ("partial", SHOWN, "harness/cli/commands/list.py", "declared.partial(known, ids - results.done(ids))", "None"),
    ("partial", SHOWN, "reports/page.html.j2", "This study is not complete: {{ partial }}.", ""),
    ("partial", SHOWN, "reports/site/index.html.j2", "{{ name }} is not complete: {{ words }}.", ""),
    ("partial", SHOWN, "reports/site/site.py", "for name, results in studies.items() if results.partial}", "for name, results in studies.items() if results.missing}"),
    ("partial", ONE_PHASE, OWN, 'if p["declared"] or (', "if True or ("),
    ("partial", LINES, PUBLISH, 'if said["queries"] != queries:', "if False:"),
    ("partial", LINES, PUBLISH, "    if broken:", "    if False:"),
    ("partial", LINES, OWN, 'if ours["study"] != theirs["study"]:', "if False:"),
    ("partial", LINES, OWN, "known = {trial[\"id\"] for trial in ahead", "known = {trial[\"id\"] for trial in behind"),
    ("partial", RUNS_AGAIN, PUBLISH, 'trials = trials[trials["status"] != "lost"]', "pass"),
    # What reports make of it
    ("stein", HAND, STEIN, "own.std(ddof=1) / np.sqrt(len(values)))", "values.std(ddof=1) / np.sqrt(len(values)))"),
    ("stein", COVERS, STEIN, "own.std(ddof=1) / np.sqrt(len(values)))", "values.std(ddof=1) / np.sqrt(len(values)))"),
    ("stein", HAND, STEIN, "own.std(ddof=1) / np.sqrt(len(values)))", "own.std(ddof=1) / np.sqrt(len(own)))"),
    ("stein", HAND, STEIN, "student((1 + level) / 2, len(own) - 1) * own", "special.ndtri((1 + level) / 2) * own"),
    ("stein", HAND, STEIN, "student((1 + level) / 2, len(own) - 1) * own", "student((1 + level) / 2, len(values) - 1) * own"),
    ("stein", SAME, STEIN, "wanted(own, design.width)", "wanted(own[::2], design.width)"),
    ("stein", HAND, STEIN, "max(design.first, count)", "max(2, count)"),
    ("stein", GAP, STEIN, "own.var(ddof=1)) / len(gaps)", "own.var(ddof=1)) / len(own)"),
    ("stein", GONE, STEIN, "seeds, int) < first", "seeds, int) < np.sort(seeds)[min(first, len(seeds)) - 1] + 1"),
    ("stein", CELLS + "[precision]", TABLE, "values = paired(c, other) if other else {}", "pass"),
    ("stein", CELLS + "[precision]", TABLE, "for budget in (c.budget, None):", "for budget in (c.budget,):"),
    ("stein", CELLS + "[precision of width]", TABLE, "half <= design.width * (1 + 1e-9)", "half <= 2 * design.width"),
    ("stein", CELLS + "[precision of width]", TABLE, "asked(own, design)", "min(asked(own, design) or 0, design.most)"),
    ("stein", CELLS + "[main of width]", "reports/cells.py", "if self.design and len(self.values) > 1:", "if False:"),
    ("stein", NOTES + "[main of width]", "reports/words/sentences.py", "(_half(c) or 0.0) > (c.width or 0.0) * (1 + 1e-9)", "(_half(c) or 0.0) > 99"),
    ("stein", NOTES + "[main of width]", "reports/words/sentences.py", 'if c.design), None)', 'if not c.design), None)'),
    ("stein", NOTES + "[budget of precision]", "reports/cells.py", 'design.width if design and design.of == "mean" else None', "design and design.width"),
    ("stein", NOTES + "[pairwise of width]", "reports/tables/pairwise.py", "        *resampled(found),\n", ""),
    ("stein", MARKS, "reports/drawing/artists.py", "if c.design and c.values", "if c.width is not None and not c.values"),
]  # fmt: skip
