"""Shifts by methods."""

from __future__ import annotations

from tests.reports.slow import names, shifts
from tests.reports.slow.drawn import NOTHING, Mark
from tests.reports.slow.figures import common
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.shifts import KINDS
from tests.reports.slow.study import Study

FRAMES = {"best": ("none", None, None, "#000000", "solid"), "tied": ("none", None, None, "#000000", "dashed")}


def wanted(study: Study) -> list[Mark]:
    place = PLACES[0]
    every = shifts.lines(study, place)
    shown = shifts.largest(every)
    rows = [
        *((name.replace("_", " "), (name,)) for name in KINDS["images"]),
        ("mean of images", KINDS["images"]),
        *((name.replace("_", " "), (name,)) for name in KINDS["texts"]),
        ("mean of texts", KINDS["texts"]),
        ("mean of all", KINDS["images"] + KINDS["texts"]),
    ]
    edits = [*((name.replace("_", " "), (name,)) for name in KINDS["content"]), ("mean of edits", KINDS["content"])]
    found, star = [], False
    for panel, (some, what) in enumerate(((rows, "mmi"), (edits, "still"))):
        table = [[shifts.over(study, every, one, what, names_of) for one in shown] for _, names_of in some]
        means = [[None if n is None else shifts.told(n, 60)[0].mean for n in row] for row in table]
        reach = max(abs(m) for row in means for m in row if m is not None)
        low, high = (0.0, 100.0) if what == "still" else (-reach, reach)
        for i, row in enumerate(table):
            trained = [n if one.group.label != "zero_shot" else None for n, one in zip(row, shown, strict=True)]
            best, tied = shifts.compared(trained, place) if what == "mmi" else (-1, set())
            for j, one in enumerate(shown):
                mean = means[i][j]
                text = "–" if mean is None else f"{mean:.1f}".replace("-", "−") + "*" * (one.status != "ok")
                star |= one.status != "ok"
                tone = (0.0 if what == "still" else 0.5) if mean is None else (mean - low) / (high - low)
                colour = common.ink(tone, common.PALE if what == "still" else common.SIGNED)
                found.append(common.words(panel, text, j, i, colour))
                if j == best or j in tied:
                    look = FRAMES["best" if j == best else "tied"]
                    found.append(Mark("bar", panel, (j - 0.45, i - 0.45, 0.9, 0.9), look))
        if what == "mmi":
            for y in (2.5, 5.5):  # below the kinds
                found.append(Mark("line", panel, (0, y, 1, y), names.plain("#000000"), space="y"))
        right, bottom = len(shown) - 0.5, len(some) - 0.5
        look = (len(some), len(shown), "upper", "upbench" if what == "still" else "upbench-diverging", low, high)
        pixels = [NOTHING if m is None else m for row in means for m in row]
        title = "Content edits: right image still first (%)" if what == "still" else "MMI of Rank-1 (%)"
        found += [
            Mark("image", panel, [-0.5, right, bottom, -0.5, *pixels], look),
            Mark("limits", panel, (-0.5, right, bottom, -0.5), ("linear", "linear")),
            Mark("title", panel, text=title),
            Mark("y ticks", panel, range(len(some)), text=" | ".join(words for words, _ in some)),
        ]
    found.append(Mark("x ticks", 1, range(len(shown)), text=" | ".join(one.name for one in shown)))
    said = [
        NAMES[place],
        "mean over severities; MMI: relative drop, below zero a rise",
        "framed: smallest drop of a row among what is trained",
        "dashed: cannot be told from it (paired on queries and seeds, identities resampled, Holm, 5 %)",
        "* one seed, or fewer seeds than declared" * star,
    ]
    return [*found, common.note(said)]
