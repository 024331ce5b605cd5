"""Measuring the kept models of a study on further data sets: what is missing, by the executors of a run."""

from __future__ import annotations

import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import registry
from harness.api import asking, ending
from harness.api.reading import name_of
from harness.errors import NothingMeasured, UserError, nearest
from harness.measured_on import MeasuredOn

if TYPE_CHECKING:
    from harness.store.store import Store

RUN = "harness.trial.kept.measure:run"
Dataset = dict[str, Any]  # {dataset: name, options: {...}}


@dataclass(frozen=True)
class Evaluated:
    """What `evaluate` did.

    Attributes:
        study: Its name.
        measured: Trials that were measured now, once for each data set.
        already: Those that had been.
        without: Ids of trials that have no kept model, and so cannot be measured.
        wall_seconds: From the start of the call to its end.
    """

    study: str
    measured: int
    already: int
    without: list[str]
    wall_seconds: float = 0.0


def evaluate(
    study: str | Path,
    on: Sequence[str | Mapping[str, Any]],
    *,
    store: str | Path | None = None,
    data: str | Path | None = None,
    executor: str = "ray",
    workers: int | None = None,
    address: str | None = None,
    progress: bool = False,
    tell: Callable[[str], object] = lambda line: None,
    warn: Callable[[str], object] = lambda line: None,
    began: float | None = None,
) -> Evaluated:
    """Measure the kept models of a study on the test splits of further data sets; nothing is trained.

    What is measured already stays; the same call continues one that was stopped. Reports of the study show the rows.

    Args:
        study: Its name, or its file.
        on: Data sets as `evaluate_on` of a study has them: a name, `{name: {option: value}}`, or a text NAME:{OPTIONS}.
        store, data: As for `plan`.
        executor, workers, address, progress, tell, warn, began: As for `run`.

    Raises:
        UserError: no such study or data set.
        EnvironmentFault: Ray, a GPU, weights or a writable store are lacking, or the backbone has changed since.
        DataError: data that cannot be used.
        RunFailed: some could not be measured; the same call tries them again.
        NothingMeasured: no trial of the study has a model.
        Preempted: stopped from outside; the same call continues.
    """
    from harness.store.store import Store
    from harness.trial import splits

    began = time.perf_counter() if began is None else began
    place, data = asking.places(store, data)
    results, name = Store(place), name_of(study)
    trials = [trial for trial in results.declaration(name)["trials"] if trial.get("phase") != "tuning"]
    datasets = [dataset for given in on for dataset in _datasets(given)]
    for dataset in datasets:
        splits.splits(dataset, data)  # what is wrong with it is told before anything is asked of a worker
    splits.one_thing(
        [*datasets, *(of for t in trials for of in (t["trial"]["dataset"], *t["trial"]["evaluate_on"]))], data
    )
    results.probe()
    asked, already, without = _asked(results, [trial["id"] for trial in trials], datasets)
    todo = _missing(results, asked, data, warn)
    already += len(asked) - len(todo)
    more = f"; {len(without)} trials have no kept model" if without else ""
    tell(f"{name}: {len(todo)} to measure, {already} measured already{more}")
    if not todo and not already:
        raise NothingMeasured(
            f"no trial of study '{name}' has a kept model" if without else f"no trial of study '{name}' is through",
            where=results.root,
            expected="trials that ran with keep: adapters, or keep: all where the backbone itself is trained",
        )
    if todo:
        _execute(todo, name, results, data, executor, workers, address, progress, tell, began)
    else:
        tell(f"next: upbench report {name}")
    return Evaluated(name, len(todo), already, without, time.perf_counter() - began)


def _datasets(given: str | Mapping[str, Any]) -> list[Dataset]:
    """As a trial has them: one, or with `shifts` one for each shift and severity."""
    from harness.study import suites
    from harness.study.values import named
    from harness.study.yaml import value
    from harness.trial.spec import Data

    if isinstance(given, str):
        text, colon, options = given.partition(":")
        given = {text.strip(): value(options, "--on") or {}} if colon else {"dataset": given}
    made = named(given, "dataset")
    name, own = str(made["dataset"]), made.get("options") or {}
    if not isinstance(own, Mapping):
        raise UserError(f"{own!r} are no options of {name}", "--on", f"{name}, or {name}:{{OPTION: VALUE}}")
    known = registry.names("datasets")
    if name not in known and not name.endswith(".py"):
        raise UserError(f"unknown data set '{name}'", "--on", f"one of {', '.join(known)}", nearest(name, known))
    try:
        each = suites.spread([{"dataset": name, "options": dict(own)}])
    except ValueError as error:
        raise UserError(str(error), "--on") from None
    return [Data(**one).model_dump() for one in each]


