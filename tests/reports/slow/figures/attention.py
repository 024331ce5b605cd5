"""What each patch gives for a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common, inside

WORDS = 6


def wanted(folder: Path) -> list[Mark]:
    found = []
    evidence = np.load(folder / "evidence.npz")
    for panel, row in enumerate(inside.read(folder, "retrieval")):
        words, effect, maps = (evidence[f"{name}_{panel}"] for name in ("words", "effect", "map"))
        pixels = inside.pixels(folder, row["described"])
        grey = np.repeat(np.floor(pixels.mean(axis=2, keepdims=True)), 3, axis=2)
        strongest = sorted(sorted(range(len(words)), key=lambda w: -effect[w])[:WORDS])
        top = max(maps[w].max() for w in strongest)
        found += [
            Mark("limits", panel, (0, 1 + WORDS, -0.16, 1), ("linear", "linear")),
            Mark("title", panel, text=f"“{row['caption']}”"),
            inside.picture(panel, 0, pixels),
        ]
        for place, w in enumerate(strongest, start=1):
            heat = [[min(max(v / top, 0), 1) for v in line] for line in maps[w].tolist()]
            look = (*maps[w].shape, "upper", "evidence", 0.0, 1.0)
            extent = (place + 0.05, place + 0.95, 0.025, 0.975)
            found += [
                inside.picture(panel, place, np.floor(grey / 2) + 110),
                Mark("image", panel, [*extent, *np.ravel(heat)], look),
                common.words(panel, str(words[w]).strip(".,;:!?"), place + 0.5, -0.02),
            ]
    said = (
        "orange: what the patch loses of its weight in the cosine when the word is taken out; one scale per caption; "
        f"the {WORDS} words without which the cosine falls most, in their order"
    )
    return [*found, common.note([inside.trial(folder), said])]
