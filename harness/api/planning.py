"""What a study will do: its trials with solved budgets, what is done, and what the others will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api import asking
from harness.errors import UserError
from harness.measured_on import MeasuredOn, told

if TYPE_CHECKING:
    from harness.execution.estimate import Estimate
    from harness.store.store import Store
    from harness.study.choice import Choice
    from harness.study.precision.rule import Asked
    from harness.study.study import Study
    from harness.study.tuning import Laid

DOCTOR = "doctor.json"  # as `make gpu` writes it
Cost = Callable[[list[dict[str, Any]]], "Estimate | None"]


@dataclass(frozen=True)
class Further:
    """Trials that follow when pilots are through, where the number of seeds is found.

    Attributes:
        trials: (low, high); equal where the spread of every cell is known so far.
        cells: How many have a pilot that is not through.
        known: Those of them whose spread is known so far, from two scores on.
        seconds: (low, high) for all that is to run, these included; None where it was not asked for.
    """

    trials: tuple[int, int]
    cells: int
    known: int
    seconds: tuple[float, float] | None


@dataclass(frozen=True)
class Plan:
    """What `plan` found.

    Attributes:
        study: The study as read.
        trials: One dict per trial: `id`, `label`, `method`, `budget`, `dataset`, `seed`, `state` (done | to run |
            waiting | infeasible), `reason` of a state, `target`, `trained` and `total` in parameters, `share` as a
            fraction, `solved` (what the budget became), `trial` (all values written out), and what a search says.
            `dataset` is the shortest label that tells what is trained on from the others.
        searches: The searches of a study with `tune:`, and what they chose so far.
        repeats: Trials that are the same as another one, dropped.
        models: Bytes of the models that the trials that are to run will keep: 4 for each parameter of the method.
        lacking: Faults of this machine that a run would meet: weights that are not here.
        idle: Indices of the study's rules that match no trial.
        estimate: Time in seconds, memory and disk in bytes of what is to run; None where it was not asked for, or
            where nothing is to run.
        asked: What pilots ask for, where the number of seeds is found; `trials` has their further seeds once they are
            through.
        further: What is not known yet of that; None where nothing is open.
        told_by: Where the times are from, by label, when they were not probed; what is not told has None.
        doctor: Why the file of the doctor is not used, if so.
    """

    study: Study
    trials: list[dict[str, Any]]
    searches: list[Choice]
    repeats: int
    models: int
    lacking: list[UserError]
    idle: list[int]
    estimate: Estimate | None
    asked: list[Asked]
    further: Further | None
    told_by: dict[str, str | None] = field(default_factory=dict)
    doctor: str | None = None


def plan(
    study: str | Path,
    settings: Mapping[str, Any] | None = None,
    *,
    store: str | Path | None = None,
    data: str | Path | None = None,
    seeds: int | None = None,
    workers: int | None = None,
    probe: bool = True,
    many: bool = False,
    doctor: str | Path | None = None,
) -> Plan:
    """The trials of a study with their solved budgets, which are done, and what the others will cost.

    Trains nothing but, with `probe`, a few steps of each method, once on a machine.

    Args:
        study: A YAML file, or the name of a study in `studies/` here or of the package.
        settings: Values of the study to replace, by dotted key: `{"recipe.lr": 1e-3}`.
        store: Folder of results or `s3://BUCKET/PREFIX`; default UPBENCH_STORE, else `results/local`.
        data: Folder of data sets; default UPBENCH_DATA, else `data`.
        seeds: This many seeds, counted from 0, in place of the study's.
        workers: Trials side by side, for the estimate; default one per core or GPU.
        probe: Measure a few steps to tell time, memory and disk.
        many: Allow more than 10,000 trials.
        doctor: Without `probe`: a file of `upbench doctor --out` on this machine, by which times are told where neither
            a kept probe nor a trial of the store tells them; default `doctor.json` here, if there is one.

    Raises:
        UserError: no such study, no such file of the doctor, or faults of the study, all in one message.
        DataError: data that cannot be used.
    """
    from harness.store.store import Store
    from harness.study import grid
    from harness.trial.kept import model

    store, data = asking.places(store, data)
    asked = asking.load(study, asking.texts(settings, seeds), many=many)
    results = Store(store)
    laid = asking.lay_out(asked, data, results)
    done = results.done(trial["id"] for trial in laid.trials)
    done -= set(results.with_status(done, ("lost",)))  # these run again
    lacking = asking.lacking(laid.trials)
    todo = [trial for trial in laid.trials if trial["id"] not in done]
    through = [trial for trial in laid.trials if trial["id"] in done]
    cost, told_by, unused = _cost(todo, through, data, workers, probe, results, doctor)
    costs = cost(todo) if cost else None
    trained_on = [MeasuredOn.of(trial["trial"]["dataset"], "train") for trial in laid.trials]
    names = told(trained_on)
    rows = [
        {
            **asking.declared(trial),
            "dataset": names[on],
            "state": "done" if trial["id"] in done else "to run" if trial["status"] == "ready" else trial["status"],
            **{key: trial[key] for key in ("reason", "target", "trained", "total", "share")},
            "solved": trial.get("budget"),
        }
        for trial, on in zip(laid.trials, trained_on, strict=True)
    ]
    models = sum(model.size(t) for t in laid.trials if t["id"] not in done and model.wanted(t))
    further = _further(asked, laid, todo, cost)
    return Plan(
        asked, rows, laid.choices, laid.repeats, models, lacking, list(grid.idle(asked)), costs, laid.asked, further,
        told_by, unused,
    )  # fmt: skip


def _cost(
    todo: list[dict], done: list[dict], data: str, workers: int | None, probe: bool, results: Store, doctor: Any
) -> tuple[Cost | None, dict[str, str | None], str | None]:
    """What tells the cost of trials, by what of each label unless it is a probe, and why the doctor does not."""
    if not probe and doctor is None and not Path(DOCTOR).is_file():
        return None, {}, None
    from harness import provenance
    from harness.execution import estimate, known

    if probe:
        return lambda rows: estimate.estimate(rows, data, workers), {}, None
    own = known.Doctor(DOCTOR if doctor is None else doctor)
    found = known.probes(todo, done, data, results, own)
    rows = estimate.largest(todo)
    told_by: dict[str, str | None] = {row["trial"]["label"]: found[key][1] for key, row in rows.items() if key in found}
    told_by |= {row["trial"]["label"]: None for key, row in rows.items() if key not in found}
    here = sorted({provenance.hardware(row["trial"]["device"]) for row in rows.values()} - {own.hardware})
    unused = f"{own.path} is of {own.hardware}, and this machine's device is {here[0]}" if here else None
    if None in told_by.values():
        return None, told_by, unused
    given = {key: each for key, (each, _) in found.items()}
    return lambda more: estimate.estimate(more, data, workers, given), told_by, unused


def _further(asked: Study, laid: Laid, todo: list[dict], cost: Cost | None) -> Further | None:
    """What the pilots that are not through may ask for: at least the first seeds, at most the most."""
    pilots = [each for each in laid.asked if not each.decided]
    if asked.precision is None or not pilots:
        return None
    first, most = asked.precision.first, asked.precision.most
    counts = [(each.seeds or first, each.seeds or most) for each in pilots]
    seconds = None
    if cost:
        one = {trial["id"]: trial for trial in laid.trials}
        low, high = (
            cost(todo + [one[p.ids[0]] for p, n in zip(pilots, counts, strict=True) for _ in range(n[end] - first)])
            for end in (0, 1)
        )
        seconds = (low.seconds[0], high.seconds[1]) if low and high else None
    trials = sum(low for low, _ in counts) - first * len(counts), sum(high for _, high in counts) - first * len(counts)
    return Further(trials, len(pilots), sum(each.deviation is not None for each in pilots), seconds)
