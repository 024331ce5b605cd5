"""Seeds found by Stein's procedure: the pilot, what it asks for, and runs that go on anywhere."""

from __future__ import annotations

import math
from collections import Counter
from statistics import stdev
from types import SimpleNamespace

import pytest

from harness.api import asking, planning
from harness.cli import main
from harness.cli.commands.publish import publishable
from harness.errors import UserError
from harness.store.store import Record, Store
from harness.study.precision import further
from harness.study.reading import load
from harness.trial import resolve
from harness.trial import run as running
from reports.tables import precision
from tests.harness.study.test_tuning import MERITS, RAN, fake_resolve, fake_run

STUDY = """
name: s
backbone: tiny
datasets: [synth_cuhk]
methods: [zero_shot, full, lora]
budgets: [1%]
seeds: {first: 5, width: 1.0, most: 12}
recipe: {name: short, epochs: 2}
"""
DIFFERENCE = STUDY.replace("most: 12", "most: 12, of: difference, to: full")
NOISE = (0.3, -1.1, 0.7, 1.2, -0.4, 0.1, -0.9, 1.6, -1.3, 0.5, 0.2, -0.2)  # by seed
T4 = 2.7764451051977987  # Student's t, 4 degrees of freedom, 97.5 %


def noisy(scale: float, more: float = 0.0):
    """A score that depends on the seed; what all methods share is in it with `more`."""
    return lambda document: 50 + scale * NOISE[document["seed"]] + more * (document["seed"] ** 2 % 7)


@pytest.fixture
def lay(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve, "resolve", fake_resolve)
    monkeypatch.setattr("harness.trial.limits.faults", lambda *_: [])
    MERITS.clear()
    RAN.clear()

    def write(text: str = STUDY):
        (tmp_path / "s.yaml").write_text(text)
        study = load(tmp_path / "s.yaml")
        return further.lay_out(study, tmp_path, Store(tmp_path / "store"))

    def run(text: str = STUDY, rounds: int = 1):
        for _ in range(rounds):
            store = Store(tmp_path / "store")
            laid = write(text)
            done = store.done(row["id"] for row in laid.trials)
            for row in laid.trials:
                if row["id"] not in done and row["status"] != "waiting":
                    fake_run(row, store.root, tmp_path, print)
        return write(text)

    write.run = run
    return write


def seeds_of(laid) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in laid.main:
        found.setdefault(row["trial"]["method"], []).append(row["trial"]["seed"])
    return found


def test_the_pilot_is_declared_first_and_nothing_is_decided(lay):
    laid = lay()
    assert seeds_of(laid) == {"zero_shot": [0], "full": [0, 1, 2, 3, 4], "lora": [0, 1, 2, 3, 4]}
    assert [(each.label, each.seeds, each.decided) for each in laid.asked] == [
        ("full", None, False), ("lora", None, False)
    ]  # fmt: skip
    assert laid.pending


def test_each_cell_gets_what_its_pilot_asks_for(lay):
    MERITS["lora", 1e-2] = MERITS["lora", 1e-3] = noisy(1.0)
    MERITS["full", 1e-2] = MERITS["full", 1e-3] = noisy(0.95)
    laid = lay.run()
    spread = stdev(NOISE[:5])
    assert (math.ceil((T4 * 0.95 * spread) ** 2), math.ceil((T4 * spread) ** 2)) == (6, 7)
    assert seeds_of(laid) == {"zero_shot": [0], "full": [0, 1, 2, 3, 4, 5], "lora": [0, 1, 2, 3, 4, 5, 6]}
    assert not laid.pending and {each.label: each.seeds for each in laid.asked} == {"full": 6, "lora": 7}
    assert laid.asked[1].deviation == pytest.approx(spread)
    before = {row["id"] for row in laid.main}
    assert {row["id"] for row in lay.run().main} == before, "further seeds ask for no more"


