"""Faults that `upbench doctor` has to find, one or more for each of its checks that runs on a CPU."""

from __future__ import annotations

T = "tests/harness/benchmark/test_doctor.py::"
ON = T + "test_nothing_is_bad_on_a_cpu"
SPEED = "harness/benchmark/doctor/speed.py"
LINE = "harness/benchmark/doctor/_line.py"
K = "tests/harness/execution/test_known.py::test_"
STEP, ORDER = (
    K + "the_doctor_tells_a_step_of_the_nearest_batch_by_pairs",
    K + "a_probe_comes_before_a_trial_and_a_trial_before_the_doctor",
)
TOLD, KNOWN = K + "a_plan_says_where_its_times_are_from", "harness/execution/known.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("doctor", f"{ON}[methods]", "methods/lora.py", "return self.frozen(x) + self.low(x)", "low = self.low(x)\n        return self.frozen(x) + 1.01 * low - 0.01 * low.detach()"),
    ("doctor", f"{ON}[methods]", "harness/benchmark/doctor/_step.py", "_plain(gradients))", "_plain({n: g * (1.01 if g.dtype == torch.float32 else 1) for n, g in gradients.items()}))"),
    ("doctor", f"{ON}[bf16]", "methods/lora.py", "return self.frozen(x) + self.low(x)", "return self.frozen(x) + (1.5 if torch.is_autocast_enabled('cpu') else 1) * self.low(x)"),
    ("doctor", f"{ON}[ranks]", "harness/evaluation/ranking.py", "(others >= mine[pair])", "(others > mine[pair])"),
    ("doctor", f"{ON}[ranks]", "harness/evaluation/ranking.py", "values.append((above + place + 1)[real])", "values.append((above + 1)[real])"),
    ("doctor", f"{ON}[augmentation]", "harness/data/pipeline/augment.py", "random.uniform(random.IMAGE, seed, epoch", "random.uniform(random.IMAGE, seed + 1, epoch"),
    ("doctor", f"{ON}[augmentation]", "harness/data/pipeline/augment.py", "boxes = [(0, 0, 0, 0)] * count if moves.box is None else", "boxes = [(0, 0, 0, 0)] * count if moves.box is None or count == 1 else"),
    ("doctor", f"{ON}[resume]", "harness/training/loop.py", '"state": state})', '"state": {}})'),
    ("doctor", f"{ON}[resume]", "harness/training/loop.py", "self.done, self.rate = done, rate", "self.done, self.rate = done - 1, rate"),
    ("doctor", f"{ON}[memory]", "harness/training/step.py", "(part, whole.grad[rows]) for", "(part, 1.01 * whole.grad[rows]) for"),
    ("doctor", f"{ON}[memory]", "harness/training/step.py", "self.micro = smaller", "raise MemoryError"),
    ("doctor", f"{ON}[diverged]", "harness/trial/run.py", 'error = ("diverged", fault)', 'error = ("failed", fault)'),
    ("doctor", f"{T}test_an_error_within_a_check_is_a_bad_line_and_those_before_it_stay", LINE, '"no error", BAD)', '"no error", NOT)'),
    ("doctor", f"{T}test_a_check_without_a_line_is_bad", LINE, "if not lines:", "if False:"),
    ("doctor", f"{T}test_an_error_above_its_limit_or_no_number_is_bad[nan]", LINE, "all(value <= limit for", "not any(value > limit for"),
    ("doctor", f"{T}test_something_has_to_be_compared", LINE, "OK if count and not differing", "OK if not differing"),
    ("doctor", f"{T}test_the_exit_code_and_the_file_tell[bad-5]", "harness/cli/commands/doctor.py", '== _line.BAD for line in lines)', '== "" for line in lines)'),
    ("doctor", f"{ON}[speed]", "harness/benchmark/scaling.py", "flops / seconds / best", "flops / seconds"),
    ("doctor", f"{T}test_hours_by_hand", SPEED, "CAPTIONS // batch", "CAPTIONS // 2"),
    ("doctor", f"{T}test_a_share_above_one_is_a_wrong_clock[2.0-1.2-bad]", SPEED, "row.share <= 1", "row.share <= 2"),
    ("doctor", f"{T}test_a_time_of_zero_is_bad", SPEED, "OK if 0 < seconds < math.inf else BAD", "OK"),
    ("doctor", f"{T}test_compiled_losses_that_differ_are_bad[2.02-bad]", "harness/benchmark/doctor/compiled.py", "compiled=True", "compiled=False"),
    # What plans take from it
    ("known", f"{ON}[speed]", SPEED, '"seconds": row.seconds}', '"seconds": 0 * row.seconds}'),
    ("known", STEP, KNOWN, "provenance.hardware(trial[\"device\"]) != self.hardware", "not self.hardware"),
    ("known", STEP, KNOWN, '"image": list(pixels(source)["size"])}', '"image": [96, 32]}'),
    ("known", STEP, KNOWN, 'near["seconds"] * recipe["batch"] / near["batch"]', 'near["seconds"]'),
    ("known", STEP, KNOWN, "near = min(steps", "near = max(steps"),
    ("known", STEP, KNOWN, 'recipe["checkpointing"] or ', ""),
    ("known", STEP, KNOWN, ' or recipe["precision"] != "auto"', ""),
    ("known", ORDER, KNOWN, "elif key in measured:", "elif key in measured and doctor.probe(row) is None:"),
    ("known", ORDER, KNOWN, "(kept := pilot.kept(row, data)) is not None", "(kept := pilot.kept(row, data)) is not None and key not in measured"),
    ("known", ORDER, KNOWN, 'if each["hardware"] !=', 'if "x" =='),
    ("known", ORDER, KNOWN, 'each["seconds_total"] - train - looking', 'each["seconds_total"] - train'),
    ("known", TOLD, "harness/api/planning.py", "if None in told_by.values():", "if not found:"),
    ("known", TOLD, "harness/api/planning.py", "- {own.hardware})", "- {own.hardware, None})[:0]"),
    ("known", TOLD, "harness/cli/commands/plan.py", "    _say_sources(made)\n", ""),
]  # fmt: skip
