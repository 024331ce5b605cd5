"""What others may rely on: `import upbench`. Inner modules may move; these names stay. `docs/python.md` shows each.

Nothing is loaded before it is asked for, so that `import upbench` costs milliseconds.
"""

from __future__ import annotations

import importlib
from typing import Any

# Name -> the module that it comes from; read as text where the code behind a result is hashed.
OFFERED: dict[str, str] = {
    # for authors of methods
    "Backbone": "harness.model.clip",
    "Shape": "harness.model.clip",
    "Depth": "harness.adaptation.method",
    "Towers": "harness.adaptation.method",
    "blocks": "harness.adaptation.method",
    "layers": "harness.adaptation.method",
    "options": "harness.adaptation.method",
    "scaled_width": "harness.adaptation.method",
    "towers": "harness.adaptation.method",
    # for authors of data sets
    "DataError": "harness.errors",
    "Split": "harness.data.split",
    # for all
    "UserError": "harness.errors",
}

__all__ = sorted(OFFERED)


def __getattr__(name: str) -> Any:
    if name not in OFFERED:
        raise AttributeError(f"module 'upbench' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(OFFERED[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(OFFERED)
