"""A study as one folder: every figure and table that its results allow, and one page that needs nothing else."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from harness import parallel, registry
from harness.errors import UserError, nearest
from harness.labels import labels
from reports import latex, literature
from reports.cells import WORDS, Cell, cells, home, places
from reports.declared import declared
from reports.drawing import palette, style
from reports.site.templates import template
from reports.table import Table
from reports.words import releases
from reports.words.recipes import recipes
from reports.words.sentences import gaps

if TYPE_CHECKING:
    from harness.store.store import Results
    from reports.inspected import Inspection

FIRST = ("budget_curve", "main", "budget")
MANY = 2000  # trials from which figures and tables are drawn side by side


@dataclass(frozen=True)
class Shown:
    """A figure or table on the page."""

    name: str
    question: str
    body: str  # markup of the figure; empty for a table
    table: Table | None
    tips: dict[str, str]
    files: tuple[str, ...]  # relative to the page


def report(
    results: Results,
    out: Path | str,
    preset: str = "cvpr",
    only: Sequence[str] = (),
    refresh: int | None = None,
    published: pd.DataFrame | None = None,
    inspection: Inspection | None = None,
    back: str = "",
) -> list[Path]:
    """Write all applicable figures (PDF, SVG, PNG, CSV) and tables (LaTeX, Markdown, CSV) and `index.html`.

    Args:
        results: A study as the store gives it.
        out: Folder, made if absent; files of an earlier report are overwritten.
        preset: One of `reports.drawing.style.PRESETS`.
        only: Names of figures and tables; empty for all that apply.
        refresh: Seconds after which an open page loads itself again, for a study that is running.
        published: Published numbers as `reports.literature.load` gives them; read from there when None.
        inspection: What `upbench inspect` wrote for one trial, to be shown as well; it holds images of the data set.
        back: Address of the page that lists all studies, for a page that is part of a site.

    Returns:
        The files written, the page first.

    Raises:
        UserError: an unknown name or preset.
    """
    out = Path(out)
    check(only, preset)
    published = literature.load() if published is None else published
    wanted = set(only)
    given = {"results": results, "preset": preset, "literature": published, "inspection": inspection}
    tasks, skipped = [], []
    for kind in ("figures", "tables"):
        for name in _order(registry.names(kind)):
            if wanted and name not in wanted:
                continue
            if _call(getattr(registry.find(kind, name), "applies", lambda results: True), given):
                tasks.append((kind, name))
            else:
                skipped.append((name, registry.summary(kind, name)))

    def make(task: tuple[str, str]) -> tuple[list[Path], Shown]:
        kind, name = task
        made = _call(registry.find(kind, name).draw, given)
        return _figure(name, made, out) if kind == "figures" else _table(name, made, out)

    # Tables first: the comparison of all pairs takes longest.
    turns = sorted(tasks, key=lambda task: task[0] == "figures")
    workers = min(parallel.processors(), 4) if len(results.trials) >= MANY else 1
    done = dict(zip(turns, parallel.each(make, turns, workers), strict=True))
    written = [path for task in tasks for path in done[task][0]]
    figures, tables = ([done[t][1] for t in tasks if t[0] == kind] for kind in ("figures", "tables"))
    page = out / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(_page(results, figures, tables, skipped, refresh, back), encoding="utf-8", newline="\n")
    return [page, *written]


def check(only: Sequence[str], preset: str) -> None:
    """Raise UserError unless every name is a figure or a table, and the preset is known."""
    style.preset(preset)
    known = {*registry.names("figures"), *registry.names("tables")}
    for name in only:
        if name not in known:
            raise UserError(
                f"unknown figure or table '{name}'",
                expected=f"one of {', '.join(sorted(known))}",
                nearest=nearest(name, known),
            )


def summary(results: Results, metric: str = "R1") -> str:
    """What came out, for a terminal of 80 columns: completeness, and the best method at each budget."""
    trials = declared(results)
    found = home(cells(results, metric))
    told = [_counts(trials), *([f"not complete: {results.partial.words}"] if results.partial else [])]
    lines = [study_name(results), *(f"  {part}" for line in told for part in textwrap.wrap(line, 76))]
    for place in places(found):
        here = [c for c in found if c.dataset == place]
        lines += [
            "",
            f"{palette.name(place)}, {palette.name(metric)} (%), best mean at each budget (trained parameters)",
        ]
        for c in [c for c in here if c.budget is None and c.values]:
            lines.append(_line("–", c))
        budgets = dict.fromkeys(c.budget for c in sorted(here, key=lambda c: c.target or 0) if c.budget)
        for budget in budgets:
            group = [c for c in here if c.budget == budget]
            scored = sorted((c for c in group if c.values), key=lambda c: -c.score)
            if scored:
                lines.append(_line(f"{budget}", scored[0]))
            else:
                lines.append(f"  {budget:>6}  no score")
    lost = [*releases.mixed(results), *releases.unranked(results), *gaps(found)]
    care = [part for line in lost for part in textwrap.wrap(line, 78, initial_indent="  ", subsequent_indent="    ")]
    return "\n".join([*lines, *(["", "Read with care:"] if lost else []), *care])


def study_name(results: Results) -> str:
    """The study's name, as its document has it."""
    return str((results.study.get("study") or {}).get("name") or results.study.get("name") or "study")


