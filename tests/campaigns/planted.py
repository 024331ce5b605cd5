"""What `forty` plants: fault -> test that must notice -> changes.

A change is a file, a text that stands in it once, and what stands there instead.
"""

from __future__ import annotations

Changes = tuple[tuple[str, str, str], ...]

PLANTED: dict[int, dict[str, Changes]] = {
    1: {
        "test_an_unknown_name_is_answered_with_the_nearest_and_makes_nothing": (
            ("harness/registry.py", "nearest=nearest(name, names(kind))", "nearest=None"),
            ("harness/registry.py", "expected=f\"one of {', '.join(names(kind))}\",", ""),
            ("harness/errors.py", "(starts[0] if starts else None)", "None"),
            ("harness/study/faults.py", 'near = nearest(error["input"], ', 'near = nearest("", '),
        ),
    },
    2: {
        "test_every_unknown_key_in_one_pass": (
            ("harness/adaptation/method.py", "near = nearest(key, known)", "near = None"),
            ("harness/study/faults.py", "near = nearest(str(place[-1]), ", 'near = nearest("", '),
            (
                "harness/study/reading.py",
                'UserError("\\n".join(sorted(shown, key=lambda row: _number(shown[row]))))',
                "UserError(min(shown, key=lambda row: _number(shown[row])))",
            ),
        ),
    },
    3: {
        "test_a_wrong_type_names_key_line_and_what_was_read": (
            ("harness/study/faults.py", " ({type(error['input']).__name__})", ""),
            ("harness/study/faults.py", 'told = f"{key}: ', 'told = f"'),
            ("harness/study/yaml.py", 'else f"{path}:{at}"', "else str(path)"),
            ("harness/study/nodes.py", 'f"key given twice: {brief(key.value)}"', '"key given twice"'),
            ("harness/study/extent.py", "not math.isfinite(tree)", "False"),
        ),
    },
    4: {
        "test_what_does_not_fit_is_refused_with_both_numbers": (
            ("harness/trial/limits.py", "given[name] > limit:", "given[name] > 10**9:"),
            ("harness/trial/limits.py", "is above {limit}, the most on", "is too much for"),
            ("harness/adaptation/method.py", "(isinstance(depth, int) and abs(depth) > count) or ", ""),
            ("harness/training/recipe.py", 'self.sampler == "identity" and self.batch', "False and self.batch"),
        ),
        "test_a_batch_larger_than_the_data_is_refused_before_anything_runs": (
            ("harness/trial/limits.py", "recipe.batch > captions:", "recipe.batch < 0:"),
        ),
    },
    5: {
        "test_too_small_gives_the_smallest_and_says_so": (
            ("harness/adaptation/budget.py", '0.0), "smallest setting {}")', "0.0))"),
        ),
        "test_a_budget_that_nothing_meets_is_a_row_that_says_what_would": (
            ("harness/adaptation/budget.py", '0.0), "smallest setting {}")', '0.0), "too small")'),
            ("harness/trial/run.py", 'if resolved["status"] == "infeasible":', "if False:"),
        ),
        "test_unfair_or_empty_searches_are_refused": (
            ("harness/study/faults.py", "study.axes(entry) and wanted > size", "False"),
        ),
    },
    6: {
        "test_equal_trials_are_run_once_and_told": (
            ("harness/study/tuning.py", 'row in rows if row["id"] in unique]', "row in rows]"),
            ("harness/cli/commands/plan.py", '(f"; {repeats} repeats of a trial dropped" if repeats else "")', '""'),
        ),
    },
    7: {
        "test_a_missing_root_says_what_is_needed_and_where_it_comes_from": (
            ("harness/data/annotations.py", "in {source.folder}/ ({source.licence})", ""),
        ),
        "test_a_look_alike_is_called_by_its_name": (
            ("harness/data/annotations.py", "if name in source.confused:", "if False:"),
        ),
        "test_look_alike_files_are_named": (
            ("harness/data/annotations.py", "f\"found {', '.join(found)}\"", '"another"'),
        ),
    },
    8: {
        "test_missing_images_are_counted_by_folder_and_allowed_on_request": (
            ("harness/data/annotations.py", "if absent and not allow_missing:", "if False:"),
            ("harness/data/annotations.py", "are missing: {folders}; first", "are missing; first"),
            ("harness/data/annotations.py", "; first: {first}", ""),
            ("harness/trial/row.py", 'trial["dataset"]["options"]', "{}"),
        ),
    },
    9: {
        "test_a_record_is_refused_with_its_number_and_key[string]": (
            ("harness/data/annotations.py", "if not isinstance(captions, list):", "if False:"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[key]": (
            ("harness/data/annotations.py", "record {k}, {key}", "a record"),
        ),
        "test_an_annotation_file_that_is_no_list_of_records": (
            ("harness/data/annotations.py", 'f"{file}:{error.lineno}"', "file"),
            ("harness/data/annotations.py", "not isinstance(records, list) or not records", "not records"),
        ),
    },
    10: {
        "test_an_image_that_cannot_be_read_is_never_trained_on[text]": (
            ("harness/data/pipeline/pack.py", 'broken.append(f"{split.images[i]}: {error.what}")', "del error"),
            ("harness/data/pipeline/pack.py", "{split.images[i]}: {error.what}", "{error.what}"),
        ),
        "test_an_image_that_cannot_be_read_is_never_trained_on[empty]": (
            ("harness/data/quality/faults.py", "unreadable.append(seen.what)", "pass"),
        ),
        "test_all_unreadable_images_in_one_error_and_the_rest_is_kept": (
            ("harness/data/pipeline/pack.py", "{done} decoded images, used", "used"),
        ),
    },
    11: {
        "test_an_image_that_cannot_be_read_is_never_trained_on[cut]": (
            (
                "harness/data/pipeline/images.py",
                "from PIL import Image, ImageOps",
                "from PIL import Image, ImageFile, ImageOps\n\nImageFile.LOAD_TRUNCATED_IMAGES = True",
            ),
        ),
        "test_a_jpeg_without_its_end_is_told_though_it_decodes": (
            ("harness/data/quality/faults.py", 'form == "JPEG" and', "False and"),
        ),
    },
    12: {
        "test_modes[RGBA]": (("harness/data/pipeline/images.py", '"white"', '"black"'),),
        "test_modes[16 rounded]": (("harness/data/pipeline/images.py", "(levels + 128) // 257", "levels // 256"),),
        "test_exif_orientation": (
            ("harness/data/pipeline/images.py", "ImageOps.exif_transpose(image)", "image.copy()"),
        ),
        "test_modes_and_orientation_are_converted_and_counted": (
            ("harness/data/quality/faults.py", "conversions[image.mode] += 1", "pass"),
        ),
    },
    13: {
        "test_an_image_that_cannot_be_read_is_never_trained_on[bomb]": (
            ("harness/data/pipeline/images.py", "if width * height > PIXELS:", "if False:"),
        ),
        "test_refused_by_name[large]": (
            ("harness/data/pipeline/images.py", "is more than {PIXELS:,} pixels", "is too large"),
        ),
        "test_an_image_that_cannot_be_read_is_never_trained_on[pixel]": (
            ("harness/data/pipeline/images.py", "if min(width, height) < SIDE:", "if False:"),
        ),
        "test_an_image_that_cannot_be_read_is_never_trained_on[strip]": (
            ("harness/data/pipeline/images.py", "if max(width, height) > ASPECT", "if 0 > ASPECT"),
            ("harness/data/quality/faults.py", "if max(width, height) > images.ASPECT", "if 0 > 1"),
        ),
    },
    14: {
        "test_a_record_is_refused_with_its_number_and_key[identity]": (
            ("harness/data/annotations.py", "setdefault(str(identity), split)) != split", "get(0)) is 0"),
        ),
        "test_identities_of_any_kind_are_renumbered": (
            ("harness/data/annotations.py", "setdefault(str(identity), len", "setdefault(identity, len"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[type]": (
            ("harness/data/annotations.py", "not isinstance(identity, int | str) or ", ""),
        ),
        "test_reading_a_split_for_a_trial_leaves_the_maps": (
            ("harness/trial/splits.py", "    maps(json.loads(dataset), data)\n", ""),
        ),
    },
    15: {
        "test_same_image_in_two_splits_is_an_error": (
            (
                "harness/data/quality/faults.py",
                '("error", "images are in two splits',
                '("warning", "images are in two splits',
            ),
        ),
        "test_same_image_of_two_people_and_under_two_names": (
            ("harness/data/quality/faults.py", "pair.first.person != pair.second.person", "False"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[image]": (
            ("harness/data/annotations.py", "setdefault(path, split)) != split", "get(0)) is 0"),
        ),
        "test_duplicates_are_told": (
            ("harness/data/quality/captions.py", "        if repeated:", "        if False:"),
        ),
        "test_twice_listed_image": (
            (
                "harness/data/quality/check.py",
                "        if (double := len(split.images)",
                "        if (double := 0 * len(split.images)",
            ),
        ),
    },
    16: {
        "test_a_record_is_refused_with_its_number_and_key[blank]": (
            ("harness/data/annotations.py", "if not _WORD.search(caption):", "if not caption:"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[dots]": (
            ("harness/data/annotations.py", "if not _WORD.search(caption):", "if not caption.strip():"),
        ),
        "test_not_utf8_is_told_with_the_byte": (
            ("harness/data/annotations.py", "not UTF-8 at byte {error.start}", "not UTF-8"),
        ),
        "test_captions": (("harness/data/quality/captions.py", "            if strange:", "            if False:"),),
        "test_captions_over_the_context_are_counted": (
            ("harness/trial/stages.py", 'row["truncated"] = self.part.truncated', 'row["truncated"] = 0'),
        ),
        "test_truncation_keeps_the_end_and_is_counted": (
            ("harness/model/tokenizer.py", "[*tokens[: self.context - 1], self.end]", "tokens[: self.context]"),
            ("harness/model/tokenizer.py", "truncated += 1", "truncated += 0"),
        ),
    },
    17: {
        "test_a_record_is_refused_with_its_number_and_key[split]": (
            ("harness/data/annotations.py", "if split not in SPLITS:", "if not split:"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[val]": (
            ("harness/data/annotations.py", "        if not part:", "        if False:"),
        ),
        "test_icfg_cuts_val_off_train": (
            ("harness/data/annotations.py", "np.random.PCG64(seed)", "np.random.PCG64(0)"),
        ),
        "test_the_row_says_where_val_comes_from": (
            ("harness/trial/row.py", 'splits.val_source(trial["dataset"])', '"official"'),
        ),
    },
    18: {
        "test_a_record_is_refused_with_its_number_and_key[parent]": (
            ("harness/data/annotations.py", "if _OUTSIDE.search(path):", "if False:"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[absolute]": (
            ("harness/data/annotations.py", "^[/\\\\]|", ""),
        ),
        "test_a_link_out_of_the_data_and_a_loop_are_refused": (
            ("harness/data/files.py", "if not real.is_relative_to(top):", "if False:"),
        ),
        "test_a_record_is_refused_with_its_number_and_key[case]": (
            ("harness/data/annotations.py", "path.casefold()", "path"),
        ),
    },
    19: {
        "test_data_that_changed_since_a_run_are_another_trial": (
            ("harness/trial/resolve.py", "splits.identity(d, data) for d in used", "str(d) for d in used"),
            ("harness/data/fingerprint.py", "split.captions, ", ""),
        ),
        "test_a_hash_that_differs_from_the_checkpoint_is_named[data]": (
            ("harness/trial/drift.py", "by_checkpoint.get(key), by_dec", "None, by_dec"),
            ("harness/trial/drift.py", 'f"{name} {before[name][:8]} -> {here[name][:8]}"', "name"),
        ),
    },
    20: {
        "test_an_empty_split_is_refused[test]": (
            ("harness/data/annotations.py", "        if not part:", "        if False:"),
        ),
        "test_nothing_to_rank": (
            ("harness/evaluation/ranking.py", "            if not len(person):", "            if False:"),
        ),
        "test_rank_10_of_a_small_gallery_is_a_gap": (
            ("harness/evaluation/metrics/rank_k.py", " if k <= ranks.gallery", ""),
        ),
    },
    21: {
        "test_a_query_without_a_match_is_counted_and_left_out": (
            ("harness/evaluation/ranking.py", "self.count.numpy() == 0)", "self.count.numpy() < 0)"),
            ("harness/evaluation/encode.py", "len(ranks.unmatched))", "0)"),
        ),
        "test_nobody_has_a_match": (("harness/evaluation/ranking.py", "if not count.any():", "if False:"),),
    },
    22: {
        "test_an_embedding_without_a_direction_fails_the_trial_and_is_named[0.0]": (
            ("harness/evaluation/ranking.py", "(~torch.isfinite(length) | (length == 0))", "(~torch.isfinite(length))"),
            ("harness/evaluation/ranking.py", 'where=f"{name} row {int(bad[0])}"', "where=name"),
            ("harness/trial/stages.py", "raise columns.named(error, ", "raise error or columns.named(error, "),
        ),
        "test_an_embedding_without_a_direction_fails_the_trial_and_is_named[nan]": (
            ("harness/evaluation/ranking.py", "(~torch.isfinite(length) | (length == 0))", "(length == 0)"),
        ),
    },
    23: {
        "test_a_constant_model_scores_the_worst": (
            ("harness/evaluation/ranking.py", "(others >= mine[pair])", "(others > mine[pair])"),
        ),
        "test_nearly_constant_embeddings_equal_the_loop": (
            ("harness/evaluation/ranking.py", "found - window, found + window", "found, found"),
            ("harness/evaluation/ranking.py", ".round_().div_(GRID)", ""),
        ),
    },
    24: {
        "test_a_loss_or_gradient_that_is_not_finite_is_named_with_step_and_batch": (
            ("harness/training/loop.py", "torch.isfinite(loss) & torch.isfinite(norm)", "torch.isfinite(loss)"),
            ("harness/training/loop.py", "fault.samples = tuple(next(", "tuple(next("),
        ),
        "test_a_trial_that_diverges_is_marked_and_the_others_go_on": (
            ("harness/training/loop.py", "from step {first + 1} of epoch {epoch + 1} on", ""),
            ("harness/trial/run.py", 'error = ("diverged", fault)', 'error = ("failed", fault)'),
            ("harness/trial/run.py", "except Diverged as fault:", "except MemoryError as fault:"),
            (
                "harness/trial/run.py",
                "reason += f\"; captions of its batch: {' '.join(map(str, samples))}\"",
                "pass",
            ),
        ),
    },
    25: {
        "test_memory_that_runs_out_is_marked_and_not_tried_again_by_itself": (
            ("harness/trial/run.py", '"oom" if memory.exhausted(fault) else "failed"', '"failed"'),
            ("harness/api/running.py", "    if retry_failed:\n", "    if results:\n"),
            ("harness/api/running.py", 'RETRIED = ("failed", "oom")', 'RETRIED = ("failed",)'),
        ),
        "test_one_pair_that_does_not_fit_ends_the_trial": (
            ("harness/trial/run.py", 'more = trial.memory if trial and status == "oom" else {}', "more = {}"),
        ),
        "test_a_trial_goes_on_in_parts_and_says_so": (
            ("harness/trial/stages.py", '"micro_batch": micro}', '"micro_batch": self.recipe.batch}'),
        ),
    },
    26: {
        "test_a_checkpoint_that_does_not_fit_is_refused_whole": (
            ("harness/training/loop.py", "if wrong := differences(shapes, saved):", "if wrong := None:"),
            ("harness/training/loop.py", 'not fit the training: {wrong}"', 'not fit the training"'),
        ),
        "test_a_flipped_bit_or_a_torn_end_falls_back_to_the_one_before": (
            ("harness/trial/checkpoint.py", 'if _digest(path) != about["files"][TENSORS]:', "if False:"),
            ("harness/trial/checkpoint.py", "                faults.append(str(error))\n", ""),
            ("harness/trial/checkpoint.py", "                faults.append(str(error))\n", "                raise\n"),
        ),
        "test_a_checkpoint_of_another_trial_is_none": (
            ("harness/trial/checkpoint.py", "!= (place.parent.name, int(place.name))", "== ()"),
        ),
        "test_a_damaged_file_is_one_line[.pt-code]": (
            ("harness/model/weight_files.py", "weights_only=True", "weights_only=False"),
        ),
    },
    27: {
        "test_the_command_line_names_the_change_refuses_and_accepts": (
            ("harness/trial/drift.py", "    if refused and not accept:\n", "    if False:\n"),
        ),
        "test_another_environment_is_refused_with_its_field": (
            ("harness/trial/drift.py", 'f"{key} was {before[key]}, is {here[key]}"', "key"),
            ("harness/trial/drift.py", ", or --accept-drift to start from the beginning", ""),
        ),
        "test_a_trial_itself_refuses_a_checkpoint_of_another_environment": (
            ("harness/trial/stages.py", '        drift.refuse(about, self.trial["device"])\n', ""),
        ),
        "test_a_hash_that_differs_from_the_declaration_is_named_once_for_all_trials": (
            (
                "harness/trial/drift.py",
                "by_checkpoint.get(key), by_declaration.get(key)",
                "by_checkpoint.get(key), None",
            ),
        ),
    },
    28: {
        "test_a_killed_build_goes_on": (
            ("harness/data/pipeline/pack.py", "good = {} if array is None else _good(folder, array)", "good = {}"),
        ),
        "test_an_interrupted_build_goes_on": (
            ("harness/data/pipeline/pack.py", "except (ValueError, KeyError, TypeError):", "except KeyError:"),
        ),
        "test_waiting_ends": (
            ("harness/data/pipeline/pack.py", "with FileLock(cache /", "with open(os.devnull) or FileLock(cache /"),
            ("harness/data/pipeline/pack.py", "    except Timeout:\n", "    except KeyError:\n"),
        ),
    },
    29: {
        "test_a_second_signal_ends_the_process_at_once": (
            ("harness/execution/ray/stop.py", "            os._exit(75)", "            os._exit(1)"),
        ),
        "test_a_trial_keeps_its_state_when_asked": (("harness/execution/ray/stop.py", "        flag.raise_()\n", ""),),
        "test_a_trial_that_does_not_end_in_time_is_interrupted": (
            ("harness/execution/ray/stop.py", "Timer(STOP_SECONDS, ", "Timer(STOP_SECONDS + 6, "),
        ),
        "test_a_stop_gives_75_and_continues": (
            ("harness/errors.py", 'continues."""\n\n    exit_code = 75', 'continues."""\n\n    exit_code = 5'),
        ),
        "test_a_trial_stopped_at_any_question_gives_the_same_row[3]": (
            ("harness/trial/stages.py", '"its checkpoint" if self.save() else "no checkpoint"', '"its checkpoint"'),
            (
                "harness/trial/stages.py",
                "            self._ask()\n            if step.last:",
                "            if step.last:",
            ),
        ),
    },
    30: {
        "test_a_process_may_die_before_any_operation_of_a_save": (
            ("harness/trial/checkpoint.py", '        Local(self.folder).collect(".")\n', ""),
            (
                "harness/trial/checkpoint.py",
                "beside = self.folder / processes.temporary(_name(number))",
                "beside = self.folder / _name(number)",
            ),
        ),
        "test_a_training_goes_on_bit_for_bit_after_every_step[lora]": (
            (
                "harness/training/loop.py",
                '        self.adam.load_state_dict({**self.adam.state_dict(), "state": state})\n',
                "",
            ),
        ),
        "test_nothing_goes_before_the_pack_that_holds_it_is_written": (
            (
                "harness/store/files/compaction.py",
                "            new.add(packs.write(files, batch))\n"
                "            _drop(files, [entry.id for entry in batch if entry.id in loose], done)\n",
                "            _drop(files, [entry.id for entry in batch if entry.id in loose], done)\n"
                "            new.add(packs.write(files, batch))\n",
            ),
        ),
    },
    31: {
        "test_a_full_disk_keeps_what_is_there": (
            ("harness/store/files/disk.py", "errno.EFBIG, ", ""),
            ("harness/store/files/disk.py", 'kept="all results committed so far"', "kept=None"),
            (
                "harness/store/files/local.py",
                "                shutil.rmtree(beside, ignore_errors=True)\n\n    def remove(",
                "                pass\n\n    def remove(",
            ),
        ),
        "test_everything_is_synced_before_it_is_visible": (
            (
                "harness/store/files/disk.py",
                "        if durable:\n            os.fsync(handle)",
                "        if durable:\n            pass",
            ),
        ),
        "test_a_failed_sync_is_no_checkpoint": (
            ("harness/trial/checkpoint.py", "                _sync(beside / TENSORS)\n", ""),
        ),
        "test_a_full_disk_keeps_the_earlier_ones_and_leaves_nothing_behind": (
            ("harness/trial/checkpoint.py", 'kept="earlier checkpoints"', "kept=None"),
            (
                "harness/trial/checkpoint.py",
                "            finally:\n                shutil.rmtree(beside, ignore_errors=True)",
                "            finally:\n                pass",
            ),
        ),
        "test_no_space": (("harness/data/pipeline/pack.py", "if free < needed:", "if False:"),),
    },
    32: {
        "test_a_file_in_place_of_the_store_is_told_before_any_work": (
            ("harness/api/running.py", "    results.probe()\n", ""),
        ),
        "test_a_file_system_without_links_or_locks_is_told": (
            (
                "harness/store/files/local.py",
                '                os.link(beside, linked := beside.with_name(beside.name + "y"))\n'
                "                unlink(linked)\n",
                "",
            ),
            ("harness/store/files/local.py", "            with self.lock():\n                pass\n", ""),
        ),
    },
    33: {
        "test_a_trial_is_held_by_one_and_given_back": (
            ("harness/store/files/claims.py", "(why := _living(files, path, owner)):", "(why := None):"),
            ("harness/store/files/claims.py", "f\"by pid {owner['pid']} of this host\"", '"by another process"'),
            ("harness/store/files/claims.py", "            if number <= self.number:", "            if False:"),
        ),
    },
    34: {
        "test_a_reused_pid_or_another_boot_is_a_dead_owner": (
            ("harness/store/files/processes.py", 'if owner.get("boot") != boot():', "if False:"),
            ("harness/store/files/processes.py", 'started(pid) == str(owner.get("started"))', "True"),
        ),
        "test_a_zombie_is_dead": (("harness/store/files/processes.py", ' and state(pid) != "Z"', ""),),
        "test_the_claim_of_a_dead_process_is_taken_over_at_once": (
            (
                "harness/store/files/processes.py",
                "    except (ProcessLookupError, KeyError, ValueError, OverflowError):\n        return False",
                "    except (ProcessLookupError, KeyError, ValueError, OverflowError):\n        return True",
            ),
        ),
    },
    35: {
        "test_any_flipped_bit_is_detected": (
            ("harness/store/files/shards.py", 'if hashlib.sha256(blob).hexdigest() != entry["sha256"]:', "if False:"),
            ("harness/store/files/checksummed.py", "    if not whole:", "    if False:"),
            (
                "harness/store/files/checksummed.py",
                '"damaged: its checksum differs from what was written", where=where',
                '"damaged"',
            ),
        ),
        "test_a_damaged_trial_runs_again": (("harness/api/running.py", "and runs again: {why}", "and runs again"),),
        "test_a_damaged_trial_is_told_and_can_be_set_aside": (
            (
                "harness/store/reading.py",
                "    except DataError as error:\n        return str(error)\n",
                "    except DataError:\n        raise\n",
            ),
        ),
    },
    36: {
        "test_a_clock_that_jumps_changes_nothing": (
            (
                "harness/trial/run.py",
                "(trial.before if trial else 0.0) + time.perf_counter() - began",
                'time.time() - record.trial["started"].timestamp()',
            ),
            ("harness/trial/row.py", "datetime.now(UTC)", "datetime.now()"),
        ),
        "test_an_owner_on_another_host_lives_while_it_is_heard_of": (
            ("harness/store/files/local.py", "os.stat(probe).st_mtime - ", "time.time() - "),
        ),
    },
    37: {
        "test_a_newer_schema_is_refused_and_an_older_one_is_filled_up": (
            ("harness/store/files/checksummed.py", "if version > schema.VERSION:", "if False:"),
            ("harness/store/files/checksummed.py", "newer release of upbench (schema {version})", "newer release"),
        ),
        "test_a_store_of_release_0_1_is_read_as_it_was": (
            ("harness/store/schema.py", "if f.name in found.schema.names else pa.nulls(len(found), f.type)", ""),
        ),
    },
    38: {
        "test_a_missing_ray_is_told_with_the_other_way": (
            ("harness/execution/ray/session.py", 'f"Ray cannot be imported: {self._error}"', '"no Ray"'),
            (
                "harness/execution/ray/session.py",
                "a machine that runs Ray, or --executor serial",
                "a machine that runs Ray",
            ),
        ),
        "test_a_ray_that_does_not_start_is_told_in_time": (
            ("harness/execution/ray/session.py", "JOIN_SECONDS if self.address else START_SECONDS", "JOIN_SECONDS"),
        ),
        "test_a_wrong_address_is_told_with_the_way_out": (
            (
                "harness/execution/ray/cluster.py",
                'the address that `ray start --head` printed, or {ALONE}",\n'
                '            kept="all results",\n'
                "        ) from error\n"
                "    _healthy",
                'another",\n            kept="all results",\n        ) from error\n    _healthy',
            ),
        ),
    },
    39: {
        "test_ray_retries_dead_workers_so_many_times_and_no_more": (
            ("harness/execution/ray/engine.py", "max_failures=RETRIES)", "max_failures=0)"),
        ),
    },
    40: {
        "test_the_late_commit_of_a_writer_taken_for_dead_is_refused": (
            ("harness/store/files/claims.py", "    if held != token:", "    if held is None:"),
        ),
        "test_a_takeover_just_before_the_rename_is_seen": (
            (
                "harness/store/store.py",
                "                claims.check(self.files, ident, token)\n            return",
                "                pass\n            return",
            ),
        ),
        "test_an_owner_on_another_host_lives_while_it_is_heard_of": (
            ("harness/store/files/claims.py", "        if age >= GRACE_SECONDS:", "        if age >= 0:"),
            ("harness/store/files/claims.py", "        if age >= GRACE_SECONDS:", "        if age < 0:"),
        ),
    },
}
