"""A kept model measured on a further data set: the rows that `evaluate_on` would have given, and nothing trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from harness import provenance
from harness.errors import DataError, EnvironmentFault, Preempted
from harness.measured_on import MeasuredOn
from harness.model.clip import Backbone
from harness.model.weights import Source
from harness.store import later
from harness.store.store import Store
from harness.training.recipe import Recipe
from harness.trial import resolve, splits
from harness.trial import row as columns
from harness.trial.kept import model
from harness.trial.kept.attached import source_of
from harness.trial.loader import Loader, Seen
from harness.trial.selection import Evaluation
from harness.trial.stages import CHOICE


class Measuring:
    """A trial's trained backbone, and how the trial saw its data.

    Args:
        kept: The trial with what it trained.
        data: Folder of data sets.

    Raises:
        EnvironmentFault: as `model.applied`.
    """

    def __init__(self, kept: model.Kept, data: Path) -> None:
        self.kept, self.trial, self.data = kept, kept.trial, data
        torch.set_num_threads(self.trial["threads"])
        self.source: Source = source_of(self.trial)
        self.backbone: Backbone = model.applied(kept)
        self.device = torch.device(self.trial["device"])
        recipe = Recipe(**self.trial["recipe"])
        self.loader = Loader(self.source, recipe, self.trial["seed"], self.device, data / ".cache" / "features")
        self.seen: Seen = {}

    def measures(self, kept: model.Kept, data: Path) -> bool:
        """Whether it is the same model, bit for bit, of the same trial on the same data."""
        here = self.kept
        alike = (here.row["id"], here.trial, here.about, self.data) == (kept.row["id"], kept.trial, kept.about, data)
        same = here.tensors.keys() == kept.tensors.keys()
        return alike and same and all(torch.equal(value, kept.tensors[name]) for name, value in here.tensors.items())

    def evaluate(self, dataset: Mapping[str, Any], split: str = "test") -> Evaluation:
        """Both directions on a split of `{dataset: name, options: {...}}`."""
        part = splits.part(dataset, self.data, split, self.source)
        try:
            return self.loader.evaluate(self.backbone, part, self.seen)
        except DataError as error:
            raise columns.named(error, dataset["dataset"], split, part.split) from error


_last: list[Measuring] = []  # one model is measured on many data sets in a row; at most one is held


def _measuring(kept: model.Kept, data: Path) -> Measuring:
    if not (_last and _last[0].measures(kept, data)):
        _last.clear()  # its memory goes before the next one's comes
        _last.append(Measuring(kept, data))
    return _last[0]


def run(
    resolved: Mapping[str, Any],
    store: str | Path,
    data: str | Path,
    report: Callable[[dict[str, Any]], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
) -> str:
    """Measure one trial on one data set and commit what was measured; the status is `ok`.

    Args:
        resolved: As `asked` gives it.
        store, data, report, stop: As for `harness.trial.run.run`.

    Raises:
        UserError and its kin: the model, its backbone or the data cannot be used; nothing is committed.
        Preempted: `stop()` was true.
    """
    began = time.perf_counter()
    results, of = Store(store), resolved["measures"]
    kept = model.read(results, of["trial"])
    measuring = _measuring(kept, Path(data))
    code = resolve.code(kept.trial)
    if code != kept.row["code_hash"]:
        same(results, kept, measuring.evaluate(kept.trial["dataset"]))
    if stop():
        raise Preempted(f"trial {of['trial']} is not measured on {of['measured_on']} yet")
    evaluating = time.perf_counter()
    evaluation = measuring.evaluate(of["dataset"])
    commit, dirty = provenance.commit()
    record = columns.Growing(
        {
            **{key: kept.row[key] for key in ("label", "method", "options", "backbone", "backbone_hash", "selection")},
            **{key: int(kept.row[key]) for key in ("seed", "trained", "total", "chosen_epoch")},
            "id": resolved["id"],
            "dataset": kept.row["dataset"],
            "status": "ok",
            "phase": later.PHASE,
            "spec": {**of, "measured_of": kept.trial},
            "data_hash": splits.identity(of["dataset"], data),
            "code_hash": code,
            "device": kept.trial["device"],
            "threads": kept.trial["threads"],
            "hardware": provenance.hardware(kept.trial["device"]),
            "commit": commit,
            "dirty": dirty,
            "versions": provenance.versions(),
            "release": provenance.release(),
            "started": datetime.now(UTC),
            "seconds_evaluate": time.perf_counter() - evaluating,
            "features_cached": measuring.loader.cached,
        }
    )
    columns.scores(record, MeasuredOn.of(of["dataset"]), CHOICE[kept.trial["selection"]], evaluation)
    record.trial["seconds_total"] = time.perf_counter() - began
    results.commit(record, resolved.get("claim"))
    return "ok"


def same(results: Store, kept: model.Kept, found: Evaluation) -> None:
    """Refuse a model that measures something else than was committed of its trial, on its own test split.

    Raises:
        EnvironmentFault: both Rank-1 are told.
    """
    rows = results.measured([kept.row["id"]], ("scores",))["scores"]
    home = MeasuredOn.of(kept.trial["dataset"]).text
    rows = rows[(rows["dataset"] == home) & (rows["split"] == "test") & (rows["direction"] == "t2i")]
    committed = rows.set_index("metric")["value"]
    for metric in ("R1", "mAP"):
        here = found[0].values[metric]
        if here is None or round(here, 9) != round(committed[metric], 9):
            raise EnvironmentFault(
                f"the kept model of trial {kept.row['id']} gives {metric} {here:.4f} on its own test split, "
                f"but {committed[metric]:.4f} is committed",
                expected=f"the code, releases and hardware that it was measured with: commit {kept.row['commit']}, "
                f"{kept.row['hardware']}",
                kept="the results as they are",
            )


def asked(row: Mapping[str, Any], trial: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What an executor runs: a committed trial, measured on a data set.

    Args:
        row: Of the trial.
        trial: Its resolved values.
        dataset: `{dataset: name, options: {...}}`.
    """
    on = MeasuredOn.of(dataset).text
    return {
        "id": later.name(row["id"], on),
        "status": "ready",
        "trained": 0,  # nothing is
        "trial": {**trial, "label": f"{row['label']} on {dataset['dataset']}"},
        "measures": {"trial": row["id"], "dataset": dict(dataset), "measured_on": on},
    }