def test_most_cuts_and_what_was_wanted_is_kept(lay):
    MERITS["lora", 1e-3] = MERITS["lora", 1e-2] = noisy(4.0)
    laid = lay.run()
    asked = laid.asked[1]
    assert (asked.seeds, asked.wanted) == (12, math.ceil((T4 * 4 * stdev(NOISE[:5])) ** 2))
    assert seeds_of(laid)["lora"] == list(range(12))


def test_a_difference_is_paired_and_the_other_method_has_the_seeds_of_all(lay):
    for lr in (1e-2, 1e-3):
        MERITS["full", lr], MERITS["lora", lr] = noisy(0.0, 2.0), noisy(1.0, 2.0)
        MERITS["adapter", lr] = noisy(0.1, 2.0)
    laid = lay.run(DIFFERENCE.replace("lora]", "lora, adapter]"))
    assert {each.label: each.seeds for each in laid.asked} == {"lora": 7, "adapter": 5, "full": 7}
    assert {method: len(seeds) for method, seeds in seeds_of(laid).items()} == {
        "zero_shot": 1, "full": 7, "lora": 7, "adapter": 5
    }  # fmt: skip


def test_what_is_compared_with_must_be_one_cell(lay):
    text = DIFFERENCE.replace("to: full", "to: lora").replace("budgets: [1%]", "budgets: [1%, 3%]")
    with pytest.raises(UserError, match="full: lora has 2 cells on the same data, none of them alone"):
        lay(text)
    laid = lay(
        DIFFERENCE.replace("to: full", "to: lora").replace("full, lora", "adapter, lora").replace("[1", "[3%, 1")
    )
    assert len(laid.asked) == 4


def test_the_same_point_of_a_grid_is_compared(lay):
    def merit(document):
        high = document["recipe"]["batch"] == 64
        return 50 + (NOISE[document["seed"]] if high else 0.2 * NOISE[document["seed"]]) * (
            document["method"] == "lora"
        )

    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = MERITS["full", lr] = merit
    laid = lay.run(DIFFERENCE + "grid: {recipe.batch: [32, 64]}\n")
    assert {each.label: each.seeds for each in laid.asked} == {
        "full batch=32": 5, "full batch=64": 7, "lora batch=32": 5, "lora batch=64": 7
    }  # fmt: skip


@pytest.mark.parametrize("status", ["failed", "diverged", "oom"])
def test_a_pilot_seed_without_a_score_counts_as_missing(lay, status):
    noise = noisy(2.0)
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = lambda document: status if document["seed"] == 1 else noise(document)
    asked = lay.run().asked[1]
    some = [2 * NOISE[seed] for seed in (0, 2, 3, 4)]
    assert asked.deviation == pytest.approx(stdev(some)) and asked.decided
    assert asked.wanted == max(5, math.ceil((3.182446305284263 * stdev(some)) ** 2))  # t of 3 degrees of freedom


def test_a_pilot_with_one_score_asks_for_no_more(lay):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = lambda document: "diverged" if document["seed"] else 50.0
    laid = lay.run()
    assert (laid.asked[1].seeds, laid.asked[1].deviation, laid.asked[1].decided) == (5, None, True)


def test_a_lost_trial_keeps_its_pilot_open(lay):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr] = lambda document: "lost" if document["seed"] == 4 else 50.0 + NOISE[document["seed"]]
    laid = lay.run()
    assert not laid.asked[1].decided and len(seeds_of(laid)["lora"]) == 5
    assert laid.asked[1].seeds == max(5, math.ceil((3.182446305284263 * stdev(NOISE[:4])) ** 2)), "likely, so far"


def test_the_search_comes_before_the_pilot(lay):
    MERITS["lora", 1e-2] = lambda document: 60 + NOISE[document["seed"] % 12]
    text = STUDY + "tune: {recipe.lr: [1e-3, 1e-2]}\n"
    laid = lay(text)
    assert {row["trial"]["seed"] for row in laid.search} == {100} and len(laid.waiting) == 10
    assert laid.pending and not any(each.decided for each in laid.asked)
    laid = lay.run(text)
    assert not laid.waiting and seeds_of(laid)["lora"] == [0, 1, 2, 3, 4] and laid.pending
    laid = lay.run(text)
    rates = {row["trial"]["recipe"]["lr"] for row in laid.main if row["trial"]["method"] == "lora"}
    assert rates == {1e-2} and seeds_of(laid)["lora"] == list(range(7)) and not laid.pending
    assert all(row["trial"]["tuned"]["trials"] == 2 for row in laid.main if row["trained"])


