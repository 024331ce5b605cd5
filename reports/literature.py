"""Published numbers, each with its source; shown beside measurements, never mixed into statistics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.errors import DataError

FILE = Path(__file__).resolve().parents[1] / "results" / "literature.csv"

COLUMNS = (
    "table", "method", "backbone", "tuning", "trainable", "dataset", "R1", "R5", "R10", "mAP", "mINP", "source",
    "certainty", "note",
)  # fmt: skip
CERTAINTY = ("paper", "second hand", "computed")


def load(path: Path | str = FILE) -> pd.DataFrame:
    """The rows of `literature.csv` (columns: `results/README.md`); empty where the file is not installed.

    Raises:
        DataError: a column is missing, or a row has an unknown certainty.
    """
    path = Path(path)
    if not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.read_csv(path, dtype={c: str for c in COLUMNS if c[0] not in "Rm" or c == "method"})
    if absent := [c for c in COLUMNS if c not in frame]:
        raise DataError(f"no column '{absent[0]}'", where=path, expected=", ".join(COLUMNS))
    for line, value in enumerate(frame["certainty"], start=2):
        if value not in CERTAINTY:
            raise DataError(f"unknown certainty '{value}'", where=f"{path}:{line}", expected=" | ".join(CERTAINTY))
    frame["trainable"] = pd.to_numeric(frame["trainable"])
    return frame
