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
    ("model", BACKBONE, MODEL, 'if found != kept.row["backbone_hash"]:', "if False:"),
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
]
