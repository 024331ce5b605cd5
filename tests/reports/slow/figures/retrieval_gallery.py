"""The best matches of some captions."""

from __future__ import annotations

from pathlib import Path

from tests.reports.slow import names
from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import common, inside
from tests.reports.slow.names import GREEN, VERMILLION


def wanted(folder: Path) -> list[Mark]:
    found = []
    rows = inside.read(folder, "retrieval")
    across = max(len(row["top"]) for row in rows)
    for panel, row in enumerate(rows):
        told = f"{row['positives']} right in the gallery, the first at rank {row['first']}"
        found += [
            Mark("limits", panel, (0, across, 0, 1), ("linear", "linear")),
            Mark("title", panel, text=f"“{row['caption']}” ({told})"),
        ]
        for match in row["top"]:
            place = match["rank"] - 1
            colour, dash, marker = (GREEN, "solid", "o") if match["right"] else (VERMILLION, "dashed", "X")
            edge = inside.PAD / inside.RATIO
            corner = (place + inside.PAD, edge, 1 - 2 * inside.PAD, 1 - 2 * edge)
            found += [
                inside.picture(panel, place, inside.pixels(folder, match["image"])),
                Mark("bar", panel, corner, ("none", None, None, colour, dash)),
                Mark("line", panel, (place + 0.2, 0.1), names.dot(colour, marker)),
            ]
            if match["image"] == row["described"]:
                found.append(Mark("line", panel, (place + 0.8, 0.1), names.dot("#ffffff", "D")))
    said = (
        f"the {across} best of {inside.read(folder, 'about')['gallery']} images, best left; solid frame and disc: "
        "right, dashed frame and cross: wrong; diamond: the image that the caption was written for"
    )
    return [*found, common.note([inside.trial(folder), said])]
