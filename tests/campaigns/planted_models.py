"""Faults of kept models: of another epoch, of another trial, changed, lost, or deciding what they must not."""

from __future__ import annotations

S, M = "tests/harness/store/test_models.py::", "tests/harness/trial/kept/test_model.py::"
SAME = M + "test_a_loaded_model_measures_what_its_trial_measured"
SAYS = M + "test_the_file_says_whose_it_is_and_holds_what_the_method_trained"
DECIDES = M + "test_the_study_decides_what_is_kept_and_changes_no_trial"
BACKBONE = M + "test_another_backbone_is_refused"
FLIPPED = S + "test_every_flipped_byte_and_a_missing_file_are_said"
ASIDE = S + "test_a_trial_goes_aside_with_its_model_and_comes_back_with_another"
PACKED = S + "test_packed_trials_have_their_models"
PUBLISHED = S + "test_publishing_leaves_models_out_until_they_are_asked_for"
BUCKET = S + "test_in_a_bucket_a_missing_or_cut_model_is_said_without_reading_it"

L, P = "tests/harness/store/test_later.py::", "tests/harness/trial/kept/test_measure.py::"
EQUAL = P + "test_the_rows_are_those_of_evaluate_on"
ONCE = P + "test_only_what_is_missing_is_measured_and_reports_have_it"
DAMAGED = L + "test_one_that_is_damaged_takes_its_trial_out_of_reports_and_is_named"
INSPECTED = "tests/harness/trial/test_inspection.py::test_a_kept_model_is_looked_at_and_nothing_is_trained"

