"""How sensitive is a method to its settings?

Rank-1 and mAP against every numeric setting that the study varies, mean and 95 % interval over seeds; the grey band is
the setting with the best mean on val, which is the one to take. A cross at the lower edge: no score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.cells import Cell, cells, home
from reports.declared import short
from reports.drawing import artists, palette, style

if TYPE_CHECKING:
    from harness.store.store import Results

METRICS = ("R1", "mAP")
MOST = 12  # methods in a panel, the best ones


def applies(results: Results) -> bool:
    """Whether a numeric setting has two values or more that share everything else."""
    return bool(sweeps(home(cells(results))))


def sweeps(found: list[Cell]) -> dict[tuple[str, str, str | None, str], list[Cell]]:
    """(setting, label, budget, dataset) -> cells by rising setting; what else varies is held at its commonest value."""
    made: dict[tuple[str, str, str | None, str], dict[tuple, list[Cell]]] = {}
    for c in found:
        for key, value in c.variant:
            if isinstance(value, int | float) and not isinstance(value, bool) and not key.startswith("dataset."):
                rest = tuple(pair for pair in c.variant if pair[0] != key)
                made.setdefault((key, c.label, c.budget, c.dataset), {}).setdefault(rest, []).append(c)
    picked = {}
    for sweep, by_rest in made.items():
        some = max(by_rest.values(), key=len)
        if len(some) > 1:
            picked[sweep] = sorted(some, key=lambda c: _at(c, sweep[0]))
    return picked


def draw(results: Results, preset: str = "cvpr") -> Figure:
    """One panel per setting and metric, for the first dataset and the largest budget of each method."""
    with style.use(preset) as p:
        by_metric = {m: sweeps(home(cells(results, m))) for m in METRICS}
        on_val = sweeps(home(cells(results, "R1", split="val")))
        keys = list(by_metric["R1"])
        settings = list(dict.fromkeys(key[0] for key in keys))
        place = keys[0][3]
        looks = palette.looks(key[1] for key in keys)
        figure, grid = artists.panels(preset, len(settings), 1.35 if p.columns == 1 else 1.9, len(METRICS), share=False)
        numbers: list[dict] = []
        names: dict[str, str] = {}
        statuses: list[Cell] = []
        for row, metric in zip(grid, METRICS, strict=True):
            for axes, setting in zip(row, settings, strict=True):
                axes.grid(axis="y")
                here = _here(by_metric[metric], setting, place)
                values = sorted({_at(c, setting) for some in here.values() for c in some})
                log = min(values) > 0 and max(values) / min(values) > 8
                axes.set_xscale("log" if log else "linear")
                bounds = artists.limits(c for some in here.values() for c in some)
                for turn, ((_, label, budget, _), some) in enumerate(here.items()):
                    # Beside each other, as intervals at one setting would cover each other.
                    shift = (turn - (len(here) - 1) / 2) * 0.8 * p.marker
                    scored = [c for c in some if c.values]
                    look = looks[label]
                    names[label] = palette.name(label) + (f" {budget}" if budget else "")
                    axes.plot(
                        [_at(c, setting) for c in scored], [c.mean for c in scored], color=look.colour, ls=look.dash,
                        transform=artists.shifted(axes, shift),
                    )  # fmt: skip
                    for c in some:
                        gid = f"point-{len(numbers)}"
                        x = _at(c, setting)
                        if c.values:
                            artists.point(axes, x, c, look, gid, shift, bounds)
                        else:
                            artists.absent(axes, x, look, gid, shift)
                        row_ = artists.rows_of([c], metric)[0]
                        numbers.append(
                            {**row_, "setting": setting, "value": x, "gid": gid, "tip": artists.tip(c, metric)}
                        )
                    statuses += some
                chosen = _chosen(_here(on_val, setting, place), setting)
                for value, labels in chosen.items():
                    edges = _around(value, values, log, len(labels))
                    for label, one, two in zip(labels, edges, edges[1:], strict=False):
                        # One grey band where all chose alike; else whose choice it was must be seen.
                        shade = (
                            {"color": looks[label].colour, "alpha": 0.2} if len(chosen) > 1 else {"color": "#EBEBEB"}
                        )
                        axes.axvspan(one, two, zorder=0, lw=0, **shade)
                axes.set_ylim(*bounds)
                # Lines that are drawn shifted do not move the limits of an axis.
                axes.set_xlim(_around(values[0], values, log, 1, 0.3)[0], _around(values[-1], values, log, 1, 0.3)[1])
                axes.xaxis.set_major_locator(
                    FixedLocator(values if len(values) < 7 else values[:: len(values) // 6 + 1])
                )
                axes.xaxis.set_minor_locator(NullLocator())
                axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
                axes.set_ylabel(f"{palette.name(metric)} (%)")
                axes.set_xlabel(short(setting))
        artists.legend(figure, [artists.handle(looks[label], name) for label, name in names.items()])
        band = (
            "band: chosen on val, by the method of its colour or by all"
            if on_val
            else "no scores on val, so no setting is chosen"
        )
        artists.note(figure, [palette.name(place), band, *artists.signs(statuses)])
    return style.keep(figure, pd.DataFrame(numbers))


def _at(c: Cell, setting: str) -> float:
    value = dict(c.variant)[setting]
    if not isinstance(value, int | float):
        raise ValueError(f"{setting}={value} is no number")
    return float(value)


def _here(made: dict, setting: str, place: str) -> dict:
    """The sweeps of one setting and dataset, each label at its largest budget."""
    best: dict[str, tuple] = {}
    for key, some in made.items():
        if key[0] == setting and key[3] == place:
            size = max((c.target or c.trained or 0) for c in some)
            if key[1] not in best or size > best[key[1]][0]:
                best[key[1]] = (size, key, some)
    shown = sorted(best.values(), key=lambda entry: -max((c.mean for c in entry[2] if c.values), default=0))
    return {key: some for _, key, some in shown[:MOST]}


def _chosen(swept: dict, setting: str) -> dict[float, list[str]]:
    """The value with the best mean on val of each label, as value -> labels."""
    made: dict[float, list[str]] = {}
    for (_, label, _, _), some in swept.items():
        scored = [c for c in some if c.values]
        if scored:
            made.setdefault(_at(max(scored, key=lambda c: c.mean), setting), []).append(label)
    return made


def _around(x: float, values: list[float], log: bool, parts: int, wide: float = 1 / 6) -> list[float]:
    """Edges of a band `wide` of the smallest step to either side of `x`, in `parts` parts of one width."""
    if log:
        step = np.diff(np.log(values)).min() * wide
        return (x * np.exp(np.linspace(-step, step, parts + 1))).tolist()
    step = np.diff(values).min() * wide
    return (x + np.linspace(-step, step, parts + 1)).tolist()
