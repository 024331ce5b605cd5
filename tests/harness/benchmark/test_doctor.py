"""The doctor: every check is through on a CPU, what is wrong is a bad line, and the exit code tells."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from harness import provenance, registry
from harness.benchmark import scaling
from harness.benchmark.doctor import _line, _training, compiled, speed
from harness.cli.main import call

SETTING = _line.Setting(torch.device("cpu"), small=True)


@pytest.mark.parametrize("name", registry.names("checks"))
def test_nothing_is_bad_on_a_cpu(name):
    lines = list(_line.examine(name, SETTING))
    assert lines and not [line for line in lines if line.verdict == _line.BAD]
    assert name == "compiled" or any(line.verdict == _line.OK for line in lines)
    if name == "speed":  # as `upbench plan` reads it
        figures = [line.figures for line in lines if line.figures]
        assert {each["method"] for each in figures if "method" in each} == set(speed.METHODS)
        assert {each["encoded"] for each in figures if "encoded" in each} == {"images", "captions"}
        assert all((each["backbone"], each["image"]) == ("tiny", [96, 32]) and each["seconds"] > 0 for each in figures)


def test_an_error_within_a_check_is_a_bad_line_and_those_before_it_stay(monkeypatch):
    def check(setting):
        yield _line.within("first", 1.0, error=0.5)
        raise ValueError("what\nhappened")

    monkeypatch.setattr(registry, "find", lambda kind, name: SimpleNamespace(check=check))
    first, second = _line.examine("some", SETTING)
    assert first.verdict == _line.OK
    assert (second.verdict, second.measured) == (_line.BAD, "ValueError: what happened")


def test_a_check_without_a_line_is_bad(monkeypatch):
    monkeypatch.setattr(registry, "find", lambda kind, name: SimpleNamespace(check=lambda setting: iter(())))
    (line,) = _line.examine("some", SETTING)
    assert line.verdict == _line.BAD


@pytest.mark.parametrize("error", [2.0, float("nan"), float("inf")])
def test_an_error_above_its_limit_or_no_number_is_bad(error):
    assert _line.within("x", 1.0, features=0.1, loss=error).verdict == _line.BAD


def test_something_has_to_be_compared():
    assert _line.same("x", 0, 0, "ranks").verdict == _line.BAD


@pytest.mark.parametrize(("verdict", "code"), [(_line.OK, 0), (_line.NOT, 0), (_line.BAD, 5)])
def test_the_exit_code_and_the_file_tell(monkeypatch, tmp_path, capsys, verdict, code):
    one = _line.Line("what", "1", "2", verdict)
    monkeypatch.setattr(_line, "examine", lambda name, setting: iter([one]))
    out = tmp_path / "doctor.json"
    assert call(["doctor", "--device", "cpu", "--only", "ranks", "--out", str(out)]) == code
    told = json.loads(out.read_text())
    assert told["lines"] == [{"check": "ranks", **vars(one)}] and told["hardware"] == provenance.hardware("cpu")
    assert verdict in capsys.readouterr().out


def test_an_unknown_check_is_answered_with_the_nearest(capsys):
    assert call(["doctor", "--device", "cpu", "--only", "rank"]) == 2
    assert "ranks" in capsys.readouterr().err


def test_hours_by_hand():
    assert speed.hours(0.5, 128) == pytest.approx(4.4333, abs=1e-4)  # 60 x 532 steps of half a second


@pytest.mark.parametrize(("seconds", "share", "verdict"), [(2.0, 0.5, "ok"), (2.0, 1.2, "bad"), (2.0, 0.0, "bad")])
def test_a_share_above_one_is_a_wrong_clock(seconds, share, verdict):
    line = speed.step(scaling.Row("lora", 8, 4, seconds, 1e9, share, None))
    assert line.verdict == verdict
    assert "4 pairs/s" in line.measured and "parts of 4" in line.what


def test_a_time_of_zero_is_bad():
    assert speed.timed("x", 4, 0.0).verdict == "bad" and "2/s" in speed.timed("x", 4, 2.0).measured


@pytest.mark.parametrize(("other", "verdict"), [(2.0, "ok"), (2.02, "bad"), (float("nan"), "bad")])
def test_compiled_losses_that_differ_are_bad(monkeypatch, other, verdict):
    monkeypatch.setattr(_training, "training", lambda method, device, compiled=False: compiled)
    monkeypatch.setattr(_training, "run", lambda one: [1.0, other if one else 2.0])
    assert compiled.compared("lora", SETTING.device).verdict == verdict
