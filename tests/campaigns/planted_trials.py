"""Faults that trials could have without an error: a setting that does nothing, an evaluation that is not clean.

Each is a kind, the test that must notice, a file, a text that stands in it once, and what stands there instead.
"""

from __future__ import annotations

R = "tests/harness/trial/test_settings_of_recipes.py::"
N = R + "test_another_value_trains_other_numbers"
T = "tests/harness/trial/test_settings_of_trials.py::"
S = "tests/harness/study/test_settings.py::"
O = "tests/methods/test_options.py::"  # noqa: E741
C = "tests/harness/trial/test_clean_choice.py::"
E = "tests/harness/trial/test_clean_evaluation.py::"
SEED = T + "test_the_seed_is_that_of_the_start_the_heads_the_order_the_augmentation_and_the_modules"
CHOSEN = C + "test_val_rank_1_chooses_the_epoch_and_its_parameters_are_measured"
SEARCH = C + "test_a_search_reads_neither_the_files_nor_the_scores_of_test"
RECORDS = E + "test_the_records_of_a_direction_are_its_own"
PURE = E + "test_samples_are_drawn_for_by_seed_epoch_and_index_alone"
SAMPLER = E + "test_the_identity_sampler_takes_every_sample_in_time"
ROUND = "tests/harness/data/pipeline/test_batches.py::test_an_identity_gives_all_its_samples_before_one_again"
DRAWS = E + "test_modules_draw_other_numbers_in_every_step"

