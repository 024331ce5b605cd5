"""Numbers that others published, by data set: shown as theirs, never as measured here, and in no comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

TABLES = ("main", "state of the art")  # of the literature: whole data sets, trained and tested on the same one
SCORES = ("R1", "R5", "R10", "mAP")


@dataclass(frozen=True)
class Published:
    """A published row; None where the source gives no number."""

    method: str
    backbone: str | None
    trained: float | None  # parameters
    scores: Mapping[str, float | None]  # percent
    source: str
    certainty: str
    note: str | None
    listed: str  # table of the literature


def published(literature: pd.DataFrame) -> dict[str, list[Published]]:
    """Rows of each data set, the highest Rank-1 first and those without one last.

    What two tables of the literature give alike stands once, with the paper itself as its source where that was read.
    """
    made: dict[str, list[Published]] = {}
    seen = set()
    lines = literature[literature["table"].isin(TABLES)].to_dict("records")
    for line in sorted(lines, key=lambda line: line["certainty"] != "paper"):
        scores = {name: _known(line[name]) for name in SCORES}
        key = (line["dataset"], line["method"], _known(line["backbone"]), *scores.values())
        if key in seen:
            continue
        seen.add(key)
        made.setdefault(line["dataset"], []).append(
            Published(
                line["method"], _known(line["backbone"]), _known(line["trainable"]), scores,
                line["source"], line["certainty"], _known(line["note"]), line["table"],
            )
        )  # fmt: skip
    for rows in made.values():
        rows.sort(key=lambda row: -1.0 if (score := row.scores["R1"]) is None else score, reverse=True)
    return made


def _known(value: Any) -> Any:
    return None if pd.isna(value) else value
