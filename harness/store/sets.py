"""Which data set each row was measured on, by a label that tells it from the others of a study.

On disk `dataset` of scores and queries is the text of a `MeasuredOn`. Up to schema 2 it was the bare name, whatever the
options. Then the trial says which was meant: the data set that it was trained on was measured first, and then those of
`evaluate_on` as they are written, each that is written otherwise. A trial may be of several studies that write one data
set differently, since its id is that of the contents; so the study's declaration has the word, place by place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from harness.measured_on import MeasuredOn, told
from harness.store import schema

Written = Sequence[Mapping[str, Any]]
# What a trial has once for each data set.
KEYS = {"scores": ("split", "choice", "direction", "metric"), "queries": ("split", "direction", "query")}


@dataclass(frozen=True)
class Labelled:
    """Tables with labels as `dataset`.

    Attributes:
        tables: By name, as they came in.
        homes: Id of a declared trial -> label of what it was trained on.
        measured_on: What each label stands for.
    """

    tables: dict[str, pa.Table]
    homes: dict[str, str]
    measured_on: dict[str, MeasuredOn]


def labelled(found: Mapping[str, pa.Table], declared: Mapping[str, Mapping[str, Any]]) -> Labelled:
    """Tables of trials as read, with labels in the place of names and texts; `declared` are the trials by id."""
    written, reads = _reads(found, declared)
    homes = {
        ident: MeasuredOn.of(some[0]) if some else MeasuredOn.parse(str(declared[ident]["dataset"]))
        for ident, some in written.items()
    }
    every = {MeasuredOn.of(of) for some in written.values() for of in some}
    every |= {on for read in reads.values() for on in read.each}
    label = told(sorted({*homes.values(), *every}, key=lambda on: on.text))
    tables = {**found, **{n: _with(found[n], read.codes, [label[on] for on in read.each]) for n, read in reads.items()}}
    idents = found["trials"]["id"].to_pylist()
    tables["trials"] = _with(found["trials"], np.arange(len(idents)), [label[homes[i]] for i in idents])
    return Labelled(tables, {i: label[on] for i, on in homes.items()}, {text: on for on, text in label.items()})


def spoken(found: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Tables of trials as read, with the whole text as `dataset` of scores and queries, of whatever schema they are."""
    idents = found["trials"]["id"].to_pylist()
    _, reads = _reads(found, {ident: {} for ident in idents})
    return {**found, **{n: _with(found[n], read.codes, [on.text for on in read.each]) for n, read in reads.items()}}


def _reads(
    found: Mapping[str, pa.Table], declared: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Written], dict[str, _Read]]:
    """What trials are measured on as it is written, by id; and of scores and queries what their rows were."""
    idents = found["trials"]["id"].to_pylist()
    specs = dict(zip(idents, found["trials"]["spec"].to_pylist(), strict=True))
    written = {ident: _written(trial.get("trial")) or _own(specs, ident) for ident, trial in declared.items()}
    # Scores are few: they tell whose queries have to be looked at row by row.
    scores = _read(found["scores"], KEYS["scores"], written, specs)
    queries = _read(found["queries"], KEYS["queries"], written, specs, scores.doubled if len(scores.codes) else None)
    return written, {"scores": scores, "queries": queries}


@dataclass(frozen=True)
class _Read:
    """What the rows of a table were measured on: `each` by `codes` [rows], -1 for a row that only repeats another."""

    codes: np.ndarray
    each: list[MeasuredOn]
    doubled: set[tuple[str, str]]  # trial and text under which it has several rows of one key