LOOP, STEP, OPTIMIZER = "harness/training/loop.py", "harness/training/step.py", "harness/training/optimizer.py"
STAGES, LOADER = "harness/trial/stages.py", "harness/trial/loader.py"
BATCHES = "harness/data/pipeline/batches.py"
TURN = "step = (turn * instances + np.arange(instances)) % count[some][..., None]"
AVERAGE = "harness/training/average.py"
A = "tests/harness/training/test_average.py::"
SHOWN = A + "test_the_mean_stands_in_the_backbone_while_it_is_measured_and_then_the_parameters_again"
MEAN = "tests/harness/trial/test_averaged.py::test_what_is_measured_and_kept_is_the_mean"
STOPPED = "tests/harness/trial/test_averaged.py::test_a_stop_in_the_middle_changes_no_bit"
ATTACHED = "harness/trial/kept/attached.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # A setting that does nothing
    ("kind 6", N, STEP, "person, recipe.temperature, **given", "person, 0.02, **given"),
    ("kind 6", N, OPTIMIZER, "betas=recipe.betas, ", ""),
    ("kind 6", N, OPTIMIZER, "eps=recipe.eps, ", ""),
    ("kind 6", N, OPTIMIZER, "recipe.weight_decay if decay else 0.0", "4e-5 if decay else 0.0"),
    ("kind 6", N, OPTIMIZER, "return recipe.warmup_factor * (1 - epoch / warm)", "return 0.1 * (1 - epoch / warm)"),
    ("kind 6", N, OPTIMIZER, 'if recipe.schedule == "constant" or ', "if "),
    ("kind 6", N, OPTIMIZER, 'step / steps if recipe.schedule_per == "step" else 0', "0"),
    ("kind 6", N, LOOP, "if self.recipe.clip_gradient:", "if False:"),
    ("kind 6", N, LOADER, "recipe.mask_captions or recipe.mlm_share", "recipe.mask_captions or 0.15"),
    ("kind 6", N, LOADER, '"instances": recipe.instances}', '"instances": 4}'),
    ("kind 6", N, LOADER, "            self.recipe.augmentation,\n", '            "irra",\n'),
    ("kind 6", N, STEP, "if recipe.bf16(kind) else nullcontext()", "if False else nullcontext()"),
    (
        "kind 6",
        R + "test_an_effect_on_how_it_is_trained[checkpointing]",
        STEP,
        "backbone.checkpointing(recipe.checkpointing)",
        "backbone.checkpointing(False)",
    ),
    (
        "kind 6",
        R + "test_an_effect_on_how_it_is_trained[micro_batch]",
        STEP,
        "self.micro = recipe.micro_batch",
        "self.micro = None",
    ),
    ("kind 6", R + "test_an_effect_on_how_it_is_trained[compile]", STEP, "if not self.compiles:", "if True:"),
    (
        "kind 6",
        C + "test_val_is_looked_at_every_so_many_epochs_and_at_the_last",
        STAGES,
        "epoch % recipe.evaluate_every == 0",
        "epoch % 1 == 0",
    ),
    ("kind 6", A + "test_two_parameters_by_hand", AVERAGE, " / (1 - self.decay**done)", ""),
    ("kind 6", A + "test_two_parameters_by_hand", AVERAGE, "0.0 if done % self.steps else ", ""),
    ("kind 6", A + "test_two_parameters_by_hand", AVERAGE, "done // self.steps - self.before)", "done // self.steps)"),
    ("kind 6", A + "test_float16_is_averaged_in_float32", AVERAGE, "p, dtype=torch.float32, requires", "p, requires"),
    (
        "kind 6",
        A + "test_the_mean_goes_on_bit_for_bit_after_every_step",
        LOOP,
        "self._own()\n        shapes",
        "self._own()\n        own = {k: v for k, v in own.items() if 'average' not in k}\n        shapes",
    ),
    (
        "kind 6",
        A + "test_training_goes_on_from_what_it_trained_to_the_bit",
        AVERAGE,
        "self.mean[name].lerp_(p.detach().float(), weight)",
        "p.data.lerp_(self.mean[name].lerp_(p.detach().float(), weight), 0.1)",
    ),
    ("kind 6", SHOWN, LOOP, "p.data = raw[name]", "pass"),
    ("kind 6", SHOWN, LOOP, "            self.whole = False\n            for", "            for"),
    ("kind 6", SHOWN, LOOP, "p.data = raw[name]\n            self.whole = True", "p.data = raw[name]"),
    (
        "kind 6",
        MEAN,
        STAGES,
        "with training.measured():\n                evaluation",
        "if True:\n                evaluation",
    ),
    (
        "kind 6",
        MEAN,
        STAGES,
        "with training.measured():\n                self.selected",
        "if True:\n                self.selected",
    ),
    (
        "kind 6",
        STOPPED,
        LOOP,
        "            yield\n        finally:\n",
        "            yield\n        except RecursionError:\n",
    ),
    ("kind 6", STOPPED, LOOP, 'f"average/{name}": value for', 'f"average/{name}": value.clone() for'),
    ("kind 6", "tests/harness/study/test_language.py", "harness/training/recipe.py", "[0]) > self.epochs", "[0]) > 60"),
    (
        "kind 6",
        "tests/harness/study/test_language.py",
        "harness/training/recipe.py",
        "and re.fullmatch(AVERAGE, value)",
        "and re.match(AVERAGE[:20], value)",
    ),
    ("kind 6", "tests/harness/study/test_json_schema.py", "harness/training/recipe.py", 'f"^({AVERAGE})$"', '"."'),
    (
        "kind 6",
        "tests/harness/cli/test_plan.py::test_the_estimate_by_hand",
        "harness/execution/estimate.py",
        "(4 + (row",
        "(4 + 0 * (row",
    ),
    ("kind 6", MEAN, LOOP, "p.data = average.mean[name].to(p.dtype)", "pass"),
    ("kind 6", SEED, ATTACHED, 'torch.manual_seed(trial["seed"])', "torch.manual_seed(0)"),
    ("kind 6", SEED, STAGES, "persons, seed, vocabulary", "persons, 0, vocabulary"),
    ("kind 6", SEED, STAGES, "steps, extra, seed)", "steps, extra)"),
    ("kind 6", SEED, STAGES, "Loader(self.source, self.recipe, seed,", "Loader(self.source, self.recipe, 0,"),
    ("kind 6", T + "test_every_head_starts_by_the_seed", "harness/training/heads.py", '{head} {seed}"', '{head}"'),
    ("kind 6", T + "test_threads_are_those_of_torch", STAGES, 'torch.set_num_threads(trial["threads"])', "pass"),
    (
        "kind 6",
        T + "test_a_field_of_the_backbone_changes_its_features",
        "harness/model/state_dict.py",
        'bicubic = resize == "bicubic"',
        'resize, bicubic = "bilinear", False',
    ),
    ("kind 6", S + "test_the_mode_is_that_of_budgets_without_one", "harness/study/grid.py", 'f"{mode} {text}"', "text"),
    (
        "kind 6",
        S + "test_a_value_reaches_every_trial",
        "harness/study/grid.py",
        '"threads": study.threads',
        '"threads": 1',
    ),
    (
        "kind 6",
        O + "test_another_value_changes_what_it_is_about",
        "methods/clip_adapter.py",
        "embed, width, self.ratio",
        "embed, width, 0.2",
    ),
    (
        "kind 6",
        O + "test_another_value_changes_what_it_is_about",
        "methods/vera.py",
        "outputs, self.seed)",
        "outputs, 0)",
    ),
    (
        "kind 6",
        O + "test_another_value_changes_what_it_is_about",
        "methods/ssf.py",
        "getattr(part, name), self.std)",
        "getattr(part, name), 0.02)",
    ),
    (
        "kind 6",
        O + "test_another_value_changes_what_it_is_about",
        "methods/dm_adapter.py",
        "self.scale_text if tower.causal else self.scale_image",
        "self.scale_image",
    ),
    (
        "kind 6",
        O + "test_the_seed_decides_the_start_or_the_method_has_a_fixed_one",
        "methods/clip_adapter.py",
        "nn.init.kaiming_uniform_(linear.weight, a=math.sqrt(5))",
        "nn.init.eye_(linear.weight)",
    ),
    # An evaluation that is not clean
    (
        "augmented evaluation",
        E + "test_images_are_evaluated_as_they_are",
        LOADER,
        'augment.prepare(images, "none"',
        'augment.prepare(images, "irra"',
    ),
    ("augmented evaluation", E + "test_modules_do_not_train_in_an_evaluation", STAGES, "self.backbone.eval()", "pass"),
    (
        "mixed directions",
        RECORDS,
        "harness/evaluation/encode.py",
        "return measure(image, text, split.image_person, split.caption_person)",
        "return measure(text, image, split.caption_person, split.image_person)",
    ),
    ("mixed directions", RECORDS, "harness/trial/row.py", 'zip(("t2i", "i2t")', 'zip(("i2t", "t2i")'),
    (
        "mAP chooses",
        CHOSEN,
        "harness/trial/selection.py",
        'values[metric] for metric in ("R1", "mAP")',
        'values[metric] for metric in ("mAP", "R1")',
    ),
    ("a later tie", CHOSEN, STAGES, "candidate.merit > self.selected.merit", "candidate.merit >= self.selected.merit"),
    ("last in place of chosen", CHOSEN, STAGES, "restore(self.backbone, self.chosen.state)", "pass"),
    ("search reads test", SEARCH, STAGES, 'if trial.get("phase") != "tuning":', "if True:"),
    (
        "search reads test",
        C + "test_the_merit_of_a_point_is_that_of_val_from_text_to_image",
        "harness/study/choice.py",
        '(scores["split"] == "val") & ',
        "",
    ),
    ("same numbers", DRAWS, LOOP, 'f"modules {self.seed} {self.done}"', 'f"modules {self.seed}"'),
    (
        "same numbers",
        DRAWS,
        LOOP,
        "if not all(module.training for module in self.modules.values()):",
        "if not self.modules.training:",
    ),
    (
        "same numbers",
        PURE,
        LOADER,
        "            epoch,\n            batch.index,",
        "            0,\n            batch.index,",
    ),
    ("same numbers", PURE, LOADER, "given = (self.seed, epoch, index", "given = (self.seed, 0, index"),
    (
        "same numbers",
        PURE,
        "harness/data/pipeline/augment.py",
        "random.uniform(random.IMAGE, seed, epoch, index",
        "random.uniform(random.IMAGE, seed, epoch, 0 * index",
    ),
    (
        "same numbers",
        PURE,
        "harness/data/pipeline/random.py",
        "for part in (stream, seed, epoch):",
        "for part in (stream, epoch):",
    ),
    (
        "same samples",
        SAMPLER,
        "harness/data/pipeline/batches.py",
        "_shuffle(random.SAMPLES, seed, epoch,",
        "_shuffle(random.SAMPLES, seed, 0,",
    ),
    (
        "same samples",
        SAMPLER,
        "harness/data/pipeline/batches.py",
        "own = np.lexsort((_shuffle(random.SAMPLES, seed, epoch, np.arange(len(person))), person))",
        "own = np.argsort(person, kind='stable')",
    ),
    ("same samples", SAMPLER, BATCHES, TURN, "step = np.arange(instances)"),
    ("same samples", SAMPLER, BATCHES, TURN, "step = np.arange(instances) % count[some][..., None]"),
    ("same samples", ROUND, BATCHES, TURN, "step = np.arange(instances) % count[some][..., None]"),
    ("same samples", ROUND, BATCHES, TURN, "step = (turn + np.arange(instances)) % count[some][..., None]"),
    (
        "same samples",
        ROUND,
        BATCHES,
        TURN,
        "step = (turn % 2 * instances + np.arange(instances)) % count[some][..., None]",
    ),
    ("same samples", ROUND, BATCHES, "_shuffle(random.SAMPLES, seed, epoch,", "_shuffle(random.SAMPLES, 0, epoch,"),
    ("same samples", ROUND, BATCHES, "_shuffle(random.SAMPLES, seed, epoch,", "_shuffle(random.SAMPLES, seed, 0,"),
    (
        "trained weights stay",
        T + "test_a_backbone_that_was_trained_leaves_the_next_one_as_it_was_read",
        "harness/model/state_dict.py",
        "part.to(torch.float32, copy=True)",
        "part.float()",
    ),
]
