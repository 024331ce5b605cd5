"""What does a model find for a sentence?

The ten best matches of some captions, from `upbench inspect`. Right: green, solid frame, a disc; wrong: vermillion,
dashed frame, a cross. The picture that the caption describes has a white diamond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from reports.drawing import artists, strips, style
from reports.drawing.palette import GREEN, VERMILLION

if TYPE_CHECKING:
    from harness.store.store import Results
    from reports.inspected import Inspection


def applies(results: Results | None, inspection: Inspection | None = None) -> bool:
    """Whether a trial was inspected."""
    return inspection is not None and bool(inspection.retrieval)


def draw(results: Results | None, preset: str = "cvpr", inspection: Inspection | None = None) -> Figure:
    """One row per caption."""
    if inspection is None:
        raise ValueError("no trial was inspected; ask `applies` first")
    with style.use(preset) as p:
        across = max(len(one["top"]) for one in inspection.retrieval)
        words = [_words(one) for one in inspection.retrieval]
        figure, axes = strips.strips(preset, words, across)
        numbers: list[dict] = []
        for row, one in zip(axes, inspection.retrieval, strict=True):
            for k, match in enumerate(one["top"]):
                right, gid = match["right"], f"match-{len(numbers)}"
                colour, dash = (GREEN, "-") if right else (VERMILLION, (0, (2.5, 1.2)))
                strips.picture(row, k, inspection.picture(match["image"]))
                strips.frame(row, k, colour, dash, 1.3 * p.line).set_gid(gid)
                row.plot([k + 0.2], [0.1], "o" if right else "X", color=colour, mec="white", ms=1.25 * p.marker,
                         mew=0.7 * p.line, zorder=3)  # fmt: skip
                if match["image"] == one["described"]:
                    row.plot([k + 0.8], [0.1], "D", color="white", mec="black", ms=0.9 * p.marker,
                             mew=0.7 * p.line, zorder=3)  # fmt: skip
                numbers.append(
                    {
                        "query": one["query"],
                        "rank": match["rank"],
                        "image": match["image"],
                        "right": right,
                        "cosine": match["score"],
                        "gid": gid,
                        "tip": f"rank {match['rank']}: {'right' if right else 'wrong'}, cosine {match['score']:.3f}",
                    }
                )
        artists.note(
            figure,
            [
                inspection.name,
                f"the {across} best of {inspection.about['gallery']:,} images, best left; solid frame and disc: right, "
                "dashed frame and cross: wrong; diamond: the image that the caption was written for",
            ],
        )
    return style.keep(figure, pd.DataFrame(numbers))


def _words(one: dict) -> str:
    found = f"{one['positives']} right in the gallery, the first at rank {one['first']}"
    return f"“{' '.join(one['caption'].split())}” ({found})"
