"""One trial's whole trip: resolve it to an identity, then train, choose, measure and commit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness import budget, cost, evaluate, heads, material, provenance, registry, rows
from harness.errors import DataError, UserError
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
        trained: Trained parameters, of the method and of the heads that its losses need.
        total: Parameters of backbone, method and heads.
        share: trained / total.
        target: Trained parameters asked for, or None.
        hashes: Of code, data and backbone.
        budget: `mode`, `target` and `achieved` of the method alone in the unit of the mode, or None.
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
    budget: dict[str, Any] | None = None

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
    heads.check(trial.recipe.losses)
    source = Source(**dict(trial.backbone))
    method = make(registry.find("methods", trial.method), trial.options)
    target = budget.parse(trial.budget) if trial.budget and method.turns else None
    solution = budget.solve(method, shape(source), target, trial.recipe.batch)
    document = trial.as_dict()
    document["options"] = written_out(solution.method)
    document["budget"] = trial.budget if target else None
    document["device"] = trial.device
    if trial.device == "auto":
        document["device"] = "cuda" if torch.cuda.is_available() else "cpu"
    if not solution.trained:
        document |= {"seed": 0, "recipe": Recipe(name="none", epochs=0).model_dump(mode="json")}
    extra = _heads(document, shape(source).image.embed, data)
    if extra:
        document["heads"] = extra
    used = [document["dataset"], *document["evaluate_on"]]
    members = getattr(method, "members", ())
    named = tuple(name.split("#")[0] for name in members) if isinstance(members, dict) else ()
    hashes = {
        "code": provenance.code(trial.method, named, ("heads",) if extra else ()),
        "data": hashlib.sha256("".join(material.identity(d, data) for d in used).encode()).hexdigest()[:16],
        "backbone": backbone_identity(source),
    }
    decides = {k: v for k, v in document.items() if k not in ("label", "budget")}
    decides["method"] = Path(trial.method).stem  # a file may lie anywhere
    decides["dataset"] = {"dataset": document["dataset"]["dataset"]}
    decides["evaluate_on"] = [d["dataset"] for d in document["evaluate_on"]]
    decides["target"] = solution.target if solution.reason else None
    text = json.dumps([decides, hashes], sort_keys=True)
    trained, total = (count + sum(extra.values()) for count in (solution.trained, solution.total))
    return Resolved(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        trial=document,
        status="infeasible" if solution.reason else "ready",
        reason=solution.reason,
        trained=trained,
        total=total,
        share=trained / total,
        target=solution.target if solution.mode == "params" else None,
        hashes=hashes,
        budget={key: getattr(solution, key) for key in ("mode", "target", "achieved")} if target else None,
    )


def _heads(document: Mapping[str, Any], embed: int, data: str | Path) -> dict[str, int]:
    """Parameters by head; the budget is the method's alone, since heads are thrown away after training."""
    if document["recipe"]["name"] == "none":
        return {}
    identities = len(material.splits(document["dataset"], data)["train"].persons)
    return heads.parameters(document["recipe"]["losses"], embed, identities)


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
    record = Record(trial=rows.known(resolved), scores=[], history=[], queries=[])
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
        record = Record(
            trial={**rows.known(resolved), "status": status, "reason": kind + reason}, history=record.history
        )
    record.trial["seconds_total"] = time.perf_counter() - began
    Store(store).commit(record)
    return record.trial["status"]


def _measure(resolved: Mapping[str, Any], data: Path, record: Record, report: Callable[[dict], None]) -> None:
    """Train, choose the epoch, measure the test split once; fills `record`."""
    trial, row = resolved["trial"], record.trial
    torch.set_num_threads(trial["threads"])
    source = Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in trial["backbone"].items()})
    recipe = Recipe(**trial["recipe"])
    device, seed = torch.device(trial["device"]), trial["seed"]
    dataset = trial["dataset"]

    backbone = load(source)
    method = make(registry.find("methods", trial["method"]), trial["options"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method.attach(backbone)
    backbone.to(device)
    first = material.part(dataset, data, "train", source)
    extra = heads.build(trial.get("heads", ()), shape(source).image.embed, len(first.split.persons), seed)
    modules = (backbone, *(head.to(device) for head in extra.values()))
    counted = sum(p.numel() for module in modules for p in trainable(module).values())
    if counted != resolved["trained"]:
        raise RuntimeError(f"{counted} trained parameters, but the closed form says {resolved['trained']}")

    view = View(source, recipe, seed, device, data / ".cache" / "features")
    row["adapter_bytes"] = cost.saved_bytes(backbone) if counted else 0
    row["flops_forward"], row["flops_backward"] = cost.flops(backbone, *view.sample(first))

    watched = "test" if trial["selection"] == "test-oracle" else "val"
    looks, evaluating = {}, 0.0

    def look(name: str, of: Mapping[str, Any] = dataset) -> tuple[evaluate.Measured, evaluate.Measured]:
        nonlocal evaluating
        begin = time.perf_counter()
        part = material.part(of, data, name, source)
        try:
            measured = view.evaluate(backbone, part)
        except DataError as error:
            raise rows.named(error, of["dataset"], name, part.split) from error
        evaluating += time.perf_counter() - begin
        return measured

    watch = cost.Stopwatch([])
    best, chosen, kept = None, 0, None
    began = time.perf_counter()
    if trial["selection"] != "last" or not recipe.epochs:
        looks[0] = look(watched)
        best, kept = _merit(looks[0][0]), state(backbone)
        record.history.append({"epoch": 0, "step": 0, "seconds": 0.0, **rows.val(looks[0][0], watched)})
    cost.reset_peak(device)
    total, count = torch.zeros((), device=device), 0
    for step in train(backbone, *view.batches(first), recipe, view.prepare, extra):
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
            line |= rows.val(looks[epoch][0], watched)
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
        rows.scores(record, dataset["dataset"], "val", choice, looks[chosen])
    rows.scores(record, dataset["dataset"], "test", choice, looks[chosen] if watched == "test" else look("test"))
    for other in (other for other in trial["evaluate_on"] if other != dataset):
        rows.scores(record, other["dataset"], "test", choice, look("test", other))
    row["seconds_evaluate"], row["peak_memory_evaluate"] = evaluating, cost.peak(device)


def _merit(measured: evaluate.Measured) -> tuple[float, float]:
    """What chooses an epoch: Rank-1, then mAP; the earlier epoch wins a tie."""
    return measured.values["R1"], measured.values["mAP"]
