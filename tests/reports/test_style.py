"""Looks are stable and distinct, numbers are written as people write them, files repeat byte by byte."""

from __future__ import annotations

import itertools

import matplotlib
import pytest

from harness.errors import UserError
from reports.drawing import artists, palette, shades, style


def test_known_methods_keep_their_look_whatever_else_is_there():
    for others in ([], ["mine"], ["mine", "yours", "lora"]):
        assert palette.looks(["up_person", *others])["up_person"] == palette.LOOKS["up_person"]
    assert len(set(palette.LOOKS.values())) == len(palette.LOOKS)


def test_no_two_methods_look_alike():
    labels = [*palette.LOOKS, *(f"mine {i}" for i in range(60))]
    found = palette.looks(labels)
    assert len(set(found.values())) == len(labels)
    assert found == palette.looks(reversed(labels))
    for one, two in itertools.combinations(found.values(), 2):
        assert (one.colour, one.marker) != (two.colour, two.marker) or one.dash != two.dash


def test_colours_are_shared_only_when_all_are_taken():
    labels = [f"{method} {tower}" for method in ("lora", "adapter") for tower in ("both", "image", "text")]
    colours = [look.colour for look in palette.looks(labels).values()]
    assert len(set(colours)) == 5 and len(set(palette.looks(labels[:5]).values())) == 5
    assert len({look.colour for look in palette.looks(["lora", *labels[:4]]).values()}) == 5


def test_an_unknown_name_looks_the_same_in_every_process():
    assert palette.looks(["mine"])["mine"] == palette.Look("#E69F00", "s", palette.SOLID)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (950, "950"), (999.6, "1000"), (12_000, "12K"), (307_272, "307K"), (1_966_128, "1.97M"),
     (7_419_816, "7.42M"), (149_617_664, "150M"), (99_960, "100K"), (10_000_000, "10M"), (1e9, "1G")],
)  # fmt: skip
def test_counts(value, text):
    assert style.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "0.001"), (0.1, "0.1"), (5, "5"), (100, "100"), (1e-6, "0.000001")]
)
def test_percents(value, text):
    assert style.percent(value) == text


def test_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match="did you mean cvpr"):
        style.preset("cvrp")


def test_a_preset_changes_nothing_outside_its_block():
    before = dict(matplotlib.rcParams)
    with style.use("slides"):
        assert matplotlib.rcParams["pdf.fonttype"] == 42
    assert dict(matplotlib.rcParams) == before


def test_no_text_under_seven_points():
    assert all(p.small >= 7 and p.size >= p.small for p in style.PRESETS.values())


def test_ink_is_the_one_that_reads_better():
    blue = 0.7152 * 0.1683 + 0.0722 * 0.4451  # of #0072B2, by hand
    assert shades.luminance(0.0) == pytest.approx(1.0) and shades.luminance(1.0) == pytest.approx(blue, abs=1e-3)
    assert shades.ink(0.0) == shades.ink(0.8) == "black" and shades.ink(1.0) == "white"
    for share in (0.0, 0.3, 0.6, 0.9, 1.0):
        light = shades.luminance(share) + 0.05
        assert max(1.05 / light, light / 0.05) >= 4.5


@pytest.mark.parametrize("preset", ["cvpr", "slides"])
def test_a_long_note_makes_the_figure_higher_and_not_the_panel_smaller(preset):
    heights = {}
    with style.use(preset):
        for words in (20, 400):
            figure, grid = artists.panels(preset, 1, 1.6, 1)
            artists.note(figure, [" ".join(["word"] * words)])
            style.settle(figure)
            heights[words] = grid[0][0].get_position().height * figure.get_figheight()
    assert heights[400] > 0.8 * heights[20]
