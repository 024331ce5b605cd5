"""One number of score, trained parameters, time and memory, in the form of PEFT-Bench's PSCP (arXiv 2511.21285).

    composite = Rank-1 (1 + p / P)^-1 (1 + t / T)^-1 (1 + m / M)^-1

p trained parameters, t milliseconds of one image and one caption through the towers as trained, m bytes at the peak of
training. P, T and M are those of full fine-tuning in the same study, on the same data set: full fine-tuning has an
eighth of its score. The constants of PEFT-Bench are for language models and would leave every penalty here at one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.cells import Cell
from reports.compare import reference

FORMULA = "Rank-1 × (1 + p / P)⁻¹ × (1 + t / T)⁻¹ × (1 + m / M)⁻¹"


@dataclass(frozen=True)
class Parts:
    """What a cell costs."""

    trained: float  # parameters
    milliseconds: float  # one image and one caption, as trained
    memory: float  # bytes at the peak of training


def parts(cell: Cell) -> Parts | None:
    """The costs of a cell; None where one was not measured, or where memory did not hold the batch in one pass."""
    costs = cell.costs
    image, text, memory = costs["latency_image_ms"], costs["latency_text_ms"], costs["peak_memory_train"]
    micro, batch = costs["micro_batch"], costs["batch"]
    cut = micro is not None and batch is not None and micro < batch
    if cell.trained is None or image is None or text is None or memory is None or cut:
        return None
    return Parts(cell.trained, image + text, memory)


def constants(cell: Cell, found: Sequence[Cell], hardware: Mapping[str, object]) -> Parts | None:
    """P, T and M for a cell; None without one full fine-tuning that was measured on the same hardware.

    `hardware` is that of each trial by id; times of different machines are no ratio.
    """
    full = reference(cell, found)
    if full is None or len({hardware.get(ident) for ident in (*cell.ids, *full.ids)}) != 1:
        return None
    whole = parts(full)
    return whole if whole and min(whole.trained, whole.milliseconds, whole.memory) > 0 else None


def composite(cell: Cell, whole: Parts | None) -> float | None:
    """The number of a cell, in percent as its score; None where a part of it was not measured."""
    own = parts(cell)
    if own is None or whole is None or not cell.values:
        return None
    penalties = (own.trained / whole.trained, own.milliseconds / whole.milliseconds, own.memory / whole.memory)
    score = cell.score
    for penalty in penalties:
        score /= 1 + penalty
    return score