def _line(budget: str, c: Cell) -> str:
    half = c.known.half
    score = f"{c.mean:6.2f}" + (f" ± {half:<5.2f}" if half is not None else " " * 8)
    seeds = "one seed" if len(c.statuses) == 1 else f"{len(c.values)} of {len(c.statuses)} seeds"
    story = "" if c.status == "ok" else f"  ({seeds})"
    return f"  {budget:>6}  {c.series:<30.30} {score} {style.count(c.trained or 0):>6}{story}"


def _counts(trials: pd.DataFrame) -> str:
    seen = Counter(trials["status"])
    lost = ", ".join(f"{n} {WORDS.get(s, s)}" for s, n in sorted(seen.items()) if s != "ok")
    return f"{seen['ok']} of {len(trials)} trials have results" + (f" ({lost})" if lost else "")


def _order(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda n: (FIRST.index(n) if n in FIRST else len(FIRST), n))


def _call(function: Callable[..., Any], given: Mapping[str, object]) -> Any:
    """The result of `function` for those of the arguments that it names."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return function(**{name: given[name] for name in names if name in given})


def _figure(name: str, made: style.Sheet, out: Path) -> tuple[list[Path], Shown]:
    paths = style.save(made, out / "figures" / name)
    frame = style.numbers(made)
    tips = {}
    if {"gid", "tip"} <= set(frame.columns):
        tips = {f"{name}-{g}": t for g, t in frame[["gid", "tip"]].dropna().itertuples(index=False)}
    files = tuple(p.relative_to(out).as_posix() for p in paths)
    return paths, Shown(name, registry.summary("figures", name), _inline(style.inline(made), name), None, tips, files)


def _inline(svg: str, name: str) -> str:
    """An SVG file as part of a page: no prolog, ids that no other figure has, and a width that follows the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", svg)
    head, tail = svg.split(">", 1)
    points = float(re.findall(r'width="([\d.]+)pt"', head)[0])
    head = re.sub(r'\s(width|height)="[\d.]+pt"', "", head)
    return f'{head} style="width:{2 * points:.0f}px" role="group" aria-label="{name}">{tail}'


def _table(name: str, made: Table, out: Path) -> tuple[list[Path], Shown]:
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, text in (("tex", latex.write(made)), ("md", made.markdown()), ("csv", made.csv())):
        path = folder / f"{name}.{kind}"
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    files = tuple(p.relative_to(out).as_posix() for p in paths)
    return paths, Shown(name, registry.summary("tables", name), "", made, {}, files)


def _page(results: Results, figures: list, tables: list, skipped: list, refresh: int | None, back: str) -> str:
    trials = declared(results)
    found = home(cells(results))
    document = results.study.get("study") or {}
    lost = trials[trials["status"] != "ok"]
    return template("page.html.j2").render(
        name=study_name(results),
        question=results.study.get("question") or document.get("question") or "",
        counts=_counts(trials),
        partial=results.partial and results.partial.words,
        gaps=[*releases.mixed(results), *releases.unranked(results), *gaps(found)],
        lost=[
            (
                r.label,
                r.budget or "–",
                palette.name(r.dataset),
                int(r.seed),
                WORDS.get(r.status, r.status),
                _words(r.reason),
            )
            for r in lost.itertuples(index=False)
        ],
        figures=figures,
        tables=tables,
        skipped=skipped,
        document=json.dumps(document, indent=2, ensure_ascii=False, default=str),
        recipes=recipes(results),
        provenance=provenance(results),
        tips=Markup(json.dumps({k: v for f in figures for k, v in f.tips.items()}).replace("<", "\\u003c")),
        refresh=refresh,
        back=back,
    )


def provenance(results: Results) -> list[tuple[str, str]]:
    """Where the numbers come from, as (what, values); more than one value is a mixture, and said to be one."""
    frame = results.trials
    rows = []
    for what, column in (
        ("Commit", "commit"), ("Uncommitted changes", "dirty"), ("Release", "release"), ("Hardware", "hardware"),
        ("Device", "device"), ("Threads", "threads"), ("Backbone", "backbone"), ("Backbone weights", "backbone_hash"),
        ("Data", "data_hash"), ("Code", "code_hash"), ("Package versions", "versions"),
    ):  # fmt: skip
        if column not in frame:
            continue
        values = _backbones(frame) if column == "backbone" else frame[column]
        seen = Counter(_words(v) for v in values if pd.notna(v))
        if not seen:
            rows.append((what, "not recorded"))
            continue
        mixed = len(seen) > 1 and column not in ("data_hash", "code_hash")
        text = "; ".join(f"{v} ({n} trials)" if len(seen) > 1 else v for v, n in sorted(seen.items()))
        rows.append((what, ("mixed: " if mixed else "") + text))
    if "started" in frame and len(starts := frame["started"].dropna()):
        rows.append(("Run", f"{min(starts):%Y-%m-%d %H:%M} to {max(starts):%Y-%m-%d %H:%M} UTC"))
    return rows


def _backbones(frame: pd.DataFrame) -> list[str]:
    """The backbone of each trial, with what tells those of one name apart: weights, size of the images, activation."""
    given = [json.loads(spec).get("backbone") or {} for spec in frame["spec"]]
    settings = [{k: v for k, v in one.items() if k != "name" and v is not None} for one in given]
    return labels(list(zip(frame["backbone"], settings, strict=True)))


def _words(value: object) -> str:
    if isinstance(value, str) and value.startswith("{"):
        return ", ".join(f"{k} {v}" for k, v in json.loads(value).items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:g}"
    return "" if value is None else str(value)
