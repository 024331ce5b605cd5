"""With the backbone `small` each drawn domain is a transfer task: chance < zero-shot < each trained method."""

from __future__ import annotations

import pytest

import upbench

STUDY = """
name: ladder
question: Is {domain} a transfer task for the small backbone?
backbone: small
datasets: [{{{domain}: {{size: wide, completeness: 0.97}}}}]
seeds: [0]
budgets: [4.7%]
recipe: {{name: short, epochs: 4}}
methods:
  - zero_shot
  - {{method: full, recipe: {{lr: 5e-4}}}}
  - {{method: lora, options: {{targets: [k, v]}}, recipe: {{lr: 3e-3}}}}
  - {{method: up_person, recipe: {{lr: 3e-3}}}}
"""
CHANCE = 1.0  # percent and less: at most 14 of 1,500 images and more are a query's


@pytest.mark.slow
@pytest.mark.parametrize("domain", ["synth_cuhk", "synth_icfg", "synth_rstp"])
def test_chance_zero_shot_trained(domain, tmp_path):
    file = tmp_path / "ladder.yaml"
    file.write_text(STUDY.format(domain=domain))
    places = {"store": tmp_path / "store", "data": tmp_path / "data"}
    upbench.run(file, executor="serial", **places)
    results = upbench.results("ladder", store=places["store"])
    scores = results.scores.query("split == 'test' and direction == 't2i' and metric == 'R1'")
    found = dict(results.trials.merge(scores, on="id").set_index("label")["value"])
    assert list(results.trials["status"]) == ["ok"] * 4
    assert min(found, key=found.get) == "zero_shot" and found["zero_shot"] > 5 * CHANCE
    assert 40 < found["full"] < 70
    assert min(found[name] for name in ("full", "lora", "up_person")) > found["zero_shot"] + 5
