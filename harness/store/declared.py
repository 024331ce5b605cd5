"""What a study says of its trials: names that are its own, phases, how far it has come."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence

import pyarrow as pa

from harness.store import schema
from harness.store.record import Partial

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


def phases(study: Mapping, missing: Container[str]) -> dict[str, dict[str, int]]:
    """The phases of a study: search and main; where the number of seeds is found, main again as pilot and further.

    Args:
        study: Its declaration.
        missing: Ids of the trials that are not committed.

    Returns:
        Of each phase how many trials are `declared`, `done`, `waiting` for the search, and `open`: of cells that may
        grow.
    """
    main = results(study["trials"])
    found = {"search": [trial for trial in study["trials"] if trial.get("phase") == "tuning"], "main": main}
    seeds = (study.get("study") or {}).get("seeds")
    if isinstance(seeds, dict):
        found["pilot"] = [trial for trial in main if trial["seed"] < seeds["first"]]
        found["further"] = [trial for trial in main if trial["seed"] >= seeds["first"]]
    return {name: _phase(own, missing) for name, own in found.items()}


def _phase(own: Sequence[Mapping], missing: Container[str]) -> dict[str, int]:
    return {
        "declared": len(own),
        "done": sum(trial["id"] not in missing for trial in own),
        "waiting": sum(trial.get("phase") == "waiting" for trial in own),
        "open": sum(trial.get("phase") in ("waiting", "pilot") for trial in own),
    }


def partial(study: Mapping, missing: Container[str]) -> Partial | None:
    """How far a study has come, as `phases`; None where it is complete."""
    found = phases(study, missing)
    search, main = found["search"], found["main"]
    of, done = (search[name] + main[name] for name in ("declared", "done"))
    if done == of and not main["open"]:
        return None
    if "pilot" in found:
        found.pop("main")
    kept = {n: p for n, p in found.items() if p["declared"] or (n == "further" and main["open"])}
    return Partial(done, of, main["open"] > 0, kept)


def compared(ours: Mapping, theirs: Mapping, committed: Container[str]) -> str:
    """Of two declarations of one name: "same", ours stays; "added", theirs is further on; or "conflict".

    One study is declared again as it goes on, when its search has chosen and its pilots have asked. The one further on
    has every trial of the other that is committed, or it is another study.
    """
    if ours["study"] != theirs["study"]:
        return "conflict"
    behind, ahead = (ours, theirs) if _extent(ours) < _extent(theirs) else (theirs, ours)
    known = {trial["id"] for trial in ahead["trials"]}
    if any(trial["id"] in committed and trial["id"] not in known for trial in behind["trials"]):
        return "conflict"
    return "added" if ahead is theirs else "same"


def _extent(study: Mapping) -> tuple[int, int, int]:
    stages = [trial.get("phase") for trial in study["trials"]]
    waiting = stages.count("waiting")
    return -waiting, len(stages) - waiting, -stages.count("pilot")