def _asked(results: Store, declared: list[str], datasets: list[Dataset]) -> tuple[list[dict], int, list[str]]:
    """Every trial on every data set that its own row has not; how many those rows have; trials without a model.

    Raises:
        EnvironmentFault: the backbone of a trial has changed since.
    """
    from harness.trial.kept import measure, model

    found = results.measured(declared, ("trials", "scores"))
    tests = found["scores"][found["scores"]["split"] == "test"]
    there = set(zip(tests["id"], tests["dataset"], strict=True))
    kept = results.models(found["trials"]["id"])
    asked: list[dict] = []
    already, without, backbones = 0, [], set()
    for row in ({str(k): v for k, v in each.items()} for each in found["trials"].to_dict("records")):
        if row["status"] != "ok":
            continue
        if row["trained"] and row["id"] not in kept:
            without.append(row["id"])
            continue
        trial = json.loads(row["spec"])
        if (backbone := (row["backbone_hash"], str(trial["backbone"]))) not in backbones:
            model.check_backbone(row, trial)
            backbones.add(backbone)
        for dataset in datasets:
            if (row["id"], MeasuredOn.of(dataset).text) in there:
                already += 1
            else:
                asked.append(measure.asked(row, trial, dataset))
    return asked, already, without


def _missing(results: Store, asked: list[dict], data: str, warn: Callable) -> list[dict]:
    """Those that are not measured yet, or whose measurement is damaged or of other data; each has its mark."""
    from harness.store import later
    from harness.trial import splits

    of = {one["id"]: one for one in asked}
    wrong = results.damaged(of)
    before = results.measured(of, ("trials",))["trials"]
    for ident, status, data_hash in before[["id", "status", "data_hash"]].itertuples(index=False, name=None):
        if status != "ok":
            wrong[ident] = f"it was {status}"
        elif data_hash != splits.identity(of[ident]["measures"]["dataset"], data):
            wrong[ident] = "the data have changed since"
    for ident, why in wrong.items():
        warn(f"{of[ident]['trial']['label']} is measured again: {why}")
        results.set_aside(ident)
    done = results.done(of)
    todo = [one for one in of.values() if one["id"] not in done]
    for one in todo:
        later.mark(results.files, one["measures"]["trial"], one["measures"]["measured_on"])
    return todo


def _execute(todo, study, results, data, executor, workers, address, progress, tell, began) -> None:
    """Run them, and tell or raise how it ended."""
    from harness.execution.executor import execute
    from harness.execution.progress import Progress
    from harness.execution.ray.session import Session

    threads = max(one["trial"]["threads"] for one in todo)
    device = "cuda" if any(one["trial"]["device"] == "cuda" for one in todo) else "cpu"
    address = os.environ.get("RAY_ADDRESS") if address is None else address
    session = Session(workers, threads, device, address, (results.root, data)) if executor == "ray" else None
    try:
        side = session.wait() if session else 1
        stream = None if progress else io.StringIO()
        with Progress({one["id"]: one for one in todo}, side, stream) as shown:
            outcome = execute(
                todo,
                RUN,
                store=results.root,
                data=data,
                executor=executor,
                workers=workers,
                threads=threads,
                on_event=shown.on_event,
                session=session,
                study=study,
            )
    finally:
        if session:
            session.close()
    failed = [ident for ident, status in outcome.finished.items() if status == "failed"]
    rows = results.measured(failed, ("trials",))["trials"]
    lost = {**outcome.lost, **dict(zip(rows["id"], rows["reason"], strict=True))}  # both are tried again
    wall = time.perf_counter() - began
    record = {
        "wall_seconds": wall,
        "busy_seconds": outcome.busy,
        "workers": side,
        "statuses": dict(Counter(status for ident, status in outcome.finished.items() if ident not in lost)),
        "lost": lost,
        "stopped": outcome.stopped,
        "reason": outcome.reason,
    }
    ending.conclude(study, results, record, [one["id"] for one in todo], str(results.root), 0, tell)
