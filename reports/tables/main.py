"""Which method is best at each budget, on all datasets side by side, and which cannot be told from it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from reports.cells import Cell, cells, home, places
from reports.compare import Records, records_of
from reports.drawing import palette, style
from reports.table import Column, Table, Value
from reports.words import releases
from reports.words.sentences import means, protocol

if TYPE_CHECKING:
    from harness.store.store import Results

METRICS = ("R1", "R5", "R10", "mAP")
BACK = "R1"  # shown for images as queries, beside the metrics of captions as queries


def applies(results: Results) -> bool:
    """Whether any trial has a score."""
    return bool((results.trials["status"] == "ok").any())


def draw(results: Results, literature: pd.DataFrame | None = None, image_to_text: bool = True) -> Table:
    """The comparison, with published numbers below it where `literature` has some for these datasets.

    Best and second are chosen within a budget, by the mean. Published numbers have no seeds and no per-query records:
    they are shown, and enter no comparison. `image_to_text` adds Rank-1 with images as queries, where it was measured.
    """
    shown = {(m, "t2i"): home(cells(results, m)) for m in METRICS}
    shown |= {(BACK, "i2t"): home(cells(results, BACK, direction="i2t"))} if image_to_text else {}
    shown = {key: found for key, found in shown.items() if key == ("R1", "t2i") or any(c.values for c in found)}
    every = shown["R1", "t2i"]
    where = places(every)
    rows: dict[tuple, dict] = {}
    order = sorted(every, key=lambda c: (c.budget is not None, c.target or 0))
    for c in order:
        rows.setdefault(
            (c.budget, c.label, c.variant),
            {
                "method": c.series,
                "budget": c.budget,
                "trained": Value(c.trained, digits=0, text="" if c.trained is None else style.count(c.trained)),
            },
        )
    for (metric, direction), found in shown.items():
        records = records_of(results, direction)
        for place in where:
            for budget, part in dict.fromkeys((c.budget, c.part) for c in order):
                group = [c for c in found if (c.dataset, c.budget, c.part) == (place, budget, part)]
                for c, value in _emphasised(group, metric, records, compare=budget is not None):
                    rows[c.budget, c.label, c.variant][_key(place, metric, direction)] = value
    budgets = [key[0] for key in rows]
    breaks = [i for i in range(1, len(budgets)) if budgets[i] != budgets[i - 1]]
    plain = [place for place in where if _plain(results, place)]
    published = _published(literature, plain, tuple(metric for metric, direction in shown if direction == "t2i"))
    if published:
        breaks.append(len(rows))
    columns = (
        Column("method", "Method", align="l"),
        Column("budget", "Budget"),
        Column("trained", "Trained"),
        *(
            Column(_key(p, m, direction), palette.name(m) + " i→t" * (direction == "i2t"), palette.name(p))
            for p in where
            for m, direction in shown
        ),
    )
    notes = [
        protocol(every) + f"; {means(every)}",
        "Within a budget"
        + " and part of the data" * any(c.part for c in every)
        + ": best mean bold, second underlined; ≈ cannot be told from the best (paired on queries and "
        "seeds, identities resampled, Holm, 5 %)",
        "* one seed, or fewer seeds than declared",
        *(["i→t: images as queries, captions as gallery"] if (BACK, "i2t") in shown else []),
        *tuning(every),
        *releases.mixed(results),
    ]
    if published:
        notes.append("Below the last rule: published numbers, in no comparison; ‡ seen at second hand")
    body = (*rows.values(), *published)
    return Table("Comparison", columns, body, tuple(notes), tuple(breaks), "main")


def tuning(found: list[Cell]) -> list[str]:
    """What choosing values on val took: trials and seconds of each method's search, and values at its edge.

    A search that several cells share is counted once for each method.
    """
    searches: dict[str, dict[tuple, dict]] = {}
    for c in found:
        if c.tuned:
            search = c.tuned
            key = (search.get("dataset"), search.get("budget"), search.get("seconds"))
            searches.setdefault(palette.name(c.label), {})[key] = search
    if not searches:
        return []
    counts = {name: sum(s["trials"] for s in some.values()) for name, some in searches.items()}
    seconds = {
        name: sum(s["seconds"] / s.get("shared_by", 1) for s in some.values()) for name, some in searches.items()
    }
    edges = [
        f"{name} {key}={search['values'][key]}"
        for name, some in searches.items()
        for search in some.values()
        for key in search.get("edges", ())
    ]
    if len(set(counts.values())) == 1:
        said = f"Each method: {next(iter(counts.values()))} tuning trials on val"
    else:
        said = "Tuning trials on val: " + ", ".join(f"{name} {n}" for name, n in counts.items())
    took = ", ".join(f"{name} {s:,.0f} s" for name, s in seconds.items())
    missing = [palette.name(c.label) for c in found if c.trained and not c.tuned]
    return [
        f"{said}; {took}; values at the edge of their range: {', '.join(dict.fromkeys(edges)) or 'none'}",
        *([f"Not tuned here: {', '.join(dict.fromkeys(missing))}"] if missing else []),
    ]


def _plain(results: Results, place: str) -> bool:
    """Whether a data set was measured on as it comes, so that published numbers are of the same test split."""
    on = results.measured_on.get(place)
    return on is None or not on.options


def _key(place: str, metric: str, direction: str) -> str:
    return f"{place}_{metric}" + "_i2t" * (direction == "i2t")


def _emphasised(group: list[Cell], metric: str, records: Records, compare: bool) -> list[tuple[Cell, Value]]:
    """The cells of one budget and dataset with what is bold, underlined and tied."""
    best, tied = records.ties(group, metric) if compare else (None, [])
    rest = sorted((c.score for c in group if c.values and c is not best), reverse=True)
    found = []
    for c in group:
        emphasis = "best" if c is best else "second" if best and c.values and c.mean == rest[0] else ""
        mark = ("*" if c.status in ("partial", "single") else "") + ("≈" if c in tied else "")
        alone = len(rest) == 0
        found.append((c, Value.of(c.interval, c.story, emphasis="" if alone else emphasis, mark=mark)))
    return found


def _published(literature: pd.DataFrame | None, where: list[str], metrics: tuple[str, ...]) -> list[dict]:
    if literature is None or not len(literature):
        return []
    rows: dict[tuple, dict] = {}
    chosen = literature[literature["dataset"].isin(where) & (literature["table"] == "main")]
    for line in chosen.to_dict("records"):
        trained = line["trainable"]
        row = rows.setdefault(
            (line["method"], line["backbone"]),
            {
                "method": f"{line['method']} ({line['backbone']}, published)",
                "budget": None,
                "trained": "–"
                if pd.isna(trained)
                else Value(float(trained), digits=0, text=style.count(float(trained))),
            },
        )
        mark = "" if line["certainty"] == "paper" else "‡"
        for metric in metrics:
            if pd.notna(line[metric]):
                row[f"{line['dataset']}_{metric}"] = Value(float(line[metric]), mark=mark)
    return list(rows.values())
