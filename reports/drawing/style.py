"""How every figure looks: sizes, fonts, one colour, marker and dash per method, and files whose bytes repeat.

Sizes are final sizes: a figure is included in a paper at 100 %, so 7 pt here is 7 pt on the page. Fonts are the
STIX (Times-like) and DejaVu Sans files that come with matplotlib, so a figure is the same on every machine.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from harness.errors import UserError, nearest


class Sheet(Figure):
    """A figure that knows its preset, the numbers that it draws, and whether it was laid out."""

    canvas: FigureCanvasAgg
    upbench_preset: str
    upbench_numbers: pd.DataFrame
    upbench_settled: bool


@dataclass(frozen=True)
class Preset:
    """A place where figures go. Widths and heights in inches, text, lines and markers in points."""

    width: float
    size: float  # axis labels and titles
    small: float  # tick labels, legends and notes; never under 7
    line: float
    marker: float
    family: str
    columns: int  # panels side by side
    dpi: int


PRESETS = {
    "cvpr": Preset(3.25, 8.0, 7.0, 1.1, 3.8, "serif", 1, 300),
    "ieee": Preset(3.5, 8.0, 7.0, 1.1, 3.8, "serif", 1, 300),
    "wide": Preset(6.9, 8.0, 7.0, 1.1, 3.8, "serif", 3, 300),
    "slides": Preset(13.33, 14.0, 12.0, 2.0, 6.5, "sans-serif", 3, 150),
}


def preset(key: str) -> Preset:
    """The preset called `key`.

    Raises:
        UserError: there is none.
    """
    if key not in PRESETS:
        raise UserError(
            f"unknown preset '{key}'", expected="one of " + ", ".join(PRESETS), nearest=nearest(key, PRESETS)
        )
    return PRESETS[key]


def _parameters(p: Preset) -> dict:
    return {
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "upbench",
        "font.family": [p.family],
        "font.serif": ["STIXGeneral", "Times New Roman", "Times"],
        "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
        "mathtext.fontset": "stix" if p.family == "serif" else "dejavusans",
        "font.size": p.size,
        "axes.labelsize": p.size,
        "axes.titlesize": p.size,
        "xtick.labelsize": p.small,
        "ytick.labelsize": p.small,
        "legend.fontsize": p.small,
        "figure.titlesize": p.size,
        "axes.linewidth": 0.06 * p.size,
        "grid.linewidth": 0.05 * p.size,
        "grid.color": "#E6E6E6",
        "axes.axisbelow": True,
        "axes.edgecolor": "#404040",
        "xtick.color": "#404040",
        "ytick.color": "#404040",
        "xtick.labelcolor": "black",
        "ytick.labelcolor": "black",
        "xtick.major.width": 0.06 * p.size,
        "ytick.major.width": 0.06 * p.size,
        "xtick.minor.width": 0.04 * p.size,
        "xtick.major.size": 0.35 * p.size,
        "ytick.major.size": 0.35 * p.size,
        "xtick.minor.size": 0.2 * p.size,
        "xtick.major.pad": 0.3 * p.size,
        "ytick.major.pad": 0.3 * p.size,
        "axes.labelpad": 0.35 * p.size,
        "axes.titlepad": 0.5 * p.size,
        "lines.linewidth": p.line,
        "lines.markersize": p.marker,
        "lines.markeredgewidth": 0.6 * p.line,
        "lines.dash_capstyle": "butt",
        "patch.linewidth": 0.6 * p.line,
        "hatch.linewidth": 0.6 * p.line,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "legend.columnspacing": 1.2,
        "legend.handletextpad": 0.5,
        "legend.labelspacing": 0.3,
        "legend.borderaxespad": 0.0,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.bbox": None,
        "path.simplify": False,
    }


@contextlib.contextmanager
def use(key: str) -> Iterator[Preset]:
    """Within the block, matplotlib draws in the preset `key`; nothing outside the block changes."""
    p = preset(key)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_parameters(p))
        yield p


def figure(key: str, height: float) -> Sheet:
    """An empty figure of the preset's width and the given height in inches, free of pyplot's global state."""
    made = Sheet(figsize=(preset(key).width, height))
    FigureCanvasAgg(made)
    made.upbench_preset = key
    made.upbench_numbers = pd.DataFrame()
    made.upbench_settled = False
    return made


def sheet(axes: Axes) -> Sheet:
    """The figure that some axes belong to.

    Raises:
        ValueError: it was not made by `figure`.
    """
    if not isinstance(axes.figure, Sheet):
        raise ValueError(f"not of a figure by this module: {axes.figure}")
    return axes.figure


def first_column(axes: Axes) -> bool:
    """Whether the axes stand at the left edge of their grid."""
    place = axes.get_subplotspec()
    return place is not None and place.is_first_col()


def keep(made: Sheet, numbers: pd.DataFrame) -> Sheet:
    """Attach the numbers that a figure draws: saved as CSV beside it, and shown on hover where `gid` names an artist.

    Optional columns: `gid` (the id given to the artist) and `tip` (the text shown).
    """
    made.upbench_numbers = numbers
    return made


def numbers(made: Sheet) -> pd.DataFrame:
    """The numbers that a figure draws, as given to `keep`."""
    return made.upbench_numbers


def save(made: Sheet, stem: Path | str) -> list[Path]:
    """Write `stem`.pdf, .svg and .png, and .csv with the drawn numbers where there are any; the same figure gives the
    same bytes."""
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    key = made.upbench_preset
    written = []
    with use(key) as p:
        settle(made)
        for kind, metadata in (
            ("pdf", {"CreationDate": None, "ModDate": None}),
            ("svg", {"Date": None}),
            ("png", {"Software": None}),
        ):
            path = stem.with_name(f"{stem.name}.{kind}")
            made.savefig(path, format=kind, dpi=p.dpi, metadata=metadata)
            written.append(path)
    frame = made.upbench_numbers
    if len(frame):
        path = stem.with_name(f"{stem.name}.csv")
        kept = frame.drop(columns=[c for c in ("gid", "tip") if c in frame])
        path.write_bytes(kept.to_csv(index=False, lineterminator="\n").encode())
        written.append(path)
    return written


def settle(made: Sheet) -> None:
    """Lay the figure out once, so that every format shows the same, and none pays for it again."""
    if not made.upbench_settled:
        ConstrainedLayoutEngine().execute(made)
        made.upbench_settled = True


def inline(made: Sheet) -> str:
    """The figure as SVG with its text as outlines, so that a page shows it the same whatever fonts the reader has."""
    out = io.StringIO()
    with use(made.upbench_preset), matplotlib.rc_context({"svg.fonttype": "path"}):
        settle(made)
        made.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def count(value: float) -> str:
    """A count for people: 950, 12K, 1.97M, 150M."""
    for scale, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= scale:
            scaled = value / scale
            digits = 0 if scaled >= 99.5 else 1 if scaled >= 9.95 else 2
            text = f"{scaled:.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + unit
    return f"{value:.0f}"


def percent(value: float) -> str:
    """A percentage with as many digits as it needs: 0.001, 0.1, 5, 100."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if value < 1 else f"{value:g}"


COUNTS = FuncFormatter(lambda value, _: count(value))
PERCENTS = FuncFormatter(lambda value, _: percent(value))
