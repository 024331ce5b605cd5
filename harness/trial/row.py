"""What a trial writes down: the columns known before it runs, its scores, and the name of a sample that failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import numpy as np

from harness import provenance
from harness.data.split import Split
from harness.errors import DataError
from harness.evaluation import encode
from harness.measured_on import MeasuredOn
from harness.store.store import Record
from harness.trial import splits


@dataclass(frozen=True)
class Growing(Record):
    """A record that is written while its trial runs."""

    trial: dict[str, Any]
    scores: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    queries: list[dict[str, Any]] = field(default_factory=list)


def known(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are known before anything runs."""
    trial, hashes = resolved["trial"], resolved["hashes"]
    commit, dirty = provenance.commit()
    recipe = trial["recipe"]
    return {
        "id": resolved["id"],
        **{key: trial[key] for key in ("label", "options", "seed", "budget", "selection", "device", "threads")},
        "method": PurePath(trial["method"]).stem,
        "dataset": trial["dataset"]["dataset"],
        "dataset_options": trial["dataset"]["options"],
        "val_source": splits.val_source(trial["dataset"]),
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
        "phase": trial.get("phase"),
        "tuned": trial.get("tuned"),
        "hardware": provenance.hardware(trial["device"]),
        "commit": commit,
        "dirty": dirty,
        "versions": provenance.versions(),
        "started": datetime.now(UTC),
        "release": provenance.release(),
    }


def certain(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are known of a trial that failed, perhaps since they could not all be told."""
    try:
        return known(resolved)
    except Exception:
        return {}


def val(measured: encode.Measured, watched: str) -> dict[str, float | None]:
    """What the history keeps of a look at val."""
    return {f"val_{m}": measured.values[m] for m in ("R1", "mAP")} if watched == "val" else {}


def scores(record: Growing, on: MeasuredOn, choice: str, both: tuple[encode.Measured, encode.Measured]) -> None:
    """Take both directions of one split into the record, and every query where the split is test."""
    for direction, measured in zip(("t2i", "i2t"), both, strict=True):
        sizes = {"queries": measured.queries, "gallery": measured.gallery, "unmatched": measured.unmatched}
        place = {"dataset": on.text, "split": on.split, "direction": direction}
        record.scores.extend(
            {**place, "choice": choice, "metric": metric, "value": value, **sizes}
            for metric, value in measured.values.items()
        )
        if on.split == "test":
            columns = {name: values.tolist() for name, values in measured.records.items()}
            if direction == "t2i":  # the rest follows from the ranks, and is computed when results are read
                ends = np.cumsum(measured.records["positives"])
                columns = {name: columns[name] for name in ("query", "person", "positives")}
                columns["ranks"] = np.split(measured.ranks, ends[:-1])
            record.queries.extend(
                {**place, **dict(zip(columns, values, strict=True))} for values in zip(*columns.values(), strict=True)
            )


def named(error: DataError, dataset: str, part: str, split: Split) -> DataError:
    """The error of a ranking with the data set, the split and the sample: an image's path or a caption's text."""
    where = str(error.where or "")
    sample = re.fullmatch(r"(query|gallery) row (\d+)", where)
    if sample:
        # Text to image is ranked first, and there the captions are the queries.
        row = int(sample[2])
        image = sample[1] == "gallery"
        where = f"image {row} {split.images[row]}" if image else f"caption {row} '{split.captions[row][:60]}'"
    return DataError(error.what, f"{dataset} {part}" + (f", {where}" if where else ""), error.expected)