def test_rank_1_on_the_test_split_of_what_is_trained_on_counts_as_reports_take_it(tmp_path):
    store, plain = Store(tmp_path), {"split": "test", "direction": "t2i", "metric": "R1", "choice": "selected"}
    others = [{"split": "val"}, {"direction": "i2t"}, {"metric": "mAP"}, {"choice": "last"}, {"dataset": "synth_icfg"}]
    for n, status in enumerate(("ok", "diverged")):
        row = {"id": f"{n:016x}", "label": "a", "method": "a", "dataset": "synth_cuhk", "seed": n, "status": status}
        scores = [{"dataset": "synth_cuhk", **plain, **more, "value": 30.0 + k} for k, more in enumerate([{}, *others])]
        store.commit(
            Record(trial=row | {"spec": {}}, scores=[s | {"queries": 9, "gallery": 9, "unmatched": 0} for s in scores])
        )
    rows = [{"id": f"{n:016x}", "trial": {"dataset": {"dataset": "synth_cuhk", "options": {}}}} for n in range(3)]
    assert further._measured(store, rows) == ({f"{0:016x}": "ok", f"{1:016x}": "diverged"}, {f"{0:016x}": 30.0})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("first: 5", "first: 1", r"s\.yaml:7: seeds\.first: .*greater than or equal to 2, got 1 \(int\)"),
        ("width: 1.0", "width: 0", r"s\.yaml:7: seeds\.width: input should be greater than 0, got 0"),
        ("width: 1.0, ", "", r"s\.yaml:7: key 'seeds\.width' is missing"),
        ("most: 12", "most: 4", r"s\.yaml:7: seeds\.most: expected at least as many as first, 5, got 4"),
        ("most: 12", "of: difference", r"s\.yaml:7: seeds\.of: a difference is to a method of the study"),
        ("most: 12", "of: diffrence, to: full", r"s\.yaml:7: seeds\.of: .*did you mean difference\?"),
        ("most: 12", "to: full", r"s\.yaml:7: seeds\.to: it goes with of: difference"),
        ("most: 12", "of: difference, to: fulll", r"s\.yaml:7: seeds\.to: .* 'fulll'; did you mean full\?"),
        ("most: 12", "most: 12, widht: 2", r"s\.yaml:7: unknown key 'seeds\.widht'; did you mean width\?"),
        ("most: 12}", "most: 101}\ntune: {recipe.lr: [1e-3, 1e-2]}", "seed 100 is of the search and of the study"),
        ("budgets", "rules: [{when: {seed: 1}, drop: true}]\nbudgets", r"s\.yaml:6: a rule tells seeds apart"),
    ],
)
def test_faults_have_their_line(tmp_path, old, new, words):
    (tmp_path / "s.yaml").write_text(STUDY.replace(old, new))
    with pytest.raises(UserError, match=words):
        load(tmp_path / "s.yaml")


@pytest.fixture
def call(lay, tmp_path, monkeypatch, capsys):
    lay()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "run", fake_run)
    monkeypatch.setattr("harness.api.asking.lacking", lambda rows: [])
    monkeypatch.setattr("harness.execution.estimate.estimate", lambda *_: None)

    def ask(*words: str) -> tuple[int, str]:
        code = main.call([*words])
        out = capsys.readouterr()
        return code, out.out + out.err

    return ask


