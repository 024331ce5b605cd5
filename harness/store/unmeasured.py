"""The row of a trial without numbers: what is known of it and why it has none, whatever its values were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from harness.errors import UserError
from harness.store import schema

MOST = 500  # characters of a reason
LARGEST = 2**63 - 1  # in a column of whole numbers


def why(fault: BaseException) -> str:
    """A fault in one line, with its kind unless it was written for people."""
    text = " ".join(str(fault).split())[:MOST] or type(fault).__name__
    return text if isinstance(fault, UserError) else f"{type(fault).__name__}: {text}"


def row(
    resolved: Mapping[str, Any], status: str, reason: str, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A row that can be committed.

    What a column cannot hold is left out; of a seed, which every row has, the nearest is taken. `spec` has all of it.

    Args:
        resolved: The trial, with as much as is known of it.
        status: One of `schema.STATUSES`.
        reason: In one line.
        known: Further columns.
    """
    trial = resolved.get("trial") or {}
    recipe, dataset = (_mapping(trial.get(name)) for name in ("recipe", "dataset"))
    seed = trial.get("seed", 0)
    told = {
        **{name: trial.get(name) for name in ("options", "budget", "selection", "device", "threads", "phase", "tuned")},
        **{"dataset_options": dataset.get("options"), "budget_parameters": resolved.get("target")},
        **{name: resolved.get(name) for name in ("trained", "total", "share")},
        **{name: recipe.get(name) for name in ("epochs", "batch", "lr")},
        **{"recipe": recipe or None, **(known or {})},
    }
    fits = {name: value for name, value in told.items() if schema.holds("trials", name, value)}
    return fits | {
        "id": resolved["id"],
        "label": str(trial.get("label", "")),
        "method": PurePath(str(trial.get("method", ""))).stem,
        "dataset": str(dataset.get("dataset", "")),
        "seed": max(0, min(seed, LARGEST)) if isinstance(seed, int) else 0,
        "spec": trial if schema.holds("trials", "spec", trial) else repr(trial),
        "status": status,
        "reason": " ".join(reason.split()),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
