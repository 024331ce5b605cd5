"""VeRA: counts, sharing and seeds of its random matrices. Equality with `peft` is in test_peft.py."""

from __future__ import annotations

import math

import torch

from harness.adaptation.method import state, trainable
from harness.adaptation.probe import BASE, attached, sizes_of
from methods import vera


def test_count_on_vit_b16():
    assert vera.Method(rank=256).parameters(sizes_of(BASE)) == 43_008
    # By hand: r + out per linear; fc1 has 4 d outputs.
    assert vera.Method(rank=8, targets=("fc1",), towers="text").parameters(sizes_of(BASE)) == 12 * (8 + 2048)


def test_one_pair_of_matrices_serves_a_tower_and_is_not_saved():
    backbone = attached(vera.Method(rank=6, targets=("k", "fc1", "fc2")))
    for tower, wide in ((backbone.image, 512), (backbone.text, 256)):
        shared = {id(m.shared.a) for m in tower.modules() if isinstance(m, vera.Vectors)}
        assert len(shared) == 1
        module = tower.blocks[0].mlp.fc1
        assert module.shared.a.shape == (6, wide) and module.shared.b.shape == (wide, 6)
        assert module.shared.a.abs().max() <= math.sqrt(6 / wide) < 1.1 * module.shared.a.abs().max()
    assert {name.rsplit(".", 1)[1] for name in state(backbone)} == {"d", "b"}
    assert not [name for name in backbone.state_dict() if "shared" in name]
    assert {float(p.detach().abs().max()) for n, p in trainable(backbone).items() if n.endswith(".b")} == {0.0}


def test_matrices_follow_the_seed_and_not_torchs():
    def drawn(seed: int, global_seed: int) -> torch.Tensor:
        return attached(vera.Method(rank=4, seed=seed), seed=global_seed).text.blocks[0].attn.k.shared.a

    assert torch.equal(drawn(0, 1), drawn(0, 2))
    assert not torch.equal(drawn(0, 1), drawn(3, 1))


def test_moving_the_backbone_keeps_one_pair():
    backbone = attached(vera.Method(rank=4)).to(torch.float32)
    modules = [m for m in backbone.image.modules() if isinstance(m, vera.Vectors)]
    assert len(modules) == 4 and len({m.shared.a.data_ptr() for m in modules}) == 1
