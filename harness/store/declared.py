"""What a study says of trials that may belong to several studies."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from harness.store import schema

# The same trial may have two names, and be written by hand in one study and chosen by a search in another.
OWN = ("label", "budget", "tuned")


def results(trials: list[dict]) -> list[dict]:
    """The declared trials without those of a search, whose numbers no table or figure may show as results."""
    return [trial for trial in trials if trial.get("phase") != "tuning"]


def named(table: pa.Table, declared: Mapping[str, Mapping]) -> pa.Table:
    """The table of trials with the columns that are the study's own as it declares them."""
    for name in OWN:
        pairs = zip(table["id"].to_pylist(), table[name].to_pylist(), strict=True)
        here = [declared[ident].get(name, own) for ident, own in pairs]
        here = [json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for value in here]
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.field(index), pa.array(here, schema.TEXT))
    return table


def why(trial: Mapping, reason: str) -> str:
    """Why a declared trial is missing."""
    return "waits for its search" if trial.get("phase") == "waiting" else reason
