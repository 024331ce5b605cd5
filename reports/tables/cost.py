"""What does each method cost: parameters, operations, memory, time by phase, and bytes to store?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reports.cells import Cell, cells, home, places
from reports.drawing import palette, style
from reports.table import Column, Entry, Table, Value
from reports.words.sentences import sources

if TYPE_CHECKING:
    from harness.store.store import Results

# key of the costs, key of the column, head, divided by, digits
COLUMNS = (
    ("flops_forward", "forward_gflops", "Fwd GFLOPs", 1e9, 1),
    ("flops_backward", "backward_gflops", "Bwd GFLOPs", 1e9, 1),
    ("peak_memory_train", "train_mib", "Train MiB", 2**20, 0),
    ("peak_memory_evaluate", "evaluate_mib", "Eval MiB", 2**20, 0),
    ("step_seconds", "step_ms", "ms / step", 1e-3, 1),
    ("seconds_first_step", "first_step_s", "First step s", 1, 1),
    ("seconds_compile", "compile_s", "Compile s", 1, 1),
    ("seconds_train", "train_s", "Train s", 1, 1),
    ("seconds_evaluate", "evaluate_s", "Eval s", 1, 1),
    ("seconds_data", "data_s", "Data s", 1, 1),
    ("seconds_total", "total_s", "Total s", 1, 1),
    ("latency_image_ms", "image_ms", "Image ms", 1, 2),
    ("latency_image_merged_ms", "image_merged_ms", "merged", 1, 2),
    ("latency_text_ms", "text_ms", "Text ms", 1, 2),
    ("latency_text_merged_ms", "text_merged_ms", "merged", 1, 2),
    ("energy_joules", "energy_kj", "Energy kJ", 1e3, 1),
    ("adapter_bytes", "stored_mib", "Stored MiB", 2**20, 2),
)
# Columns whose value a feature cache shortens.
CACHED = ("seconds_evaluate", "seconds_total")


def applies(results: Results) -> bool:
    """Whether any cost was measured."""
    return any(results.trials[key].notna().any() for key, *_ in COLUMNS)


def draw(results: Results) -> Table:
    """One row per dataset, method and budget; medians over seeds."""
    every = home(cells(results))
    measured = []
    for cost, key, head, scale, digits in COLUMNS:
        known = [c.costs[cost] / scale for c in every if c.costs[cost] is not None]
        if known:
            measured.append((cost, key, head, scale, _digits(max(known), digits)))
    rows: list[dict[str, Entry]] = []
    breaks = []
    for place in places(every):
        breaks.append(len(rows))
        rows += [_row(c, measured) for c in every if c.dataset == place]
    columns = (
        Column("dataset", "Dataset", align="l"),
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("trained", "Trained"),
        *(Column(key, head) for _, key, head, _, _ in measured),
    )
    hardware = sorted(set(results.trials["hardware"].dropna()))
    notes = [
        "Median over seeds; operations per image-text pair; memory is the peak; – not measured",
        *sources(every),
        "Measured on " + ", ".join(hardware) if hardware else "",
        "Times of different hardware stand side by side and cannot be compared" if len(hardware) > 1 else "",
    ]
    shown = {key for key, *_ in measured}
    if shown & {"latency_image_ms", "latency_text_ms"}:
        notes.append(
            "Image ms, text ms: one input through its tower, as trained, then with the method merged into the weights "
            "(– cannot be merged)"
        )
    if "seconds_first_step" in shown:
        notes.append("First step: from the start of the trial to the end of its first optimizer step")
    if "energy_joules" in shown:
        notes.append("Energy: of the accelerator while training")
    if any(c.costs["features_cached"] for c in every):
        notes.append("† evaluation was shortened by features from the cache in at least one trial: do not compare")
    if any(_split(c) for c in every):
        notes.append("‡ memory did not hold the batch in one pass; it was split, which changes memory and time")
    return Table("Cost", columns, tuple(rows), tuple(n for n in notes if n), tuple(breaks), "cost")


def _digits(largest: float, digits: int) -> int:
    """Decimals of a column: those of its kind, or three figures of its largest value where that is below one, so that
    the operations of a small backbone are not all 0.1."""
    return digits if not 0 < largest < 1 else max(digits, 2 - math.floor(math.log10(largest)))


def _row(c: Cell, measured: list[tuple]) -> dict:
    row = {
        "dataset": palette.name(c.dataset),
        "method": c.series,
        "budget": c.budget,
        "trained": Value(c.trained, digits=0, text="" if c.trained is None else style.count(c.trained)),
    }
    for cost, key, _, scale, digits in measured:
        value = c.costs[cost]
        mark = "†" * bool(cost in CACHED and c.costs["features_cached"])
        mark += "‡" * bool(cost in ("peak_memory_train", "step_seconds") and _split(c))
        row[key] = Value(None if value is None else value / scale, digits=digits, mark="" if value is None else mark)
    return row


def _split(c: Cell) -> bool:
    """Whether some trial went through its batch in parts."""
    micro, batch = c.costs["micro_batch"], c.costs["batch"]
    return micro is not None and batch is not None and micro < batch
