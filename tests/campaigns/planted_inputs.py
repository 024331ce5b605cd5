"""Faults that would let through what a study cannot hold, or hold up what it can.

Each is a kind, the test that must notice, a file, a text that stands in it once, and what stands there instead.
"""

from __future__ import annotations

N = "tests/harness/study/test_nodes.py::"
R = "tests/harness/study/test_refused.py::"
PLAIN = N + "test_what_is_no_plain_value_is_refused_with_its_line"
MERGE = N + "test_merge_keys_bring_what_is_not_written_with_its_own_line"
FILES = N + "test_a_large_or_foreign_file_is_refused_unread"
VALUES = R + "test_a_value_that_fails_later_is_refused_at_once"
MANY = R + "test_a_study_of_too_many_trials_is_refused_with_their_number_at_once"
ALLOWED = R + "test_many_trials_are_allowed_when_it_is_said"
COUNT = R + "test_trials_are_counted_as_they_are_built"
PATHS = R + "test_paths_that_are_too_long_are_one_line"

B, X = "tests/harness/trial/test_rows.py::", "tests/harness/execution/test_execute.py::"
CLI = "tests/harness/cli/test_cli.py::test_lost_trials_give_5_and_a_log"
RUN = "harness/trial/run.py"
NODES, YAML, EXTENT = "harness/study/nodes.py", "harness/study/yaml.py", "harness/study/extent.py"
INSIDE, READING, FAULTS = "harness/study/inside.py", "harness/study/reading.py", "harness/study/faults.py"
RECIPE, SPEC, SPLITS = "harness/training/recipe.py", "harness/trial/spec.py", "harness/trial/splits.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # YAML
    ("yaml", PLAIN, NODES, "if self.nested > DEPTH + 1:", "if False:"),
    ("yaml", PLAIN, NODES, "if depth > DEPTH:", "if False:"),
    ("yaml", PLAIN, NODES, "if size > NODES:", "if False:"),
    ("yaml", PLAIN, NODES, "if id(node) not in self.sizes:", "if False:"),
    ("yaml", PLAIN, NODES, "if tag is not None and (kind not in KINDS or ", "if tag is not None and ("),
    ("yaml", PLAIN, NODES, '(kind if kind in ("seq", "map") else None) != fits', "False"),
    ("yaml", PLAIN, NODES, "            self._check_tag(key, place)\n", ""),
    ("yaml", PLAIN, NODES, "if not isinstance(key, ScalarNode):", "if False:"),
    ("yaml", PLAIN, NODES, "if not isinstance(part, MappingNode):", "if False:"),
    ("yaml", PLAIN, NODES, "if key.value in own or (merges and below is not None):", "if key.value in own:"),
    ("yaml", PLAIN, NODES, "except (ValueError, LookupError, OverflowError, YAMLError):", "except OverflowError:"),
    ("yaml", PLAIN, NODES, '("Cc", "Cf", "Cs")', '("Cc", "Cf")'),
    ("yaml", PLAIN, NODES, '("Cc", "Cf", "Cs")', '("Cc", "Cs")'),
    ("yaml", PLAIN, NODES, "if not key.value.isprintable():", "if False:"),
    ("value", "tests/harness/adaptation/test_method.py", "harness/adaptation/method.py", "    if not chosen:\n", "    if False:\n"),
    ("yaml", MERGE, NODES, "for k, pair in self._pairs(part, place).items() if k not in merged}", "for k, pair in self._pairs(part, place).items()}"),
    ("yaml", MERGE, NODES, "for key, pair in merged.items() if key not in own}", "for key, pair in merged.items()}"),
    ("yaml", MERGE, NODES, "= written.start_mark.line + 1", "= node.start_mark.line + 1"),
    ("yaml", FILES, YAML, "if len(content) > SIZE:", "if False:"),
    ("yaml", FILES, YAML, "if not isinstance(parent, str) or not parent:", "if False:"),
    ("yaml", FILES, YAML, "if other in (*seen, path.resolve()):", "if False:"),
    # Values
    ("value", VALUES, RECIPE, "betas: tuple[Decay, Decay]", "betas: tuple[Share, Share]"),
    ("value", VALUES, RECIPE, 'augmentation: Augmentation = "irra"', 'augmentation: str = "irra"'),
    ("value", VALUES, RECIPE, "Field(ge=0, le=64)", "Field(ge=0)"),
    ("value", VALUES, RECIPE, "Field(ge=0, le=1_000_000)", "Field(ge=0)"),
    ("value", R + "test_values_of_python_are_held_to_the_same", RECIPE, ", allow_inf_nan=False", ""),
    ("value", VALUES, "harness/adaptation/method.py", ", allow_inf_nan=False", ""),
    ("value", VALUES, SPEC, "Field(ge=1, le=1024)", "Field(ge=1)"),
    ("value", VALUES, SPEC, "Field(ge=0, lt=2**63)", "Field(ge=0)"),
    ("value", VALUES, SPEC, "Field(ge=1, le=4096)", "Field(ge=1)"),
    ("value", VALUES, SPEC, 'device: Device = "auto"', 'device: str = "auto"'),
    ("value", VALUES, "harness/study/values.py", ", max_length=100", ""),
    ("value", VALUES, "harness/adaptation/budget.py", "if 1 <= number < LARGEST and", "if 1 <= number and"),
    ("value", VALUES, "harness/adaptation/budget.py", "else 1_000_000\n", "else 10.0**500\n"),
    ("value", VALUES, EXTENT, "not -WHOLE <= tree < WHOLE", "False"),
    ("value", VALUES, EXTENT, "not math.isfinite(tree)", "False"),
    ("value", VALUES, READING, "(place[: len(other)] == other and value in words)", "False"),
    ("value", VALUES, READING, "not in alike:", "not in shown:"),
    ("value", VALUES, READING, "        seen = inside.of_trials\n", ""),
    ("value", VALUES, READING, "parts += [inside.of_data(tree), inside.of_budgets(tree)]", "parts += [inside.of_data(tree)]"),
    ("value", VALUES, READING, "parts += [inside.of_data(tree), inside.of_budgets(tree)]", "parts += [inside.of_budgets(tree)]"),
    ("value", VALUES, SPLITS, 'hints = {**get_type_hints(load), **HINTS, "root": str}', "hints = {}"),
    ("value", VALUES, SPLITS, 'SEED if key.endswith("seed") else ...', "..."),
    ("value", VALUES, SPLITS, 'if key in ("fraction", "noise") and value:', "if False:"),
    ("value", VALUES, FAULTS, "            Setting(**{first: value})\n", "            Setting()\n"),
    ("value", "tests/faults/test_input.py::test_what_does_not_fit_is_refused_with_both_numbers", "harness/trial/limits.py", "        found += _factors(trial.recipe, method, on)\n", ""),
    ("value", "tests/harness/adaptation/test_method.py::test_many_faults_are_told_shortly", "harness/adaptation/method.py", "error.errors()[:FAULTS]", "error.errors()"),
    ("value", "tests/harness/study/test_language.py::test_traps_are_told_with_line_and_type", FAULTS, "value in [entry.method for entry in entries]", "value in {entry.method for entry in entries}"),
    # How many
    ("many", ALLOWED, READING, "() if many else extent.of_extent(study)", "()"),
    ("many", MANY, READING, "extent.of_lists(study), ", ""),
    ("many", COUNT, EXTENT, "total += each * datasets * budgets * len(study.possible)", "total += each * datasets * budgets"),
    ("many", COUNT, EXTENT, '(datasets if "dataset" in per else 1)', "datasets"),
    ("many", COUNT, EXTENT, '(budgets if "budget" in per else 1)', "1"),
    ("many", COUNT, EXTENT, 'if wanted == "all" else min(points, wanted)', ""),
    ("many", ALLOWED, EXTENT, "> TRIED:", "> 100 * TRIED:"),
    ("many", ALLOWED, "harness/api/asking.py", "if seeds is not None and not 1 <= seeds <= SEEDS:", "if False:"),
    ("many", R + "test_points_are_drawn_as_from_the_whole_list", "harness/study/grid.py", "in reversed(list(axes.items())):", "in axes.items():"),
    # A row whatever happens
    ("row", B + "test_a_trial_that_cannot_be_built_is_a_row_with_the_reason", RUN, "    record = columns.Growing({})\n", "    record = columns.Growing(columns.known(resolved))\n"),
    ("row", B + "test_what_no_column_holds_is_told_and_left_out", RUN, "except ValueError as fault:", "except ZeroDivisionError as fault:"),
    ("row", B + "test_what_no_column_holds_is_told_and_left_out", "harness/store/unmeasured.py", "max(0, min(seed, LARGEST))", "seed"),
    ("row", B + "test_what_a_column_holds", "harness/store/schema.py", "except (*UNFIT, TypeError):", "except UNFIT:"),
    ("row", X + "test_what_a_trial_raises_is_its_row", "harness/execution/ray/worker.py", "except (UserError, OSError):", "except Exception:"),
    ("row", X + "test_a_trial_lost_to_the_machine_or_the_store_has_a_row_that_says_so", "harness/execution/ray/worker.py", "except (UserError, OSError):", "except UserError:"),
    ("row", X + "test_a_trial_lost_to_the_machine_or_the_store_has_a_row_that_says_so", "harness/execution/executor.py", '_keep(trial, outcome.lost[trial["id"]], kept, places["claimant"])', "pass"),
    ("row", X + "test_a_lost_trial_that_another_run_is_at_is_left_to_it", "harness/execution/executor.py", ', store.claim(trial["id"], claimant) as claim:', ':\n        claim = type("", (), {"token": None})'),
    ("row", CLI, "harness/api/running.py", 'results.with_status(ids, ("lost",))', "()"),
    ("row", CLI, "harness/api/planning.py", 'done -= set(results.with_status(done, ("lost",)))', "pass"),
    ("row", CLI, "harness/api/ending.py", 'done = len(results.done(ids) - set(record["lost"]))', "done = len(results.done(ids))"),
    ("row", "tests/harness/study/test_tuning.py::test_a_failed_trial_holds_its_own_method_back_and_no_other", "harness/study/choice.py", 'OPEN = (None, "failed", "lost")', 'OPEN = (None, "failed")'),
    # Paths
    ("path", "tests/harness/test_paths.py", "harness/paths.py", "        return Path(path).is_file()\n    except (OSError, ValueError):", "        return Path(path).is_file()\n    except ValueError:"),
    ("path", PATHS, "harness/cli/main.py", "error.errno == errno.ENAMETOOLONG", "False"),
]  # fmt: skip
