"""The bench refuses results that differ, and its ratios come from interleaved medians."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from harness.benchmark import ratios, scaling
from harness.cli.main import call
from harness.errors import EnvironmentFault, RunFailed
from harness.model.weights import Source
from harness.training.recipe import Recipe

CPU = torch.device("cpu")
TINY = Source("tiny", image=(96, 32), activation="quick_gelu")


@pytest.fixture(scope="module")
def naive():
    return ratios.baselines()


def test_the_metric_is_the_same_both_ways(naive):
    row = ratios.measure(ratios.metric(naive, "metric", (60, 40, 10), CPU), 1, CPU)
    assert row.difference < 1e-5 and row.naive > 0 and row.fast > 0


def test_a_part_of_the_queries_counts_as_a_part(naive):
    case = ratios.metric(naive, "metric", (80, 40, 10), CPU, 8)
    assert case.factor == 8 and "1/8" in case.name


def test_the_naive_step_has_the_same_loss_and_gradients(naive):
    case = ratios.step(naive, TINY, 4, CPU, bf16=False)
    for _ in range(3):  # after the first step the losses depend on the gradients
        assert torch.allclose(case.naive(), case.fast(), rtol=1e-3)
    half = ratios.step(naive, TINY, 4, CPU, bf16=True)
    assert torch.allclose(half.naive(), half.fast(), rtol=0.1)


def test_cut_texts_have_the_features_of_whole_ones():
    case = ratios.texts(TINY, 20, CPU)
    assert torch.allclose(case.naive(), case.fast(), atol=1e-5)


def test_both_loaders_deliver_the_same_batches_but_for_the_draws(naive):
    case = ratios.images(naive, 5, "irra", 2)
    naive_means, fast_means = case.naive(), case.fast()
    assert naive_means.shape == fast_means.shape == (3,)
    assert float((naive_means.mean() - fast_means.mean()).abs()) < 0.5


def test_what_differs_is_not_timed():
    one, other = torch.tensor([1.0]), torch.tensor([1.1])
    with pytest.raises(RunFailed, match=r"results differ by 1\.0e-01"):
        ratios.measure(ratios.Case("x", lambda: one, lambda: other, 1e-3), 1, CPU)
    with pytest.raises(RunFailed):
        ratios.measure(ratios.Case("x", lambda: one, lambda: one * torch.nan, 1e-3), 1, CPU)


def test_ratio_and_order(monkeypatch):
    calls = []
    case = ratios.Case(
        "x", lambda: calls.append("n") or torch.ones(1), lambda: calls.append("f") or torch.ones(1), 0, 2
    )
    times = iter([6.0, 1.0, 9.0, 2.0, 8.0, 4.0])
    monkeypatch.setattr(ratios, "clock", lambda way, device: [way(), next(times)][1])
    row = ratios.measure(case, 3, CPU)
    assert "".join(calls) == "nf" * 4
    assert (row.naive, row.fast, row.ratio, row.runs) == (16.0, 2.0, 8.0, 3)


def test_without_a_checkout(tmp_path):
    with pytest.raises(EnvironmentFault, match="checkout") as fault:
        ratios.baselines(tmp_path / "naive.py")
    assert fault.value.exit_code == 3


def test_memory_of_both_ways(naive):
    held = lambda megabytes: lambda: torch.ones(megabytes << 18)[:1].clone()  # noqa: E731
    row = ratios.measure(ratios.Case("x", held(64), held(16), 0), 1, CPU)
    assert 0.9 * 64 < row.naive_memory / 2**20 < 90 and row.fast_memory / 2**20 < 40


@pytest.mark.parametrize("asked", [{}, {"micro_batch": 2}, {"checkpointing": True}])
def test_scaling_counts_the_operations_of_a_step(asked):
    recipe = Recipe(precision="float32", **asked)
    rows = list(scaling.steps(TINY, ["zero_shot", "lora", "full"], [2, 4], recipe, CPU, 1))
    assert [(r.method, r.batch) for r in rows] == [("lora", 2), ("lora", 4), ("full", 2), ("full", 4)]
    for row in rows:
        assert row.seconds > 0 and row.share == pytest.approx(row.share) and row.memory >= 0
        assert row.micro == min(asked.get("micro_batch", row.batch), row.batch)
    two, four, _, whole = rows
    assert four.flops / two.flops == pytest.approx(3 if asked.get("micro_batch") else 2, rel=0.4)
    assert whole.flops > four.flops


def test_share_is_of_the_rate_of_a_product(monkeypatch):
    monkeypatch.setattr(scaling, "clock", lambda way, device: [way(), 0.5][1])
    assert scaling.rate(CPU, False, 1) == 2 * scaling.SIDE["cpu"] ** 3 / 0.5
    monkeypatch.setattr(scaling, "rate", lambda *_: 4e9)
    (row,) = scaling.steps(TINY, ["lora"], [2], Recipe(), CPU, 1)
    assert row.share == row.flops / 0.5 / 4e9


def test_scaling_command(capsys):
    asked = ["bench", "--scaling", "--method", "lora", "--batch", "2", "--batch", "4", "--quick", "--precision", "bf16"]
    assert call(asked) == 0
    out = capsys.readouterr().out.splitlines()
    assert (
        out[0].startswith("load ")
        and "cores" in out[0]
        and [line.split()[:3] for line in out[2:4]]
        == [
            ["lora", "2", "2"],
            ["lora", "4", "4"],
        ]
    )


def test_command(monkeypatch, capsys):
    row = ratios.Row("metric", 2.0, 0.5, 4.0, 3.5, 1, 1, 0.0)
    cases = [ratios.Case(name, None, None, None) for name in ("metric", "metric 2")]
    monkeypatch.setattr(ratios, "cases", lambda *given: iter(cases))
    monkeypatch.setattr(ratios, "measure", lambda case, runs, device: dataclasses.replace(row, runs=runs))
    assert call(["bench", "--quick"]) == 0
    assert "naive 2 s, fast 0.5 s, ratio 4.00 (wall 3.50)" in capsys.readouterr().out
    assert call(["bench", "--json", "--runs", "2"]) == 0
    assert [r["ratio"] for r in json.loads(capsys.readouterr().out)] == [4.0, 4.0]
