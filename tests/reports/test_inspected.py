"""The figures from an inspection, by what was drawn; and that reading it needs no torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.errors import DataError
from reports import inspected
from reports.drawing import style
from reports.drawing.palette import GREEN, VERMILLION
from reports.figures import attention, retrieval_gallery, tsne
from reports.page import report


def test_right_and_wrong_differ_in_colour_dash_and_shape(inspection):
    figure = retrieval_gallery.draw(None, "cvpr", inspection)
    frames = {a.get_gid(): a for a in figure.findobj() if a.get_gid()}
    frame = style.numbers(figure)
    assert frame["right"].tolist() == [True, False, True, False, False, False, False, True, False, False]
    for row in frame.itertuples():
        look = frames[row.gid]
        assert look.get_edgecolor()[:3] == pytest.approx(
            tuple(int((GREEN if row.right else VERMILLION)[i : i + 2], 16) / 255 for i in (1, 3, 5))
        )
        assert (look.get_linestyle() in ("-", "solid")) == row.right
    markers = [line.get_marker() for axes in figure.axes for line in axes.lines]
    assert (markers.count("o"), markers.count("X"), markers.count("D")) == (3, 7, 1)
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert "the first at rank 3" in " ".join(titles.split())


def test_pictures_are_upright(inspection):
    """The first row of pixels is drawn at the top, in both figures with pictures."""
    for module in (retrieval_gallery, attention):
        figure = module.draw(None, "cvpr", inspection)
        for axes in figure.axes:
            bottom, top = axes.get_ylim()
            assert bottom < top
            for image in axes.images:
                assert image.origin == "upper" and image.get_extent()[2] < image.get_extent()[3]


def test_evidence_is_where_it_was_measured(inspection):
    frame = style.numbers(attention.draw(None, "wide", inspection))
    red = frame[frame["word"] == "red"]
    assert len(red) == 2 and set(zip(red["best_row"], red["best_column"], strict=True)) == {(2, 1)}
    assert frame.groupby("query").size().tolist() == [attention.WORDS] * 2


def test_the_map_repeats(inspection):
    f = inspection.features
    one, again = (tsne.places(f["image"], f["text"]) for _ in range(2))
    assert np.array_equal(one, again) and one.shape == (27, 2)


def test_identities_lie_together_and_are_counted(inspection):
    f = inspection.features
    at = tsne.places(f["image"], f["text"])
    people = np.concatenate([f["image_person"], f["text_person"]])
    gaps = np.linalg.norm(at[:, None] - at[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert (people[gaps.argmin(axis=1)] == people).mean() > 0.9
    slow = [
        f["image_person"][max(range(12), key=lambda i: float(f["image"][i] @ t))] == who
        for t, who in zip(f["text"], f["text_person"], strict=True)
    ]
    assert tsne.nearest_right(f) == pytest.approx(np.mean(slow))
    assert np.allclose(tsne.centred(f["text"]).mean(axis=0), 0, atol=0.3)


def test_a_page_shows_it_only_when_it_is_given(results, inspection, tmp_path):
    names = ("tsne", "retrieval_gallery", "budget")
    without = report(results, tmp_path / "one", only=names)
    assert not any("tsne" in p.name for p in without)
    shown = report(results, tmp_path / "two", only=names, inspection=inspection)
    assert any(p.name == "tsne.pdf" for p in shown)
    assert "data:image/png;base64" in shown[0].read_text(encoding="utf-8")


def test_a_damaged_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="no whole inspection"):
        inspected.load(tmp_path)
    assert inspected.latest(tmp_path, ["0123"]) is None


def test_reading_and_drawing_need_no_torch(inspection, tmp_path):
    code = "import sys; from pathlib import Path; from reports import inspected\n"
    code += "inspected.draw_all(inspected.load(Path(sys.argv[1])), Path(sys.argv[2]), 'cvpr')\n"
    code += "sys.exit(bool({'torch', 'ray', 'matplotlib.pyplot'} & set(sys.modules)))"
    call = [sys.executable, "-c", code, str(inspection.folder), str(tmp_path)]
    assert subprocess.run(call, timeout=200).returncode == 0
    assert len(list(tmp_path.glob("*.pdf"))) == 3
