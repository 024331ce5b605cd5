"""The main figure, by what was drawn: places, looks, statuses, reference lines and the Pareto front."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.lines import Line2D

from reports.cells import cells, home
from reports.drawing import artists as draw
from reports.drawing import palette, style
from reports.drawing.labels import label
from reports.figures import budget_curve, budget_curve_map
from reports.figures.budget_curve import backbone_parameters, pareto


@pytest.fixture(scope="module")
def figure(results):
    return budget_curve.draw(results)


@pytest.fixture(scope="module")
def artists(figure):
    return {artist.get_gid(): artist for artist in figure.findobj() if artist.get_gid()}


def test_every_marker_is_at_its_achieved_parameters_and_mean(results, figure, artists):
    """Against the raw tables, not against the cells the figure was made from."""
    scores = results.scores.query("metric == 'R1' and split == 'test' and choice == 'selected' and direction == 't2i'")
    joined = results.trials.merge(scores, on=["id", "dataset"])
    joined = joined[(joined["status"] == "ok") & (joined["trained"] > 0)]
    expected = joined.fillna({"budget": "-"}).groupby(["label", "budget", "dataset"])[["trained", "value"]].mean()
    frame = style.numbers(figure)
    drawn = frame[frame["mean"].notna() & frame["gid"].notna()].fillna({"budget": "-"})
    assert len(drawn) == len(expected) == 48
    for row in drawn.itertuples():
        x, y = artists[row.gid].get_xydata()[0]
        wanted = expected.loc[(row.label, row.budget, row.trained_on)]
        assert (x, y) == (pytest.approx(wanted["trained"]), pytest.approx(wanted["value"]))
        look = palette.LOOKS[row.label]
        assert (artists[row.gid].get_color(), artists[row.gid].get_marker()) == (look.colour, look.marker)


def test_interval_is_drawn_where_there_is_one(figure, artists):
    for row in style.numbers(figure).dropna(subset=["gid", "mean"]).itertuples():
        bar = artists.get(f"{row.gid}-interval")
        assert (bar is None) == (row.seeds == 1)
        if row.seeds > 2:
            assert bar.get_ydata() == pytest.approx([row.low, row.high])


def test_holes_are_shown_as_what_they_are(figure, artists):
    frame = style.numbers(figure)
    for status, fill in (("ok", "full"), ("single", "none"), ("partial", "bottom")):
        some = frame[(frame["status"] == status) & frame["gid"].notna()]
        assert len(some)
        assert {artists[g].get_fillstyle() for g in some["gid"]} == {fill}
    crosses = frame[frame["status"] == "infeasible"]
    assert len(crosses) == 3
    assert {artists[g].get_marker() for g in crosses["gid"]} == {"x"}
    assert all(artists[row.gid].get_xdata() == [row.target_parameters] for row in crosses.itertuples())
    note = " ".join(figure._supxlabel.get_text().split())
    for words in (
        "Prefix at 5%: infeasible",
        "Adapter at 0.5%: one seed, no interval",
        "LoRA at 5% (S-ICFG): 2 of 3 seeds (1 diverged)",
        "UP-Person at 5% (S-RSTP): 2 of 3 seeds (1 not run)",
        "Full fine-tuning (S-ICFG): 2 of 3 seeds (1 out of memory)",
    ):
        assert words in note


def test_panels_references_and_axes(results, figure):
    texts = [[t.get_text() for t in axes.texts] for axes in figure.axes]
    assert [t[-1] for t in texts] == ["S-CUHK", "S-ICFG", "S-RSTP"]
    full = {c.dataset: c.mean for c in home(cells(results)) if c.label == "full"}
    for axes, words, place in zip(figure.axes, texts, full, strict=True):
        assert f"Full FT {full[place]:.1f}" in words
        assert any(w.startswith("Zero-shot") for w in words)
        assert axes.get_xscale() == "log"
        assert any(np.allclose(line.get_ydata(), full[place]) and len(line.get_ydata()) == 2 for line in axes.lines)
    with style.use("cvpr"):
        figure.canvas.draw()
    top = figure.axes[0].child_axes[0]
    assert top.get_xlim() == pytest.approx(np.array(figure.axes[0].get_xlim()) * 100 / 149_617_664)


def test_legend_is_outside_of_all_panels(figure):
    with style.use("cvpr"):
        style.settle(figure)
        renderer = figure.canvas.get_renderer()
        box = figure.legends[0].get_window_extent(renderer)
        assert not any(box.overlaps(axes.get_tightbbox(renderer)) for axes in figure.axes)
    words = [t.get_text() for t in figure.legends[0].texts]
    assert words == ["Adapter", "LoRA", "Prefix", "UP-Person", "Pareto front"]


@pytest.mark.parametrize("height", [0.04, 0.07, 0.09, 0.11, 0.13])
def test_a_label_keeps_off_a_line_in_a_panel_as_it_was_laid_out(height):
    """A legend of three rows takes more of the figure than any guess of a panel's size allows for."""
    with style.use("cvpr"):
        figure, ((axes,),) = draw.panels("cvpr", 1, 1.62)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="x")
        axes.secondary_xaxis("top").set_xlabel("x")
        draw.legend(figure, [Line2D([], [], label=f"a method, number {n}") for n in range(6)])
        draw.note(figure, ["many words " * 20])
        style.settle(figure)
        line = [(x, height) for x in np.linspace(0, 1, 25)]
        label(axes, "a name", [(0.98, 0.02, "right", "bottom"), (0.98, 0.5, "right", "bottom")], line)
        figure.canvas.draw()
        box = axes.texts[0].get_window_extent(figure.canvas.get_renderer())
    assert not box.y0 < axes.transData.transform((0, height))[1] < box.y1


