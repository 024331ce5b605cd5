"""Trackers beside the store: TensorBoard, MLflow and Weights & Biases, by the callbacks that Ray Tune brings.

They show; the store keeps. What they are given is what a trial reports after every epoch.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import EnvironmentFault, UserError, nearest

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}  # by pip and import name alike


class Tracker(NamedTuple):
    """One `--log NAME[=PLACE]`; the place is a folder, a tracking URI or a project."""

    name: str
    place: str | None


def parse(texts: Sequence[str]) -> list[Tracker]:
    """Read `NAME` or `NAME=PLACE`, and check before any work that they can be had.

    Raises:
        UserError: no such tracker.
        EnvironmentFault: its package or key is missing.
    """
    found = []
    for text in texts:
        name, equals, place = text.partition("=")
        if name not in PACKAGES or (equals and not place):
            raise UserError(
                f"'{text}' is no tracker",
                where="--log",
                expected=f"one of {', '.join(PACKAGES)}, with =FOLDER, =URI or =PROJECT",
                nearest=nearest(name, PACKAGES),
            )
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise EnvironmentFault(
                f"{name} cannot be logged to: the package {PACKAGES[name]} is not installed",
                where="--log",
                expected=f"pip install {PACKAGES[name]}",
            )
        if name == "wandb" and not (
            os.environ.get("WANDB_API_KEY")
            or os.environ.get("WANDB_MODE") in ("offline", "disabled")
            or (Path.home() / ".netrc").is_file()
        ):
            raise EnvironmentFault(
                "wandb has no key", where="--log", expected="wandb login, WANDB_API_KEY, or WANDB_MODE=offline"
            )
        found.append(Tracker(name, place or None))
    return found


def callbacks(trackers: Sequence[Tracker], store: str | Path, study: str) -> list:
    """Ray Tune's callbacks for trackers; folders lie below `store` unless a place is given."""
    return [_callback(tracker, Path(store), study) for tracker in trackers]


def _callback(tracker: Tracker, store: Path, study: str):
    if tracker.name == "tensorboard":
        from ray.tune.logger import TBXLoggerCallback

        folder = Path(tracker.place or store / "tensorboard").resolve() / study

        class TensorBoard(TBXLoggerCallback):
            def log_trial_start(self, trial):
                about = trial.config["trial"]
                # Ray's own place is a temporary folder; a readable name is what TensorBoard lists.
                name = "-".join(str(about[key]) for key in ("label", "budget", "seed") if about.get(key) is not None)
                place = folder / f"{name.replace('/', '_')}-{about['id'][:6]}"
                if trial in self._trial_writer:
                    self._trial_writer[trial].close()
                self._trial_writer[trial] = self._summary_writer_cls(str(place), flush_secs=10)
                self._trial_result[trial] = {}

            def log_trial_result(self, iteration, trial, result):
                if "epoch" in result:
                    super().log_trial_result(iteration, trial, result)

        return TensorBoard()
    if tracker.name == "mlflow":
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        place = tracker.place or (store / "mlflow").resolve().as_uri()
        return MLflowLoggerCallback(tracking_uri=place, experiment_name=study)
    from ray.air.integrations.wandb import WandbLoggerCallback

    return WandbLoggerCallback(project=tracker.place or "upbench", group=study)


def flat(event: dict) -> dict[str, float]:
    """The numbers of an "epoch" event, as trackers take them."""
    if event["event"] != "epoch":
        return {}
    numbers = {k: v for k, v in event.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    return numbers | {"timesteps_total": event["epoch"]}  # where Ray's callbacks put values on the axis
