"""Methods from files of other people: kept promises, broken ones, and files that are no methods."""

from __future__ import annotations

import pytest

from harness.adaptation.check import Result, check, main, report
from harness.adaptation.promises import PROMISES
from harness.errors import UserError

GAIN = '''"""A trained gain on the output of every MLP."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from upbench import Constant, Towers, blocks, options, towers


class Gain(nn.Module):
    def __init__(self, like, width):
        super().__init__()
        self.gain = nn.Parameter(like.new_ones(width))

    def forward(self, out):
        return self.gain * out


@options
class Method:
    towers: Towers = "both"

    reference: ClassVar[str] = "https://example.org"
    identity: ClassVar[bool] = True
    turns: ClassVar[tuple[str, ...]] = ()
    adds: ClassVar[bool] = True
    starts = {"gain": Constant(1.0)}

    def attach(self, backbone):
        for tower, block in blocks(backbone, self.towers):
            block.after_mlp.append(Gain(tower.position, tower.shape.width))

    def parameters(self, shape):
        return sum(tower.layers * tower.width for tower in towers(shape, self.towers))
'''


def written(folder, text, name="gain.py"):
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def broken(results):
    return {result.promise: result.said for result in results if result.kept is False}


def test_a_sound_method_keeps_all(tmp_path, capsys):
    file = written(tmp_path, GAIN)
    results = check(file)
    assert [result.promise for result in results] == list(PROMISES)
    assert broken(results) == {}
    assert {result.promise for result in results if result.kept is None} == {"blocks", "merges", "budget"}
    assert main([file]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == "13 of 13 promises kept"
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("before", "after", "promise", "said"),
    [
        ("tower.layers * tower.width", "tower.layers", "counts", "parameters() gives 4, counted 384 (width 128)"),
        ("like.new_ones(width)", "torch.ones(width)", "counts", "not on the backbone's device: image.blocks.0"),
        ("like.new_ones", "like.new_zeros", "identity", "declared an identity at the start, but outputs differ by"),
        ("self.gain * out", "self.gain @ out", "matters", "RuntimeError: size mismatch"),
        ("backbone, self.towers)", 'backbone, "both")', "places", "towers=image"),
        (
            '    starts = {"gain": Constant(1.0)}\n',
            "\n",
            "starts",
            "0.after_mlp.0.gain; declare in `starts` how",
        ),
        ("Constant(1.0)", "Constant(2.0)", "starts", "gain starts from 1, declared 2"),
        ("https://example.org", "someone", "declares", "reference 'someone' is no address"),
    ],
)
def test_a_fault_is_told_with_its_measure(tmp_path, before, after, promise, said):
    assert before in GAIN
    results = check(written(tmp_path, GAIN.replace(before, after), f"gain_{promise}_{len(after)}.py"))
    assert said in broken(results)[promise], broken(results)
    assert f"BROKEN  {promise}" in report(results)


def test_an_error_inside_names_the_line_of_the_file(tmp_path):
    file = written(tmp_path, GAIN.replace("self.gain * out", "self.gian * out"), "typo.py")
    said = broken(check(file))["matters"]
    assert said == "AttributeError: 'Gain' object has no attribute 'gian' (line 19 of typo.py)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nimport nowhere_at_all\n", r"odd.py, line 2: cannot be imported: ModuleNotFoundError: No module named"),
        ("x = (\n", r"odd.py, line 1: cannot be imported: SyntaxError"),
        ('"""Nothing."""\n', r"odd.py: has no class 'Method'; expected a frozen dataclass"),
        (GAIN.replace('Towers = "both"', "Towers"), r"method odd: .*towers"),
    ],
    ids=["import", "syntax", "empty", "required"],
)
def test_what_is_no_method_is_refused_in_one_line(tmp_path, capsys, text, said):
    folder = tmp_path / str(len(text))
    folder.mkdir()
    file = written(folder, text, "odd.py")
    with pytest.raises(UserError, match=said):
        check(file)
    assert main([file]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "Traceback" not in shown


def test_options_and_unknown_names(tmp_path, capsys):
    assert broken(check("lora", {"rank": 2, "scaling": "learned"})) == {}
    assert main([written(tmp_path, GAIN), '{"tower": "image"}']) == 2
    assert "unknown option 'tower' (did you mean towers?)" in capsys.readouterr().err
    assert main(["lroa"]) == 2
    assert "did you mean lora?" in capsys.readouterr().err
    assert main([]) == 2
    assert main(["lora", "{rank: 2"]) == 2
    assert "options as JSON" in capsys.readouterr().err


def test_report_counts_only_what_applies():
    lines = report(
        [
            Result("counts", True, "1 / 2 / 3"),
            Result("merges", None, "does not apply"),
            Result("padding", False, "by 1"),
        ]
    ).splitlines()
    assert lines[-1] == "1 of 2 promises kept"
    assert [line.split()[0] for line in lines if line[0] != " "] == ["kept", "-", "BROKEN", "1"]
