"""A metric is no reason to train again: scores follow from the ranks that were kept, whenever results are read."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pytest
import torch

from harness import registry
from harness.cli import main
from harness.evaluation import encode, metrics
from harness.evaluation.metrics import mean_inp
from harness.measured_on import MeasuredOn
from harness.store import rescored, schema
from harness.store.files import shards
from harness.store.store import Record, Store
from harness.trial import row
from reports import page
from reports.words import releases
from tests.campaigns.toy import PLACE, entry

BY_HAND = [[1, 3], [2], [4, 5, 9]]
HAND = {
    "R1": 100 / 3,
    "R5": 100.0,
    "R10": 100.0,
    "mAP": 100 * ((1 + 2 / 3) / 2 + 1 / 2 + (1 / 4 + 2 / 5 + 3 / 9) / 3) / 3,
    "mINP": 100 * (2 / 3 + 1 / 2 + 3 / 9) / 3,
}


def ranked(ident: str, lists, gallery: int = 20, stored=(("R1", 1.0), ("mINP", 2.0)), ranks: bool = True, **trial):
    """A trial whose stored scores are wrong on purpose, with the ranks of all positives or the first of each."""
    counts = [len(some) for some in lists]
    columns = {"ranks": [np.array(some) for some in lists]} if ranks else {"first": [some[0] for some in lists]}
    sizes = {"queries": len(lists), "gallery": gallery, "unmatched": 0}
    return Record(
        trial={"id": ident, "label": "lora", "method": "lora", "dataset": "synth", "seed": 0, "status": "ok"}
        | {"spec": {}, "commit": "c0ffee", "dirty": False, "release": "0.1.0"} | trial,
        scores=[{**PLACE, "choice": "selected", "metric": name, "value": value, **sizes} for name, value in stored],
        queries={name: [text] * len(lists) for name, text in PLACE.items()}
        | {"query": np.arange(len(lists)), "person": np.arange(len(lists)), "positives": counts} | columns,
    )  # fmt: skip


def filled(root, *records: Record) -> Store:
    store = Store(root)
    for record in records:
        assert store.commit(record)
    entries = [entry(r.trial["id"], seed=r.trial["seed"]) for r in records]
    store.declare("one", {"name": "one"}, entries)
    return store


def scores(results, ident: str) -> dict[str, float]:
    rows = results.scores[results.scores["id"] == ident]
    assert not rows["metric"].duplicated().any()
    return dict(zip(rows["metric"], rows["value"], strict=True))


def test_by_hand(tmp_path):
    results = filled(tmp_path, ranked("aaaa", BY_HAND)).read("one")
    assert scores(results, "aaaa") == pytest.approx(HAND)
    assert results.queries["first"].tolist() == [1, 2, 4]
    assert results.queries["ap"].tolist() == pytest.approx([5 / 6, 1 / 2, (1 / 4 + 2 / 5 + 1 / 3) / 3])
    assert results.queries["inp"].tolist() == pytest.approx([2 / 3, 1 / 2, 1 / 3])
    assert [list(some) for some in results.queries["ranks"]] == BY_HAND


@pytest.mark.parametrize("rows", [rescored.ROWS, 7])
def test_against_a_slow_loop(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(rescored, "ROWS", rows)
    rng, made, wanted = np.random.default_rng(0), [], {}
    for number in range(6):
        gallery = (8, 40)[number % 2]
        lists = [sorted(rng.choice(gallery, rng.integers(1, 5), replace=False) + 1) for _ in range(5 + number)]
        made.append(ranked(f"{number:04x}", lists, gallery, ranks=number != 2))
        want = {f"R{k}": np.mean([some[0] <= k for some in lists]) for k in (1, 5, 10) if k <= gallery}
        want["mAP"] = np.mean([np.mean([(j + 1) / r for j, r in enumerate(some)]) for some in lists])
        want["mINP"] = np.mean([len(some) / some[-1] for some in lists])
        wanted[f"{number:04x}"] = {name: 100 * value for name, value in want.items()}
    wanted["0002"] = {"R1": 1.0, "mINP": 2.0}
    store = filled(tmp_path, *made)
    for _ in range(2):
        results = store.read("one")
        for ident, want in wanted.items():
            assert scores(results, ident) == pytest.approx(want, rel=1e-12), ident
        store.compact()


def test_a_trial_reads_as_it_was_measured(tmp_path):
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(n, 6, generator=generator) for n in (12, 30))
    persons = np.arange(12) % 4, np.arange(30) % 5  # one identity of the queries is in no image
    both = encode.measure(text, image, persons[1], persons[0]), encode.measure(image, text, *persons)
    record = Record(trial=ranked("aaaa", [[1]]).trial, scores=[], queries=[])
    row.scores(record, MeasuredOn("synth"), "selected", both)
    results = filled(tmp_path, record).read("one")
    for direction, measured in zip(("t2i", "i2t"), both, strict=True):
        rows = results.scores[results.scores["direction"] == direction]
        assert dict(zip(rows["metric"], rows["value"], strict=True)) == measured.values
        kept = results.queries[results.queries["direction"] == direction]
        for name, column in measured.records.items():
            assert kept[name].tolist() == column.tolist(), (direction, name)
        assert kept["ranks"].notna().all() == (direction == "t2i")
    on_disk = shards.read(Store(tmp_path).files, "trials/aaaa", ["queries"])["queries"].filter(
        pa.compute.field("direction") == "t2i"
    )
    assert [on_disk[name].null_count for name in ("first", "ap", "inp", "ranks")] == [24, 24, 24, 0]


def reported(store: Store, out) -> tuple[dict, str]:
    """The first row of the budget table of a report, and the words for the terminal."""
    results = store.read("one")
    page.report(results, out, only=["budget"])
    return next(csv.DictReader((out / "tables" / "budget.csv").open())), " ".join(page.summary(results).split())


def test_a_mended_metric_is_shown_by_a_report_of_the_past(tmp_path, monkeypatch):
    store = filled(tmp_path / "store", ranked("aaaa", BY_HAND), ranked("bbbb", BY_HAND, ranks=False, seed=3))
    kept, alone = (store.read("one") for _ in range(2))
    plain = mean_inp.measure
    monkeypatch.setattr(mean_inp, "measure", lambda ranks: {"mINP": plain(ranks)["mINP"] / 2})
    after = store.read("one")
    assert scores(kept, "aaaa")["mINP"] == pytest.approx(HAND["mINP"])
    assert scores(after, "aaaa")["mINP"] == pytest.approx(HAND["mINP"] / 2)
    assert after.queries["inp"].tolist()[:3] == pytest.approx([1 / 3, 1 / 4, 1 / 6])
    assert scores(after, "bbbb") == scores(alone, "bbbb") == {"R1": 1.0, "mINP": 2.0}
    found, words = reported(store, tmp_path / "out")
    assert float(found["mINP"].split()[0]) == pytest.approx((HAND["mINP"] / 2 + 2) / 2, abs=0.01)
    assert "1 of 2 trials kept no ranks; shown as measured then: lora seed 3" in words


def test_a_new_metric_applies_to_a_trial_of_the_past(tmp_path, monkeypatch):
    store = filled(tmp_path / "store", ranked("aaaa", BY_HAND))
    (tmp_path / "within_two.py").write_text(
        '"""Share of the matches among the first two."""\n'
        "import numpy as np\n\n"
        "def measure(ranks):\n"
        "    place = np.repeat(np.arange(len(ranks.matched)), ranks.positives)\n"
        "    return {'within2': np.bincount(place, ranks.values <= 2) / ranks.positives}\n"
    )
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    monkeypatch.setattr(metrics.__spec__, "submodule_search_locations", metrics.__path__)
    registry._files.cache_clear()
    try:
        found, words = reported(store, tmp_path / "out")
    finally:
        monkeypatch.undo()
        registry._files.cache_clear()
        registry.find.cache_clear()
    assert float(found["within2"].rstrip("*")) == pytest.approx(100 * (1 / 2 + 1 + 0) / 3, abs=0.01)
    assert "kept no ranks" not in words
    assert "within2" not in scores(store.read("one"), "aaaa")


def test_a_store_without_ranks_says_so_once(tmp_path):
    results = filled(tmp_path, ranked("aaaa", BY_HAND, ranks=False)).read("one")
    assert releases.unranked(results) == ["all 1 trials kept no ranks; shown as measured then"]


def test_records_that_are_not_all_change_no_score(tmp_path):
    record = ranked("aaaa", BY_HAND)
    fewer = {name: column[:2] for name, column in record.queries.items()}
    results = filled(tmp_path, Record(record.trial, record.scores, (), fewer)).read("one")
    assert scores(results, "aaaa") == {"R1": 1.0, "mINP": 2.0} and results.queries["first"].tolist() == [1, 2]


def test_the_list_column_survives_compact_merge_publish_and_a_bucket(tmp_path):
    store = filled(tmp_path / "local", ranked("aaaa", BY_HAND), ranked("bbbb", BY_HAND[:1], ranks=False))
    wanted = [*BY_HAND, None]
    bucket, merged = Store("memory://rescored/prefix"), Store(tmp_path / "merged")
    assert set(bucket.take_all(store, ("aaaa", "bbbb")).values()) == {"added"}
    store.compact()
    assert set(merged.take_all(store, ("aaaa", "bbbb"), packed=True).values()) == {"added"}
    assert set(merged.take_all(bucket, ("aaaa", "bbbb")).values()) == {"same"}
    assert main.call(["publish", "one", "--store", str(store.root), "--to", str(tmp_path / "published")]) == 0
    for place in (store, bucket, merged, Store(tmp_path / "published")):
        frame = place.measured(("aaaa", "bbbb"), ("trials", "scores", "queries"))["queries"]
        assert [None if some is None or some is frame["ranks"].dtype.na_value else list(some)
                for some in frame["ranks"]] == wanted, place.root  # fmt: skip


def test_a_digest_tells_lists_apart():
    def of(*lists):
        return shards.digest(pa.table({"ranks": pa.array(lists, schema.INDICES)}))

    known = [of([1, 2], [3]), of([1], [2, 3]), of([1, 2], None), of([1, 2], []), of([1, 2], [4])]
    assert len(set(known)) == len(known)
    halves = pa.chunked_array([pa.array([[1, 2]], schema.INDICES), pa.array([[9], [3]], schema.INDICES)[1:]])
    assert shards.digest(pa.table({"ranks": halves})) == known[0]
