"""One trial in the process that runs it, with its events told as they happen."""

from __future__ import annotations

import importlib
import inspect
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from harness.errors import Preempted, UserError
from harness.execution.outcome import Event
from harness.store import unmeasured
from harness.store.store import Record, Store, Superseded, Taken


def find(run: str | Callable) -> Callable:
    """The function that runs a trial, from "module:function" or itself."""
    if isinstance(run, str):
        module, _, name = run.partition(":")
        return getattr(importlib.import_module(module), name)
    return run


def listens(run: str | Callable) -> bool:
    """Whether a trial function takes `stop`, a callable that it asks at every step."""
    return "stop" in inspect.signature(find(run)).parameters


def one(
    resolved: dict,
    tell: Callable[[Event], None],
    stop: Callable[[], bool],
    run: str | Callable,
    store: str,
    data: str,
    threads: int,
    claimant: str | None = None,
) -> None:
    """Run one trial here and tell how it went.

    What is raised within the trial is committed as its row, `failed`; a fault of the machine, or of what lies in the
    store, is told as "lost". The trial is claimed as `claimant`, the name of the run; where another run is at it or has
    taken it over, the status is "elsewhere".
    """
    ident = resolved["id"]
    if stop():
        tell({"event": "stopped", "trial": ident, "seconds": 0.0})
        return
    function = find(run)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    tell({"event": "started", "trial": ident})
    clock = time.perf_counter()
    try:
        report = lambda event: tell({"event": "epoch", **event, "trial": ident})  # noqa: E731
        more = {"stop": stop} if listens(function) else {}
        with Store(store).claim(ident, claimant) as claim:
            # A worker that died after committing, or another run of the same study, may have been here before.
            already = Store(store).done([ident])
            claimed = {**resolved, "claim": claim.token}
            status = "done" if already else _run(function, claimed, store, data, report, more)
        end = {"event": "stopped"} if status == "stopped" else {"event": "finished", "status": status}
    except (Taken, Superseded):
        end = {"event": "finished", "status": "elsewhere"}
    except Preempted:
        end = {"event": "stopped"}
    except Exception:
        end = {"event": "lost", "reason": traceback.format_exc()}
    tell({**end, "trial": ident, "seconds": time.perf_counter() - clock})


def _run(function: Callable, claimed: dict, store: str, data: str, report: Callable, more: dict) -> str:
    """The trial's status; what it raises is its row."""
    try:
        return function(claimed, store, data, report, **more)
    except (UserError, OSError):
        raise
    except Exception as fault:
        at = traceback.extract_tb(fault.__traceback__)[-1]
        reason = f"{unmeasured.why(fault)} ({Path(at.filename).name}:{at.lineno})"
        Store(store).commit(Record(trial=unmeasured.row(claimed, "failed", reason)), claimed["claim"])
        return "failed"
