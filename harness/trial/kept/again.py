"""A committed trial's model to be looked at: the kept one, or the trial trained once more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from harness.errors import UserError
from harness.trial import row as columns
from harness.trial import splits
from harness.trial.checkpoint import Checkpoint
from harness.trial.kept.measure import Measuring
from harness.trial.kept.model import Kept
from harness.trial.stages import TrialRun


class _Nothing:
    """Keeps no checkpoints and knows none: the trial is to be trained from its beginning."""

    def due(self, epoch_ends: bool) -> bool:
        return False

    def load(self) -> Checkpoint | None:
        return None

    def save(self, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bool:
        return False


def seen(
    row: Mapping[str, Any], kept: Kept | None, data: Path, report: Callable[[dict], None]
) -> tuple[TrialRun | Measuring, float, np.ndarray]:
    """A committed trial with its chosen weights in place, its Rank-1 on test, and the rank of the first match of each
    caption of the test split [captions], 0 where it has none.

    Args:
        row: Of the table of trials.
        kept: Its model; without it the trial is trained again.
        data: Folder of data sets.
        report: Called with every line of the history.

    Raises:
        UserError: the trial is no result.
    """
    trial = json.loads(row["spec"])
    if trial["selection"] == "test-oracle" or trial.get("phase") == "tuning":
        raise UserError(f"trial {row['id']} is no result: its epoch was chosen on test, or it belongs to a search")
    return _loaded(kept, data) if kept else _trained_again(row, data, report)


def _trained_again(
    row: Mapping[str, Any], data: Path, report: Callable[[dict], None]
) -> tuple[TrialRun, float, np.ndarray]:
    trial = json.loads(row["spec"])
    resolved = {
        "id": row["id"],
        "trial": {**trial, "evaluate_on": []},
        "trained": int(row["trained"]),
        "hashes": {"code": row["code_hash"], "data": row["data_hash"], "backbone": row["backbone_hash"]},
    }
    record = columns.Growing({"id": row["id"]})
    run = TrialRun(resolved, data, record, report, lambda: False, _Nothing())
    run.go()
    home = [s for s in record.scores if (s["split"], s["direction"], s["metric"]) == ("test", "t2i", "R1")]
    split = splits.part(run.trial["dataset"], data, "test", run.source).split
    first = np.zeros(len(split.captions), dtype=int)
    for query in record.queries:
        if query["direction"] == "t2i":
            first[query["query"]] = query["ranks"][0]
    return run, float(home[0]["value"]), first


def _loaded(kept: Kept, data: Path) -> tuple[Measuring, float, np.ndarray]:
    measuring = Measuring(kept, data)
    home = kept.trial["dataset"]
    found = measuring.evaluate(home)[0]
    first = np.zeros(len(splits.part(home, data, "test", measuring.source).split.captions), dtype=int)
    first[found.records["query"]] = found.records["first"]
    rank1 = found.values["R1"]
    assert rank1 is not None  # it is defined in every gallery
    return measuring, rank1, first
