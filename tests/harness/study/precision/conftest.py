"""A small study whose number of seeds is found, laid out and run with trials that cost nothing."""

from __future__ import annotations

import pytest

from harness.store.store import Store
from harness.study.precision import further
from harness.study.reading import load
from tests.harness.study.conftest import fake_run

STUDY = """
name: s
backbone: tiny
datasets: [synth_cuhk]
methods: [zero_shot, full, lora]
budgets: [1%]
seeds: {first: 5, width: 1.0, most: 12}
recipe: {name: short, epochs: 2}
"""
DIFFERENCE = STUDY.replace("most: 12", "most: 12, of: difference, to: full")
NOISE = (0.3, -1.1, 0.7, 1.2, -0.4, 0.1, -0.9, 1.6, -1.3, 0.5, 0.2, -0.2)  # by seed
T4 = 2.7764451051977987  # Student's t, 4 degrees of freedom, 97.5 %


def noisy(scale: float, more: float = 0.0):
    """A score that depends on the seed; what all methods share is in it with `more`."""
    return lambda document: 50 + scale * NOISE[document["seed"]] + more * (document["seed"] ** 2 % 7)


@pytest.fixture
def lay(tmp_path, fakes):
    def write(text: str = STUDY):
        (tmp_path / "s.yaml").write_text(text)
        study = load(tmp_path / "s.yaml")
        return further.lay_out(study, tmp_path, Store(tmp_path / "store"))

    def run(text: str = STUDY, rounds: int = 1):
        for _ in range(rounds):
            store = Store(tmp_path / "store")
            laid = write(text)
            done = store.done(row["id"] for row in laid.trials)
            for row in laid.trials:
                if row["id"] not in done and row["status"] != "waiting":
                    fake_run(row, store.root, tmp_path, print)
        return write(text)

    write.run = run
    return write
