"""A name that stands for two things, planted wherever a label could be dropped, forgotten or swapped."""

from __future__ import annotations

LABELS = "tests/harness/test_labels.py"
ON = "tests/harness/test_measured_on.py"
STORE = "tests/harness/store/test_sets.py"
EVERY = f"{STORE}::test_every_row_is_read_under_what_it_was_measured_on"
WORD = f"{STORE}::test_the_study_has_the_word_on_how_a_data_set_is_written"
GIVEN = f"{STORE}::test_a_store_gives_labels_whole_packed_and_in_part"
RANKS = f"{STORE}::test_ranks_of_two_data_sets_are_scored_each"
LATER = f"{STORE}::test_what_was_measured_later_stands_behind_what_the_trial_measured"
MERGE = f"{STORE}::test_stores_that_write_one_data_set_with_other_words_measured_the_same"
TRIAL = "tests/harness/trial/test_trial.py::test_the_training_data_set_with_other_options_is_another_one"
STUDY = "tests/harness/study/test_language.py"
TWO = "tests/reports/test_measured_on.py"
BESIDE = "tests/reports/test_side_by_side.py"
RIVALS = "tests/harness/execution/ray/test_stop.py::test_trials_on_other_data_are_no_rivals"
PACE = "tests/harness/execution/test_progress.py::test_a_kind_of_trial_is_of_a_data_set_with_its_options"
PLAN = "tests/harness/cli/test_plan.py::test_data_sets_and_methods_of_one_name_have_rows_of_their_own"
PICK = "tests/harness/trial/test_inspection.py::test_picking_by_a_data_set_or_by_all_of_its_name"
FOLDERS = "tests/harness/trial/test_splits.py::test_two_folders_of_one_data_set_must_hold_the_same_test"
NAME, SETS = "harness/measured_on.py", "harness/store/sets.py"

