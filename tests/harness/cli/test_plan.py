"""What a plan tells before anything runs: sizes that do not fit, what budgets need, repeats, and the cost."""

from __future__ import annotations

import json
import re

import pytest

from harness.cli import main
from harness.execution import estimate, pilot
from harness.execution.pilot import Probe
from harness.store.store import Store
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.trial import resolve
from harness.trial import run as running
from harness.trial import splits as data_splits

STUDY = """
name: s
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
methods: [zero_shot, lora]
seeds: [0, 1]
budgets: [2%]
recipe: {name: short, epochs: 2, batch: 32}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys, data):
    monkeypatch.chdir(tmp_path)

    def run(text: str, *more: str) -> tuple[int, str]:
        (tmp_path / "s.yaml").write_text(text)
        code = main.call(["plan", "s.yaml", "--data", str(data), *more])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def test_kept_models_are_told_with_their_bytes(plan):
    told = {keep: plan(STUDY + f"keep: {keep}\n", "--no-probe", "--json")[1] for keep in ("adapters", "none", "all")}
    found = {keep: json.loads(text) for keep, text in told.items()}
    each = [trial["trained"] for trial in found["adapters"]["trials"] if trial["method"] == "lora"]
    assert found["adapters"]["models"] == found["all"]["models"] == 4 * sum(each) > 0 and found["none"]["models"] == 0
    full = json.loads(plan(STUDY.replace("lora", "full") + "keep: all\n", "--no-probe", "--json")[1])
    assert full["models"] == 4 * sum(trial["trained"] for trial in full["trials"]) > 10**7
    said = plan(STUDY, "--no-probe")[1]
    assert re.search(r"models: \d+ kB of trained parameters are kept \(keep: adapters\)", said), said
    assert "models" not in plan(STUDY + "keep: none\n", "--no-probe")[1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("lora]\n", "{lora: {rank: 2000}}]\n", "lora: rank 2000 is above 96, the most on this backbone"),
        ("lora]\n", "{coop: {length: 70}}]\n", "coop: length 70 is above 38"),
        ("lora]\n", "{adapter: {depth: 30}}]\n", "depth 30 names blocks beyond the tower's 4"),
        ("batch: 32", "batch: 5000", r"recipe.batch 5000 is larger than the \d+ training captions of synth_cuhk"),
        ("batch: 32", "batch: 120, sampler: identity, instances: 2", r"holds 60 identities .* of synth_cuhk has 24"),
    ],
)
def test_what_does_not_fit_is_told_with_the_numbers(plan, old, new, words):
    text = STUDY.replace("budgets: [2%]\n", "").replace(old, new)
    code, out = plan(text, "--no-probe")
    assert code == 2 and re.search(words, out), out


def test_all_of_it_in_one_message_and_a_budget_decides_for_itself(plan):
    text = STUDY.replace("lora]", "{lora: {rank: 2000}}, {adapter: {depth: 30}}]")
    code, out = plan(text.replace("budgets: [2%]\n", ""), "--no-probe")
    assert code == 2 and len(out.splitlines()) == 2
    assert plan(STUDY.replace("lora]", "{lora: {rank: 2000}}]"), "--no-probe")[0] == 0


def test_a_budget_that_cannot_be_met_states_the_least(plan):
    code, out = plan(STUDY.replace("2%", "0.001%"), "--no-probe")
    assert code == 0
    assert "infeasible: lora at 0.001%: smallest setting trains 3,200 parameters, 0.228 %" in out


def test_repeats_and_idle_rules_are_said(plan):
    _, out = plan(STUDY.replace("[0, 1]", "[0, 0]") + "rules: [{when: {budget: 9%}, drop: true}]\n", "--no-probe")
    assert "2 trials: 2 to run; 2 repeats of a trial dropped" in out
    assert "rule 1 matches no trial: {'budget': '9%'}" in out


def test_blocks_of_another_size_are_said():
    from harness.cli.commands.plan import _uneven

    options = {"rank": 2, "more": [{"towers": "image", "depth": [0, 2], "rank": 3, "alpha": 12.0}]}
    row = {"label": "lora", "budget": "1%", "trial": {"options": options}}
    said = "uneven: lora at 1%: towers image, depth [0, 2], rank 3, alpha 12"
    assert _uneven(row) == said
    united = {**row, "trial": {"options": {"parts": ["ssf", {"lora": options}]}}}
    assert _uneven(united) == said.replace("towers", "lora: towers")
    assert _uneven({**row, "trial": {"options": {"rank": 2}}}) == ""


def test_they_are_said_once_and_not_for_each_trial_of_a_search(plan):
    _, out = plan(STUDY.replace("2%", "1%") + "tune: {recipe.lr: [1e-3, 1e-2]}\n", "--no-probe")
    assert len(re.findall("^uneven: ", out, flags=re.MULTILINE)) == 1, out


def test_the_cost_is_measured_once_and_told(plan, data, monkeypatch):
    code, out = plan(STUDY, "--workers", "2")
    assert code == 0
    low, high = re.search(r"time: about ([\d.]+) to ([\d.]+) (?:seconds|minutes) on 2 workers", out).groups()
    assert 0 < float(low) < float(high)
    assert re.search(r"memory: (not measured|[\d.]+ [kMG]?B for each worker)", out)
    assert re.search(
        r"disk: [\d.]+ kB of results \([\d.]+ kB a trial\), checkpoints .* packed images [\d.]+ [kM]B once", out
    )
    assert len(list((data / ".cache" / "probes").glob("*.json"))) == 2
    monkeypatch.setattr(pilot, "_measure", lambda *_: 1 / 0)
    again = json.loads(plan(STUDY, "--workers", "2", "--json")[1])["estimate"]
    assert again["trials"] == 3 and again["workers"] == 2
    assert "time: about" not in plan(STUDY, "--no-probe")[1]


def rows(text: str, folder, data) -> list[dict]:
    (folder / "s.yaml").write_text(text)
    return [resolve.resolve(item, data).as_dict() for item in trials_of(load(folder / "s.yaml"))]


def test_the_estimate_by_hand(tmp_path, data, monkeypatch):
    found = Probe(begin=1.0, step=(0.1, 0.2, 0.3), image=0.01, caption=0.02, memory=7_000_000)
    monkeypatch.setattr(estimate, "probe", lambda *_: found)
    some = [row for row in rows(STUDY, tmp_path, data) if row["trained"]]
    splits = data_splits.splits(some[0]["trial"]["dataset"], data)
    looks = [splits["val"]] * 3 + [splits["test"]]
    fixed = 1.0 + sum(0.01 * len(look.images) + 0.02 * len(look.captions) for look in looks)
    steps = 2 * -(-len(splits["train"].captions) // 32)
    low, high = fixed + steps * 0.15, fixed + steps * 0.25
    one = estimate.estimate(some, data, workers=1)
    assert one.seconds == pytest.approx((estimate.SLACK * 2 * low, 2 * high)) and one.longest == pytest.approx(high)
    two = estimate.estimate(some, data, workers=2)
    assert two.seconds == pytest.approx((estimate.SLACK * low, estimate.CROWDED * high + high / 2))
    assert one.memory == 7_000_000 and one.checkpoint == 16 * some[0]["trained"]
    mean = rows(STUDY.replace("batch: 32", "batch: 32, average: 2 epochs"), tmp_path, data)
    assert estimate.estimate(mean, data, workers=1).checkpoint == 20 * some[0]["trained"]
    assert one.images == 96 * 32 * 3 * sum(len(split.images) for split in splits.values())
    search = [{**row, "trial": {**row["trial"], "phase": "tuning"}} for row in some]
    less = len(splits["test"].images) * 0.01 + len(splits["test"].captions) * 0.02
    assert estimate.estimate(search, data, workers=1).longest == pytest.approx(high - less)
    assert estimate.estimate([], data) is None


def test_disk_is_near_what_a_trial_takes(tmp_path, data):
    row = next(row for row in rows(STUDY.replace("epochs: 2", "epochs: 0"), tmp_path, data))
    store = Store(tmp_path / "store")
    assert running.run(row, store.root, data) == "ok"
    real = sum(path.stat().st_size for path in (store.root / "trials" / row["id"]).rglob("*") if path.is_file())
    assert 0.5 < estimate.estimate([row], data, 1).disk / real < 2


def test_long_batches_are_measured_with_few_pairs_and_say_so(tmp_path, data, monkeypatch):
    monkeypatch.setattr(pilot, "LONG", 0.0)
    row = next(row for row in rows(STUDY, tmp_path, data) if row["trained"])
    found = pilot._measure(row, data)
    assert found.scaled == 2 * pilot.FEW and found.step[0] > 0
    monkeypatch.setattr(estimate, "probe", lambda *_: found)
    assert estimate.estimate([row], data, 1).scaled == ("lora",)


def test_data_sets_and_methods_of_one_name_have_rows_of_their_own(plan):
    text = """
name: s
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}, {synth_cuhk: {size: tiny, fraction: 50%}}, {synth_cuhk: {size: tiny, seed: 1}}]
methods: [{lora: {alpha: 8, rank: 2}}, {lora: {alpha: 16, rank: 2}}]
recipe: {name: short, epochs: 1, batch: 32}
"""
    lines = plan(text, "--no-probe")[1].splitlines()
    found = json.loads(plan(text, "--no-probe", "--json")[1])["trials"]
    methods, data_sets = ("lora (alpha 8)", "lora (alpha 16)"), ("", " (fraction 50%)", " (seed 1)")
    assert [(t["dataset"], t["label"]) for t in found] == [(f"synth_cuhk{d}", m) for d in data_sets for m in methods]
    for trial in found:
        assert sum(line.startswith(trial["label"]) and f" {trial['dataset']}  " in line for line in lines) == 1
