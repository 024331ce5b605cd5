"""`report --only`, `report --watch` and `recommend` as their users see them, on a real store."""

from __future__ import annotations

import json
import threading
import time

import pytest

from harness.cli import main
from harness.cli.commands import report
from harness.store.store import Record, Store


@pytest.fixture(scope="module")
def made(making):
    return making(seeds=2, methods=("zero_shot", "lora", "up_person"), budgets=("0.5%", "1%"), places=("synth_cuhk",),
                  holes=False, cross=False)  # fmt: skip


def commit(store: Store, made, idents) -> None:
    """Put trials of the made study into a store."""
    for ident in idents:
        row = made.trials[made.trials["id"] == ident].iloc[0].dropna().to_dict()
        tables = {}
        for name in ("scores", "history", "queries"):
            frame = getattr(made, name)
            tables[name] = frame[frame["id"] == ident].drop(columns="id")
        store.commit(Record(trial=row, **tables))


@pytest.fixture
def store(made, tmp_path):
    store = Store(tmp_path / "store")
    store.declare("made", made.study["study"], made.study["trials"], made.study["question"])
    return store


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        code = main.call(list(args))
        return code, *capsys.readouterr()

    return run


def test_recommend(made, store, call):
    commit(store, made, made.trials["id"])
    code, out, _ = call("recommend", "made", "--parameters", "1%", "--store", str(store.root))
    assert code == 0 and out.startswith("S-CUHK, within 1 % of all parameters: ")
    code, out, _ = call(
        "recommend", "made", "--parameters", "1%", "--memory", "3GB", "--json", "--store", str(store.root)
    )
    (advice,) = json.loads(out)["advice"]
    assert code == 0 and advice["limits"] == {"share": 0.01, "memory": 3e9}
    assert all(c["share"] <= 0.01 and c["memory_bytes"] <= 3e9 for c in advice["candidates"])
    code, _, err = call("recommend", "made", "--memory", "2kB", "--store", str(store.root))
    assert code == 2 and "Zero-shot needs 1.9 GiB" in err
    code, _, err = call("recommend", "made", "--parameters", "x", "--store", str(store.root))
    assert code == 2 and "a share like 1%" in err
    code, _, err = call("recommend", "made", "--metric", "R2", "--store", str(store.root))
    assert code == 2 and "R1, R5, R10, mAP, mINP" in err


def test_only_draws_what_is_named(made, store, call, tmp_path):
    commit(store, made, made.trials["id"])
    code, out, _ = call("report", "made", "--only", "budget,main", "--only", "cost", "--store", str(store.root))
    assert code == 0, out
    assert {p.name for p in (tmp_path / "out" / "made" / "tables").glob("*.csv")} == {
        "budget.csv",
        "main.csv",
        "cost.csv",
    }
    assert not (tmp_path / "out" / "made" / "figures").exists()
    code, _, err = call("report", "made", "--only", "budget,mane", "--store", str(store.root))
    assert code == 2 and "did you mean main?" in err


def test_watch_follows_a_study_and_ends_with_it(made, store, call, tmp_path):
    ids = made.trials["id"].tolist()
    page = tmp_path / "out" / "made" / "index.html"
    seen = []

    def work():
        # Each next part is committed only after the page has shown the one before: no time decides.
        for part in (ids[:1], ids[1:4], ids[4:]):
            commit(store, made, part)
            done = len(store.done(ids))
            while done < len(ids) and not (page.is_file() and f"{done} of {len(ids)} trials" in page.read_text()):
                time.sleep(0.02)
            seen.append(page.read_text() if page.is_file() else "")

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    code, out, _ = call("report", "made", "--watch", "--every", "0.1", "--only", "budget", "--store", str(store.root))
    worker.join(timeout=60)
    assert code == 0
    counts = [line.split()[1] for line in out.splitlines() if " trials  " in line]
    assert counts[-1] == str(len(ids)) and {"1", "4"} <= set(counts) and len(counts) == len(set(counts))
    assert 'http-equiv="refresh"' in seen[0] and 'http-equiv="refresh"' not in page.read_text()


def test_watch_waits_for_pilots_that_may_ask_for_more(made, store, monkeypatch):
    """All that is declared is committed, and yet the page reloads until the pilots have said that they need no more."""
    commit(store, made, made.trials["id"])
    study, trials = made.study["study"], made.study["trials"]
    store.declare("made", study, [trial | {"phase": "pilot"} for trial in trials], made.study["question"])
    drawn = []
    monkeypatch.setattr(time, "sleep", lambda _: store.declare("made", study, trials, made.study["question"]))
    report._follow(store, "made", lambda refresh: drawn.append(refresh) or (None, [store.root]), 5.0, True)
    assert drawn == [5, None]
