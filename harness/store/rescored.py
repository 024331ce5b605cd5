"""Scores from the ranks that were kept, by the metrics of today, whenever results are read.

So a metric that was mended, or that came later, applies to trials of the past. Where ranks were not kept, and where
the records are not all those that a score is the mean of, what was measured then stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.ranks import PER_QUERY, Ranks, measured, percent
from harness.store import schema

KEY = ("id", "dataset", "split", "direction")
ROWS = 500_000  # queries at a time, so that the ranks of many trials need little memory


def tables(found: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Tables as read, with `first`, `ap` and `inp` filled in and the scores of today, as far as ranks were kept."""
    queries, scores = found["queries"], found["scores"]
    kept = np.flatnonzero(pc.is_valid(queries["ranks"]).to_numpy())
    if not len(kept):
        return found
    starts, keys = _runs(queries, kept)
    groups = _groups(scores, set(keys))
    galleries = [groups[key][0] if key in groups else 0 for key in keys]
    each = _values(queries["ranks"], kept, np.repeat(galleries, np.diff(starts)))
    first = each.pop("first")
    for name, values in {"first": first, **{n: each[m] for n, m in PER_QUERY.items()}}.items():
        queries = _filled(queries, name, kept, values)
    return {**found, "queries": queries, "scores": _scores(scores, groups, starts, keys, each)}


def _runs(queries: pa.Table, kept: np.ndarray) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Where runs of rows of one measurement begin among `kept`, with the end behind [runs + 1], and the key of each."""
    coded = []
    for name in KEY:
        column = queries[name].combine_chunks().dictionary_encode()
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        coded.append((column.indices.to_numpy()[kept], column.dictionary.to_pylist()))
    change = np.any([np.diff(codes) != 0 for codes, _ in coded], axis=0)
    starts = np.concatenate([[0], np.flatnonzero(change) + 1, [len(kept)]])
    return starts, list(zip(*([words[k] for k in codes[starts[:-1]]] for codes, words in coded), strict=True))


def _groups(scores: pa.Table, wanted: set[tuple[str, ...]]) -> dict[tuple, tuple[int, int, dict[str, int]]]:
    """By measurement: size of the gallery, queries, and the row of each metric under the first choice of an epoch."""
    found: dict[tuple, tuple[int, int, dict[str, int]]] = {}
    ways: dict[tuple, str] = {}
    columns = [scores[name].to_pylist() for name in (*KEY, "choice", "metric", "gallery", "queries")]
    for row, (*where, choice, metric, gallery, queries) in enumerate(zip(*columns, strict=True)):
        key = tuple(where)
        if key in wanted and ways.setdefault(key, choice) == choice:
            found.setdefault(key, (gallery, queries, {}))[2].setdefault(metric, row)
    return found


def _values(ranks: pa.ChunkedArray, kept: np.ndarray, galleries: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of the rows `kept`, and `first`: float64 [kept], NaN where it is undefined."""
    found: dict[str, np.ndarray] = {}
    for begin in range(0, len(kept), ROWS):
        rows = slice(begin, begin + ROWS)
        low, high = kept[rows][0], kept[rows][-1] + 1
        lists = ranks.slice(low, high - low).drop_null().combine_chunks()
        lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
        flat = lists.flatten().to_numpy().astype(np.int64)
        counts = pc.list_value_length(lists).to_numpy().astype(np.int64)
        for gallery, some in _by(galleries[rows]):
            whole = len(some) == len(counts)
            mine = flat if whole else flat[np.repeat(_marked(len(counts), some), counts)]
            offsets = np.concatenate([[0], np.cumsum(counts[some])])
            each = Ranks(mine, offsets, int(gallery), np.empty(0, np.int64))
            for name, values in {"first": each.first.astype(float), **measured(each)}.items():
                if values is not None:
                    into = found.setdefault(name, np.full(len(kept), np.nan))
                    into[begin + some] = values
    return found


def _by(galleries: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for gallery in np.unique(galleries):
        yield gallery, np.flatnonzero(galleries == gallery)


def _marked(length: int, rows: np.ndarray) -> np.ndarray:
    mask = np.zeros(length, bool)
    mask[rows] = True
    return mask


def _filled(queries: pa.Table, name: str, kept: np.ndarray, values: np.ndarray) -> pa.Table:
    """The column with `values` at the rows `kept`, and what it had elsewhere."""
    index, type_ = queries.schema.get_field_index(name), schema.SCHEMAS["queries"].field(name).type
    whole = queries[name].cast(schema.REAL).to_numpy(zero_copy_only=False).copy()
    whole[kept] = values
    column = pa.array(whole, from_pandas=True).cast(type_, safe=False)
    return queries.set_column(index, queries.schema.field(index), column)


def _scores(
    scores: pa.Table, groups: dict, starts: np.ndarray, keys: list[tuple[str, ...]], each: dict[str, np.ndarray]
) -> pa.Table:
    """The table with new values in its rows, and rows of metrics that it lacked behind them."""
    values = scores["value"].to_numpy(zero_copy_only=False).copy()
    sources: list[int] = []  # rows that the new ones take all but metric and value from
    names: list[str] = []
    more: list[float] = []
    for key, one, two in zip(keys, starts, starts[1:], strict=False):
        _, queries, rows = groups.get(key, (0, 0, {}))
        if two - one != queries:
            continue
        any_row = next(iter(rows.values()))
        for metric, column in each.items():
            score = percent(column[one:two])
            if metric in rows:
                values[rows[metric]] = score
            elif score is not None and score == score:  # not a NaN, which is undefined
                sources.append(any_row)
                names.append(metric)
                more.append(score)
    index, field = scores.schema.get_field_index("value"), scores.schema.field("value")
    scores = scores.set_column(index, field, pa.array(values, schema.REAL, from_pandas=True))
    if not sources:
        return scores
    new = scores.take(pa.array(sources))
    for name, column in (("metric", pa.array(names, schema.TEXT)), ("value", pa.array(more, schema.REAL))):
        new = new.set_column(new.schema.get_field_index(name), new.schema.field(name), column)
    return pa.concat_tables([scores, new])
