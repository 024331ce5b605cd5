"""The code that decides a trial: what is in it, and what is not."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from harness import meaning, registry
from harness.evaluation.ranking import rank_positives
from harness.trial import identity

DATA, LOSSES = ("synth_cuhk",), ("sdm",)


def modules(*given) -> set[str]:
    return {name for path in identity.files(*given) if (name := meaning.module(path))}


def test_what_decides_a_number_is_in_it():
    found = modules("up_person", (), DATA, LOSSES)
    decides = """
        data.pipeline.images data.pipeline.random data.annotations datasets.synth_cuhk datasets.synthetic.picture.draw
        model.tokenizer model.names model.weights model.half_precision registry trial.stages training.interaction
        evaluation.metrics.rank_k evaluation.metrics.mean_ap evaluation.ranking training.losses.sdm
    """
    assert {f"harness.{name}" for name in decides.split()} <= found
    assert {"methods.lora", "methods.prefix", "methods.adapter"} <= found


def test_what_another_trial_is_made_of_is_not_in_it():
    found = modules("lora", (), DATA, LOSSES)
    others = {"methods.prefix", "harness.training.losses.itc", "harness.datasets.rstpreid"}
    assert not found & {*others, "harness.evaluation.metrics.mean_inp", "harness.study.study", "harness.cli.main"}
    assert not {name for name in found if name.startswith(("reports", "harness.store", "harness.execution", "upbench"))}


def test_methods_depend_on_their_siblings_and_parts(monkeypatch):
    names = ("up_person", "s_prefix", "lora", "full")
    before = {name: meaning.digest(identity.files(name)) for name in names}
    real = meaning._text
    monkeypatch.setattr(meaning, "_text", lambda path: "other" if path.name == "prefix.py" else real(path))
    after = {name: meaning.digest(identity.files(name)) for name in names}
    assert {name for name in names if before[name] != after[name]} == {"up_person", "s_prefix"}
    assert identity.code("union", ("lora",)) != identity.code("union", ("prefix",))
    losses = registry.names("losses")
    assert len({identity.code("lora", (), DATA, (loss,)) for loss in losses}) == len(losses) > 6
    assert identity.code("lora", (), ("synth_cuhk",)) != identity.code("lora", (), ("cuhk_pedes",))


def test_the_metrics_that_choose_are_those_that_selection_reads():
    text = (meaning.ROOT / "harness" / "trial" / "selection.py").read_text()
    read = set(re.findall(r'"(\w+)"', re.search(r"values\[metric\] for metric in \((.*?)\)", text)[1]))
    ranks = rank_positives(torch.eye(12), torch.eye(12), np.arange(12), np.arange(12))
    given = {m for name in identity.CHOOSING for m in registry.find("metrics", name).measure(ranks)}
    assert read == {"R1", "mAP"} <= given


def test_what_is_exempt_is_there():
    for name in identity.EXEMPT:
        assert meaning.file_of(name), f"{name} is exempt and is not there"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("harness/evaluation/metrics/mean_ap.py", "+ 1", "+ 2"),
        ("harness/model/names.py", 'zip("qkv", value', 'zip("vkq", value'),
        ("harness/model/state_dict.py", "align_corners=False", "align_corners=True"),
        ("harness/data/pipeline/images.py", "(levels + 128) // 257", "levels // 256"),
        ("harness/model/tokenizer.py", "[: self.context - 1]", "[: self.context - 2]"),
        ("harness/model/half_precision.py", "parameter.data.half()", "parameter.data"),
    ],
)
def test_what_is_computed_otherwise_is_another_trial(file, old, new, tmp_path, monkeypatch):
    """One change in each of a few; `make check` changes every module in turn, and lays a real study out."""
    text = (meaning.ROOT / file).read_text()
    assert text.count(old) == 1
    (tmp_path / "other.py").write_text(text.replace(old, new))
    files, real = identity.files("lora", (), DATA, LOSSES), meaning._text
    before = meaning.digest(files, tuple(identity.EXEMPT))
    place = tmp_path / "other.py"
    monkeypatch.setattr(meaning, "_text", lambda path: real(place if path == meaning.ROOT / file else path))
    assert meaning.digest(files, tuple(identity.EXEMPT)) != before
