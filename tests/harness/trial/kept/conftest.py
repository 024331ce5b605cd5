"""The trials of `trials.py`, trained once for all tests of the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.store.store import Store
from harness.trial.resolve import Resolved
from tests.harness.trial.kept.trials import CHANGES, declared, make, trained


@dataclass
class Trained:
    """A store with trials by name, and their data."""

    store: Store
    data: Path
    trials: dict[str, Resolved]


@pytest.fixture(scope="package")
def kept(tmp_path_factory) -> Trained:
    root = tmp_path_factory.mktemp("kept")
    store = Store(root / "store")
    trials = {name: trained(make(**changes), store, root / "data") for name, changes in CHANGES.items()}
    store.declare("s", {}, [declared(one) for one in trials.values()])
    return Trained(store, root / "data", trials)
