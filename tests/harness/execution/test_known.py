"""What a plan says of time without measuring: a kept probe, a trial of the store, or the doctor's file."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from harness import provenance
from harness.api import planning
from harness.cli import main
from harness.execution import estimate, known, pilot
from harness.execution.pilot import Probe
from harness.store.store import Record, Store
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.trial import resolve

STUDY = """
name: s
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
methods: [zero_shot, lora]
seeds: [0, 1]
budgets: [2%]
recipe: {name: short, epochs: 2, batch: 32}
"""
HERE = provenance.hardware("cpu")
ABOUT = {"backbone": "tiny", "image": [96, 32]}
STEPS = [{**ABOUT, "method": "lora", "batch": n, "seconds": each} for n, each in ((8, 0.25), (2, 9.0))]
LOOKS = [{**ABOUT, "encoded": what, "seconds": each} for what, each in (("images", 0.001), ("captions", 0.002))]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def rows(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pilot, "_measure", lambda *_: 1 / 0)  # nothing is measured here
    (tmp_path / "s.yaml").write_text(STUDY)
    return [resolve.resolve(item, data).as_dict() for item in trials_of(load(tmp_path / "s.yaml"))]


def write(path, hardware: str = HERE, figures=(*STEPS, *LOOKS)):
    lines = [{"check": "speed", "figures": each} for each in figures] + [{"check": "ranks", "figures": None}]
    path.write_text(json.dumps({"device": "CPU", "hardware": hardware, "lines": lines}))
    return path


def test_the_doctor_tells_a_step_of_the_nearest_batch_by_pairs(rows, tmp_path):
    doctor = known.Doctor(write(tmp_path / "doctor.json"))
    zero, lora = rows[0], rows[-1]
    assert doctor.probe(lora) == Probe(0.0, (1.0, 1.0, 1.0), 0.001, 0.002, None, 8)  # four times as many pairs
    assert doctor.probe(zero) == Probe(0.0, (0.0, 0.0, 0.0), 0.001, 0.002, None)
    trial = lora["trial"]
    for other in (
        {"method": "prefix"},
        {"recipe": {**trial["recipe"], "precision": "bf16"}},
        {"recipe": {**trial["recipe"], "checkpointing": True}},
        {"backbone": {**trial["backbone"], "image": [192, 64]}},
    ):
        assert doctor.probe({**lora, "trial": {**trial, **other}}) is None
    assert known.Doctor(write(tmp_path / "doctor.json", "another")).probe(lora) is None


def test_a_probe_comes_before_a_trial_and_a_trial_before_the_doctor(rows, tmp_path, data):
    doctor = known.Doctor(write(tmp_path / "doctor.json"))
    store, lora = Store(tmp_path / "store"), rows[-1]
    key = estimate.method(lora)

    def told():
        probe, source = known.probes(rows, rows[-1:], data, store, doctor)[key]
        return probe, source.partition(" (")[0]

    assert told() == (doctor.probe(lora), "upbench doctor")
    images, captions = estimate.encoded(lora["trial"], data)
    row = {"id": lora["id"], "label": "lora", "method": "lora", "dataset": "synth_cuhk", "seed": 1, "status": "ok"}
    row |= {"spec": lora["trial"], "seconds_total": 10.0, "seconds_train": 5.0, "seconds_evaluate": 3.0}
    row |= {"step_seconds": 0.5, "peak_memory_train": 7_000_000}
    other = Store(tmp_path / "other")
    other.commit(Record(trial={**row, "hardware": "another"}))
    assert known.probes(rows, rows[-1:], data, other, doctor)[key][0] == doctor.probe(lora)
    store.commit(Record(trial={**row, "hardware": HERE}))
    each = 3.0 / (images + captions)
    assert told() == (Probe(2.0, (0.5, 0.5, 0.5), each, each, 7_000_000), "a trial of the store")
    kept = Probe(1.0, (0.1, 0.2, 0.3), 0.01, 0.02, None)
    place = pilot._place(lora, data)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(kept)))
    assert told() == (kept, "a kept probe")
    place.unlink()


def test_a_plan_says_where_its_times_are_from(rows, tmp_path, data, capsys):
    def plan(*more: str) -> str:
        code = main.call(["plan", "s.yaml", "--data", str(data), "--no-probe", "--workers", "1", *more])
        out = capsys.readouterr()
        assert code in (0, 2)
        return out.out + out.err

    assert "time" not in plan()
    write(tmp_path / "doctor.json")
    out = plan()
    assert "time: about " in out and "scaled to the batch: lora" in out and "not used" not in out
    assert f"time by upbench doctor (doctor.json, {HERE}; default options and losses): zero_shot, lora\n" in out
    lora = next(row for row in rows if row["trained"])
    images, captions = estimate.encoded(lora["trial"], data)
    steps = 2 * -(-len(estimate.data_splits.splits(lora["trial"]["dataset"], data)["train"].captions) // 32)
    found = planning.plan("s.yaml", data=data, probe=False, workers=1)
    assert found.estimate.longest == pytest.approx(steps * 1.0 + 0.001 * images + 0.002 * captions)
    write(tmp_path / "some.json", figures=LOOKS)
    out = plan("--doctor", "some.json")
    assert "time: about" not in out and "time: not known of lora: no probe" in out and "losses): zero_shot\n" in out
    write(tmp_path / "other.json", "another device")
    out = plan("--doctor", "other.json")
    assert "time: about" not in out and "time: not known of zero_shot, lora: no probe" in out
    assert f"not used: other.json is of another device, and this machine's device is {HERE}" in out
    (tmp_path / "bad.json").write_text("[]")
    for name, why in (("bad.json", "not a file of upbench doctor"), ("none.json", "No such file or directory")):
        out = plan("--doctor", name)
        assert out.count("\n") == 1 and f"{name}: {why}; expected what `upbench doctor --out FILE` wrote" in out
