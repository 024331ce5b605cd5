"""One trial's whole trip: resolve it to an identity, then train, choose, measure and commit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from harness import budget, cost, evaluate, material, provenance, registry
from harness.errors import UserError
from harness.method import make, restore, state, trainable, written_out
from harness.recipe import Recipe
from harness.spec import Entry, Trial
from harness.store import Record, Store
from harness.train import Diverged, train
from harness.view import View
from harness.weights import Source, load, shape
from harness.weights import identity as backbone_identity

CHOICE = {"val": "selected", "last": "last", "test-oracle": "oracle"}


@dataclass(frozen=True)
class Resolved:
    """A trial with nothing left open.

    Attributes:
        id: 16 hex digits, the hash of everything that decides the result.
        trial: The trial as JSON, every default written out.
        status: `ready` or `infeasible`.
        reason: Why it is infeasible.
        trained: Trained parameters.
        total: Parameters of backbone and method.
        share: trained / total.
        target: Trained parameters asked for, or None.
        hashes: Of code, data and backbone.
    """

    id: str
    trial: dict[str, Any]
    status: str
    reason: str | None
    trained: int
    total: int
    share: float
    target: int | None
    hashes: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dict(vars(self))


def check(entry: Entry) -> list[str]:
    """Faults of a method's options in a study."""
    try:
        make(registry.find("methods", entry.method), entry.options)
    except UserError as error:
        return [str(error)]
    return []


def resolve(trial: Trial, data: str | Path) -> Resolved:
    """Solve the budget, write every default out, and name the trial by what decides its result."""
    source = Source(**dict(trial.backbone))
    method = make(registry.find("methods", trial.method), trial.options)
    target = budget.parse(trial.budget) if trial.budget and method.turns else None
    solution = budget.solve(method, shape(source), target)
    document = trial.as_dict()
    document["options"] = written_out(solution.method)
    document["budget"] = trial.budget if target else None
    document["device"] = trial.device
    if trial.device == "auto":
        document["device"] = "cuda" if torch.cuda.is_available() else "cpu"
    if not solution.trained:
        document |= {"seed": 0, "recipe": Recipe(name="none", epochs=0).model_dump(mode="json")}
    used = [document["dataset"], *document["evaluate_on"]]
    members = getattr(method, "members", ())
    named = tuple(name.split("#")[0] for name in members) if isinstance(members, dict) else ()
    hashes = {
        "code": provenance.code(trial.method, named),
        "data": hashlib.sha256("".join(material.identity(d, data) for d in used).encode()).hexdigest()[:16],
        "backbone": backbone_identity(source),
    }
    decides = {k: v for k, v in document.items() if k not in ("label", "budget")}
    decides["dataset"] = {"dataset": document["dataset"]["dataset"]}
    decides["evaluate_on"] = [d["dataset"] for d in document["evaluate_on"]]
    decides["target"] = solution.target if solution.reason else None
    text = json.dumps([decides, hashes], sort_keys=True)
    return Resolved(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        trial=document,
        status="infeasible" if solution.reason else "ready",
        reason=solution.reason,
        trained=solution.trained,
        total=solution.total,
        share=solution.share,
        target=solution.target,
        hashes=hashes,
    )


def run(
    resolved: Mapping[str, Any],
    store: str | Path,
    data: str | Path,
    report: Callable[[dict], None] = lambda event: None,
) -> str:
    """Run one trial and commit its row; the status is `ok`, `infeasible`, `diverged`, `oom` or `failed`.

    A trial that fails is committed with its status and the reason, and without numbers.
    """
    began = time.perf_counter()
    record = Record(trial=_row(resolved), scores=[], history=[], queries=[])
    row, error = record.trial, None
    try:
        if resolved["status"] == "infeasible":
            row |= {"status": "infeasible", "reason": resolved["reason"], "trained": None, "share": None, "total": None}
        else:
            _measure(resolved, Path(data), record, report)
    except Diverged as fault:
        error = ("diverged", fault)
    except (torch.OutOfMemoryError, MemoryError) as fault:
        error = ("oom", fault)
    except Exception as fault:
        error = ("failed", fault)
    if error:
        status, fault = error
        reason = " ".join(str(fault).split())[:500] or type(fault).__name__
        kind = "" if isinstance(fault, UserError) else f"{type(fault).__name__}: "
        record = Record(trial={**_row(resolved), "status": status, "reason": kind + reason}, history=record.history)
    record.trial["seconds_total"] = time.perf_counter() - began
    Store(store).commit(record)
    return record.trial["status"]


