"""open_clip loads what `--as open_clip` writes, with our features; what does not fold is refused by name."""

from __future__ import annotations

import json
import math

import open_clip
import pytest
import torch

from harness import registry
from harness.errors import UserError
from harness.export.export import export
from harness.export.model import of
from harness.model import weights
from harness.model.source import SHIPPED, Source

CLOSE = 1e-5
FOLDS = ("bitfit", "dora", "fact", "full", "full_image", "full_text", "head", "ia3", "layer_norm", "lora", "pissa")
FOLDS += ("rep_adapter", "ssf", "vera", "zero_shot")
# What the message says of the others.
NAMED = {
    "adapter": "an adapter after attn",
    "adaptformer": "an adapter beside mlp",
    "clip_adapter": "an adapter on the features",
    "convpass": "an adapter beside attn",
    "coop": "trained tokens at the input",
    "cskt": "trained tokens|an adapter beside mlp",
    "dm_adapter": "an adapter beside mlp",
    "l_adapter": "an adapter beside ln1",
    "mam": "a prefix in attention",
    "maple": "trained tokens",
    "mona": "an adapter past attn",
    "prefix": "a prefix in attention",
    "s_prefix": "a prefix in attention",
    "unipelt": "LowRank around q",
    "up_person": "a prefix in attention|an adapter beside ln1",
    "vpt": "trained tokens",
}


def test_every_method_is_known_here():
    assert {*FOLDS, *NAMED, "union"} == set(registry.names("methods"))


@pytest.mark.parametrize("quick", [True, False], ids=["quick_gelu", "gelu"])
@pytest.mark.parametrize("name", FOLDS)
def test_features_are_ours(name, quick, trained, inputs, tmp_path):
    model = trained(name, quick=quick)
    export(model, tmp_path / "out", "open_clip")
    theirs, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'out'}")
    images, ids = inputs(model)
    with torch.no_grad():
        assert (theirs.eval().encode_image(images) - model.backbone.image(images)).abs().max() < CLOSE
        assert (theirs.encode_text(ids) - model.backbone.text(ids)).abs().max() < CLOSE
    assert float(theirs.logit_scale.detach()) == pytest.approx(math.log(100))
    size, normalise = preprocess.transforms[0], preprocess.transforms[-1]
    assert list(size.size) == [64, 32] and "bilinear" in str(size).lower()
    assert tuple(normalise.mean) == (0.4, 0.5, 0.6) and tuple(normalise.std) == (0.2, 0.3, 0.4)


def test_our_own_reading_of_it(trained, inputs, tmp_path):
    model = trained("lora")
    export(model, tmp_path / "out", "open_clip")
    again, given = weights.load(Source(str(tmp_path / "out"))), inputs(model)
    with torch.no_grad():
        assert (again.image(given[0]) - model.backbone.image(given[0])).abs().max() < CLOSE
    assert again.shape == model.backbone.shape


@pytest.mark.parametrize("name", NAMED)
def test_what_does_not_fold_is_named(name, trained, tmp_path):
    model = trained(name, {"depth": 2} if name in ("cskt", "maple") else None)
    with pytest.raises(
        UserError, match=rf"--as: open_clip has no place for ({NAMED[name]}.*) of {name} \(.*expected --as upbench"
    ):
        export(model, tmp_path / "out", "open_clip")
    assert not (tmp_path / "out").exists()


def test_a_union_folds_where_its_parts_do(trained, tmp_path):
    union = trained("union", {"parts": ["lora", "clip_adapter"]})
    with pytest.raises(UserError, match=r"no place for an adapter on the features of union \(image\.head\.0\)"):
        export(union, tmp_path / "out", "open_clip")
    export(trained("union", {"parts": ["lora", "ssf", "ia3"]}), tmp_path / "out", "open_clip")


def test_a_vocabulary_of_its_own_goes_along(tmp_path, inputs):
    source = Source("tiny")
    model = of(weights.load(source), source, "zero_shot", {}, logit_scale=math.log(50))
    export(model, tmp_path / "out", "open_clip")
    assert (tmp_path / "out" / "vocabulary.json").read_bytes() == (SHIPPED / "tiny/vocabulary.json").read_bytes()
    again = weights.load(Source(str(tmp_path / "out")))
    for name, value in weights.load(source).state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    told = json.loads((tmp_path / "out" / "open_clip_config.json").read_text())
    assert told["model_cfg"]["vision_cfg"]["head_width"] == 32 and told["model_cfg"]["text_cfg"]["vocab_size"] == 1471
