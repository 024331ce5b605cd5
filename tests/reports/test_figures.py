"""Every figure in every preset: fonts, sizes, bytes, and that nothing is cut off; no figure reads files."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image

from harness import registry
from reports import inspected
from reports.cells import cells, home
from reports.drawing import artists, palette, style
from tests.reports.made import SHIFTED

FIGURES = registry.names("figures")


@pytest.fixture(scope="module")
def studies(results, under, making):
    """For each figure a study that it applies to."""
    one = {"budgets": ("1%",), "places": ("synth_cuhk",), "holes": False}
    lrs = (1e-4, 1e-3, 1e-2)
    swept = making(seeds=2, methods=("lora", "prefix"), lrs=lrs, **one)
    crossed = making(seeds=1, methods=("lora",), lrs=lrs, depths=(3, 12), **one)
    parts = making(seeds=2, methods=("l_adapter", "lora", "lora+l_adapter", "up_person"), budgets=("1%",), holes=False)
    cut = making(seeds=2, methods=("zero_shot", "lora", "prefix"), budgets=("1%",), holes=False, cross=False,
                 fractions=(0.01, 0.1, 1.0))  # fmt: skip
    special = {"hyper_lines": swept, "grid_heatmap": crossed, "ablation": parts, "data_fraction": cut}
    special |= dict.fromkeys(SHIFTED, under)
    return {name: special.get(name, results) for name in FIGURES}


@pytest.fixture(scope="module")
def draw(studies, inspection):
    """Draw a figure by name; those that show a trial from the inside get an inspection."""

    def drawing(name, preset="cvpr"):
        module = registry.find("figures", name)
        if name in inspected.FIGURES:
            assert not module.applies(studies[name]) and module.applies(studies[name], inspection)
            return module.draw(studies[name], preset, inspection)
        assert module.applies(studies[name])
        return module.draw(studies[name], preset=preset)

    return drawing


OTHER = [pytest.param(preset, marks=pytest.mark.slow) for preset in ("ieee", "wide", "slides")]


@pytest.mark.parametrize("preset", ["cvpr", *OTHER])
@pytest.mark.parametrize("name", FIGURES)
def test_files_are_fit_for_a_journal(name, draw, preset, tmp_path):
    """Type 42 fonts, 7 pt or more, the right width, and nothing that runs into the edge of the picture."""
    figure = draw(name, preset)
    p = style.PRESETS[preset]
    assert figure.get_size_inches()[0] == p.width
    paths = {path.suffix: path for path in style.save(figure, tmp_path / name)}
    assert set(paths) == {".pdf", ".svg", ".png", ".csv"}
    pdf = paths[".pdf"].read_bytes()
    assert b"/Type3" not in pdf
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"CreationDate" not in pdf
    assert min(_sizes(pdf)) >= 7
    assert all(text.get_fontsize() >= p.small for text in figure.findobj(Text) if text.get_text().strip())
    pixels = np.asarray(Image.open(paths[".png"]).convert("L"))
    assert pixels.shape[1] == pytest.approx(p.width * p.dpi, abs=1)
    assert min(pixels[0].min(), pixels[-1].min(), pixels[:, 0].min(), pixels[:, -1].min()) > 250, "cut off at the edge"


REPEATED = [pytest.param(name, marks=[] if name == "budget_curve" else pytest.mark.slow) for name in FIGURES]


@pytest.mark.parametrize("name", REPEATED)
def test_the_same_results_give_the_same_bytes(name, draw, tmp_path):
    once, twice = (style.save(draw(name), tmp_path / folder / name) for folder in ("one", "two"))
    assert [a.name for a, b in zip(once, twice, strict=True) if a.read_bytes() != b.read_bytes()] == []


def _sizes(pdf: bytes) -> list[float]:
    """Font sizes set in the content streams of a PDF."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            text = zlib.decompress(stream)
        except zlib.error:
            continue
        found += [float(size) for size in re.findall(rb"/F\S+ ([\d.]+) Tf", text)]
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_hovers_and_numbers_belong_to_what_is_drawn(name, draw):
    """Every hover names an artist, and every number behind a figure is finite or absent."""
    figure = draw(name)
    frame = style.numbers(figure)
    assert len(frame)
    if "gid" in frame:
        gids = {artist.get_gid() for artist in figure.findobj() if artist.get_gid()}
        assert set(frame["gid"].dropna()) <= gids
        assert frame["gid"].dropna().is_unique
        assert frame["tip"].str.len().min() > 5
    assert not np.isinf(frame.select_dtypes("number").to_numpy(float)).any()


def test_a_figure_says_which_question_it_answers():
    for name in FIGURES:
        assert registry.summary("figures", name).endswith("?"), name
    for name in registry.names("tables"):
        assert registry.summary("tables", name).endswith("?"), name


def test_a_figure_that_does_not_apply_says_so(making):
    empty = making(seeds=1, methods=("zero_shot",), places=("synth_cuhk",), cross=False, holes=False)
    assert [name for name in FIGURES if registry.find("figures", name).applies(empty)] == []


def test_hyper_lines_show_every_setting_and_whose_choice_a_band_is(making):
    swept = making(seeds=3, methods=("lora", "prefix"), lrs=(1e-4, 1e-3, 1e-2), budgets=("1%",),
                   places=("synth_cuhk",), holes=False)  # fmt: skip
    module = registry.find("figures", "hyper_lines")
    axes = module.draw(swept).axes[0]
    left, right = axes.get_xlim()
    assert left < 1e-4 and right > 1e-2
    on_val = {label: [c for c in found if c.label == label] for found in [home(cells(swept, "R1", split="val"))]
              for label in ("lora", "prefix")}  # fmt: skip
    best = {label: max(some, key=lambda c: c.mean) for label, some in on_val.items()}
    chosen = {label: dict(c.variant)["recipe.lr"] for label, c in best.items()}
    bands = [(patch.get_x(), patch.get_x() + patch.get_width(), patch.get_facecolor()) for patch in axes.patches]
    looks = palette.looks(chosen)
    for label, value in chosen.items():
        one = [face for low, high, face in bands if low <= value * 1.000001 and value <= high * 1.000001]
        assert one
        if len(set(chosen.values())) > 1:
            assert any(to_hex(face) == looks[label].colour.lower() for face in one)
    marks = [line for line in axes.lines if re.fullmatch(r"point-\d+", line.get_gid() or "")]
    assert {float(line.get_xdata()[0]) for line in marks} == {1e-4, 1e-3, 1e-2}


def test_panels_fill_their_rows():
    for count, across in ((1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3)):
        _, ((*row,),) = artists.panels("wide", count, 1.0)
        assert len(row) == count
        assert max(axes.get_subplotspec().colspan.stop for axes in row) == across
    _, ((*row,),) = artists.panels("ieee", 4, 1.0)
    assert [axes.get_subplotspec().rowspan.start for axes in row] == [0, 1, 2, 3]
