"""Scores and queries are read under the data set they were measured on, however its name was kept."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pyarrow as pa
import pytest

from harness.cli import main
from harness.measured_on import MeasuredOn, of_trial
from harness.store import schema, sets
from harness.store.store import Record, Store

OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {"size": "tiny"}, {"size": "demo"}, {"size": "demo", "shift": "blur"}, {"fraction": "50%"}, {"root": "there"},
)  # fmt: skip
METRICS = ("R1", "R5")


def score_of(ident: str, on: MeasuredOn) -> int:
    """A number that nothing else has."""
    return (int(ident, 16) * 7919 + sum(on.text.encode()) * 31) % 9973


def any_trial(rng: random.Random) -> dict[str, Any]:
    def some() -> dict[str, Any]:
        return {"dataset": rng.choice("ab"), "options": dict(rng.choice(OPTIONS))}

    return {"dataset": some(), "evaluate_on": [some() for _ in range(rng.randrange(5))]}


def looked_at(trial: dict[str, Any], old: bool) -> list[tuple[str, MeasuredOn]]:
    """(what stands on disk, what was measured on) in the order of measuring; `old`: by release 0.1."""
    if not old:
        return [(on.text, on) for on in of_trial(trial)]
    others = [of for of in trial["evaluate_on"] if of != trial["dataset"]]
    return [(of["dataset"], MeasuredOn.of(of)) for of in (trial["dataset"], *others)]


def rows_of(ident: str, trial: dict[str, Any], old: bool) -> tuple[dict, list[dict], list[dict]]:
    """The row, the scores and the queries of a trial that measures `score_of`."""
    scores: list[dict] = []
    queries: list[dict] = []
    sizes = {"queries": 2, "gallery": 3, "unmatched": 0}
    for place, (text, on) in enumerate(looked_at(trial, old)):
        for split in ("val", "test") if not place else ("test",):
            for direction, metric in itertools.product(("t2i", "i2t"), METRICS):
                about = {"dataset": text, "split": split, "choice": "selected", "direction": direction}
                scores.append({**about, "metric": metric, "value": score_of(ident, on), **sizes})
        for direction, query in itertools.product(("t2i", "i2t"), range(2)):
            about = {"dataset": text, "split": "test", "direction": direction, "query": query}
            queries.append({**about, "person": score_of(ident, on), "positives": 1, "first": 1})
    row = {"id": ident, "label": "a", "method": "a", "seed": 0, "status": "ok", "dataset": trial["dataset"]["dataset"]}
    return {**row, "spec": trial, "dataset_options": trial["dataset"]["options"]}, scores, queries


def declared(ident: str, trial: dict[str, Any]) -> dict[str, Any]:
    return {"id": ident, "label": "a", "method": "a", "budget": None, "seed": 0, "trial": trial,
            "dataset": trial["dataset"]["dataset"]}  # fmt: skip


def tables(trials: dict[str, dict[str, Any]], old: set[str]) -> dict[str, pa.Table]:
    parts = {ident: rows_of(ident, trial, ident in old) for ident, trial in trials.items()}
    return {
        "trials": schema.build("trials", [row for row, *_ in parts.values()]),
        "scores": schema.build("scores", [{"id": i, **r} for i, (_, some, _) in parts.items() for r in some]),
        "queries": schema.build("queries", [{"id": i, **r} for i, (_, _, some) in parts.items() for r in some]),
    }


def check(scores: list[dict], queries: list[dict], homes: dict[str, str], on: dict[str, MeasuredOn], trials) -> None:
    """Each trial has each data set once, under a label that stands for it, with the number measured there."""
    for ident, trial in trials.items():
        wanted = list(of_trial(trial))
        assert on[homes[ident]] == wanted[0]
        for rows, number in ((scores, "value"), (queries, "person")):
            mine = [r for r in rows if r["id"] == ident]
            keys = [tuple(r.get(k) for k in ("dataset", "split", "direction", "metric", "query")) for r in mine]
            assert len(set(keys)) == len(keys)
            seen = {(on[r["dataset"]], r[number]) for r in mine if r["split"] == "test"}
            assert seen == {(of, score_of(ident, of)) for of in wanted}
        assert {r["dataset"] for r in scores if r["id"] == ident and r["split"] == "val"} == {homes[ident]}


@pytest.mark.parametrize("turn", range(60))
def test_every_row_is_read_under_what_it_was_measured_on(turn):
    """Trials of both kinds of stores side by side, in any order, with their queries and without their scores."""
    rng = random.Random(turn)
    trials = {f"{n:04x}": any_trial(rng) for n in range(1, 7)}
    old = {ident for ident in trials if rng.random() < 0.5}
    found = tables(trials, old)
    asked = {ident: declared(ident, trial) for ident, trial in trials.items()}
    read = sets.labelled(found, asked)
    scores, queries = (read.tables[name].to_pylist() for name in ("scores", "queries"))
    check(scores, queries, read.homes, read.measured_on, trials)
    assert read.tables["trials"]["dataset"].to_pylist() == [read.homes[ident] for ident in trials]
    alone = sets.labelled({**found, "scores": found["scores"].slice(0, 0)}, asked)
    assert alone.tables["queries"].to_pylist() == queries


def test_labels_are_short_where_that_is_enough():
    trials = {"01": {"dataset": {"dataset": "a", "options": {"size": "tiny"}}, "evaluate_on": []}}
    asked = {"01": declared("01", trials["01"])}
    assert sets.labelled(tables(trials, set()), asked).homes == {"01": "a"}
    trials["01"]["evaluate_on"] = [{"dataset": "a", "options": {"size": "demo"}}, {"dataset": "b", "options": {"x": 1}}]
    read = sets.labelled(tables(trials, set()), asked)
    assert list(dict.fromkeys(read.tables["scores"]["dataset"].to_pylist())) == ["a (size tiny)", "a (size demo)", "b"]


def test_the_study_has_the_word_on_how_a_data_set_is_written():
    """Contents name a trial, so a study finds what another one measured and wrote in another way."""
    ours = {"dataset": {"dataset": "a", "options": {}}, "evaluate_on": [{"dataset": "a", "options": {"size": "tiny"}}]}
    theirs = {
        "dataset": {"dataset": "a", "options": {"size": "demo"}},
        "evaluate_on": [{"dataset": "a", "options": {"size": "tiny", "seed": 0}}],
    }
    for old in (set(), {"01"}):
        read = sets.labelled(tables({"01": theirs}, old), {"01": declared("01", ours)})
        got = {r["dataset"]: r["value"] for r in read.tables["scores"].to_pylist() if r["split"] == "test"}
        home, other = (score_of("01", on) for on in of_trial(theirs))
        assert got == {"a": home, "a (size tiny)": other} and read.homes == {"01": "a"}
    same = {**theirs, "evaluate_on": [{"dataset": "a", "options": {"size": "demo", "seed": 0}}]}
    both = {"dataset": {"dataset": "a", "options": {}}, "evaluate_on": [{"dataset": "a", "options": {}}]}
    read = sets.labelled(tables({"01": same}, set()), {"01": declared("01", both)})
    assert len(read.tables["scores"]) == 2 * 2 * len(METRICS), "what is one data set here stands here once"
    one = {"dataset": {"dataset": "a", "options": {}}, "evaluate_on": []}
    read = sets.labelled(tables({"01": {**theirs, "evaluate_on": []}}, set()), {"01": declared("01", one)})
    assert set(read.tables["scores"]["dataset"].to_pylist()) == {"a"}


def said(words: list[str], capsys) -> str:
    assert main.call(words) == 0
    return capsys.readouterr().out


def test_what_was_measured_later_stands_behind_what_the_trial_measured():
    """As `later.declared` tells it: also the bare data set of a trial that has it with options, in any spelling."""
    home, bare = {"dataset": "a", "options": {"size": "tiny"}}, {"dataset": "a", "options": {}}
    for old, spelled in itertools.product(
        (set(), {"01"}), (home, {"dataset": "a", "options": {"size": "tiny", "x": 0}})
    ):
        found = tables({"01": {"dataset": spelled, "evaluate_on": []}}, old)
        more = [{**r, "dataset": "a", "value": 1.0} for r in found["scores"].to_pylist() if r["split"] == "test"]
        if old:  # only a trial of today has the bare text of a data set beside what it was trained on
            more = [{**r, "dataset": 'a {"size": "demo"}'} for r in more]
        found["scores"] = pa.concat_tables([found["scores"], schema.build("scores", more)])
        further = {"dataset": "a", "options": {"size": "demo"}} if old else bare
        read = sets.labelled(found, {"01": declared("01", {"dataset": home, "evaluate_on": [further]})})
        got = {r["dataset"]: r["value"] for r in read.tables["scores"].to_pylist() if r["split"] == "test"}
        assert got == {"a (size tiny)": score_of("01", MeasuredOn.of(spelled)), "a (size demo)" if old else "a": 1.0}


@pytest.mark.parametrize("old", [True, False])
def test_a_store_gives_labels_whole_packed_and_in_part(tmp_path, old, capsys):
    home, other = ({"dataset": "a", "options": {"size": size}} for size in ("tiny", "demo"))
    trials = {"0001": {"dataset": home, "evaluate_on": [other]}, "0002": {"dataset": other, "evaluate_on": [home]}}
    store = Store(tmp_path / "store")
    store.probe()
    for ident in ("0001", "0002"):
        row, scores, queries = rows_of(ident, trials[ident], old)
        store.commit(Record(row, scores, (), queries))
    absent = {"dataset": {"dataset": "a", "options": {"size": "tiny", "fraction": "5%"}}, "evaluate_on": []}
    store.declare("one", {}, [declared(i, t) for i, t in {**trials, "0003": absent}.items()])
    for _ in range(2):
        found = store.read("one")
        assert found.trials["dataset"].tolist() == ["a (size tiny)", "a (size demo)"]
        assert [(m["id"], m["dataset"]) for m in found.missing] == [("0003", "a (size tiny)")]
        homes = dict(zip(found.trials["id"], found.trials["dataset"], strict=True))
        frames = (json.loads(f.to_json(orient="records")) for f in (found.scores, found.queries))
        check(*frames, homes, found.measured_on, trials)
        assert store.read("one", ("trials",)).trials["dataset"].tolist() == list(homes.values())
        plain = store.measured(trials, ("scores", "queries"))
        for name, frame in plain.items():
            labels = getattr(found, name)["dataset"]
            assert frame["dataset"].tolist() == [found.measured_on[label].text for label in labels], name
        (missing,) = json.loads(said(["status", "one", "--json", "--store", str(store.root)], capsys))["missing"]
        assert missing["dataset"] == "a (size tiny)"
        assert "a (size tiny)" in said(["status", "one", "--store", str(store.root)], capsys)
        store.compact()


def test_stores_that_write_one_data_set_with_other_words_measured_the_same(tmp_path):
    """And with other numbers, or with the numbers of two data sets exchanged, they did not."""

    def stored(name: str, seed: int | None, swapped: bool = False) -> Store:
        more = {} if seed is None else {"seed": seed}
        sizes = ("demo", "tiny") if swapped else ("tiny", "demo")
        home, other = ({"dataset": "a", "options": {"size": size, **more}} for size in sizes)
        row, scores, queries = rows_of("0001", {"dataset": home, "evaluate_on": [other]}, False)
        for rows, key in ((scores, "value"), (queries, "person")):
            for line in rows:
                line[key] = score_of("0001", MeasuredOn("a", (("size", json.dumps("demo" in line["dataset"])),)))
        store = Store(tmp_path / name)
        store.commit(Record(row, scores, (), queries))
        return store

    one = stored("one", None)
    assert one.take(stored("other", 0), "0001") == "same"
    assert one.take(stored("swapped", None, swapped=True), "0001") == "conflict"


@pytest.mark.parametrize("old", [True, False])
def test_ranks_of_two_data_sets_are_scored_each(tmp_path, old):
    home, other = ({"dataset": "a", "options": {"size": size}} for size in ("tiny", "demo"))
    trial = {"dataset": home, "evaluate_on": [other]}
    ranks = {"tiny": [[1], [2], [3], [9]], "demo": [[1], [1], [1], [9]]}
    scores, queries = [], []
    for text, on in looked_at(trial, old):
        place = {"dataset": text, "split": "test", "direction": "t2i"}
        sizes = {"queries": 4, "gallery": 10, "unmatched": 0}
        scores.append({**place, "choice": "selected", "metric": "R1", "value": -1.0, **sizes})
        rows = enumerate(ranks[on.given["size"]])
        queries += [{**place, "query": q, "person": q, "positives": 1, "ranks": found} for q, found in rows]
    store = Store(tmp_path / "store")
    store.commit(Record(rows_of("0001", trial, old)[0], scores, (), queries))
    store.declare("one", {}, [declared("0001", trial)])
    found = store.read("one")
    r1 = found.scores[found.scores["metric"] == "R1"]
    assert dict(zip(r1["dataset"], r1["value"], strict=True)) == {"a (size tiny)": 25.0, "a (size demo)": 75.0}
