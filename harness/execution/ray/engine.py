"""Trials through `ray.tune.Tuner`, with events arriving in the thread that waits."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.execution.outcome import Ledger
from harness.execution.ray import loggers, worker
from harness.execution.ray.gpu import cap, on_cluster
from harness.execution.ray.prune import Pruner
from harness.execution.ray.session import first_line
from harness.execution.ray.stop import Flag, Interrupter
from harness.execution.ray.watch import Watch

if TYPE_CHECKING:
    from harness.execution.ray.session import Session

RETRIES = 3  # of a trial whose worker process or node died


def run(
    session: Session,
    todo: Sequence[dict],
    places: dict,
    gpu: bool,
    ledger: Ledger,
    flag: Flag,
    pruner: Pruner | None,
    interrupter: Interrupter,
    trackers: Sequence[Any] = (),
    share: float | str | None = None,
) -> None:
    """Run trials, once Ray is up; after a stop was asked for, until none is under way."""
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    need, part = {"cpu": session.threads}, {}
    if gpu:
        part = on_cluster(todo, share if share is not None else _even(session), places["run"], places["data"])
        need["gpu"] = max(part.values())

    def last() -> None:
        flag.remove()
        session.discard()

    # Tune pickles its callbacks and scheduler by value and a terminal cannot be pickled: what they need are attributes.
    class Listener(tune.Callback):
        ledger: Ledger
        watch: Watch

        def __getstate__(self):
            return {}

        def on_trial_result(self, iteration, trials, trial, result, **info):
            if "event" in result:
                self.ledger.tell(json.loads(result["event"]))

        def on_trial_recover(self, iteration, trials, trial, **info):
            self.ledger.tell({"event": "died", "trial": trial.config["trial"]["id"]})

        def on_step_end(self, iteration, trials, **info):
            self.watch.beat(trials)

    class Stopped(tune.Stopper):
        ledger: Ledger
        flag: Flag

        def __getstate__(self):
            return {}

        def __call__(self, trial_id, result):
            return False

        def stop_all(self):
            return self.flag.raised and not self.ledger.running

    class Scheduler(FIFOScheduler):
        ledger: Ledger
        pruner: Pruner | None

        def __getstate__(self):
            return {}

        def on_trial_result(self, controller, trial, result):
            event = json.loads(result.get("event", "{}"))
            if self.pruner and event.get("event") == "epoch" and self.pruner.behind(event):
                self.ledger.tell({"event": "pruned", "trial": event["trial"], "reason": self.pruner.reason(event)})
                return self.STOP
            return self.CONTINUE

    watch = Watch(ledger, need, interrupter, last)
    listener, scheduler, stopped = Listener(), Scheduler(), Stopped()
    listener.ledger, listener.watch = ledger, watch
    stopped.ledger, stopped.flag = ledger, flag
    scheduler.ledger, scheduler.pruner = ledger, pruner
    by_id = {trial["id"]: trial for trial in todo}
    trainable = tune.with_parameters(_in_worker, trials=by_id, places=places, flag=str(flag.path), part=part)
    tuner = tune.Tuner(
        tune.with_resources(trainable, _resources(session.threads, part)),
        param_space={"trial": tune.grid_search([_about(trial) for trial in todo])},
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=None if share == "auto" else session.workers,
            trial_dirname_creator=lambda trial: trial.config["trial"]["id"],
            scheduler=scheduler,
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=str(session.folder),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            callbacks=[listener, *trackers],
            stop=stopped,
            verbose=0,
        ),
    )
    with watch:
        results = tuner.fit()
    for result in (results[index] for index in range(len(results))):
        if result.error is not None:
            reason = f"its worker died {RETRIES + 1} times: {first_line(result.error)}"
            config: Any = result.config
            ledger.tell({"event": "lost", "trial": config["trial"]["id"], "reason": reason})


def _about(resolved: dict) -> dict:
    """What a tracker shows of a trial beside its numbers."""
    trial = resolved["trial"]
    shown = {key: trial.get(key) for key in ("label", "method", "budget", "seed")}
    return {"id": resolved["id"], **shown, "lr": (trial.get("recipe") or {}).get("lr")}


def _resources(threads: int, part: dict[str, float]):
    from ray import tune

    def of(config: dict) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([{"CPU": threads, **({"GPU": part[config["trial"]["id"]]} if part else {})}])

    return of


def _even(session: Session) -> float:
    import ray

    return min(1.0, ray.cluster_resources().get("GPU", 0) / session.workers) or 1.0


def _in_worker(config: dict, trials: dict[str, dict], places: dict, flag: str, part: dict[str, float]) -> None:
    from ray import tune

    def tell(event: dict) -> None:
        tune.report({"event": json.dumps(event, default=float), **loggers.flat(event)})

    if part:
        cap(part[config["trial"]["id"]])
    worker.one(trials[config["trial"]["id"]], tell, Flag(flag), **places)
