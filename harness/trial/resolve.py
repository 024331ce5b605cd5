"""A trial with nothing left open: its budget solved, its defaults written out, and the id that names its result."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness import registry
from harness.adaptation import budget, carried
from harness.adaptation.method import Method, make, written_out
from harness.errors import UserError
from harness.model.clip import Shape
from harness.model.weights import Source, shape
from harness.model.weights import identity as backbone_identity
from harness.training import heads
from harness.training.recipe import Recipe
from harness.trial import identity, splits
from harness.trial.kept.attached import source_of
from harness.trial.spec import Trial


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


def check(method: str, options: Mapping[str, Any]) -> list[str]:
    """Faults of a method's options in a study."""
    try:
        make(registry.find("methods", method), options)
    except UserError as error:
        return [str(error)]
    return []


def resolve(trial: Trial, data: str | Path) -> Resolved:
    """Solve the budget, write every default out, and name the trial by what decides its result."""
    source = Source(**dict(trial.backbone))
    module, options = registry.find("methods", trial.method), json.dumps(trial.options, sort_keys=True)
    sizes, trained_before = shape(source), carried.of(source)
    method, target, solution = _solved(module, options, sizes, trial.budget, trial.recipe.batch)
    carried.refuse(source, trained_before, Path(trial.method).stem, method, sizes)
    document = trial.as_dict()
    document["options"] = written_out(solution.method)
    document["budget"] = trial.budget if target else None
    document["device"] = trial.device
    if trial.device == "auto":
        document["device"] = "cuda" if torch.cuda.is_available() else "cpu"
    if not solution.trained:
        document |= {"seed": 0, "recipe": Recipe(name="none", epochs=0).model_dump(mode="json")}
    extra = _heads(document, sizes, data)
    if extra:
        document["heads"] = extra
    used = [document["dataset"], *document["evaluate_on"]]
    hashes = {
        "code": _code(document, method, source),
        "data": hashlib.sha256("".join(splits.identity(d, data) for d in used).encode()).hexdigest()[:16],
        "backbone": backbone_identity(source),
    }
    # A value is the same whether it was chosen or written; what its search took decides nothing.
    decides = {k: v for k, v in document.items() if k not in ("label", "budget", "tuned", "keep")}
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
    total += carried.added(trained_before, sizes)
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


@functools.lru_cache(maxsize=1024)  # seeds, data sets and rates of a cell have one answer
def _solved(
    module: Any, options: str, sizes: Shape, text: str | None, batch: int
) -> tuple[Method, budget.Budget | None, budget.Solution]:
    method = make(module, json.loads(options))
    target = budget.parse(text) if text and method.turns else None
    return method, target, budget.solve(method, sizes, target, batch)


def code(document: Mapping[str, Any]) -> str:
    """Hash of the code that decides a resolved trial, as it is here."""
    return _code(document, make(registry.find("methods", document["method"]), document["options"]), source_of(document))


def _code(document: Mapping[str, Any], method: Method, source: Source) -> str:
    _, *members = carried.made_of(document["method"], method)
    parts = tuple(members)
    parts += carried.names(carried.of(source))
    names = tuple(of["dataset"] for of in (document["dataset"], *document["evaluate_on"]))
    return identity.code(document["method"], parts, names, tuple(document["recipe"]["losses"]))


def _heads(document: Mapping[str, Any], sizes: Shape, data: str | Path) -> dict[str, int]:
    """Parameters by head; the budget is the method's alone, since heads are thrown away after training."""
    if document["recipe"]["name"] == "none":
        return {}
    identities = len(splits.splits(document["dataset"], data)["train"].persons)
    recipe = document["recipe"]
    return heads.parameters(
        recipe["losses"], sizes.image.embed, identities, sizes.text.vocabulary, recipe["interaction"]
    )