def _read(
    table: pa.Table, key: Sequence[str], written: Mapping[str, Written], specs: Mapping[str, str | None],
    asked: set[tuple[str, str]] | None = None,
) -> _Read:  # fmt: skip
    """Only under the trials and texts `asked` are rows of one key looked for, None: wherever there can be such."""
    (ids, trials), (sets, texts) = _coded(table["id"]), _coded(table["dataset"])
    parsed = [MeasuredOn.parse(text) for text in texts]
    pairs = ids * len(texts) + sets
    groups: dict[tuple[str, str], list[int]] = {}  # pairs of one trial and one name
    for pair in np.flatnonzero(np.bincount(pairs)).tolist():
        groups.setdefault((trials[pair // len(texts)], parsed[pair % len(texts)].name), []).append(pair)
    several = {at for at, some in groups.items() if len(some) > 1 or _count(written[at[0]], at[1]) > 1}
    looked = [p for at in several for p in groups[at] if asked is None or (at[0], texts[p % len(texts)]) in asked]
    times = _times(table, key, pairs, looked)
    most = np.zeros(len(trials) * len(texts) + 1, np.int64)
    later = np.flatnonzero(times)
    np.maximum.at(most, pairs[later], times[later])
    meant = np.full((len(most), most.max() + 1), -1, np.int64)  # of the row that has its pair and key for the n-th time
    each: dict[MeasuredOn, int] = {}
    for (ident, name), some in groups.items():
        here = written[ident]
        if (ident, name) in several:
            own = _own(specs, ident)
            own = [*own, *here[len(own) :]]  # what was measured later is told alike by both
            own = own if [of["dataset"] for of in own] == [of["dataset"] for of in here] else here
            order = [at for pair in some for at in _order(parsed[pair % len(texts)], pair, int(most[pair]), own)]
        else:
            order = [(next((i for i, of in enumerate(here) if of["dataset"] == name), len(here)), some[0], 0)]
        taken: set[MeasuredOn] = set()
        for at, pair, time in sorted(order):
            on = MeasuredOn.of(here[at]) if at < len(here) else parsed[pair % len(texts)]
            if on not in taken:
                meant[pair, time] = each.setdefault(on, len(each))
                taken.add(on)
    doubled = {(trials[p // len(texts)], texts[p % len(texts)]) for p in looked if most[p]}
    return _Read(meant[pairs, times], list(each), doubled)


def _order(on: MeasuredOn, pair: int, most: int, own: Written) -> list[tuple[int, int, int]]:
    """(place among what the trial is measured on, pair, time) of rows under one text; past the end where it is none."""
    if most:
        known = [i for i, of in enumerate(own) if of["dataset"] == on.name and (not i or of != own[0])] or [len(own)]
        return [(known[min(time, len(known) - 1)], pair, time) for time in range(most + 1)]
    same = [i for i, of in enumerate(own) if MeasuredOn.of(of) == on]
    named = [i for i, of in enumerate(own) if of["dataset"] == on.name and not on.options]
    return [(([*same, *named] or [len(own)])[0], pair, 0)]


def _times(table: pa.Table, key: Sequence[str], pairs: np.ndarray, looked: Sequence[int]) -> np.ndarray:
    """How many rows before it have the pair and key of a row, int64 [rows]; 0 for pairs that are not looked at."""
    times = np.zeros(len(pairs), np.int64)
    if looked:
        rows = np.flatnonzero(np.isin(pairs, looked))
        frame = table.select(list(key)).take(pa.array(rows)).to_pandas().assign(pair=pairs[rows])
        times[rows] = frame.groupby(list(frame), sort=False).cumcount().to_numpy()
    return times


def _written(trial: object) -> Written:
    """The data sets of a trial as `{dataset: name, options: {...}}`, that which it was trained on first."""
    if isinstance(trial, Mapping) and isinstance(trial.get("dataset"), Mapping):
        return [trial["dataset"], *(trial.get("evaluate_on") or ())]
    return []


def _own(specs: Mapping[str, str | None], ident: str) -> Written:
    """As `_written`, from the row of the trial."""
    return _written(json.loads(specs.get(ident) or "{}"))


def _count(written: Written, name: str) -> int:
    return sum(of["dataset"] == name for of in written)


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    coded = schema.coded(column)
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()


def _with(table: pa.Table, codes: np.ndarray, labels: Sequence[str]) -> pa.Table:
    """The rows with a code, with its label as their `dataset`."""
    if (codes < 0).any():
        rows = np.flatnonzero(codes >= 0)
        table, codes = table.take(pa.array(rows)), codes[rows]
    index = table.schema.get_field_index("dataset")
    coded = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(labels, pa.string()))
    return table.set_column(index, table.schema.field(index), coded.cast(pa.string()))
