"""Every number of the leaderboard and of the methods' pages again, by loops over Parquet files alone."""

from __future__ import annotations

import csv
import itertools
import re

import pytest

from tests.reports.site.conftest import PUBLISHED
from tests.reports.site.read import Page
from tests.reports.slow import numbers
from tests.reports.slow.names import NAMES, PLACES

COLUMNS = ["Method", "Budget", "Rank-1 (%)", "95 % interval", "Groups", "mAP (%)", "Composite", "Trained", "Share",
           "Seeds", "Backbone", "Study"]  # fmt: skip


@pytest.fixture(scope="module")
def index(folder):
    return Page(folder / "index.html")


def number(mean, mark: str = "") -> str:
    return f"{mean.mean:.2f}" + ("" if mean.half is None else f" ± {mean.half:.2f}") + mark


def rows_of(index, place: str) -> list[dict]:
    table = index.table(f"Measured here on {NAMES[place]}")
    assert [head.text for head in table.heads] == COLUMNS
    return [table.by_head(row) for row in table.rows]


def found(index, place: str, study: str, group) -> dict:
    """The one row of a group of trials."""
    name = group.name
    some = [row for row in rows_of(index, place) if row["Study"].text == study
            and row["Method"].text == name and row["Budget"].text == (group.budget or "–")]  # fmt: skip
    assert len(some) == 1, (place, study, name, group.budget)
    return some[0]


def test_every_cell_of_every_study_has_its_row(index, slow):
    for place in PLACES:
        assert len(rows_of(index, place)) == sum(
            g.dataset == place for study in slow.values() for g in study.groups("R1")
        )


def test_scores_and_intervals_are_those_of_the_study(index, slow):
    for name, study in slow.items():
        for g, further in zip(study.groups("R1"), study.groups("mAP"), strict=True):
            row = found(index, g.dataset, name, g)
            assert row["Rank-1 (%)"].text == (number(g.interval, g.mark) if g.scores else "–")
            assert row["mAP (%)"].text == (number(further.interval) if further.scores else "–")
            if g.scores:
                assert float(row["Rank-1 (%)"].key) == pytest.approx(g.mean, abs=1e-9)
                assert float(row["mAP (%)"].key) == pytest.approx(further.mean, abs=1e-9)
            assert row["Seeds"].text == g.story and row["Seeds"].key == str(len(g.scores))
            assert row["Backbone"].text == ("ViT-B-16" if g.scores else "–")


def test_sizes_are_those_of_the_study(index, slow):
    for name, study in slow.items():
        for g in study.groups("R1"):
            row, size, share = found(index, g.dataset, name, g), g.of("trained"), g.of("share")
            assert row["Trained"].text == ("–" if size is None else f"{size:,.0f}")
            assert row["Share"].text == ("–" if share is None else f"{100 * share:.3f} %")
            target = g.of("budget_parameters")
            assert row["Budget"].key == ("" if g.budget is None else f"{target:.0f}")


def test_bars_show_the_intervals_on_one_scale(index, slow):
    for place in PLACES:
        groups = [(n, g) for n, s in slow.items() for g in s.groups("R1") if g.dataset == place]
        ends = [
            e for _, g in groups if g.scores for e in (g.mean - (g.interval.half or 0), g.mean + (g.interval.half or 0))
        ]
        low, high = min(ends), max(ends)
        for name, g in groups:
            bar = found(index, place, name, g)["95 % interval"].bar
            if not g.scores:
                assert bar == []
                continue
            half = g.interval.half or 0.0
            expected = [2 + 100 * (x - low) / (high - low) for x in (g.mean - half, g.mean + half, g.mean)]
            assert bar == pytest.approx(expected, abs=0.051)


def rivals(study, g):
    """What competes with a group: the same study, data set and budget, with a score; the best first."""
    same = [o for o in study.groups("R1") if (o.dataset, o.budget) == (g.dataset, g.budget) and o.scores]
    return sorted(same, key=lambda o: -o.mean)


def test_letters_are_shared_exactly_where_no_difference_holds(index, slow):
    told, alike = 0, 0
    for name, study in slow.items():
        for place, budget in {(g.dataset, g.budget) for g in study.groups("R1")}:
            group = [g for g in study.groups("R1") if (g.dataset, g.budget) == (place, budget)]
            some = rivals(study, group[0])
            lettered = {g.label: set(found(index, place, name, g)["Groups"].text) - {"–"} for g in group}
            if budget is None or len(some) < 2:
                assert not any(lettered.values())
                continue
            pairs = list(itertools.combinations(some, 2))
            adjusted = numbers.holm([study.difference(a, b, "R1")[1] for a, b in pairs])
            for (a, b), p in zip(pairs, adjusted, strict=True):
                assert bool(lettered[a.label] & lettered[b.label]) == (p > 0.05), (
                    name,
                    place,
                    budget,
                    a.label,
                    b.label,
                )
                told, alike = told + (p <= 0.05), alike + (p > 0.05)
            assert "a" in lettered[some[0].label]
            assert not any(lettered[g.label] for g in group if not g.scores)
    assert told > 5 and alike > 3


def costs(g) -> tuple | None:
    image, text, memory = (g.of(c) for c in ("latency_image_ms", "latency_text_ms", "peak_memory_train"))
    cut = any(t["micro_batch"] is not None and t["micro_batch"] < t["batch"] for t in g.trials)
    known = None not in (image, text, memory, g.of("trained"))
    return (g.of("trained"), image + text, memory) if known and not cut else None


