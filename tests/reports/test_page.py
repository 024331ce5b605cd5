"""The page is whole, needs nothing else, repeats, and says what is missing."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

from harness.errors import DataError, UserError
from reports import literature
from reports.page import provenance, report, summary

VOID = {"meta", "input", "br", "link", "img", "hr"}


class _Checked(HTMLParser):
    """Collects ids, tags and addresses, and fails on tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            if key in ("href", "src", "xlink:href"):
                self.links.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return out, report(results, out, only=("budget_curve", "main", "budget"))


@pytest.fixture(scope="module")
def page(written):
    return written[0].joinpath("index.html").read_text(encoding="utf-8")


def test_everything_is_written(written):
    out, paths = written
    assert paths[0] == out / "index.html"
    names = {p.relative_to(out).as_posix() for p in paths}
    assert names == {"index.html", *(f"figures/budget_curve.{k}" for k in ("pdf", "svg", "png", "csv"))} | {
        f"tables/{t}.{k}" for t in ("main", "budget") for k in ("tex", "md", "csv")
    }
    assert all(p.stat().st_size for p in paths)


def test_page_is_well_formed_and_needs_nothing_from_outside(page, written):
    checked = _Checked()
    checked.feed(page)
    assert checked.open == []
    assert len(checked.ids) == len(set(checked.ids))
    for link in checked.links:
        assert link.startswith("#") or (written[0] / link).is_file(), link
    inside = re.findall(r"url\(#([^)]+)\)", page) + [link[1:] for link in checked.links if link.startswith("#")]
    assert len(inside) > 500 and set(inside) <= set(checked.ids)
    assert not re.findall(r"(?:src|href)=[\"']?https?://|@import|url\([\"']?https?:", page)
    assert '<meta name="viewport"' in page and "prefers-color-scheme: dark" in page


def test_every_tip_has_its_mark(page):
    tips = json.loads(re.search(r"const tips = (\{.*?\});\n", page)[1])
    assert len(tips) >= 51
    for gid, text in tips.items():
        assert f'<g id="{gid}">' in page, (gid, text)
    assert any("UP-Person at 5%" in t and "2 of 3 seeds (1 not run)" in t for t in tips.values())


def test_page_says_what_is_missing_and_where_it_comes_from(page):
    assert "Which method should adapt CLIP" in page
    assert "138 of 150 trials have results" in page
    assert "Prefix at 5%: infeasible" in page
    assert "made diverged" in page
    for words in ("0123abc", "made accelerator", "torch 2.10.0", "2026-01-01 00:00"):
        assert words in page


