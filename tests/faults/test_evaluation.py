"""Faults 20 to 23 at the command line: what is measured, or said not to be."""

from __future__ import annotations

import json
import re

import pytest

from harness.evaluation import encode as evaluate
from harness.store.store import Store
from harness.trial.loader import Loader

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("split", ["test", "val", "train"])
def test_an_empty_split_is_refused(call, study, edit, split):
    edit(lambda records: [records.remove(r) for r in list(records) if r["split"] == split])
    code, _, err = call("plan", study(), "--no-probe")
    assert code == 4 and f"no image in split '{split}'" in err


def test_rank_10_of_a_small_gallery_is_a_gap(call, study, edit):
    def few(records):
        people = sorted({r["id"] for r in records if r["split"] == "test"})[:2]
        for r in [r for r in records if r["split"] == "test" and r["id"] not in people]:
            records.remove(r)

    edit(few)
    assert call("run", study(), "--executor", "serial")[0] == 0
    scores = Store("store").read("small").scores.query("split == 'test' and direction == 't2i'")
    assert (scores["gallery"] < 10).all() and "R10" not in set(scores["metric"]) and scores["value"].notna().all()
    code, _, err = call("report", "small", "--out", "page")
    assert code == 0, err


@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_an_embedding_without_a_direction_fails_the_trial_and_is_named(call, study, cuhk, monkeypatch, value):
    real = evaluate.encode_texts
    monkeypatch.setattr(evaluate, "encode_texts", lambda *given, **more: real(*given, **more) * value)
    monkeypatch.setattr(Loader, "_known", lambda self, tower, inputs, encode: encode(), raising=False)
    code, _, err = call("run", study(), "--executor", "serial")
    assert code == 5 and "upbench status small tells why" in err
    _, out, _ = call("status", "small", "--json")
    assert re.search(r"cuhk_pedes val, caption 0 .*zero or not finite", out), out


def test_a_query_without_a_match_is_counted_and_never_averaged(call, study, cuhk):
    """Every caption of the layouts describes an image of the gallery, so the count is there and is zero."""
    assert call("run", study(), "--executor", "serial")[0] == 0
    assert (Store("store").read("small").scores["unmatched"] == 0).all()
    assert json.loads(call("status", "small", "--json")[1])["study"] == "small"
