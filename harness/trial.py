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

from harness import budget, drift, heads, material, memory, provenance, registry, rows, trip
from harness.checkpoint import Checkpoints, Keeper
from harness.clip import Shape
from harness.errors import Preempted, UserError
from harness.method import make, written_out
from harness.recipe import Recipe
from harness.spec import Entry, Trial
from harness.store import NewerSchema, Record, Store
from harness.train import Diverged
from harness.weights import Source, shape
from harness.weights import identity as backbone_identity


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
    extra = _heads(document, shape(source), data)
    if extra:
        document["heads"] = extra
    used = [document["dataset"], *document["evaluate_on"]]
    members = getattr(method, "members", ())
    named = tuple(name.split("#")[0] for name in members) if isinstance(members, dict) else ()
    hashes = {
        "code": provenance.code(trial.method, named, ("heads", "interaction") if extra else ()),
        "data": hashlib.sha256("".join(material.identity(d, data) for d in used).encode()).hexdigest()[:16],
        "backbone": backbone_identity(source),
    }
    # A value is the same whether it was chosen or written; what its search took decides nothing.
    decides = {k: v for k, v in document.items() if k not in ("label", "budget", "tuned")}
    if not trial.phase:
        del decides["phase"]
    # Parts of a batch have its gradients, up to rounding: a machine with less memory runs the same trial.
    decides["recipe"] = {k: v for k, v in document["recipe"].items() if k != "micro_batch"}
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


def _heads(document: Mapping[str, Any], sizes: Shape, data: str | Path) -> dict[str, int]:
    """Parameters by head; the budget is the method's alone, since heads are thrown away after training."""
    if document["recipe"]["name"] == "none":
        return {}
    identities = len(material.splits(document["dataset"], data)["train"].persons)
    recipe = document["recipe"]
    return heads.parameters(
        recipe["losses"], sizes.image.embed, identities, sizes.text.vocabulary, recipe["interaction"]
    )


def run(
    resolved: Mapping[str, Any],
    store: str | Path,
    data: str | Path,
    report: Callable[[dict], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint_every: float = 600.0,
) -> str:
    """Run one trial, from its checkpoint if it has one, and commit its row; the status is `ok`, `infeasible`,
    `diverged`, `oom` or `failed`.

    A trial that fails is committed with its status and the reason, and without numbers.

    Args:
        resolved: `Resolved.as_dict()`.
        store: Where its row and its checkpoints go.
        data: Folder of data sets.
        report: Gets every line of the history, and notices for the user.
        stop: Asked at every step and between evaluations, and cheap.
        checkpoint_every: Seconds between two checkpoints within an epoch.

    Raises:
        Preempted: `stop()` was true; the state is kept and nothing is committed.
        drift.Drift: the checkpoint was made under other conditions; nothing is touched.
    """
    began = time.perf_counter()
    store = Store(store)
    record = Record(trial=rows.known(resolved), scores=[], history=[], queries=[])
    row, error = record.trial, None
    checkpoints = Checkpoints(store.local, resolved["id"])
    keeper = Keeper(checkpoints, checkpoint_every, lambda text: report({"event": "notice", "text": text}))
    way = trip.Trip(resolved, Path(data), record, report, stop, keeper)
    try:
        if resolved["status"] == "infeasible":
            row |= {"status": "infeasible", "reason": resolved["reason"], "trained": None, "share": None, "total": None}
        else:
            way.go()
    except (Preempted, drift.Drift, NewerSchema):
        raise
    except Diverged as fault:
        error = ("diverged", fault)
    except Exception as fault:
        error = ("oom" if memory.exhausted(fault) else "failed", fault)
    if error:
        status, fault = error
        reason = " ".join(str(fault).split())[:500] or type(fault).__name__
        kind = "" if isinstance(fault, UserError) else f"{type(fault).__name__}: "
        if samples := getattr(fault, "samples", ()):
            reason += f"; captions of its batch: {' '.join(map(str, samples))}"
        record = Record(
            trial={
                **rows.known(resolved),
                **{"status": status, "reason": kind + reason, "resumes": way.resumes},
                **(way.memory if status == "oom" else {}),
            },
            history=record.history,
        )
    record.trial["seconds_total"] = way.before + time.perf_counter() - began
    try:
        store.commit(record, resolved.get("claim"))
    except (KeyboardInterrupt, OSError):
        if not error:
            way.save()
        raise
    checkpoints.remove()
    return record.trial["status"]
