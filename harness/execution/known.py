"""What a method costs by what is known without measuring: a kept probe, a trial of the store, or the doctor's steps.

The first of these that tells it is taken. Of the doctor's file only what was measured on this very hardware counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import provenance
from harness.errors import UserError
from harness.execution import estimate, pilot
from harness.execution.pilot import Probe
from harness.model.weights import pixels
from harness.store.store import Store
from harness.trial.kept.attached import source_of

Row = Mapping[str, Any]


class Doctor:
    """The file of `upbench doctor --out`.

    Attributes:
        path: Where.
        hardware: What it was measured on.

    Raises:
        UserError: it cannot be read, or is no such file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.hardware = str(found["hardware"])
            self._figures = [line["figures"] for line in found["lines"] if line.get("figures")]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a file of upbench doctor"
            raise UserError(f"{why}", self.path, "what `upbench doctor --out FILE` wrote, of this release") from None

    def probe(self, row: Row) -> Probe | None:
        """Of a trial's method with its batch; None where the doctor did not measure it.

        Options and losses were the default ones; a step of another batch is scaled by pairs.
        """
        trial, recipe = row["trial"], row["trial"]["recipe"]
        if provenance.hardware(trial["device"]) != self.hardware:
            return None
        source = source_of(trial)
        own = {"backbone": source.name, "image": list(pixels(source)["size"])}
        here = [each for each in self._figures if all(each.get(key) == value for key, value in own.items())]
        encoding = {each["encoded"]: each["seconds"] for each in here if "encoded" in each}
        if len(encoding) < 2:
            return None
        looks = encoding["images"], encoding["captions"]
        if not row["trained"] or not recipe["epochs"]:
            return Probe(0.0, (0.0, 0.0, 0.0), *looks, None)
        steps = [each for each in here if each.get("method") == trial["method"]]
        if not steps or recipe["checkpointing"] or recipe["precision"] != "auto":
            return None
        near = min(steps, key=lambda each: abs(math.log(each["batch"] / recipe["batch"])))
        seconds = near["seconds"] * recipe["batch"] / near["batch"]
        scaled = None if near["batch"] == recipe["batch"] else near["batch"]
        return Probe(0.0, (seconds, seconds, seconds), *looks, None, scaled)


def probes(
    rows: Sequence[Row], done: Sequence[Row], data: str | Path, store: Store, doctor: Doctor
) -> dict[str, tuple[Probe, str]]:
    """By method, as `estimate.largest` tells them apart, what it costs and where that is from; of those alone of which
    it is known.

    Args:
        rows: Resolved trials, of which some are to run.
        done: Those that are committed.
        data: Folder of data sets, with the kept probes.
        store: Where the committed trials are.
        doctor: What was measured without a study.
    """
    measured = dict(_trials(done, data, store))
    found: dict[str, tuple[Probe, str]] = {}
    for key, row in estimate.largest(rows).items():
        if (kept := pilot.kept(row, data)) is not None:
            found[key] = kept, "a kept probe"
        elif key in measured:
            found[key] = measured[key], "a trial of the store"
        elif (told := doctor.probe(row)) is not None:
            found[key] = told, f"upbench doctor ({doctor.path}, {doctor.hardware}; default options and losses)"
    return found


def _trials(done: Sequence[Row], data: str | Path, store: Store) -> Iterator[tuple[str, Probe]]:
    """What committed trials took that ran on this hardware; its looks are shared among all that was encoded."""
    rows = {row["id"]: row for row in done}
    trials = store.measured(rows, ("trials",))["trials"]
    whole = trials[(trials["status"] == "ok") & trials["seconds_evaluate"].notna() & trials["seconds_total"].notna()]
    for each in whole.to_dict("records"):
        row = rows[each["id"]]
        if each["hardware"] != provenance.hardware(row["trial"]["device"]):
            continue
        step, train, looking = (
            0.0 if math.isnan(each[name]) else float(each[name])
            for name in ("step_seconds", "seconds_train", "seconds_evaluate")
        )
        one = looking / max(1, sum(estimate.encoded(row["trial"], data)))
        begin = max(0.0, each["seconds_total"] - train - looking)
        peak = each["peak_memory_train"]
        yield estimate.method(row), Probe(begin, (step, step, step), one, one, None if math.isnan(peak) else int(peak))