def test_run_plan_and_status_tell_the_phases(call, tmp_path):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.2)
    code, out = call("plan", "s.yaml", "--no-probe")
    assert code == 0
    assert "seeds: 11 trials are certain; between 0 and 14 more follow, by the spread, not known yet, of 2 cells" in out
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 0 and "11 to run, 0 already done" in out and "2 to run, 11 already done" in out
    assert "seeds: cells by number of seeds: 1 with 5, 1 with 7" in out and len(RAN) == 13
    assert "seeds: pilot of 5; cells by number of seeds: 1 with 5, 1 with 7" in call("plan", "s.yaml", "--no-probe")[1]
    out = call("status", "s")[1]
    assert "  pilot: 11 of 11\n  further seeds: 2 of 2\n" in out and "13 of 13 trials committed" in out
    code, out = call("run", "s.yaml", "--executor", "serial")
    assert code == 0 and "0 to run, 13 already done" in out and len(RAN) == 13


def test_the_time_of_further_seeds_is_that_of_as_many_more_trials(call, monkeypatch):
    each = lambda rows, *_: SimpleNamespace(seconds=(len(rows), 2 * len(rows)))  # noqa: E731
    monkeypatch.setattr("harness.execution.estimate.estimate", each)
    made = planning.plan("s.yaml")
    assert made.estimate.seconds == (11, 22)
    assert made.further == planning.Further(trials=(0, 14), cells=2, known=0, seconds=(11, 2 * (11 + 14)))
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.2)
    assert call("run", "s.yaml", "--executor", "serial")[0] == 0
    made = planning.plan("s.yaml")
    assert made.further is None and len(made.trials) == 13 and {row["state"] for row in made.trials} == {"done"}


def test_nothing_is_published_before_every_cell_has_what_its_pilot_asks_for(lay, tmp_path):
    store = Store(tmp_path / "store")
    laid = lay()

    def declare():
        rows = [asking.declared(row, laid.growing) for row in laid.trials]
        store.declare("s", load(tmp_path / "s.yaml").document, rows)
        return Counter(row["phase"] for row in rows)

    assert declare() == {"pilot": 10, None: 1}
    laid = lay.run()
    with pytest.raises(UserError, match="what 10 trials of pilots of study 's' ask for is not declared yet"):
        publishable(store, "s")
    declare()
    with pytest.raises(UserError, match="uncommitted code"):
        publishable(store, "s")


def test_plan_counts_by_what_is_known_of_a_pilot(call, tmp_path):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.2)
    assert call("run", "s.yaml", "--executor", "serial", "--set", "seeds=[0, 1, 2, 3]")[0] == 0
    likely = math.ceil((3.182446305284263 * stdev(NOISE[:4])) ** 2) - 5
    out = call("plan", "s.yaml", "--no-probe")[1]
    assert f"11 trials are certain; about {likely} more are likely, by the spread so far of 2 of 2 cells" in out


def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_trials(call, tmp_path, monkeypatch):
    for lr in (1e-2, 1e-3):
        MERITS["lora", lr], MERITS["full", lr] = noisy(1.0), noisy(0.6)
    assert call("run", "s.yaml", "--executor", "serial", "--store", "whole")[0] == 0
    wanted = {(t["method"], t["seed"]) for t in RAN}

    def dies_at(count: int):
        def run(resolved, store, data, report):
            if len(RAN) == count:
                raise KeyboardInterrupt
            return fake_run(resolved, store, data, report)

        return run

    for count in (3, 11, 12):  # in the pilot, between the two, among further seeds
        RAN.clear()
        monkeypatch.setattr(running, "run", dies_at(count))
        assert call("run", "s.yaml", "--executor", "serial", "--store", f"cut{count}")[0] != 0
        assert len(RAN) == count
        monkeypatch.setattr(running, "run", fake_run)
        assert call("run", "s.yaml", "--executor", "serial", "--store", f"cut{count}")[0] == 0
        assert {(t["method"], t["seed"]) for t in RAN} == wanted and len(RAN) == len(wanted)
        kept = Store(f"cut{count}").declaration("s")["trials"], Store("whole").declaration("s")["trials"]
        assert kept[0] == kept[1]
        tables = [precision.draw(Store(place).read("s")).markdown() for place in (f"cut{count}", "whole")]
        assert tables[0] == tables[1] and "| LoRA | 1% |" in tables[0]
