"""The columns of the four result tables: name, type, whether null is allowed, meaning with unit.

A value that was not measured is null, never a sentinel. `version` grows when a column changes its meaning or leaves;
a new column that may be null needs no new version, since readers fill it with null for older shards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from harness.errors import nearest

VERSION = 3

STATUSES = ("ok", "infeasible", "diverged", "oom", "failed", "pruned", "lost")

TEXT, INT, INDEX, REAL, REAL32, FLAG = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.float32(), pa.bool_()
INDICES = pa.list_(pa.field("element", INDEX))  # as Parquet names what is in a list
UTC = pa.timestamp("us", tz="UTC")
ALWAYS, MAYBE = False, True

# name, type, null allowed, meaning
COLUMNS: dict[str, tuple[tuple[str, pa.DataType, bool, str], ...]] = {
    "trials": (
        ("id", TEXT, ALWAYS, "16 hexadecimal digits: hash of the resolved trial, code, data and backbone"),
        ("label", TEXT, ALWAYS, "name in figures, as the study writes it"),
        ("method", TEXT, ALWAYS, "file name in methods/"),
        ("options", TEXT, MAYBE, "JSON: the method's options, defaults written out"),
        ("dataset", TEXT, ALWAYS, "file name in harness/datasets/"),
        ("dataset_options", TEXT, MAYBE, "JSON"),
        ("val_source", TEXT, MAYBE, "official | slice of train"),
        ("backbone", TEXT, MAYBE, "name of the CLIP model"),
        ("backbone_hash", TEXT, MAYBE, "hash of the weights that training started from"),
        ("data_hash", TEXT, MAYBE, "fingerprint of images and annotations"),
        ("code_hash", TEXT, MAYBE, "hash of the code that decides the result"),
        ("seed", INT, ALWAYS, "seed of initialisation, order and augmentation"),
        (
            "status",
            TEXT,
            ALWAYS,
            "ok | infeasible | diverged | oom | failed | pruned (by a search) | lost (run again)",
        ),
        ("reason", TEXT, MAYBE, "why the status is not ok"),
        ("budget", TEXT, MAYBE, "target as the study writes it, such as 1% or 2M"),
        ("budget_parameters", INT, MAYBE, "target in parameters"),
        ("trained", INT, MAYBE, "trained parameters, those of heads that a loss needs included"),
        ("total", INT, MAYBE, "all parameters, those of the method included"),
        ("share", REAL, MAYBE, "trained / total, fraction 0..1"),
        ("selection", TEXT, MAYBE, "split that chose the epoch"),
        ("chosen_epoch", INT, MAYBE, "epoch chosen, counted from 1; 0 is before training"),
        ("epochs", INT, MAYBE, "epochs trained"),
        ("steps", INT, MAYBE, "optimizer steps taken"),
        ("batch", INT, MAYBE, "pairs per step"),
        ("lr", REAL, MAYBE, "peak learning rate"),
        ("recipe", TEXT, MAYBE, "JSON: the whole training recipe"),
        ("spec", TEXT, ALWAYS, "JSON: the whole resolved trial"),
        ("seconds_total", REAL, MAYBE, "s, the whole trial"),
        ("seconds_train", REAL, MAYBE, "s, optimizer steps"),
        ("seconds_evaluate", REAL, MAYBE, "s, encoding and ranking"),
        ("seconds_data", REAL, MAYBE, "s, reading, packing and augmenting"),
        ("step_seconds", REAL, MAYBE, "s, median of one optimizer step after warm-up"),
        ("seconds_compile", REAL, MAYBE, "s, torch.compile, before the first step; null where nothing is compiled"),
        ("seconds_first_step", REAL, MAYBE, "s from the start of the trial to the end of its first optimizer step"),
        ("features_cached", INT, MAYBE, "encodings of a whole split that came from the cache; they shorten evaluation"),
        ("latency_image_ms", REAL, MAYBE, "ms, one image through its tower, median, as trained"),
        ("latency_image_merged_ms", REAL, MAYBE, "ms, the same with the method merged; null where it cannot be"),
        ("latency_text_ms", REAL, MAYBE, "ms, one caption through its tower, median, as trained"),
        ("latency_text_merged_ms", REAL, MAYBE, "ms, the same with the method merged; null where it cannot be"),
        ("energy_joules", REAL, MAYBE, "J of the accelerator while training; null where it does not tell"),
        ("peak_memory_train", INT, MAYBE, "bytes; on a CPU growth of the process over its size before training"),
        ("peak_memory_evaluate", INT, MAYBE, "bytes; on a CPU growth of the process over its size before evaluation"),
        ("micro_batch", INT, MAYBE, "pairs per forward pass; below `batch` when memory ran out"),
        ("resumes", INT, MAYBE, "times that the trial went on from a checkpoint"),
        ("truncated", INT, MAYBE, "captions of train cut to the context"),
        (
            "phase",
            TEXT,
            MAYBE,
            "tuning: of a search, never published; later: by `upbench evaluate`; null otherwise",
        ),
        ("tuned", TEXT, MAYBE, "JSON: values chosen on val, trials of the search, and the seconds it took"),
        ("flops_forward", REAL, MAYBE, "floating-point operations per pair, forward"),
        ("flops_backward", REAL, MAYBE, "floating-point operations per pair, backward"),
        ("adapter_bytes", INT, MAYBE, "bytes of the saved trained parameters"),
        ("device", TEXT, MAYBE, "cpu | cuda"),
        ("threads", INT, MAYBE, "intra-op threads"),
        ("hardware", TEXT, MAYBE, "model of processor or accelerator"),
        ("commit", TEXT, MAYBE, "git commit of the code; null outside a checkout"),
        ("dirty", FLAG, MAYBE, "whether the checkout had uncommitted changes"),
        ("versions", TEXT, MAYBE, "JSON: package versions"),
        ("started", UTC, MAYBE, "start of the trial, UTC; informational, never used for order"),
        ("release", TEXT, MAYBE, "release of upbench"),
    ),
    "scores": (
        ("id", TEXT, ALWAYS, "trial"),
        ("dataset", TEXT, ALWAYS, 'data set measured on, with the options given for it: synth_cuhk {"size": "demo"}'),
        ("split", TEXT, ALWAYS, "val | test"),
        ("choice", TEXT, ALWAYS, "selected (by val) | last | oracle (best test epoch: parity only)"),
        ("direction", TEXT, ALWAYS, "t2i | i2t"),
        ("metric", TEXT, ALWAYS, "R1 | R5 | R10 | mAP | mINP | ..."),
        ("value", REAL, MAYBE, "percent, 0..100"),
        ("queries", INT, ALWAYS, "queries in the mean"),
        ("gallery", INT, ALWAYS, "gallery size"),
        ("unmatched", INT, ALWAYS, "queries without a positive, outside the mean"),
    ),
    "history": (
        ("id", TEXT, ALWAYS, "trial"),
        ("epoch", INT, ALWAYS, "counted from 1; 0 is before training"),
        ("step", INT, ALWAYS, "optimizer steps so far"),
        ("lr", REAL, MAYBE, "learning rate at the end of the epoch"),
        ("loss", REAL, MAYBE, "mean of the epoch"),
        ("seconds", REAL, MAYBE, "s since the start of training"),
        ("val_R1", REAL, MAYBE, "percent; null when the epoch was not evaluated"),
        ("val_mAP", REAL, MAYBE, "percent; null when the epoch was not evaluated"),
    ),
    "queries": (
        ("id", TEXT, ALWAYS, "trial"),
        ("dataset", TEXT, ALWAYS, "data set measured on, as in scores"),
        ("split", TEXT, ALWAYS, "val | test"),
        ("direction", TEXT, ALWAYS, "t2i | i2t"),
        ("query", INDEX, ALWAYS, "index of the query in its split"),
        ("person", INDEX, ALWAYS, "identity of the query"),
        ("positives", INDEX, ALWAYS, "gallery items of that identity"),
        ("first", INDEX, MAYBE, "rank of the first positive, counted from 1; filled from `ranks` on reading"),
        ("ap", REAL32, MAYBE, "average precision, fraction 0..1; filled from `ranks` on reading"),
        ("inp", REAL32, MAYBE, "inverse negative penalty, fraction 0..1; filled from `ranks` on reading"),
        ("ranks", INDICES, MAYBE, "ranks of all positives, ascending, counted from 1; null where only `first` is kept"),
    ),
}

SCHEMAS = {
    table: pa.schema([pa.field(name, kind, nullable=null) for name, kind, null, _ in columns])
    for table, columns in COLUMNS.items()
}

UNFIT = (pa.ArrowException, OverflowError, ValueError)  # of a value that a column cannot hold

Rows = Sequence[Mapping[str, object]] | Mapping[str, object]


def build(table: str, rows: Rows, **everywhere: object) -> pa.Table:
    """Rows as an Arrow table of the declared schema.

    Args:
        table: One of `COLUMNS`.
        rows: A list of dicts, or a dict (or DataFrame) of equally long columns. NaN and absent keys become null;
            dicts and lists become JSON text, save in a column of lists.
        everywhere: Columns with one value for all rows.

    Raises:
        ValueError: an unknown column, a null where none is allowed, an unknown status.
    """
    schema = SCHEMAS[table]
    columns: dict[str, Any]
    if isinstance(rows, Mapping) or hasattr(rows, "columns"):
        table_of: Any = rows
        columns = {name: table_of[name] for name in table_of}
        length = len(next(iter(columns.values()))) if columns else 0
    else:
        names = dict.fromkeys(name for row in rows for name in row)
        lists = {field.name for field in schema if field.type == INDICES}
        columns = {n: [row.get(n) if n in lists else _plain(row.get(n)) for row in rows] for n in names}
        length = len(rows)
    columns |= {name: [_plain(value)] * length for name, value in everywhere.items()}
    for name in columns:
        if name not in schema.names:
            raise ValueError(f"table {table} has no column '{name}'; nearest: {nearest(name, schema.names)}")
    arrays = []
    for field in schema:
        try:
            array = pa.array(columns.get(field.name, [None] * length), type=field.type, from_pandas=True)
        except UNFIT as error:
            raise ValueError(f"column {table}.{field.name} ({field.type}): {error}") from error
        if array.null_count and not field.nullable:
            raise ValueError(f"column {table}.{field.name} has {array.null_count} null values and allows none")
        arrays.append(array)
    if table == "trials" and (unknown := set(arrays[schema.get_field_index("status")].to_pylist()) - set(STATUSES)):
        raise ValueError(f"unknown status {sorted(unknown)}; expected one of {', '.join(STATUSES)}")
    return pa.Table.from_arrays(arrays, schema=schema)


def holds(table: str, column: str, value: object) -> bool:
    """Whether a column can hold a value."""
    try:
        pa.array([_plain(value)], type=SCHEMAS[table].field(column).type, from_pandas=True)
    except (*UNFIT, TypeError):
        return False
    return True


def coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column of texts, each of them once, and where it stands; also of a column without rows."""
    found = column.combine_chunks().dictionary_encode()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def reworded(table: pa.Table, column: str, word: Callable[[str], str]) -> pa.Table:
    """A table with other texts in one column."""
    found, index = coded(table[column]), table.schema.get_field_index(column)
    words = pa.array([word(text) for text in found.dictionary.to_pylist()], TEXT)
    return table.set_column(index, table.schema.field(index), words.take(found.indices))


def conform(table: str, found: pa.Table) -> pa.Table:
    """A table as read, in today's columns and order: absent columns become null, unknown ones are dropped."""
    schema = SCHEMAS[table]
    if found.schema.equals(schema):
        return found
    if found.schema.names == schema.names and found.schema.types == schema.types:
        return found.cast(schema) if found.schema != schema else found
    arrays = [
        found.column(f.name).cast(f.type) if f.name in found.schema.names else pa.nulls(len(found), f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def frame(table: pa.Table):
    """As a pandas DataFrame; whole numbers that may be null come as float64 with NaN, whatever the rows hold, and lists
    as Arrow has them, since a million small arrays are slow."""
    for index, field in enumerate(table.schema):
        if field.nullable and pa.types.is_integer(field.type):
            table = table.set_column(index, pa.field(field.name, REAL), table.column(index).cast(REAL))
    return table.to_pandas(types_mapper=lambda kind: pd.ArrowDtype(kind) if pa.types.is_list(kind) else None)


def _plain(value: object) -> object:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict | list | tuple) else value
