"""Asynchronous successive halving (ASHA): give up trials whose validation falls behind others of their group.

Only for choosing hyperparameters: methods that are compared must all train to the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from harness.execution.ray.environment import prepare
from harness.measured_on import MeasuredOn


class Pruner:
    """Ray Tune's ASHA on `val_R1` over epochs, one bracket per group; the last epoch is never pruned.

    Args:
        todo: Resolved trials.
        grace: Epochs before a trial may be given up.
        factor: Of those that reach a rung (grace, grace·factor, grace·factor², ... epochs), the best 1/factor go on.
        groups: id -> group; only trials of a group are compared. Default: same method, budget and data set.
    """

    def __init__(
        self, todo: Sequence[dict], grace: int = 1, factor: float = 3, groups: Mapping[str, str] | None = None
    ) -> None:
        if grace < 1 or factor <= 1:
            raise ValueError(f"grace {grace} and factor {factor}: expected at least 1, and more than 1")
        self.grace, self.factor = grace, factor
        self._brackets: dict[tuple[str, int], Any] = {}
        self._group = {t["id"]: groups[t["id"]] if groups else _group(t["trial"]) for t in todo}

    def behind(self, event: Mapping[str, Any]) -> bool:
        """Whether the trial of an "epoch" event is to be given up."""
        epoch, last, value = (event.get(name) for name in ("epoch", "epochs", "val_R1"))
        if value is None or epoch is None or last is None or epoch >= last or last - 1 < self.grace:
            return False
        prepare()
        from ray.tune.schedulers import ASHAScheduler

        ident = str(event["trial"])
        key = (self._group[ident], last)
        if key not in self._brackets:
            self._brackets[key] = ASHAScheduler(
                time_attr="epoch",
                metric="val_R1",
                mode="max",
                max_t=last - 1,
                grace_period=self.grace,
                reduction_factor=self.factor,
                stop_last_trials=False,  # else it would end trials before they measure
            )
        bracket, trial = self._brackets[key], SimpleNamespace(trial_id=ident)
        bracket.on_trial_add(None, trial)
        return bracket.on_trial_result(None, trial, {"epoch": epoch, "val_R1": value}) == ASHAScheduler.STOP

    def reason(self, event: Mapping[str, object]) -> str:
        """Why it is given up."""
        return (
            f"val R1 {event['val_R1']:.1f} after epoch {event['epoch']} of {event['epochs']} is not in the best "
            f"1/{self.factor:g} of its group"
        )


def _group(trial: Mapping[str, object]) -> str:
    dataset = trial.get("dataset")
    name = MeasuredOn.of(dataset, "train").text if isinstance(dataset, Mapping) else dataset
    return json.dumps([trial.get("method"), trial.get("budget"), name])
