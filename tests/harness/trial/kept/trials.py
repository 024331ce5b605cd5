"""Small real trials of several methods, each trained once and committed with its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.store.store import Store
from harness.trial import run as running
from harness.trial.resolve import Resolved, resolve
from harness.trial.spec import Trial, recipe

DATA = {"dataset": "synth_cuhk", "options": {"size": "tiny", "identities": 8}}
SHORT = {"name": "short", "epochs": 1, "batch": 16}
# The second one has a head, and chooses an epoch that is not its last.
CHANGES: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "selection": "last"},
    "chosen": {"method": "lora", "recipe": {"losses": ("sdm", "id"), "lr": 0.03, "epochs": 3}},
    "parallel": {"method": "adapter", "options": {"form": "parallel"}, "selection": "last"},
    "prefix": {"method": "prefix", "selection": "last"},
    "vera": {"method": "vera", "selection": "last"},
    "pissa": {"method": "pissa", "selection": "last"},
    "full": {"method": "full", "selection": "last", "keep": "all"},
    "zero_shot": {"method": "zero_shot", "keep": "all"},
}


def make(**changes: Any) -> Trial:
    """A trial that differs from the usual one in these values; those of the recipe are laid over it."""
    values = {
        **{"method": "lora", "options": {}, "label": "a", "budget": None, "dataset": DATA, "evaluate_on": ()},
        **{"backbone": {"name": "tiny"}, "selection": "val", "seed": 0, "device": "cpu", "threads": 1},
        **changes,
    }
    return Trial(**{**values, "recipe": recipe({**SHORT, **changes.get("recipe", {})})})


def trained(trial: Trial, store: Store, data: Path) -> Resolved:
    """The trial, run and committed."""
    resolved = resolve(trial, data)
    assert running.run(resolved.as_dict(), store.root, data) == "ok"
    return resolved


def declared(resolved: Resolved) -> dict[str, Any]:
    """As a study declares it."""
    trial = resolved.trial
    shown = {key: trial[key] for key in ("label", "method", "budget", "seed")}
    return {"id": resolved.id, **shown, "dataset": trial["dataset"]["dataset"], "trial": trial}
