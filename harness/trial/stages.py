"""The stages of one trial, from a frozen backbone to its measurements, with a checkpoint wherever it is left."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.adaptation.method import restore, state, trainable
from harness.errors import DataError, Preempted
from harness.evaluation import cost
from harness.measured_on import MeasuredOn, of_trial
from harness.model.weights import shape
from harness.training import heads
from harness.training.loop import Training
from harness.training.recipe import Recipe
from harness.trial import drift, splits
from harness.trial import row as columns
from harness.trial.checkpoint import Keeps
from harness.trial.kept.attached import attached, source_of
from harness.trial.loader import Loader, Seen
from harness.trial.selection import Evaluation, Selected

CHOICE = {"val": "selected", "last": "last", "test-oracle": "oracle"}


class TrialRun:
    """Train, choose the epoch, measure the test split once; fills `record`.

    Whatever changes is replaced by one assignment, so that `save` finds a state that belongs together wherever a signal
    interrupts, except inside a step; that one is told by `Training.whole`.

    Args:
        resolved: A resolved trial.
        data: Folder of data sets.
        record: Gets rows.
        report: Called with every line of the history.
        stop: Asked at every step and between evaluations.
        keeper: Of the trial's checkpoints.
    """

    def __init__(
        self,
        resolved: Mapping[str, Any],
        data: Path,
        record: columns.Growing,
        report: Callable[[dict[str, Any]], None],
        stop: Callable[[], bool],
        keeper: Keeps,
    ) -> None:
        self.resolved, self.trial, self.data = resolved, resolved["trial"], data
        self.record, self.row, self.history = record, record.trial, record.history
        self.report, self.stop, self.keeper = report, stop, keeper
        self.recipe = Recipe(**self.trial["recipe"])
        self.source, self.device = source_of(self.trial), torch.device(self.trial["device"])
        self.watched = "test" if self.trial["selection"] == "test-oracle" else "val"
        self.selected: Selected | None = None
        self._training: Training | None = None
        self.ready, self.trained = False, False  # until it is prepared; until all steps are taken
        self.watch, self.evaluating = cost.Stopwatch([]), 0.0
        self.peak: int | None = None
        self.resumes, self.began, self.before = 0, time.perf_counter(), 0.0  # before: s of runs that were left
        self.start, self.training_before = self.began, 0.0

    def go(self) -> None:
        """The whole trial, or what is left of it.

        Raises:
            Preempted: `stop` said so; the state is kept.
            Diverged: a loss or gradient was not finite.
            drift.Drift: the checkpoint was made under other conditions.
        """
        try:
            self._prepare()
            self._train()
            self._finish()
        except Preempted as fault:
            kept = "its checkpoint" if self.save() else "no checkpoint"
            raise type(fault)(fault.what, kept=kept) from None
        except KeyboardInterrupt:
            self.save()
            raise

    def _prepare(self) -> None:
        """Backbone, method, heads; and the state of an earlier run that was left."""
        trial, row, seed = self.trial, self.row, self.trial["seed"]
        torch.set_num_threads(trial["threads"])
        self.backbone = attached(trial, self.source)
        self.part = splits.part(trial["dataset"], self.data, "train", self.source)
        sizes, persons = shape(self.source), len(self.part.split.persons)
        vocabulary, layers = sizes.text.vocabulary, self.recipe.interaction
        extra = heads.build(trial.get("heads", ()), sizes.image.embed, persons, seed, vocabulary, layers)
        modules = (self.backbone, *(head.to(self.device) for head in extra.values()))
        counted = sum(p.numel() for module in modules for p in trainable(module).values())
        if counted != self.resolved["trained"]:
            raise RuntimeError(f"{counted} trained parameters, but the closed form says {self.resolved['trained']}")
        self.loader = Loader(self.source, self.recipe, seed, self.device, self.data / ".cache" / "features")
        self.batches, steps = self.loader.batches(self.part)
        row["truncated"] = self.part.truncated
        row["adapter_bytes"] = cost.saved_bytes(self.backbone) if counted else 0
        row["flops_forward"], row["flops_backward"] = cost.flops(self.backbone, *self.loader.sample(self.part))
        self.loader.share(self.backbone, self.part)
        self._training = Training(self.backbone, self.recipe, steps, extra, seed)
        self._enter()
        row["resumes"] = self.resumes
        self.ready = True

    def _evaluate(self, name: str, of: Mapping[str, Any] | None = None, seen: Seen | None = None) -> Evaluation:
        of = of or self.trial["dataset"]
        begin = time.perf_counter()
        part = splits.part(of, self.data, name, self.source)
        self.backbone.eval()
        try:
            measured = self.loader.evaluate(self.backbone, part, seen)
        except DataError as error:
            raise columns.named(error, of["dataset"], name, part.split) from error
        self.evaluating += time.perf_counter() - begin
        return measured

    def _train(self) -> None:
        if self.trained:
            return
        training, recipe = self.training, self.recipe
        self.start = time.perf_counter()
        chooses = self.trial["selection"] != "last"
        if self.selected is None and (chooses or not recipe.epochs):
            self._ask()
            evaluation = self._evaluate(self.watched)
            self.selected = Selected(0, state(self.backbone), evaluation)
            self.history.append({"epoch": 0, "step": 0, "seconds": 0.0, **columns.val(evaluation[0], self.watched)})
        cost.reset_peak(self.device)
        self._ask()
        if training.done and training.done % training.steps == 0 and training.epoch > self.history_epoch:
            self._end_of_epoch()  # it was left before its evaluation
        for step in training.run(self.batches, self.loader.prepare):
            self.watch.add(step.seconds, step.waited)
            if training.done == 1:
                self.row["seconds_first_step"] = time.perf_counter() - self.began
            self._ask()
            if step.last:
                self._end_of_epoch()
            if self.keeper.due(step.last) and training.epoch < recipe.epochs:
                self.save()
        self.peak = self.highest
        if self.selected is None or (not chooses and recipe.epochs):
            with training.measured():
                self.selected = Selected(recipe.epochs, state(self.backbone))
        self.trained = True
        if self.keeper.due(True):
            self.save()

    @property
    def training(self) -> Training:
        """There is one from `_prepare` on."""
        assert self._training is not None
        return self._training

    @property
    def chosen(self) -> Selected:
        """The epoch that was chosen; there is one from `_train` on."""
        assert self.selected is not None
        return self.selected

    @property
    def history_epoch(self) -> int:
        """The last epoch in the history."""
        return self.history[-1]["epoch"] if self.history else 0

    def _end_of_epoch(self) -> None:
        training, recipe, epoch = self.training, self.recipe, self.training.epoch
        line: dict[str, Any] = {
            "epoch": epoch,
            "step": training.done,
            "lr": training.rate,
            "loss": training.loss,
            "seconds": self.training_before + time.perf_counter() - self.start,
        }
        if self.trial["selection"] != "last" and (epoch % recipe.evaluate_every == 0 or epoch == recipe.epochs):
            with training.measured():
                evaluation = self._evaluate(self.watched)
                candidate = Selected(epoch, {}, evaluation)
                if self.selected is None or candidate.merit > self.selected.merit:
                    self.selected = dataclasses.replace(candidate, state=state(self.backbone))
            line |= columns.val(evaluation[0], self.watched)
        self.history.append(line)
        self.report({"trial": self.resolved["id"], "epochs": recipe.epochs, **line})

    def _finish(self) -> None:
        """Measure what was chosen."""
        trial, row, (home, *others) = self.trial, self.row, of_trial(self.trial).items()
        row |= {"steps": self.training.done, "seconds_train": sum(self.watch.steps), "seconds_data": self.watch.waited}
        row |= {"step_seconds": self.watch.step, "chosen_epoch": self.chosen.epoch, **self.memory}
        restore(self.backbone, self.chosen.state)
        cost.reset_peak(self.device)
        choice, evaluation = CHOICE[trial["selection"]], self.chosen.evaluation
        if self.watched == "val" and evaluation:
            columns.scores(self.record, MeasuredOn.of(home[1], "val"), choice, evaluation)
        if trial.get("phase") != "tuning":
            self._ask()
            seen: Seen = {}
            last = evaluation if self.watched == "test" and evaluation else self._evaluate("test", seen=seen)
            columns.scores(self.record, home[0], choice, last)
            for on, other in others:
                self._ask()
                columns.scores(self.record, on, choice, self._evaluate("test", other, seen))
        row["seconds_evaluate"], row["peak_memory_evaluate"] = self.evaluating, cost.peak(self.device)
        row |= {"seconds_compile": self.training.stepper.compiled, "features_cached": self.loader.cached}
        # Last, because it merges.
        row |= cost.latencies(self.backbone, *self.loader.sample(self.part, 1), self.loader.bf16)

    @property
    def memory(self) -> dict[str, float | None]:
        """Peak and energy while training, and pairs per forward pass at last."""
        if self._training is None or not self.recipe.epochs:
            return {}
        micro = min(self.training.stepper.micro or self.recipe.batch, self.recipe.batch)
        return {"peak_memory_train": self.highest, "micro_batch": micro}

    @property
    def highest(self) -> int | None:
        """Peak while training, of this run and of those that were left."""
        if self.trained:
            return self.peak
        return max(filter(None, (self.peak, cost.peak(self.device))), default=None)

    def _ask(self) -> None:
        if self.stop():
            raise Preempted(f"trial {self.resolved['id']} was stopped after {self.training.done} steps")

    # Leaving and entering ---------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Of this run and of those that were left."""
        return self.before + time.perf_counter() - self.began

    def save(self) -> bool:
        """Keep the state; False where there is nothing to keep, or it cannot be kept."""
        training = self._training
        if training is None or not self.ready or not training.done or not (training.whole or self.trained):
            return False
        about: dict[str, Any] = {
            "trial": self.trial,
            "hashes": self.resolved["hashes"],
            "environment": drift.environment(self.trial["device"]),
            "trained": self.trained,
            "done": training.done,
            "rate": training.rate,
            "micro": training.stepper.micro,
            "history": self.history,
            "selected": None,
            "resumes": self.resumes,
            "seconds": self.seconds,
            "seconds_training": self.training_before + time.perf_counter() - self.start,
            "waited": self.watch.waited,
            "evaluating": self.evaluating,
            "first_step": self.row.get("seconds_first_step"),
            "peak": self.highest,
        }
        tensors = {} if self.trained else {f"training/{name}": value for name, value in training.tensors().items()}
        tensors["stopwatch"] = torch.tensor(self.watch.steps, dtype=torch.float64)
        if self.selected:
            about["selected"], parts = self.selected.parts()
            tensors |= {f"selected/{name}": value for name, value in parts.items()}
        return self.keeper.save(about, tensors)

    def _enter(self) -> None:
        """Go on from the newest checkpoint, if there is one."""
        found = self.keeper.load()
        if found is None:
            return
        about, training = found.about, self.training
        drift.refuse(about, self.trial["device"])
        groups: dict[str, dict[str, Tensor]] = {"training": {}, "selected": {}, "stopwatch": {}}
        for name, value in found.tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = value
        if about["trained"]:
            training.done, training.rate = about["done"], about["rate"]
        else:
            training.enter(groups["training"], about["done"], about["rate"])
        training.stepper.micro = about["micro"]
        self.watch = cost.Stopwatch(groups["stopwatch"][""].tolist(), about["waited"])
        if about["selected"]:
            self.selected = Selected.whole(about["selected"], groups["selected"])
        self.trained, self.evaluating, self.peak = about["trained"], about["evaluating"], about["peak"]
        self.before, self.training_before = about["seconds"], about["seconds_training"]
        self.row["seconds_first_step"] = about["first_step"]
        self.history[:] = about["history"]
        self.resumes = about["resumes"] + 1
