"""Which part of the picture does each word speak for?

From `upbench inspect`: how much weight each patch loses in the cosine of caption and image when the word is taken out
(orange: the patch supports the word). Left the picture, then the words without which the cosine falls most. Words are
erased as by Li, Monroe and Jurafsky (arXiv:1612.08220), patches hidden as by Zeiler and Fergus (ECCV 2014); it looks at
outputs, not at attention weights, and so means the same for every method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from reports.drawing import artists, strips, style
from reports.drawing.palette import VERMILLION

if TYPE_CHECKING:
    from harness.store.store import Results
    from reports.inspected import Inspection

WORDS, ROWS = 6, 4
UNDER = 0.16  # room for the words below the pictures, in heights of these
HEAT = LinearSegmentedColormap.from_list("evidence", ["#D55E0000", "#E69F0099", VERMILLION + "E6"])


def applies(results: Results | None, inspection: Inspection | None = None) -> bool:
    """Whether a trial was inspected."""
    return inspection is not None and "map_0" in inspection.evidence


def draw(results: Results | None, preset: str = "cvpr", inspection: Inspection | None = None) -> Figure:
    """One row per caption, at most four."""
    if inspection is None:
        raise ValueError("no trial was inspected; ask `applies` first")
    with style.use(preset) as p:
        rows = list(enumerate(inspection.retrieval))[:ROWS]
        texts = [f"“{' '.join(one['caption'].split())}”" for _, one in rows]
        figure, axes = strips.strips(preset, texts, 1 + WORDS, under=UNDER)
        numbers = []
        for row, (k, one) in zip(axes, rows, strict=True):
            words, effect, maps = (inspection.evidence[f"{name}_{k}"] for name in ("words", "effect", "map"))
            pixels = inspection.picture(one["described"])
            grey = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
            strips.picture(row, 0, pixels)
            best = sorted(np.argsort(-effect, kind="stable")[:WORDS].tolist())
            top = max((float(maps[w].max()) for w in best), default=0.0) or 1.0
            for place, w in enumerate(best, start=1):
                strips.picture(row, place, grey // 2 + 110)
                extent = (place + 0.05, place + 0.95, 0.025, 0.975)
                row.imshow(np.clip(maps[w] / top, 0, 1), cmap=HEAT, vmin=0, vmax=1, extent=extent, aspect=strips.RATIO,
                           interpolation="bilinear", zorder=2)  # fmt: skip
                row.set_aspect(strips.RATIO, anchor="NW")
                word = str(words[w]).strip(".,;:!?")
                room = 0.96 * strips.side(preset, len(rows), 1 + WORDS, UNDER)
                if artists.width(figure, word, p.small) > room:
                    word = _cut(figure, word, p.small, room)
                row.text(place + 0.5, -0.02, word, ha="center", va="top", fontsize=p.small)
                y, x = np.unravel_index(int(maps[w].argmax()), maps[w].shape)
                numbers.append(
                    {"query": one["query"], "word": str(words[w]), "place": int(w), "effect": float(effect[w]),
                     "best_row": int(y), "best_column": int(x), "best_evidence": float(maps[w].max())}
                )  # fmt: skip
            row.set_xlim(0, 1 + WORDS)
            row.set_ylim(-UNDER, 1)
        artists.note(
            figure,
            [
                inspection.name,
                "orange: what the patch loses of its weight in the cosine when the word is taken out; one scale per "
                f"caption; the {WORDS} words without which the cosine falls most, in their order",
            ],
        )
    return style.keep(figure, pd.DataFrame(numbers))


def _cut(figure: style.Sheet, word: str, size: float, room: float) -> str:
    while len(word) > 2 and artists.width(figure, word + "…", size) > room:
        word = word[:-1]
    return word + "…"
