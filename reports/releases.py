"""Whether a study's rows were measured under several releases of the packages that their arithmetic depends on."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.store.store import Results

PACKAGES = ("torch", "pillow")


def mixed(results: Results) -> list[str]:
    """One line for each package with trials of more than one minor release; numbers of trials in brackets."""
    rows = [json.loads(text) for text in results.trials["versions"].dropna()]
    found = []
    for package in PACKAGES:
        seen = Counter(".".join(row[package].split("+")[0].split(".")[:2]) for row in rows if package in row)
        if len(seen) > 1:
            parts = ", ".join(f"{release} ({n} trials)" for release, n in sorted(seen.items()))
            found.append(f"measured under several releases of {package}: {parts}")
    return found
