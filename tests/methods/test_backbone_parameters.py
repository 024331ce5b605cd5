"""Methods that train the backbone's own parameters: which ones, and how many on ViT-B/16."""

from __future__ import annotations

import pytest
from torch import nn

from harness.adaptation.method import make, trainable
from harness.adaptation.probe import BASE, on_meta, sizes_of, small
from harness.errors import UserError
from methods import bitfit, full, full_image, full_text, head, layer_norm


def attached(method) -> nn.Module:
    backbone = small()
    method.attach(backbone)
    return backbone


@pytest.mark.parametrize(
    ("method", "count"),
    [
        (bitfit.Method(), 171_008),
        (layer_norm.Method(), 65_536),
        (head.Method(), 768 * 512 + 512 * 512),
        (full.Method(), 149_617_664),
        (full_image.Method(), 86_189_568),
        (full_text.Method(), 63_428_096),
        # By hand: twelve blocks of 11 d biases (mlp = 4 d), and those of the LayerNorms outside.
        (bitfit.Method(towers="image"), 12 * 11 * 768 + 2 * 768),
        (bitfit.Method(towers="text", depth=3), 3 * 11 * 512),
        (layer_norm.Method(towers="text"), 12 * 4 * 512 + 2 * 512),
        (layer_norm.Method(towers="image", depth=-1), 4 * 768),
    ],
    ids=str,
)
def test_count_on_vit_b16(method, count):
    assert method.parameters(sizes_of(BASE)) == count
    assert sum(p.numel() for p in trainable(on_meta(method, sizes_of(BASE))).values()) == count


def test_bitfit_trains_every_bias_and_nothing_else():
    own = trainable(attached(bitfit.Method()))
    assert set(own) == {name for name, p in small().named_parameters() if name.endswith(".bias")}
    assert {name.rsplit(".", 2)[1] for name in own} == {
        *("q", "k", "v", "out", "fc1", "fc2", "ln1", "ln2", "ln_first", "ln_final")
    }


def test_layer_norm_trains_both_parts_of_every_layer_norm():
    modules = dict(small().named_modules())
    norms = {name for name, module in modules.items() if isinstance(module, nn.LayerNorm)}
    own = trainable(attached(layer_norm.Method()))
    assert set(own) == {f"{name}.{part}" for name in norms for part in ("weight", "bias")}
    inside = trainable(attached(layer_norm.Method(depth=(1,))))
    assert set(inside) == {name for name in own if ".blocks.1." in name}


def test_head_trains_the_projections():
    assert set(trainable(attached(head.Method()))) == {"image.proj.weight", "text.proj.weight"}
    assert set(trainable(attached(head.Method(towers="text")))) == {"text.proj.weight"}


def test_full_image_and_full_text_train_one_tower():
    whole = set(dict(small().named_parameters()))
    for method, tower in ((full_image, "image"), (full_text, "text")):
        assert set(trainable(attached(method.Method()))) == {name for name in whole if name.startswith(f"{tower}.")}
        with pytest.raises(UserError, match="towers"):
            make(method, {"towers": "both"})
