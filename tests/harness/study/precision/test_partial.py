"""Publishing a study that is not complete: what is said of it everywhere, and going on without computing twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.api import reading, sites
from harness.store.files.checksummed import unseal
from harness.store.store import Store
from harness.trial import run as running
from reports import page
from tests.campaigns.toy import record
from tests.harness.study.conftest import MERITS, RAN, fake_run
from tests.harness.study.precision.conftest import STUDY, noisy

# 6 trials of searches, 4 + 4 of pilots besides zero-shot, which has no seeds.
TUNED = STUDY.replace("first: 5", "first: 4") + "tune: {recipe.lr: [1e-3, 1e-2, 1e-1]}\n"
LISTED = STUDY.replace("{first: 5, width: 1.0, most: 12}", "[0, 1]")
TO = "results/reference"


def seeded(scale: float):
    """As `noisy`, with seeds of a search too."""
    return lambda document: noisy(scale)({"seed": document["seed"] % 12})


@pytest.fixture
def go(call, tmp_path, monkeypatch):
    """Run the study, measured on a clean commit, until `most` trials were computed; then `call` as it is."""
    commit = Store.commit
    clean = {"commit": "c0ffee", "dirty": False, "release": "0.2.0"}
    monkeypatch.setattr(
        Store, "commit", lambda self, rec, *a, **k: commit(self, replace(rec, trial={**rec.trial, **clean}), *a, **k)
    )
    for lr in (1e-3, 1e-2, 1e-1):
        MERITS["lora", lr], MERITS["full", lr] = seeded(1.0), seeded(0.2)
    (tmp_path / "s.yaml").write_text(TUNED)

    def run(most: int = 1000, store: str = "results/local") -> None:
        def some(resolved, *given):
            status = fake_run(resolved, *given) if len(RAN) < most else "ok"
            if len(RAN) >= most:
                raise KeyboardInterrupt
            return status

        monkeypatch.setattr(running, "run", some)
        call("run", "s.yaml", "--executor", "serial", "--store", store)

    call.run = run
    return call


def said() -> dict:
    return unseal(Path(TO) / "published" / "s.json")


def counts() -> dict[str, tuple[int, int]]:
    return {name: (phase["done"], phase["declared"]) for name, phase in said()["partial"]["phases"].items()}


def test_a_study_goes_on_elsewhere_from_what_was_published_of_it(go, tmp_path):
    go.run(4)
    code, out = go("publish", "s")
    assert code == 2 and "11 of 15 trials of study 's' are missing" in out and "--partial" in out
    code, out = go("publish", "s", "--partial")
    assert code == 0 and "4 trials copied to results/reference, 0 were there" in out
    words = "4 of 15 trials so far: search 4 of 6, pilot 0 of 9, further seeds not known yet"
    assert f"not complete: {words}\nto go on elsewhere: upbench merge {TO} && upbench run s\n" in out
    assert words in said()["statement"] and said()["trials"] == 4 and not list(Store(TO).files.shards("trials"))
    assert counts() == {"search": (4, 6), "pilot": (0, 9), "further": (0, 0)} and said()["partial"]["open"]
    # Elsewhere: further into the search and into the pilot of the method whose search is through.
    assert go("merge", TO, "--store", "other")[0] == 0
    go.run(9, "other")
    assert len(RAN) == 9 and len({json.dumps(trial, sort_keys=True) for trial in RAN}) == 9
    code, out = go("publish", "s", "--partial", "--store", "other")
    assert code == 0 and "5 trials copied to results/reference, 4 were there" in out
    assert counts() == {"search": (5, 6), "pilot": (4, 9), "further": (0, 0)} and said()["trials"] == 9
    # Here again: what is here alone would hide what is published since.
    code, out = go("publish", "s", "--partial")
    assert code == 0 and "0 trials copied to results/reference, 4 were there" in out and said()["trials"] == 9
    code, out = go("merge", TO)
    assert code == 0 and "5 trials added, 4 the same, 0 in conflict; 1 studies added" in out
    go.run()
    assert len(RAN) == len({json.dumps(trial, sort_keys=True) for trial in RAN})
    code, out = go("publish", "s")
    assert code == 0 and f"{len(RAN) - 9} trials copied" in out and "not complete" not in out
    assert "partial" not in said() and said()["trials"] == len(RAN) > 15
    assert Store(TO).declaration("s") == Store("results/local").declaration("s") and not Store(TO).read("s").missing
    assert go("publish", "s", "--partial", "--json")[1].count('"partial": null') == 1


def test_pilots_that_are_through_and_have_not_asked_yet_are_not_complete(go):
    go.run(15)  # the run ends before what follows is declared
    local = Store("results/local")
    assert not local.read("s", tuning=True).missing
    code, out = go("publish", "s")
    assert code == 2 and "what 8 trials of pilots of study 's' ask for is not declared" in out and "--partial" in out
    code, out = go("publish", "s", "--partial")
    assert code == 0 and "15 of 15 trials so far: search 6 of 6, pilot 9 of 9, further seeds not known yet" in out
    go.run(16)
    partial = local.read("s").partial
    words = f"search 6 of 6, pilot 9 of 9, further seeds 1 of {partial.of - 15}"
    assert not partial.open and partial.of > 16 and partial.words == f"16 of {partial.of} trials: {words}"


def test_nothing_shows_a_study_that_is_not_complete_as_complete(go, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    go.run(15)
    assert go("publish", "s", "--partial")[0] == 0
    words = "15 of 15 trials so far: search 6 of 6, pilot 9 of 9, further seeds not known yet"
    assert f"not complete, {words}" in go("list", "results", "--store", TO)[1]
    assert "15 of 15 trials;" not in go("list", "results", "--store", TO)[1]
    assert f"not complete ({words})" in go("recommend", "s", "--store", TO)[1]
    whole = page.report
    results, paths = reading.drawn("s", "out", "cvpr", ("budget",), False, TO)
    assert f"not complete: {words}" in " ".join(page.summary(results).split())
    assert f"This study is not complete: {words}." in paths[0].read_text()
    monkeypatch.setattr(page, "report", lambda results, out, **more: whole(results, out, only=("budget",), **more))
    pages = {path.as_posix(): path.read_text() for path in sites.site(store=TO)[0] if path.suffix == ".html"}
    assert f"This study is not complete: {words}." in pages["site/studies/s/index.html"]
    assert f"s is not complete: {words}." in pages["site/index.html"]
    mark = '<small class="warn">not complete</small>'
    assert pages["site/index.html"].count(mark) == 3 + 1  # a row for each cell, and the study's own
    assert pages["site/methods/lora.html"].count(mark) == 1
    go.run()
    assert go("publish", "s")[0] == 0
    pages = [path.read_text() for path in sites.site(store=TO)[0] if path.suffix == ".html"]
    assert not any("not complete" in text for text in pages)
    assert "not complete" not in go("list", "results", "--store", TO)[1] + go("recommend", "s", "--store", TO)[1]


def test_listed_seeds_have_one_phase(go, tmp_path):
    (tmp_path / "s.yaml").write_text(LISTED)
    go.run(2)
    assert "not complete: 2 of 5 trials\n" in go("publish", "s", "--partial")[1]
    assert counts() == {"main": (2, 5)} and not said()["partial"]["open"]


def test_faults_of_publishing_in_part_are_one_line(go, tmp_path):
    (tmp_path / "s.yaml").write_text(LISTED)
    go.run(0)
    local = Store("results/local")

    def fault(*more: str) -> str:
        code, out = go("publish", "s", "--partial", *more)
        assert code in (2, 4) and out.count("\n") == 1
        return out

    assert "no trial of study 's' is committed; expected upbench run s" in fault()
    go.run(2)
    before = {path: path.read_bytes() for path in local.root.rglob("*.parquet")}
    one = sorted(local.ids())[0]
    (local.root / "trials" / one / "trial.parquet").write_bytes(b"not what was committed")
    told = fault()
    assert f"1 committed trials of study 's' are damaged, such as {one} (" in told and not Path(TO).exists()
    for path, blob in before.items():
        path.write_bytes(blob)
    assert go("publish", "s", "--partial")[0] == 0
    assert "published with other per-query records; expected --queries selected" in fault("--queries", "all")
    # Published elsewhere meanwhile, by other code, or another study of that name.
    gone = sorted(local.ids())[1]
    kept = local.declaration("s")
    local.commit(record("f" * 16))
    local.declare("s", kept["study"], [t if t["id"] != gone else {**t, "id": "f" * 16} for t in kept["trials"]])
    told = fault()
    assert "study 's' does not go on from what is published of it: trials are measured for one that the other" in told
    assert "does not know, such as " + min(gone, "f" * 16) in told
    assert f"expected upbench merge {Path(TO).absolute()}, then upbench run s" in told
    local.declare("s", {**kept["study"], "question": "another?"}, kept["trials"])
    assert "another study 's' is published; expected another name" in fault()
    assert Store(TO).declaration("s") == kept and said()["trials"] == 2


def test_a_lost_trial_runs_again_and_is_not_published(go, tmp_path):
    (tmp_path / "s.yaml").write_text(LISTED)
    MERITS["full", 1e-3] = lambda document: "lost" if document["seed"] == 0 else 50.0
    go.run(3)
    local = Store("results/local")
    lost = local.with_status(local.ids(), ("lost",))
    assert len(lost) == 1 and go("publish", "s", "--partial")[0] == 0
    assert said()["partial"]["trials"] == 2 and not Store(TO).done(lost)
