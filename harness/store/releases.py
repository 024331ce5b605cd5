"""Under which minor releases of the packages that arithmetic depends on the rows of trials were measured."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("torch", "pillow")


def minor(version: str) -> str:
    """The first two numbers of a version: 2.15 of 2.15.1+cpu."""
    return ".".join(version.split("+")[0].split(".")[:2])


def counts(trials: pd.DataFrame) -> dict[str, Counter[str]]:
    """Trials by minor release, for each of `PACKAGES`; those that do not say are left out."""
    rows = [json.loads(text) for text in trials["versions"].dropna()]
    return {package: Counter(minor(row[package]) for row in rows if package in row) for package in PACKAGES}