def machines(g) -> set[str]:
    return {t["hardware"] for t in g.trials if t["id"] in g.ids.values()}


def test_the_composite_has_the_formula_or_nothing(index, slow):
    shown = empty = 0
    for name, study in slow.items():
        every = study.groups("R1")
        for g in every:
            (full,) = (o for o in every if o.label == "full" and o.dataset == g.dataset)
            own, whole = costs(g), costs(full)
            cell = found(index, g.dataset, name, g)["Composite"]
            if not g.scores or own is None or whole is None or len(machines(g) | machines(full)) > 1:
                assert cell.text == cell.key == "", (name, g.label, g.budget)
                empty += 1
                continue
            value = g.mean
            for part, constant in zip(own, whole, strict=True):
                value /= 1 + part / constant
            assert cell.text == f"{value:.2f}" and float(cell.key) == pytest.approx(value, abs=1e-9)
            shown += 1
            if g.label == "full":
                assert value == pytest.approx(g.mean / 8)
    assert shown > 10 and empty > 8


def test_the_constants_beside_the_composite_are_those_of_full_fine_tuning(index, slow):
    table = index.table("Constants of the composite")
    for row in table.rows:
        at = table.by_head(row)
        (full,) = (
            g
            for g in slow[at["Study"].text].groups("R1")
            if g.label == "full" and NAMES[g.dataset] == at["Data set"].text
        )
        size, time, memory = costs(full)
        assert (at["P"].text, at["T (ms)"].text, at["M (MiB)"].text) == (
            f"{size:,.0f}",
            f"{time:.2f}",
            f"{memory / 2**20:.1f}",
        )
    assert len(table.rows) == 4


def test_published_numbers_are_all_there_and_nowhere_among_measured_ones(index):
    for line in csv.DictReader(PUBLISHED.splitlines()):
        if line["table"] not in ("main", "state of the art"):
            continue
        name = {"cuhk_pedes": "CUHK-PEDES"}.get(line["dataset"]) or NAMES[line["dataset"]]
        table = index.table(f"Published elsewhere, not measured here: {name} (percent)")
        who = f"{line['method']} published", line["backbone"] or "–"
        some = [r for r in map(table.by_head, table.rows) if (r["Method"].text, r["Backbone"].text) == who]
        assert len(some) == 1
        if "quotes" in line["source"]:  # what two tables give alike stands once, as its own paper has it
            continue
        for metric, head in (("R1", "Rank-1"), ("R5", "Rank-5"), ("R10", "Rank-10"), ("mAP", "mAP")):
            mark = "" if line["certainty"] == "paper" else "‡"
            assert some[0][head].text == (f"{float(line[metric]):.2f}{mark}" if line[metric] else "–")
        assert some[0]["Source"].text.startswith(line["source"])
    assert "12.00" not in {cell.text for table in index.tables for row in table.rows for cell in row}


def test_measured_and_published_tables_are_told_apart(index, slow):
    methods = {row["method"] for row in csv.DictReader(PUBLISHED.splitlines())}
    labels = {g.name for study in slow.values() for g in study.groups("R1")}
    for table in index.tables:
        first = {row[0].text.removesuffix(" published") for row in table.rows}
        if table.caption.startswith("Measured here on"):
            assert first <= labels and not any("published" in cell.text for row in table.rows for cell in row)
        elif table.caption.startswith("Published elsewhere, not measured here"):
            assert first <= methods and all(row[0].text.endswith(" published") for row in table.rows)
        else:
            assert not first & (methods | labels), table.caption


def test_a_method_has_its_standing_in_each_study(folder, slow):
    for method in ("lora", "full", "adapter"):
        table = Page(folder / "methods" / f"{method}.html").tables[-1]
        rows = [table.by_head(row) for row in table.rows]
        expected = [(n, g) for n, s in slow.items() for g in s.groups("R1") if g.label == method]
        assert len(rows) == len(expected) > 0
        for name, g in expected:
            (row,) = (r for r in rows if (r["Study"].text, r["Data set"].text, r["Budget"].text)
                      == (name, NAMES[g.dataset], g.budget or "–"))  # fmt: skip
            some = rivals(slow[name], g)
            place = 1 + sum(o.mean > g.mean for o in some) if g.scores else None
            assert row["Rank"].text == (f"{place} of {len(some)}" if g.budget and g.scores else "–")
            assert row["Rank-1 (%)"].text == (number(g.interval, g.mark) if g.scores else "–")
            size = g.of("trained")
            assert row["Trained"].text == ("–" if size is None else f"{size:,.0f}")


def test_sizes_of_a_method_are_those_that_were_handed_over_and_measured(folder, slow):
    page = Page(folder / "methods" / "lora.html")
    table = page.table("Closed form, default options")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["tiny", "12,800", "0.906 %"], ["large", "540,672", "0.126 %"],
    ]  # fmt: skip
    (told,) = re.findall(r"Measured on ViT-B-16 with (.*?)\.</p>", page.source, flags=re.DOTALL)
    sizes = {
        (g.of("trained"), g.of("share"))
        for s in slow.values()
        for g in s.groups("R1")
        if g.label == "lora" and g.scores
    }
    assert told == ", ".join(f"{size:,.0f} ({100 * share:.3f} %)" for size, share in sorted(sizes))