ROWS: list[tuple[str, str, str, str]] = [
    # The identity
    (f"{ON}::test_any_other_option_tells_apart_and_is_read_back", NAME, "cls(dataset[\"dataset\"], _sorted(given), split)", "cls(dataset[\"dataset\"], _sorted(given)[:1], split)"),
    (f"{ON}::test_any_other_option_tells_apart_and_is_read_back", NAME, "json.dumps(options[key], sort_keys=True)) for key", "str(options[key])) for key"),
    (f"{ON}::test_the_text_by_hand", NAME, "if self.options else self.name", "if len(self.options) > 1 else self.name"),
    (f"{ON}::test_any_other_option_tells_apart_and_is_read_back", NAME, "_sorted(options), split)", "tuple(options.items()), split)"),
    (f"{ON}::test_what_acts_on_train_alone_counts_for_train_alone", NAME, 'PLACE = ("root", "check_files")', 'PLACE = ("check_files",)'),
    (f"{ON}::test_what_acts_on_train_alone_counts_for_train_alone", NAME, '"subset_seed", "noise", "noise_seed", "noise_index")', '"noise")'),
    (f"{ON}::test_what_acts_on_train_alone_counts_for_train_alone", NAME, 'PLACE + (() if split == "train" else TRAIN)', "PLACE + TRAIN"),
    (f"{ON}::test_a_trial_is_measured_on_each_once_and_first_where_it_was_trained", NAME, "found.setdefault(MeasuredOn.of(dataset), dataset)", "found[MeasuredOn.of(dataset)] = dataset"),
    # The label
    (f"{LABELS}::test_by_hand", "harness/labels.py", "if any(other.get(key) != options[key] for other in group)", "if all(other.get(key) != options[key] for other in group)"),
    (f"{LABELS}::test_equal_things_have_one_label_and_others_have_another", "harness/labels.py", " and not _json(value)", ""),
    (f"{LABELS}::test_by_hand", "harness/labels.py", r'[\w.%+/@:-]+', r'.*'),
    (f"{LABELS}::test_nothing_is_told_that_all_have_alike", "harness/labels.py", "told = [key for key in sorted(options) if any(other.get(key) != options[key] for other in group)]", "told = sorted(options)"),
    # Reading a store
    (EVERY, SETS, "(known[min(time, len(known) - 1)], pair, time)", "(known[-1 - min(time, len(known) - 1)], pair, time)"),
    (EVERY, SETS, "of[\"dataset\"] == on.name and (not i or of != own[0])", "of[\"dataset\"] == on.name"),
    (EVERY, SETS, "            if on not in taken:\n", "            if True:\n"),
    (EVERY, SETS, "scores.doubled if len(scores.codes) else None", "scores.doubled"),
    (EVERY, SETS, "ident: MeasuredOn.of(some[0]) if some", "ident: MeasuredOn.of(some[-1]) if some"),
    (EVERY, SETS, "for time in range(most + 1)]", "for time in range(1)]"),
    (WORD, SETS, "MeasuredOn.of(here[at]) if at < len(here) else parsed[pair % len(texts)]", "parsed[pair % len(texts)]"),
    (WORD, SETS, "            own = _own(specs, ident)\n", "            own = here\n"),
    (LATER, SETS, "own = [*own, *here[len(own) :]]", "own = [*own]"),
    (LATER, SETS, "([*same, *named] or [len(own)])[0]", "([*named, *same] or [len(own)])[0]"),
    (GIVEN, "harness/store/store.py", '"dataset": of.homes[i], ', ""),
    (GIVEN, "harness/store/store.py", "rescored.tables(sets.spoken(found))", "rescored.tables(found)"),
    (GIVEN, "harness/cli/commands/status.py", '("trial", "method", "budget", "data set", "seed", column),\n                ((r["id"][:6], *(r[key] for key in PLACE[1:]),', '("trial", "method", "budget", "seed", column),\n                ((r["id"][:6], *(r[key] for key in PLACE[1:] if key != "dataset"),'),
    (RANKS, "harness/store/rescored.py", 'KEY = ("id", "dataset", "split", "direction")', 'KEY = ("id", "split", "direction")'),
    (RANKS, SETS, 'tables = {**found, **{n: _with', 'tables = {**{n: _with'),
    (MERGE, "harness/store/merge.py", "MeasuredOn.parse(text).name)", "text)"),
    # A trial and a study
    (TRIAL, "harness/trial/row.py", '"dataset": on.text, "split"', '"dataset": on.name, "split"'),
    (TRIAL, "harness/trial/stages.py", "columns.scores(self.record, on, choice, self._evaluate(\"test\", other, seen))", "columns.scores(self.record, on, choice, self._evaluate(\"test\"))"),
    (FOLDERS, "harness/trial/splits.py", "        if len(found) > 1:\n", "        if len(found) > 2:\n"),
    (f"{STUDY}::test_methods_of_one_name_are_told_apart_by_their_labels", "harness/study/grid.py", 'for name in ("recipe", "tune") for key', 'for name in ("tune",) for key'),
    (f"{STUDY}::test_methods_of_one_name_are_told_apart_by_their_labels", "harness/study/grid.py", '**entry.options, **more}', "**more}"),
    (f"{STUDY}::test_methods_of_one_name_are_told_apart_by_their_labels", "harness/study/grid.py", '        full["label"] = told\n', "        pass\n"),
    (f"{STUDY}::test_a_rule_may_name_what_is_told_apart", "harness/study/grid.py", '    if full["label"] == base["label"]:\n', "    if True:\n"),
    (f"{STUDY}::test_a_grid_stands_behind_what_tells_methods_apart_and_rules_match_labels_as_written", "harness/study/grid.py", '            full["label"] = _name(study.methods[at]) + full["label"].removeprefix(said[at])\n', ""),
    (RIVALS, "harness/execution/ray/prune.py", 'MeasuredOn.of(dataset, "train").text', 'dataset["dataset"]'),
    (PACE, "harness/execution/pace.py", 'MeasuredOn.of(dataset, "train").text', 'dataset["dataset"]'),
    (PLAN, "harness/api/planning.py", '"dataset": names[on],', ""),
    (PLAN, "harness/api/planning.py", '["dataset"], "train")', '["dataset"])'),
    (PICK, "harness/cli/commands/inspect.py", 'in (label, bare(label))', "in (bare(label),)"),
    # Reports
    (f"{TWO}::test_cells", "reports/cells.py", "scores.setdefault(ident, {})[measured] = value", 'scores.setdefault(ident, {})[measured.split(" (")[0]] = value'),
    (f"{TWO}::test_comparisons_pair_queries_of_one_data_set", "reports/compare.py", 'pd.factorize(queries[name]) for name in ("id", "dataset")', 'pd.factorize(queries[name].str.split(" ", regex=False).str[0] + " (size tiny)" * (name == "dataset")) for name in ("id", "dataset")'),
    (f"{TWO}::test_tables_have_a_column_or_row_for_each", "reports/tables/main.py", 'return f"{place}_{metric}"', "return f\"{place.split(' ')[0]}_{metric}\""),
    (f"{TWO}::test_tables_have_a_column_or_row_for_each", "reports/tables/budget.py", "return c.label, c.budget, c.dataset, c.variant", 'return c.label, c.budget, c.dataset.split(" ")[0], c.variant'),
    (f"{TWO}::test_tables_have_a_column_or_row_for_each", "reports/tables/cross_dataset.py", 'row[f"{c.measured}_{metric}"]', "row[f\"{c.measured.split(' ')[0]}_{metric}\"]"),
    (f"{TWO}::test_exports_name_both", "reports/tables/cross_dataset.py", '*(Column(f"{w}_{m}", palette.name(m), palette.name(w))', "*(Column(f\"{w.split(' ')[0]}_{m}\", palette.name(m), palette.name(w))"),
    (f"{TWO}::test_exports_name_both", "reports/drawing/palette.py", "NAMES.get(known, known) + bracket + options", "NAMES.get(known, known)"),
    (f"{TWO}::test_figures_have_a_panel_for_each", "reports/figures/cross_dataset.py", "at = {(c.dataset, c.measured): c for c in some}", 'at = {(c.dataset, w): c for c in some for w in where if w.split(" ")[0] == c.measured.split(" ")[0]}'),
    (f"{TWO}::test_advice_is_for_each", "reports/recommend.py", "dataset in (p, bare(p))]", "dataset == p]"),
    (f"{TWO}::test_published_numbers_stand_beside_the_data_set_as_it_comes_alone", "reports/tables/main.py", "return on is None or not on.options", "return True"),
    (f"{BESIDE}::test_what_is_not_trained_is_shown_for_each_backbone", "reports/untrained.py", "            kept.append(some)\n", "            kept = [some]\n"),
    (f"{BESIDE}::test_what_is_not_trained_is_shown_for_each_backbone", "reports/untrained.py", "groups.setdefault(c.key, {})", "groups.setdefault(c.label, {})"),
    (f"{BESIDE}::test_equal_backbones_without_training_stand_once", "reports/untrained.py", "all(c.mean == other[at].mean", "all(c is other[at]"),
    (f"{BESIDE}::test_a_page_says_which_backbones", "reports/page.py", "zip(frame[\"backbone\"], settings, strict=True)", "zip(frame[\"backbone\"], [{} for _ in settings], strict=True)"),
    (f"{BESIDE}::test_unions_of_one_label_keep_their_parts", "reports/figures/ablation.py", "of = (label, variant)", "of = (label, ())"),
    (f"{BESIDE}::test_what_the_label_of_a_data_set_tells_is_no_variant", "reports/declared.py", "if pair[0] not in _told(results, place))", "if pair)"),
    (f"{BESIDE}::test_cells_and_tables_have_both", "reports/declared.py", "            if (len(values) > 1 or", '            if (len(values) > 1 and not key.startswith("backbone.") or'),
    (f"{BESIDE}::test_cells_and_tables_have_both", "reports/declared.py", 'ignored = {"seed", "id", "label", "phase", *grid}', 'ignored = {"seed", "id", "label", "phase", "method", *grid}'),
    ("tests/reports/test_latex.py::test_a_name_above_columns_that_is_wider_than_these_counts", "reports/latex.py", "share = LETTER * len(column.group) / sizes[column.group] if column.group else 0.0", "share = 0.0"),
    (f"{TWO}::test_tables_have_a_column_or_row_for_each", "reports/figures/cross_dataset.py", "for some in by.values() if len(some) > 1]", "for some in by.values() if len(some) > 2]"),
]  # fmt: skip
PLANTED = [("a name for two", *row) for row in ROWS]
