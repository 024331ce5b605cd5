"""Does a trial whose loss is no number end as `diverged`, with a row, and not as a crash?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.benchmark.doctor._line import BAD, OK, Line, Setting
from harness.store.store import Store
from harness.trial import run
from harness.trial.resolve import resolve
from harness.trial.spec import Trial, recipe


def check(setting: Setting) -> Iterator[Line]:
    """A whole trial on drawn images, once with a learning rate that nothing survives and once with a usual one."""
    with tempfile.TemporaryDirectory(prefix="upbench-doctor-") as folder:
        for rate, expected in ((1e30, "diverged"), (1e-4, "ok")):
            values = {
                "method": "full", "options": {}, "label": "full", "budget": None,
                "dataset": {"dataset": "synth_cuhk", "options": {"size": "tiny"}},
                "backbone": {"name": "tiny"},
                "recipe": recipe({"name": "short", "epochs": 1, "batch": 32, "lr": rate, "warmup_epochs": 0}),
                "selection": "val", "evaluate_on": (), "seed": 0, "device": setting.device.type, "threads": 1,
            }  # fmt: skip
            trial = Trial.model_validate(values)
            resolved = resolve(trial, Path(folder))
            store = Store(Path(folder) / "store")
            status = run.run(resolved.as_dict(), store.root, Path(folder))
            yield Line(f"a trial with learning rate {rate:g}", status, expected, OK if status == expected else BAD)