def test_pareto_by_a_slow_loop():
    rng = np.random.default_rng(0)
    for _ in range(30):
        points = [tuple(p) for p in rng.integers(0, 8, (12, 2)).tolist()]
        kept = {p for p in points if not any(q[0] <= p[0] and q[1] >= p[1] and q != p for q in points)}
        assert set(pareto(points)) == kept
    assert pareto([]) == []


def test_backbone_parameters_come_from_full_or_from_what_is_left(results):
    found = home(cells(results))
    assert backbone_parameters(found) == 149_617_664
    assert backbone_parameters([c for c in found if c.label in ("lora", "adapter")]) == 149_617_664
    assert backbone_parameters([]) is None


def test_two_metrics_make_two_rows(results):
    figure = budget_curve.draw(results, preset="wide", metrics=("R1", "mAP"))
    assert len(figure.axes) == 6
    assert set(style.numbers(figure)["metric"]) == {"R1", "mAP"}


def test_the_curve_of_map_shows_map(results):
    figure = budget_curve_map.draw(results)
    assert figure.axes[0].get_ylabel() == "mAP (%)"
    drawn = {round(float(y), 6) for line in figure.axes[0].lines for y in line.get_ydata()}
    wanted = [c.mean for c in home(cells(results, "mAP")) if c.dataset == "synth_cuhk" and c.budget and c.values]
    assert wanted and all(round(mean, 6) in drawn for mean in wanted)


@pytest.mark.parametrize("budgets", [("3%",), ("3%", "4%"), ("1%",)])
def test_both_axes_have_ticks_where_few_sizes_are_drawn(making, budgets):
    made = making(seeds=2, methods=("lora",), budgets=budgets, places=("synth_cuhk",), holes=False, cross=False)
    figure = budget_curve.draw(made)
    with style.use("cvpr"):
        figure.canvas.draw()
    for axes in (figure.axes[0], figure.axes[0].child_axes[0]):
        low, high = axes.get_xlim()
        inside = [tick for tick in axes.xaxis.get_majorticklocs() if low <= tick <= high]
        assert len(inside) == 1 if budgets == ("1%",) else 1 <= len(inside) <= 2
        assert all(axes.xaxis.get_major_formatter()(tick) for tick in inside)
