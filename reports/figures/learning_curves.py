"""How does each method learn: Rank-1 on val after each epoch?

Mean over the seeds that reached the epoch, with their range as a band; one panel per dataset. A method with several
budgets is shown at its largest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.cells import Cell, cells, home, leading, places
from reports.drawing import artists, palette, style

if TYPE_CHECKING:
    from harness.store.store import Results


def applies(results: Results) -> bool:
    """Whether val was evaluated after two epochs or more."""
    seen = results.history.dropna(subset=["val_R1"])
    return bool(len(seen) and seen["epoch"].nunique() > 1)


def draw(results: Results, preset: str = "cvpr", metric: str = "R1") -> Figure:
    """The curves; `metric` is R1 or mAP."""
    column = f"val_{metric}"
    with style.use(preset) as p:
        every, more = leading(home(cells(results)))
        where = places(every)
        looks = palette.looks(c.key for c in every)
        figure, ((*row,),) = artists.panels(preset, len(where), 1.45 if p.columns == 1 else 2.0)
        history = {k: part for k, part in results.history.dropna(subset=[column]).groupby("id", sort=False)}
        numbers, shown = [], {}
        for axes, place in zip(row, where, strict=True):
            axes.grid(axis="y")
            for c in largest([c for c in every if c.dataset == place and c.trained != 0]):
                parts = [history[i] for i in c.ids if i in history]
                if not parts:
                    continue
                look = looks[c.key]
                by_epoch = pd.concat(parts).groupby("epoch")[column]
                mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
                axes.fill_between(mean.index, low, high, color=look.colour, alpha=0.18, lw=0)
                every_nth = max(1, len(mean) // 6)
                axes.plot(
                    mean.index, mean, color=look.colour, ls=look.dash, marker=look.marker, markevery=every_nth, mew=0,
                    ms=p.marker * (1.5 if look.marker == "*" else 0.8),
                )  # fmt: skip
                shown[c.key] = c
                numbers += [
                    {
                        "label": c.label, "budget": c.budget, "dataset": place, "epoch": int(epoch), "metric": column,
                        "mean": mean[epoch], "lowest": low[epoch], "highest": high[epoch], "seeds": len(parts),
                    }
                    for epoch in mean.index
                ]  # fmt: skip
            axes.set_ylabel(f"Val {palette.name(metric)} (%)")
            axes.text(0.985, 0.03, palette.name(place), transform=axes.transAxes, ha="right", va="bottom")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if p.columns > 1 or axes is row[-1]:
                axes.set_xlabel("Epoch")
        artists.legend(
            figure,
            [artists.handle(looks[k], f"{c.series} {c.budget}" if c.budget else c.series) for k, c in shown.items()],
        )
        artists.note(figure, [more, "line: mean over seeds; band: from the lowest to the highest seed"])
    return style.keep(figure, pd.DataFrame(numbers))


def largest(found: list[Cell]) -> list[Cell]:
    """Each series at the largest of its budgets that has a score."""
    best: dict[str, Cell] = {}
    for c in found:
        if c.values and (c.key not in best or (c.trained or 0) > (best[c.key].trained or 0)):
            best[c.key] = c
    return list(best.values())
