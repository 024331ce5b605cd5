"""Run many trials: Ray Tune on the cores and GPUs of a machine or cluster, or a plain loop in this process.

This is the only file that imports ray, and Ray is only the executor: a trial commits its own result to the store, and
what is left to do is always read from there, never from Ray's files. Worker processes are kept from trial to trial (a
new process would import torch again for each), so a trial must set every seed and global that it uses.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import EnvironmentFault
from harness.store import Store

Event = dict[str, object]
RETRIES = 2  # of a trial whose worker process died
START_SECONDS = 90  # until Ray must be up, machines under load included

# Read by Ray at import or start. Niceness: Ray's default of 15 starves trials beside any other job.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed",  # told as an event instead
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}


@dataclass
class Outcome:
    """What became of the trials of one `execute`."""

    finished: dict[str, str] = field(default_factory=dict)  # id -> status of its committed row
    lost: dict[str, str] = field(default_factory=dict)  # id -> why nothing could be committed
    busy: float = 0.0  # s inside trials, summed over workers
    stopped: bool = False  # by a signal, before all trials were through


def execute(
    resolved: Sequence[dict],
    run: str | Callable = "harness.trial:run",
    *,
    store: str | Path,
    data: str | Path,
    executor: str = "ray",
    workers: int | None = None,
    threads: int = 1,
    on_event: Callable[[Event], None] = lambda event: None,
    session: Session | None = None,
) -> Outcome:
    """Run resolved trials, the longest first; each commits by itself.

    Args:
        resolved: Trials as `Resolved.as_dict()` gives them: `id`, `trial`, `status`, `trained`, ...
        run: "module:function" or a function (resolved, store, data, report) -> status.
        executor: "ray" or "serial", a plain loop in this process.
        workers, threads: As for `Session`; the serial loop has one worker.
        on_event: Called in this process with `trial`: its id, and `event`: "started", "epoch" (with what the trial
            reported), "died" (its worker; it starts again), "finished" (`status`, `seconds`) or "lost" (`reason`).
        session: A Ray session begun earlier by `Session`; otherwise one is begun and ended here.

    Raises:
        EnvironmentFault: Ray is absent or does not start, or a GPU is asked for where there is none.
    """
    outcome = Outcome()

    def tell(event: Event) -> None:
        ident = event["trial"]
        if event["event"] in ("finished", "lost"):
            if ident in outcome.finished or ident in outcome.lost:
                return
            outcome.busy += event.get("seconds", 0.0)
            if event["event"] == "finished":
                outcome.finished[ident] = event["status"]
            else:
                outcome.lost[ident] = event["reason"]
        on_event(event)

    if not (todo := sorted(resolved, key=_length, reverse=True)):
        return outcome
    places = {"run": run, "store": str(Path(store).resolve()), "data": str(Path(data).resolve()), "threads": threads}
    if executor == "serial":
        with _stoppable(outcome):
            for trial in todo:
                _one(trial, tell, **places)
    else:
        gpu = any(str(trial["trial"].get("device", "cpu")).startswith("cuda") for trial in todo)
        with contextlib.closing(session or Session(workers, threads, "cuda" if gpu else "cpu")) as session:
            session.wait()  # Ray sets signal handlers of its own as it starts; ours come after
            with _stoppable(outcome):
                session.run(todo, places, gpu, tell)
    outcome.stopped |= len(outcome.finished) + len(outcome.lost) < len(todo)
    return outcome


class Session:
    """A Ray on this machine, begun in the background so that it starts while trials are still being resolved.

    A Ray that this process has joined already is used as it is and left running; `RAY_ADDRESS` names a cluster to join.

    Args:
        workers: Trials side by side; default one per GPU unless `device` is "cpu" or there is none, else one per core.
        threads: Intra-op threads of each trial.
        device: "cpu", "cuda" or "auto".
    """

    def __init__(self, workers: int | None, threads: int = 1, device: str = "auto") -> None:
        self.workers, self.threads, self.device = workers, threads, device
        self._error: BaseException | None = None
        # Short, since Ray keeps sockets below it and their paths are limited to about a hundred bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="upb"))
        self._up, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the Ray begun here and remove its files."""
        self._over.set()
        self._thread.join(START_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self) -> int:
        """The number of workers, once Ray is up.

        Raises:
            EnvironmentFault: absent, failed to start, or not up in time.
        """
        if not self._up.wait(START_SECONDS):
            problem = f"Ray did not start within {START_SECONDS} s"
        elif isinstance(self._error, ImportError):
            problem = f"Ray cannot be imported: {self._error}"
        elif self._error is not None:
            problem = f"Ray did not start: {_first_line(self._error)}"
        else:
            return self.workers
        raise EnvironmentFault(problem, expected="a machine that runs Ray, or --executor serial", kept="all results")

    def _live(self) -> None:
        # Linux ends Ray's processes together with the thread that started them, so this one stays until `close`.
        owned = False
        try:
            owned = self._start()
        except BaseException as error:
            self._error = error
        self._up.set()
        self._over.wait()
        if owned:
            import ray

            ray.shutdown()

    def _start(self) -> bool:
        """Start Ray, or use the one already joined; whether it was started here."""
        for name, value in (ENVIRONMENT | {"OMP_NUM_THREADS": str(self.threads)}).items():
            os.environ.setdefault(name, value)
        import ray

        if not (joined := ray.is_initialized()):
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            here = {
                "num_cpus": max(self.threads, self.workers * self.threads if self.workers else cores),
                "include_dashboard": False,
                # Trials hand over a few kilobytes, so Ray's default of a third of the memory is not needed.
                "object_store_memory": 80 * 1024**2,
                "_temp_dir": str(self._folder) if len(str(self._folder)) < 35 else None,
            }
            cluster = bool(os.environ.get("RAY_ADDRESS"))
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **({} if cluster else here))
        found = ray.cluster_resources()
        gpus = 0 if self.device == "cpu" else int(found.get("GPU", 0))
        self.workers = self.workers or gpus or max(1, int(found.get("CPU", 1)) // self.threads)
        return not joined

    def run(self, todo: Sequence[dict], places: dict, gpu: bool, tell: Callable[[Event], None]) -> None:
        """Run trials through `ray.tune.Tuner` once Ray is up; events arrive in this thread."""
        import ray
        from ray import tune

        logging.getLogger("ray").setLevel(logging.CRITICAL)
        need = {"cpu": self.threads}
        if gpu:
            if not (gpus := ray.cluster_resources().get("GPU", 0)):
                raise EnvironmentFault("the trials ask for a GPU and Ray sees none", expected="device: cpu, or a GPU")
            need["gpu"] = min(1.0, gpus / self.workers)

        class Listener(tune.Callback):
            def __getstate__(self):
                return {}  # Tune pickles its callbacks, and a terminal cannot be pickled

            def on_trial_result(self, iteration, trials, trial, result, **info):
                if "event" in result:
                    self.tell(json.loads(result["event"]))

            def on_trial_recover(self, iteration, trials, trial, **info):
                self.tell({"event": "died", "trial": trial.config["id"]})

        listener = Listener()
        listener.tell = tell
        by_id = {trial["id"]: trial for trial in todo}
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_in_worker, trials=by_id, places=places), need),
            param_space={"id": tune.grid_search(list(by_id))},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                max_concurrent_trials=self.workers,
                trial_dirname_creator=lambda trial: trial.config["id"],
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(self._folder / "tune"),
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                callbacks=[listener],
                verbose=0,
            ),
        )
        for result in tuner.fit():
            if result.error is not None:
                reason = f"its worker died {RETRIES + 1} times: {_first_line(result.error)}"
                tell({"event": "lost", "trial": result.config["id"], "reason": reason})