def _row(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are known before anything runs."""
    trial, hashes = resolved["trial"], resolved["hashes"]
    commit, dirty = provenance.commit()
    recipe = trial["recipe"]
    return {
        "id": resolved["id"],
        **{
            key: trial[key]
            for key in ("label", "method", "options", "seed", "budget", "selection", "device", "threads")
        },
        "dataset": trial["dataset"]["dataset"],
        "dataset_options": trial["dataset"]["options"],
        "backbone": trial["backbone"]["name"],
        "backbone_hash": hashes["backbone"],
        "data_hash": hashes["data"],
        "code_hash": hashes["code"],
        "status": "ok",
        "budget_parameters": resolved["target"],
        "trained": resolved["trained"],
        "total": resolved["total"],
        "share": resolved["share"],
        "epochs": recipe["epochs"],
        "batch": recipe["batch"],
        "lr": recipe["lr"],
        "recipe": recipe,
        "spec": trial,
        "hardware": provenance.hardware(trial["device"]),
        "commit": commit,
        "dirty": dirty,
        "versions": provenance.versions(),
        "started": datetime.now(UTC),
        "release": provenance.release(),
    }


def _measure(resolved: Mapping[str, Any], data: Path, record: Record, report: Callable[[dict], None]) -> None:
    """Train, choose the epoch, measure the test split once; fills `record`."""
    trial, row = resolved["trial"], record.trial
    torch.set_num_threads(trial["threads"])
    source = Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in trial["backbone"].items()})
    recipe = read_recipe_values(trial["recipe"])
    device, seed = torch.device(trial["device"]), trial["seed"]
    dataset = trial["dataset"]

    backbone = load(source)
    method = make(registry.find("methods", trial["method"]), trial["options"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method.attach(backbone)
    backbone.to(device)
    counted = sum(p.numel() for p in trainable(backbone).values())
    if counted != resolved["trained"]:
        raise RuntimeError(f"{counted} trained parameters, but the closed form says {resolved['trained']}")

    view = View(source, recipe, seed, device)
    row["adapter_bytes"] = cost.saved_bytes(backbone) if counted else 0
    first = material.part(dataset, data, "train", source)
    row["flops_forward"], row["flops_backward"] = cost.flops(backbone, *view.sample(first))

    watched = "test" if trial["selection"] == "test-oracle" else "val"
    looks, evaluating = {}, 0.0

    def look(name: str) -> tuple[evaluate.Measured, evaluate.Measured]:
        nonlocal evaluating
        begin = time.perf_counter()
        measured = view.evaluate(backbone, material.part(dataset, data, name, source))
        evaluating += time.perf_counter() - begin
        return measured

    watch = cost.Stopwatch([])
    best, chosen, kept = None, 0, None
    began = time.perf_counter()
    if trial["selection"] != "last" or not recipe.epochs:
        looks[0] = look(watched)
        best, kept = _merit(looks[0][0]), state(backbone)
        record.history.append({"epoch": 0, "step": 0, "seconds": 0.0, **_val(looks[0][0], watched)})
    cost.reset_peak(device)
    total, count = torch.zeros((), device=device), 0
    for step in train(backbone, *view.batches(first), recipe, view.prepare):
        total, count = total + step.loss, count + 1
        watch.add(step.seconds, step.waited)
        if not step.last:
            continue
        epoch = step.epoch + 1
        line = {
            "epoch": epoch,
            "step": step.step + 1,
            "lr": step.lr,
            "loss": float(total) / count,
            "seconds": time.perf_counter() - began,
        }
        total, count = torch.zeros((), device=device), 0
        if trial["selection"] != "last" and (epoch % recipe.evaluate_every == 0 or epoch == recipe.epochs):
            looks[epoch] = look(watched)
            line |= _val(looks[epoch][0], watched)
            if best is None or _merit(looks[epoch][0]) > best:
                best, chosen, kept = _merit(looks[epoch][0]), epoch, state(backbone)
        record.history.append(line)
        report({"trial": resolved["id"], "epochs": recipe.epochs, **line})
    row["peak_memory_train"] = cost.peak(device)
    row |= {"steps": len(watch.steps), "seconds_train": sum(watch.steps), "seconds_data": watch.waited}
    row["step_seconds"] = watch.step

    if trial["selection"] == "last":
        chosen = recipe.epochs
    else:
        restore(backbone, kept)
    row["chosen_epoch"] = chosen
    cost.reset_peak(device)
    choice = CHOICE[trial["selection"]]
    if watched == "val" and chosen in looks:
        _scores(record, dataset["dataset"], "val", choice, looks[chosen])
    _scores(record, dataset["dataset"], "test", choice, looks[chosen] if watched == "test" else look("test"))
    for other in trial["evaluate_on"]:
        begin = time.perf_counter()
        measured = view.evaluate(backbone, material.part(other, data, "test", source))
        evaluating += time.perf_counter() - begin
        _scores(record, other["dataset"], "test", choice, measured)
    row["seconds_evaluate"], row["peak_memory_evaluate"] = evaluating, cost.peak(device)


def read_recipe_values(document: Mapping[str, Any]) -> Recipe:
    """A resolved recipe from its JSON."""
    return Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in document.items()})


def _merit(measured: evaluate.Measured) -> tuple[float, float]:
    """What chooses an epoch: Rank-1, then mAP; the earlier epoch wins a tie."""
    return measured.values["R1"], measured.values["mAP"]


def _val(measured: evaluate.Measured, watched: str) -> dict[str, float]:
    return {f"val_{m}": measured.values[m] for m in ("R1", "mAP")} if watched == "val" else {}


def _scores(
    record: Record, dataset: str, split: str, choice: str, both: tuple[evaluate.Measured, evaluate.Measured]
) -> None:
    for direction, measured in zip(("t2i", "i2t"), both, strict=True):
        sizes = {"queries": measured.queries, "gallery": measured.gallery, "unmatched": measured.unmatched}
        place = {"dataset": dataset, "split": split, "direction": direction}
        record.scores.extend(
            {**place, "choice": choice, "metric": metric, "value": value, **sizes}
            for metric, value in measured.values.items()
        )
        if split == "test":
            columns = {name: values.tolist() for name, values in measured.records.items()}
            record.queries.extend(
                {**place, **dict(zip(columns, values, strict=True))} for values in zip(*columns.values(), strict=True)
            )