MEASURE, LATER, API = "harness/trial/kept/measure.py", "harness/store/later.py", "harness/api/measuring.py"
MODEL, ATTACHED, RUN = "harness/trial/kept/model.py", "harness/trial/kept/attached.py", "harness/trial/run.py"
MODELS, MERGE, PACK = "harness/store/files/models.py", "harness/store/merge.py", "harness/store/files/compaction.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # Another epoch, other parameters
    (
        "model",
        SAME + "[chosen]",
        RUN,
        "model.encode(resolved, trial.chosen)",
        "model.encode(resolved, __import__('dataclasses').replace(trial.chosen, state={k: v.detach() for k, v in "
        "trial.training.parameters.items() if k in trial.chosen.state}))",
    ),
    ("model", SAME + "[lora]", MODEL, "    restore(backbone, kept.tensors)\n", ""),
    (
        "model",
        SAME + "[vera]",
        ATTACHED,
        "        method.attach(backbone)\n",
        "        method.attach(backbone.double())\n",
    ),
    ("model", SAYS, MODEL, '"chosen_epoch": chosen.epoch,', '"chosen_epoch": trial["recipe"]["epochs"],'),
    ("model", SAYS, MODEL, '.get("heads", {}).values())', '.get("none", {}).values())'),
    # Another trial's, or none
    ("model", M + "test_another_trials_file_is_refused", MODEL, 'if about.get("trial") != ident:', "if False:"),
    ("model", M + "test_what_was_not_kept_is_said_and_what_to_do", MODEL, 'if row["status"] != "ok":', "if False:"),
    ("model", BACKBONE, MODEL, 'weights.identity(here)) != row["backbone_hash"]', 'weights.identity(here)) == ""'),
    ("model", BACKBONE, MODEL, 'kept.about["hashes"]["backbone"] != kept.row["backbone_hash"]', "False"),
    (
        "model",
        M + "test_a_backbone_that_is_not_here_is_told",
        MODEL,
        "if fault := weights.lacking(here):",
        "if fault := 0:",
    ),
    # Whether it is kept
    ("model", DECIDES, "harness/trial/resolve.py", '"tuned", "keep")', '"tuned")'),
    ("model", DECIDES, MODEL, ' or trial.get("phase") == "tuning"', ""),
    ("model", DECIDES, MODEL, 'return keep == "all" or ', "return "),
    ("model", DECIDES, MODEL, 'or resolved["status"] != "ready"', ""),
    ("model", M + "test_a_trial_that_was_left_keeps_the_same_bytes_once", RUN, "    checkpoints.remove()\n", ""),
    # Damaged, lost, forgotten on the way
    ("model", FLIPPED, MODELS, "                shards.model(self.files, where)\n", "                pass\n"),
    (
        "model",
        FLIPPED,
        MODELS,
        "        if wanted:\n            raise",
        "        if not wanted:\n            return None\n        if False:\n            raise",
    ),
    ("model", BUCKET, "harness/store/files/shards.py", 'if size != entry["bytes"]:', "if False:"),
    ("model", PACKED, PACK, "                if entry.model:\n", "                if False:\n"),
    ("model", ASIDE, "harness/store/aside.py", 'elif files.has_shard(f"{models.FOLDER}/{ident}"):', "elif False:"),
    (
        "model",
        S + "test_what_lies_at_a_models_place_from_before_is_replaced",
        MODELS,
        "if shards.model_of(shards.commit_record(files, where)) == digest:",
        "if digest:",
    ),
    (
        "model",
        S + "test_what_lies_at_a_models_place_from_before_is_replaced",
        MODELS,
        "                shards.model(files, where)\n                return",
        "                return",
    ),
    (
        "model",
        S + "test_merging_takes_models_along",
        MERGE,
        "            if with_models and (blob",
        "            if False and (blob",
    ),
    ("model", PUBLISHED, MERGE, "            if late and (blob", "            if False and (blob"),
    ("model", PUBLISHED, MERGE, "            if with_models and (blob", "            if (blob"),
    # Measured later
    ("later", EQUAL + "[chosen]", MEASURE, "model.applied(kept)", "model.attached(kept.trial, self.source).eval()"),
    ("later", EQUAL + "[chosen]", MEASURE, 'CHOICE[kept.trial["selection"]], evaluation', '"last", evaluation'),
    (
        "later",
        EQUAL + "[chosen]",
        MEASURE,
        'measuring.evaluate(of["dataset"])',
        'measuring.evaluate(of["dataset"], "val")',
    ),
    ("later", ONCE, API, 'if one["id"] not in done]', "]"),
    ("later", ONCE, API, 'if (row["id"], MeasuredOn.of(dataset).text) in there:', "if False:"),
    (
        "later",
        L + "test_it_is_read_as_the_trials_own_in_shards_and_packs",
        LATER,
        "homes.get(ident, ident))",
        "ident)",
    ),
    (
        "later",
        L + "test_it_is_read_as_the_trials_own_in_shards_and_packs",
        LATER,
        "[*homes, *missing] if",
        "[*missing] if",
    ),
    (
        "later",
        L + "test_a_data_set_as_it_comes_is_told_from_the_trials_own_of_that_name",
        "harness/store/store.py",
        "later.declared(declared, further)",
        "declared",
    ),
    ("later", DAMAGED, LATER, "        missing.setdefault(", "        dict().setdefault("),
    ("later", L + "test_it_goes_where_its_trial_goes", MERGE, "    later.take(files, other, idents)\n", ""),
    (
        "later",
        L + "test_it_goes_aside_with_its_trial[False]",
        "harness/store/aside.py",
        "        if more in reading",
        "        if not reading",
    ),
    (
        "later",
        P + "test_damage_and_other_data_are_measured_again",
        API,
        "        elif data_hash != splits",
        "        elif not splits",
    ),
    ("later", P + "test_damage_and_other_data_are_measured_again", API, "wrong = results.damaged(of)", "wrong = {}"),
    ("later", P + "test_one_that_cannot_be_measured_is_told_and_tried_again", API, 'if status != "ok":', "if False:"),
    (
        "later",
        P + "test_other_code_must_give_what_was_committed",
        MEASURE,
        "round(here, 9) != round(",
        "round(here, 9) == round(",
    ),
    (
        "later",
        P + "test_other_code_must_give_what_was_committed",
        MEASURE,
        'if code != kept.row["code_hash"]:',
        "if False:",
    ),
    ("later", P + "test_a_stop_commits_nothing", MEASURE, "    if stop():\n", "    if False:\n"),
    ("later", P + "test_trials_without_a_model_are_told", API, "            without.append", "            str().join"),
    (
        "later",
        P + "test_faults_of_the_command_are_told_at_once",
        API,
        "            model.check_backbone(row, trial)\n",
        "",
    ),
    (
        "later",
        INSPECTED,
        "harness/trial/kept/again.py",
        "_loaded(kept, data) if kept else",
        "_loaded(kept, data) if 0 else",
    ),
]