def _in_worker(config: dict, trials: dict[str, dict], places: dict) -> None:
    from ray import tune

    _one(trials[config["id"]], lambda event: tune.report({"event": json.dumps(event, default=float)}), **places)


def _one(
    resolved: dict, tell: Callable[[Event], None], run: str | Callable, store: str, data: str, threads: int
) -> None:
    """Run one trial here and tell how it went; a fault of the harness is told as "lost"."""
    ident = resolved["id"]
    if isinstance(run, str):
        module, _, name = run.partition(":")
        run = getattr(importlib.import_module(module), name)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    tell({"event": "started", "trial": ident})
    clock = time.perf_counter()
    try:
        # A worker that died after committing, or another run of the same study, may have been here before.
        already = Store(store).done([ident])
        report = lambda event: tell({**event, "event": "epoch", "trial": ident})  # noqa: E731
        end = {"event": "finished", "status": "done" if already else run(resolved, store, data, report)}
    except Exception:
        end = {"event": "lost", "reason": traceback.format_exc()}
    tell({**end, "trial": ident, "seconds": time.perf_counter() - clock})


def _length(resolved: dict) -> tuple[int, float, int]:
    """Order of expected duration: untrained trials are short, then more epochs, then more trained parameters."""
    trained = resolved.get("trained") or 0
    epochs = (resolved["trial"].get("recipe") or {}).get("epochs") or 0
    ready = resolved.get("status", "ready") == "ready"
    return int(ready) + int(ready and trained > 0), epochs, trained


@contextlib.contextmanager
def _stoppable(outcome: Outcome) -> Iterator[None]:
    """The first signal ends the work inside and is noted in `outcome`; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, frame: object) -> None:
        for name in handled:
            signal.signal(name, lambda *_: os._exit(75))
        raise KeyboardInterrupt

    handled = [signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else [])]
    before = {name: signal.signal(name, first) for name in handled}
    try:
        yield
    except KeyboardInterrupt:
        outcome.stopped = True
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _first_line(error: BaseException) -> str:
    return " ".join([type(error).__name__ + ":", *str(error).strip().splitlines()[:1]])