def test_same_bytes_again(results, written, tmp_path):
    again = report(results, tmp_path, only=("budget_curve", "main", "budget"))
    for one, two in zip(written[1], again, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_text_of_a_study_is_no_markup(results, tmp_path):
    evil = "<script>alert(1)</script>"
    study = dataclasses.replace(results, study={**results.study, "question": evil})
    text = report(study, tmp_path, only=("budget",))[0].read_text(encoding="utf-8")
    assert evil not in text and "&lt;script&gt;" in text


def test_mixtures_are_called_mixtures(results):
    trials = results.trials.assign(commit=["a"] + ["b"] * (len(results.trials) - 1), dirty=True)
    rows = dict(provenance(dataclasses.replace(results, trials=trials)))
    assert rows["Commit"] == f"mixed: a (1 trials); b ({len(trials) - 1} trials)"
    assert rows["Uncommitted changes"] == "yes"


def test_summary_fits_a_terminal(results):
    text = summary(results)
    assert max(map(len, text.splitlines())) <= 80
    assert "UP-Person" in text and "Prefix at 5%: infeasible" in text


def test_nothing_finished_is_still_a_page(results, tmp_path):
    empty = {name: getattr(results, name).iloc[:0] for name in ("trials", "scores", "history", "queries")}
    missing = [{**t, "why": "not run"} for t in results.study["trials"]]
    study = dataclasses.replace(results, **empty, missing=missing)
    text = report(study, tmp_path, refresh=5)[0].read_text(encoding="utf-8")
    assert "0 of 150 trials have results (150 not run)" in text
    assert '<meta http-equiv="refresh" content="5">' in text
    assert "0 of 150" in summary(study)


def test_unknown_names_are_named(results, tmp_path):
    with pytest.raises(UserError, match="did you mean budget"):
        report(results, tmp_path, only=("budgets",))
    with pytest.raises(UserError, match="preset"):
        report(results, tmp_path, preset="nature")


def test_reports_need_neither_torch_nor_ray():
    code = "import sys, reports.page; from harness import registry\n"
    code += "for kind in ('figures', 'tables'):\n    [registry.find(kind, n) for n in registry.names(kind)]\n"
    code += "sys.exit(bool({'torch', 'ray', 'matplotlib.pyplot'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_literature_is_complete_and_marked():
    frame = literature.load()
    assert len(frame) == 156 and frame["source"].notna().all()
    at = frame.set_index(["table", "method", "backbone", "dataset"])
    assert at.loc[("main", "UP-Person", "ViT-B/16", "cuhk_pedes"), "R1"] == 74.17
    assert at.loc[("main", "IRRA", "ViT-B/16", "icfg_pedes"), "mINP"] == 7.93
    seen = frame[frame["certainty"] == "paper"]
    assert seen[["method", "dataset"]].to_numpy().tolist() == [
        ["UP-Person", "cuhk_pedes"], ["Filtering-WoRA", "cuhk_pedes"],
    ]  # fmt: skip
    scores = frame[["R1", "R5", "R10", "mAP", "mINP"]]
    assert ((scores > 0) & (scores < 100) | scores.isna()).all(axis=None)
    ranks = frame[["R1", "R5", "R10"]].dropna()
    assert (ranks["R1"] < ranks["R5"]).all() and (ranks["R5"] < ranks["R10"]).all()
    assert not frame.duplicated(["table", "method", "backbone", "dataset"]).any()


def test_literature_refuses_an_unknown_certainty(tmp_path):
    frame = literature.load().head(2).assign(certainty=["paper", "rumour"])
    frame.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=r"x.csv:3: unknown certainty 'rumour'"):
        literature.load(tmp_path / "x.csv")


def test_published_numbers_are_shown_and_never_compared(results):
    from reports.tables import main

    names = {"synth_cuhk": "cuhk_pedes", "synth_icfg": "icfg_pedes", "synth_rstp": "rstpreid"}
    real = dataclasses.replace(
        results,
        trials=results.trials.replace({"dataset": names}),
        scores=results.scores.replace({"dataset": names}),
        queries=results.queries.replace({"dataset": names}),
        missing=[{**m, "dataset": names[m["dataset"]]} for m in results.missing],
    )
    table = main.draw(real, literature.load())
    published = [row for row in table.rows if "published" in row["method"]]
    assert len(published) >= 9
    assert {getattr(v, "emphasis", "") for row in published for v in row.values()} == {""}
    (ours,) = (row for row in published if row["method"] == "UP-Person (ViT-B/16, published)")
    assert str(ours["cuhk_pedes_R1"]) == "74.17" and str(ours["icfg_pedes_R1"]) == "65.02‡"
    bare = main.draw(real, pd.DataFrame())
    assert [str(r) for r in bare.rows] == [str(r) for r in table.rows[: len(bare.rows)]]


def test_the_recipe_is_whole_and_differences_are_named(making, tmp_path):
    from reports.words.recipes import recipes

    study = making(seeds=1, methods=("zero_shot", "lora", "prefix"), budgets=("1%",), places=("synth_cuhk",),
                   holes=False, cross=False)  # fmt: skip
    trials = study.trials.copy()
    at = trials["method"] == "prefix"
    trials.loc[at, "recipe"] = trials.loc[at, "recipe"].str.replace('"lr": 0.001', '"lr": 0.1')
    rows = dict(recipes(dataclasses.replace(study, trials=trials)))
    assert rows["batch"] == "64" and rows["optimizer"] == "adam"
    assert (
        rows["lr"] == "0.001 (LoRA, Zero-shot); 0.1 (Prefix)" or rows["lr"] == "0.001 (Zero-shot, LoRA); 0.1 (Prefix)"
    )
    text = report(study, tmp_path, only=("budget",))[0].read_text(encoding="utf-8")
    assert "<dt>optimizer</dt><dd>adam</dd>" in text
