"""`upbench site` as its users see it, on a real store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.api import sites
from harness.cli import main
from harness.store.store import Record, Store
from reports import page
from tests.reports.site.read import Page


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        code = main.call(["site", *args])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def quick(monkeypatch):
    """The pages of studies with one table each."""
    whole = page.report

    def small(results, out, **more):
        return whole(results, out, only=("budget",), **more)

    monkeypatch.setattr(page, "report", small)


@pytest.fixture
def store(making, tmp_path):
    made = making(
        seeds=2, methods=("zero_shot", "lora"), budgets=("0.5%",), places=("synth_cuhk",), holes=False, cross=False
    )
    store = Store(tmp_path / "store")
    for name in ("one", "two"):
        store.declare(name, made.study["study"], made.study["trials"], made.study["question"])
    for row in made.trials.to_dict("records"):
        tables = {n: f[f["id"] == row["id"]].drop(columns="id") for n in ("scores", "history", "queries")
                  for f in (getattr(made, n),)}  # fmt: skip
        trial = {key: value for key, value in row.items() if value is not None and value == value}
        store.commit(Record(trial=trial, **tables))
    return store


def test_a_store_without_published_studies(store, call, quick, tmp_path):
    code, out, err = call("--store", str(store.root))
    assert (code, err) == (0, "") and out.startswith("site/index.html: the leaderboard; ")
    assert "no study of this store is published" in out
    index = Page(tmp_path / "site" / "index.html")
    assert [row[0].text for row in index.table("Studies with their figures and tables").rows] == ["one", "two"]
    assert "These studies are not published" in index.source


def test_published_studies_alone_are_shown(store, call, quick, tmp_path):
    store.state_published("two", {"trials": 3})
    code, out, _ = call("--store", str(store.root), "--out", "there", "--json")
    told = json.loads(out)
    assert code == 0 and told["published"] is True
    assert {str(p.relative_to(tmp_path)) for p in (tmp_path / "there").rglob("*") if p.is_file()} == set(told["paths"])
    index = Page(tmp_path / "there" / "index.html")
    assert [row[0].text for row in index.table("Studies with their figures and tables").rows] == ["two"]
    assert "not published" not in index.source
    study = Page(tmp_path / "there" / "studies" / "two" / "index.html")
    assert study.links[:2] == ["#content", "../../index.html"]
    lora = Page(tmp_path / "there" / "methods" / "lora.html")
    sizes = {row[0].text: row[1].text for row in lora.table("Closed form, default options").rows}
    assert sizes == {"tiny": "12,800", "ViT-B/16, 384x128": "245,760", "ViT-L/14, 378x126": "540,672"}
    assert "y = x W^T + b + s (x A^T) B^T" in lora.source and "https://arxiv.org/abs/2106.09685" in lora.links
    assert "it needs" in (tmp_path / "there" / "methods" / "union.html").read_text(encoding="utf-8")


def test_faults_are_one_line(store, call, tmp_path):
    code, out, err = call("--store", "nowhere")
    assert code == 4 and not out and err.count("\n") == 1 and "nothing is published or committed here" in err
    Store(tmp_path / "bare").declare("x", {}, [])
    assert call("--store", "bare")[0] == 4
    (tmp_path / "file").write_text("")
    code, _, err = call("--store", str(store.root), "--out", "file")
    assert code == 2 and "file" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "methods").write_text("")
    code, _, err = call("--store", str(store.root), "--out", "full")
    assert code == 3 and err.count("\n") == 1 and "full/methods" in err
    shutil.rmtree(store.root / "studies")
    store.state_published("gone", {"trials": 1})
    code, _, err = call("--store", str(store.root))
    assert code == 2 and "no results of a study 'gone'" in err


def test_closed_forms_are_those_of_the_page_of_methods():
    """`docs/methods.md` was made by trying each method on ViT-B/16."""
    text = (Path(__file__).parents[3] / "docs" / "methods.md").read_text(encoding="utf-8")
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    table = {line[1].strip(): (line[3].strip(), line[4].strip()) for line in lines}
    made = sites.closed_forms()
    assert set(made) == set(table)
    for name, closed in made.items():
        base = [size for size in closed.sizes if size.backbone.startswith("ViT-B/16")]
        shown = [(f"{size.trained:,}", f"{size.share:.3%}") for size in base]
        assert shown == ([table[name]] if table[name] != ("–", "–") else []), name
