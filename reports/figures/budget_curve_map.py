"""How good is each method's whole ranking, in mAP, for a given number of trained parameters?

As `budget_curve`, with mean average precision in place of Rank-1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures import budget_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.store.store import Results

applies = budget_curve.applies


def draw(results: Results, preset: str = "cvpr") -> Figure:
    """The budget curve of mAP."""
    return budget_curve.draw(results, preset=preset, metrics=("mAP",))
