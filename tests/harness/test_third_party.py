"""Methods of other people, from files beside a study and from entry points, on the command line."""

from __future__ import annotations

import json
import re
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from harness import registry
from harness.cli import main
from harness.study.grid import trials as trials_of
from harness.study.reading import load

GAIN = '''"""A trained gain on the output of every MLP."""
from typing import ClassVar
from torch import nn
from upbench import Constant, blocks, options

class Gain(nn.Module):
    def __init__(self, like, width):
        super().__init__()
        self.gain = nn.Parameter(like.new_ones(width))

    def forward(self, out):
        return self.gain * out

@options
class Method:
    reference: ClassVar[str] = "https://example.org"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = True
    starts = {"gain": Constant(1.0)}

    def attach(self, backbone):
        for tower, block in blocks(backbone, "both"):
            block.after_mlp.append(Gain(tower.position, tower.shape.width))

    def parameters(self, shape):
        return sum(tower.layers * tower.width for tower in shape.towers)
'''
STUDY = """
name: theirs
backbone: tiny
datasets: [{synth_cuhk: {size: tiny}}]
methods: [./gain.py, lora]
budgets: [flops 90%, 2%]
recipe: {name: short, epochs: 1}
"""


def test_check_method_on_the_command_line(tmp_path, capsys):
    (tmp_path / "gain.py").write_text(GAIN)
    assert main.call(["check-method", str(tmp_path / "gain.py"), "--options", "{}"]) == 0
    assert re.fullmatch(r"(\d+) of \1 promises kept", capsys.readouterr().out.splitlines()[-1])
    (tmp_path / "faulty.py").write_text(GAIN.replace("new_ones", "new_zeros"))
    assert main.call(["check-method", str(tmp_path / "faulty.py")]) == 5
    shown = capsys.readouterr()
    assert "BROKEN  identity" in shown.out and "faulty.py breaks identity" in shown.err
    assert main.call(["check-method", "lora", "--options", "{"]) == 2


def test_a_file_beside_a_study_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "gain.py").write_text(GAIN)
    (tmp_path / "studies" / "s.yaml").write_text(STUDY)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    asked = ["plan", "../studies/s.yaml", "--data", str(tmp_path / "data")]
    shown = CliRunner().invoke(main.commands, asked, obj={})
    assert shown.exit_code == 0, shown.output
    assert "gain" in shown.output and "flops 90%" in shown.output and re.search(r"[+-][0-9.]+ %", shown.output)
    rows = json.loads(CliRunner().invoke(main.commands, [*asked, "--json"], obj={}).output)["trials"]
    gain, cheap, small = rows
    assert gain["label"] == "gain" and gain["solved"] is None
    assert cheap["solved"]["mode"] == "flops" and cheap["solved"]["achieved"] <= cheap["solved"]["target"]
    assert cheap["target"] is None and small["target"] == small["solved"]["target"] >= small["trained"]


def test_a_mode_for_all_plain_budgets(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY.replace("./gain.py, ", "") + "budget_mode: memory\n")
    assert [t.budget for t in trials_of(load(tmp_path / "s.yaml"))] == ["flops 90%", "memory 2%"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "other_package_gain.py").write_text(GAIN)
    monkeypatch.syspath_prepend(tmp_path)
    point = SimpleNamespace(name="their_gain", module="other_package_gain")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "upbench.methods" else [])
    for cached in (registry._plugins, registry.find):
        cached.cache_clear()
    yield
    sys.modules.pop("other_package_gain", None)
    for cached in (registry._plugins, registry.find):
        cached.cache_clear()


def test_entry_points_add_methods(plugin, capsys):
    assert "their_gain" in registry.names("methods") and "their_gain" not in registry.names("metrics")
    assert registry.find("methods", "their_gain").Method().turns == ()
    assert main.call(["list", "methods"]) == 0
    assert "their_gain" in capsys.readouterr().out
