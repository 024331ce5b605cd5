"""The site as a folder: `index.html` is the leaderboard, `studies/NAME/` and `methods/NAME.html` have the rest.

Every page needs nothing from elsewhere, and the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reports import literature, page
from reports.cells import cells, home, places
from reports.declared import declared, short, text
from reports.drawing import palette, style
from reports.site import elsewhere, methods
from reports.site.composite import FORMULA
from reports.site.entries import MOST, Entry, domains, entries, ordered
from reports.site.templates import template
from reports.words.sentences import protocol

if TYPE_CHECKING:
    from harness.store.store import Results


def write(
    studies: Mapping[str, Results],
    out: Path,
    closed: Mapping[str, methods.Closed],
    official: bool = True,
    published: pd.DataFrame | None = None,
    draw: Callable[..., Sequence[Path]] | None = None,
) -> list[Path]:
    """Write the site of some studies, and return its files, the leaderboard first.

    Args:
        studies: Results by the name of the study.
        out: Folder, made if absent; files of an earlier site are overwritten.
        closed: Of each method by name, what only its code tells.
        official: Whether these studies are published ones; the pages say so where they are not.
        published: Numbers of others, as `reports.literature.load` gives them; read from there when None.
        draw: What writes the page of a study, called as `reports.page.report`, which it is when None.
    """
    others = elsewhere.published(literature.load() if published is None else published)
    named = domains(studies)
    rows = ordered([row for name, results in studies.items() for row in entries(name, results, named)])
    about = methods.pages(closed, rows)
    partial = {name: results.partial.words for name, results in studies.items() if results.partial}
    given = {"official": official, "methods": about, "count": style.count, "palette": palette, "bounds": bounds(rows),
             "partial": partial}  # fmt: skip
    paths = [
        _write(out / "index.html", "index", root="", places=_places(studies, rows, named, others),
               elsewhere=_further(studies, named, others), studies=_studies(studies), formula=FORMULA, most=MOST,
               constants=_constants(rows), **given),
        _write(out / "methods" / "index.html", "methods", root="../", **given),
        *(_write(out / "methods" / of.address, "method", root="../", method=of, **given) for of in about.values()),
    ]  # fmt: skip
    for name, results in studies.items():
        paths += (draw or page.report)(results, out / "studies" / name, published=published, back="../../index.html")
    return paths


def bounds(rows: Sequence[Entry]) -> dict[str, tuple[float, float]]:
    """By data set, the lowest and the highest end of an interval, which the bars of its rows share as their scale."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.cell.values:
            found.setdefault(row.place, []).extend(row.cell.known.ends or (row.cell.score,))
    return {place: (min(ends), max(ends)) for place, ends in found.items()}


def _write(path: Path, name: str, **values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template(f"site/{name}.html.j2").render(**values), encoding="utf-8", newline="\n")
    return path


def _places(
    studies: Mapping[str, Results],
    rows: Sequence[Entry],
    named: Mapping[tuple[str, str], str],
    others: Mapping[str, list[elsewhere.Published]],
) -> list[dict]:
    """What the leaderboard shows of each data set, those of the papers first."""
    made = []
    plain = _plain(studies, named)
    for place in places([replace(row.cell, dataset=row.place, measured=row.place) for row in rows]):
        here = [row for row in rows if row.place == place]
        beside = others.get(plain.get(place, ""), [])
        made.append({"label": place, "name": palette.name(place), "rows": here, "published": beside,
                     "protocol": protocol([row.cell for row in here])})  # fmt: skip
    return made


def _plain(studies: Mapping[str, Results], named: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Data sets that were measured on as they come, so that published numbers are of the same test split: label to
    name."""
    found = {}
    for (study, label), place in named.items():
        on = studies[study].measured_on.get(label)
        if on is None or not on.options:
            found[place] = label if on is None else on.name
    return found


def _further(
    studies: Mapping[str, Results],
    named: Mapping[tuple[str, str], str],
    others: Mapping[str, list[elsewhere.Published]],
) -> list[dict]:
    """Published numbers of data sets that stand beside no measured ones."""
    beside = set(_plain(studies, named).values())
    return [
        {"label": place, "name": palette.name(place), "published": rows}
        for place, rows in others.items()
        if place not in beside
    ]


def _studies(studies: Mapping[str, Results]) -> list[dict]:
    made = []
    for name, results in studies.items():
        trials = declared(results)
        document = results.study.get("study") or {}
        made.append(
            {
                "name": name,
                "question": results.study.get("question") or document.get("question") or "",
                "done": int((trials["status"] == "ok").sum()),
                "trials": len(trials),
                "places": [palette.name(place) for place in places(home(cells(results)))],
            }
        )
    return made


def _constants(rows: Sequence[Entry]) -> list[dict]:
    """The constants of the composite, once for each study, data set and part of the data that has them."""
    found = {(row.study, row.place, row.cell.part): row.whole for row in rows if row.whole is not None}
    return [
        {"study": study, "name": palette.name(place), "whole": whole,
         "part": ", ".join(f"{short(key)} {text(value)}" for key, value in part) or "all"}
        for (study, place, part), whole in sorted(found.items(), key=lambda item: item[0])
    ]  # fmt: skip
