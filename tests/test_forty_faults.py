"""Forty things that go wrong, and the tests that hold what happens then.

Each fault names test functions as `file::function`, relative to this folder; the check is that they exist, and that one
of them at least is run by `make test`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INPUT, DATA, MEASURED, PROCESS = (f"faults/test_{name}.py" for name in ("input", "data", "evaluation", "process"))
REAL, CHECK, IMAGES = (
    "harness/datasets/test_real.py",
    "harness/data/quality/test_check.py",
    "harness/data/pipeline/test_images.py",
)
PACK, RANKING, PROTOCOL = (
    "harness/data/pipeline/test_pack.py",
    "harness/evaluation/test_ranking.py",
    "harness/trial/test_protocol.py",
)
TRAIN, CLI = "harness/training/test_loop.py", "harness/cli/test_cli.py"
RESUME, CHECKPOINT = (f"harness/trial/test_{name}.py" for name in ("resume", "checkpoint"))
TUNE, STOP = "harness/execution/test_execute.py", "harness/execution/ray/test_stop.py"
CLAIMS, DAMAGE, CAMPAIGNS = (f"harness/store/test_{name}.py" for name in ("claims", "damage", "campaigns"))

FAULTS: dict[int, tuple[str, dict[str, tuple[str, ...]]]] = {
    # What the user wrote.
    1: (
        "an unknown method, loss or data set",
        {INPUT: ("test_an_unknown_name_is_answered_with_the_nearest_and_makes_nothing",)},
    ),
    2: (
        "an unknown option, or one of another method",
        {INPUT: ("test_every_unknown_key_in_one_pass",), CLI: ("test_all_faults_of_a_study_at_once_with_their_lines",)},
    ),
    3: (
        "a value of another type, a key twice, no finite number",
        {
            INPUT: ("test_a_wrong_type_names_key_line_and_what_was_read",),
            "harness/study/test_study.py": ("test_yaml_traps", "test_every_fault_in_one_pass_with_its_line"),
        },
    ),
    4: (
        "sizes that do not fit each other",
        {
            INPUT: (
                "test_what_does_not_fit_is_refused_with_both_numbers",
                "test_a_batch_larger_than_the_data_is_refused_before_anything_runs",
            )
        },
    ),
    5: (
        "a budget that cannot be met",
        {
            INPUT: ("test_a_budget_that_nothing_meets_is_a_row_that_says_what_would",),
            "harness/adaptation/test_budget.py": ("test_too_small_gives_the_smallest_and_says_so",),
            "harness/study/test_tuning.py": ("test_unfair_or_empty_searches_are_refused",),
        },
    ),
    6: (
        "two entries that are one trial",
        {
            INPUT: ("test_equal_trials_are_run_once_and_told",),
            "harness/study/test_study.py": ("test_equal_trials_appear_once",),
        },
    ),
    # What lies on the disk.
    7: (
        "a data set that is missing or looks like another",
        {
            DATA: (
                "test_a_missing_root_says_what_is_needed_and_where_it_comes_from",
                "test_a_look_alike_is_called_by_its_name",
            ),
            REAL: ("test_look_alike_files_are_named",),
        },
    ),
    8: (
        "missing images",
        {
            DATA: ("test_missing_images_are_counted_by_folder_and_allowed_on_request",),
            REAL: ("test_missing_images_are_counted_by_folder",),
        },
    ),
    9: (
        "an annotation file that is cut, or has the wrong shape",
        {
            DATA: (
                "test_an_annotation_file_that_is_no_list_of_records",
                "test_a_record_is_refused_with_its_number_and_key",
            ),
            REAL: ("test_broken_json", "test_fault_is_refused_by_name"),
        },
    ),
    10: (
        "an image that is empty or none",
        {
            DATA: ("test_an_image_that_cannot_be_read_is_never_trained_on",),
            PACK: ("test_all_unreadable_images_in_one_error_and_the_rest_is_kept",),
            CHECK: ("test_unreadable_images",),
        },
    ),
    11: (
        "a JPEG that ends early",
        {
            DATA: ("test_an_image_that_cannot_be_read_is_never_trained_on",),
            IMAGES: ("test_refused_by_name",),
            CHECK: ("test_a_jpeg_without_its_end_is_told_though_it_decodes",),
        },
    ),
    12: (
        "other modes and turned pictures",
        {
            DATA: ("test_modes_and_orientation_are_converted_and_counted",),
            IMAGES: ("test_modes", "test_exif_orientation", "test_cmyk"),
        },
    ),
    13: (
        "a picture that is far too large, too small or too long",
        {DATA: ("test_an_image_that_cannot_be_read_is_never_trained_on",), IMAGES: ("test_refused_by_name",)},
    ),
    14: (
        "identities of any kind, or one in two splits",
        {
            DATA: ("test_a_record_is_refused_with_its_number_and_key",),
            REAL: ("test_identities_of_any_kind_are_renumbered",),
            CHECK: ("test_identity_in_two_splits",),
            "harness/data/test_maps.py": ("test_reading_a_split_for_a_trial_leaves_the_maps",),
        },
    ),
    15: (
        "the same image or caption again",
        {
            DATA: ("test_duplicates_are_told", "test_a_record_is_refused_with_its_number_and_key"),
            CHECK: (
                "test_same_image_in_two_splits_is_an_error",
                "test_same_image_of_two_people_and_under_two_names",
                "test_twice_listed_image",
            ),
        },
    ),
    16: (
        "a caption without words, in another encoding or too long",
        {
            DATA: (
                "test_a_record_is_refused_with_its_number_and_key",
                "test_not_utf8_is_told_with_the_byte",
                "test_captions_over_the_context_are_counted",
            ),
            CHECK: ("test_captions",),
            "harness/model/test_tokenizer.py": ("test_truncation_keeps_the_end_and_is_counted",),
        },
    ),
    17: (
        "an unknown split, or no val",
        {
            DATA: ("test_a_record_is_refused_with_its_number_and_key",),
            REAL: ("test_icfg_cuts_val_off_train",),
            PROTOCOL: ("test_the_row_says_where_val_comes_from",),
        },
    ),
    18: (
        "a path that leaves the folder, a loop, names that differ in case",
        {
            DATA: (
                "test_a_record_is_refused_with_its_number_and_key",
                "test_a_link_out_of_the_data_and_a_loop_are_refused",
            )
        },
    ),
    19: (
        "data that changed since the start",
        {
            DATA: ("test_data_that_changed_since_a_run_are_another_trial",),
            "harness/trial/test_drift.py": ("test_a_hash_that_differs_from_the_checkpoint_is_named",),
        },
    ),
    # What is measured.
    20: (
        "an empty or very small gallery",
        {
            MEASURED: ("test_an_empty_split_is_refused", "test_rank_10_of_a_small_gallery_is_a_gap"),
            RANKING: ("test_nothing_to_rank",),
        },
    ),
    21: (
        "a query without a match",
        {
            MEASURED: ("test_a_query_without_a_match_is_counted_and_never_averaged",),
            PROTOCOL: ("test_a_query_without_a_match_is_counted_and_left_out", "test_nobody_has_a_match"),
        },
    ),
    22: (
        "an embedding that is no direction",
        {
            MEASURED: ("test_an_embedding_without_a_direction_fails_the_trial_and_is_named",),
            RANKING: ("test_bad_embeddings_are_named",),
            PROTOCOL: ("test_a_broken_embedding_fails_the_trial_and_is_named",),
        },
    ),
    23: (
        "ties and constant models",
        {
            RANKING: (
                "test_a_constant_model_scores_the_worst",
                "test_does_not_depend_on_order_or_block",
                "test_nearly_constant_embeddings_equal_the_loop",
            ),
            PROTOCOL: ("test_a_constant_model_scores_the_worst",),
        },
    ),
    # Training.
    24: (
        "a loss or gradient that is no finite number",
        {
            PROCESS: ("test_a_trial_that_diverges_is_marked_and_the_others_go_on",),
            TRAIN: ("test_a_loss_or_gradient_that_is_not_finite_is_named_with_step_and_batch",),
        },
    ),
    25: (
        "memory that runs out",
        {
            PROCESS: ("test_memory_that_runs_out_is_marked_and_not_tried_again_by_itself",),
            "harness/test_memory.py": (
                "test_a_trial_goes_on_in_parts_and_says_so",
                "test_one_pair_that_does_not_fit_ends_the_trial",
            ),
        },
    ),
    26: (
        "a checkpoint of something else, damaged, or with code in it",
        {
            TRAIN: ("test_a_checkpoint_that_does_not_fit_is_refused_whole",),
            CHECKPOINT: (
                "test_a_flipped_bit_or_a_torn_end_falls_back_to_the_one_before",
                "test_a_checkpoint_of_another_trial_is_none",
            ),
            "harness/model/test_weights.py": ("test_a_damaged_file_is_one_line",),
        },
    ),
    27: (
        "code, libraries or a study that changed between stop and start",
        {
            "harness/trial/test_drift.py": (
                "test_a_hash_that_differs_from_the_declaration_is_named_once_for_all_trials",
                "test_another_environment_is_refused_with_its_field",
                "test_the_command_line_names_the_change_refuses_and_accepts",
                "test_a_trial_itself_refuses_a_checkpoint_of_another_environment",
            )
        },
    ),
    # There are no loader processes: images are packed once, by threads of whichever process comes first.
    28: (
        "a process that dies while it reads the data",
        {
            PACK: (
                "test_an_interrupted_build_goes_on",
                "test_a_killed_build_goes_on",
                "test_many_processes_build_once",
                "test_waiting_ends",
            )
        },
    ),
    # Processes and storage.
    29: (
        "a signal at any step",
        {
            RESUME: (
                "test_a_signal_to_the_command_line_keeps_the_state_and_the_same_command_goes_on",
                "test_a_trial_stopped_at_any_question_gives_the_same_row",
            ),
            STOP: (
                "test_a_second_signal_ends_the_process_at_once",
                "test_a_trial_keeps_its_state_when_asked",
                "test_a_trial_that_does_not_end_in_time_is_interrupted",
            ),
            TUNE: ("test_a_signal_ends_the_loop_and_keeps_what_is_done",),
            CLI: ("test_a_stop_gives_75_and_continues",),
        },
    ),
    30: (
        "a kill at any operation",
        {
            RESUME: (
                "test_a_trial_killed_at_any_time_is_there_once_with_the_same_bits",
                "test_a_training_goes_on_bit_for_bit_after_every_step",
            ),
            CHECKPOINT: ("test_a_process_may_die_before_any_operation_of_a_save",),
            CAMPAIGNS: ("test_operations_on_files_may_fail_anywhere",),
            "harness/store/test_compact.py": ("test_nothing_goes_before_the_pack_that_holds_it_is_written",),
        },
    ),
    31: (
        "a full disk, a failed write or sync",
        {
            CHECKPOINT: (
                "test_a_full_disk_keeps_the_earlier_ones_and_leaves_nothing_behind",
                "test_a_failed_sync_is_no_checkpoint",
            ),
            CAMPAIGNS: ("test_operations_on_files_may_fail_anywhere", "test_a_full_disk_keeps_what_is_there"),
            DAMAGE: ("test_everything_is_synced_before_it_is_visible",),
            PACK: ("test_no_space",),
        },
    ),
    32: (
        "a store that cannot be written",
        {
            PROCESS: (
                "test_a_read_only_store_is_told_before_any_work",
                "test_a_file_in_place_of_the_store_is_told_before_any_work",
            ),
            DAMAGE: (
                "test_an_unwritable_store_is_told_before_any_work",
                "test_a_file_system_without_links_or_locks_is_told",
            ),
        },
    ),
    33: (
        "two runs on one store",
        {
            CLAIMS: ("test_a_trial_is_held_by_one_and_given_back",),
            CAMPAIGNS: ("test_eight_writers_a_compaction_and_a_reader_get_along",),
        },
    ),
    34: (
        "the lock of a process that is gone",
        {
            CLAIMS: (
                "test_the_claim_of_a_dead_process_is_taken_over_at_once",
                "test_a_reused_pid_or_another_boot_is_a_dead_owner",
                "test_a_zombie_is_dead",
            )
        },
    ),
    35: (
        "a torn end or a flipped bit",
        {
            DAMAGE: ("test_any_flipped_bit_is_detected", "test_a_damaged_trial_is_told_and_can_be_set_aside"),
            CAMPAIGNS: ("test_flipped_bits_are_noticed", "test_records_cut_short_are_noticed"),
            CLI: ("test_a_damaged_trial_runs_again",),
        },
    ),
    36: (
        "a clock that jumps",
        {
            PROCESS: ("test_a_clock_that_jumps_changes_nothing",),
            CLAIMS: ("test_an_owner_on_another_host_lives_while_it_is_heard_of",),
        },
    ),
    37: (
        "a store of an older or newer release",
        {
            DAMAGE: ("test_a_newer_schema_is_refused_and_an_older_one_is_filled_up",),
            "harness/store/test_versions.py": ("test_a_store_of_release_0_1_is_read_as_it_was",),
        },
    ),
    # Other machines.
    38: (
        "a Ray that is missing or does not start",
        {
            PROCESS: ("test_a_missing_ray_is_told_with_the_other_way",),
            TUNE: ("test_a_ray_that_does_not_start_is_told_in_time",),
            "harness/execution/ray/test_cluster.py": ("test_a_wrong_address_is_told_with_the_way_out",),
        },
    ),
    39: (
        "a worker or node that dies",
        {
            TUNE: ("test_ray_retries_dead_workers_so_many_times_and_no_more",),
            "campaigns/test_two_nodes.py": (
                "test_a_node_that_dies_loses_nothing",
                "test_a_head_that_dies_ends_the_run_with_a_line_and_it_continues",
            ),
        },
    ),
    40: (
        "a writer that comes back after it was taken for dead",
        {
            CLAIMS: (
                "test_the_late_commit_of_a_writer_taken_for_dead_is_refused",
                "test_a_takeover_just_before_the_rename_is_seen",
                "test_an_owner_on_another_host_lives_while_it_is_heard_of",
            )
        },
    ),
}


def written_in(file: str) -> dict[str, bool]:
    """Test functions of a file, and whether each is slow."""
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    everywhere = any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark" and "slow" in ast.unparse(node)
        for node in tree.body
    )
    return {
        node.name: everywhere or any("mark.slow" in ast.unparse(mark) for mark in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_all_forty_are_there():
    assert list(FAULTS) == list(range(1, 41))


@pytest.mark.parametrize("number", FAULTS, ids=lambda n: f"{n}: {FAULTS[n][0]}")
def test_a_fault_has_its_tests(number):
    _, named = FAULTS[number]
    known = {file: written_in(file) for file in named}
    absent = [f"{file}::{name}" for file, names in named.items() for name in names if name not in known[file]]
    assert not absent
    assert any(not known[file][name] for file, names in named.items() for name in names), "only slow ones"
