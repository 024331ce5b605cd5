"""DM-Adapter: the mixture against a loop over its adapters, the router, and the balance loss."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from harness.adaptation.method import extra_loss, trainable
from harness.errors import UserError
from harness.model.weights import Source, shape
from methods import dm_adapter
from methods._mixture import Mixture, Router, balance
from methods._tokens import Captions, Share


def mixture(experts: int = 4, active: int = 2) -> Mixture:
    torch.manual_seed(0)
    router = Router(torch.zeros(1), 6, experts, active, Share(None), 0.5)
    layer = Mixture(torch.zeros(1), 6, 3, router, 0.1)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def test_mixture_equals_a_loop_over_the_chosen_adapters():
    layer, x = mixture().requires_grad_(False), torch.randn(2, 5, 6)
    h, router = layer.norm(x), layer.router
    down, up = layer.down.weight.unflatten(0, (4, 3)), layer.up.weight.unflatten(1, (4, 3))
    bias = layer.down.bias.unflatten(0, (4, 3))
    expected = torch.zeros_like(x)
    for sample in range(2):
        for token in range(5):
            one = h[sample, token]
            z = (1 - router.blend) * router.token @ one + router.blend * router.domain @ router.prompt
            chosen = sorted(range(4), key=lambda e: -float(z[e]))[:2]
            weights = torch.stack([z[e] for e in chosen]).softmax(0)
            for weight, e in zip(weights, chosen, strict=True):
                hidden = (down[e] @ one + bias[e]).relu()
                expected[sample, token] += 0.1 * weight * (up[:, e] @ hidden + layer.up_bias[e])
    assert torch.allclose(layer(x, x), expected, atol=1e-5)


def test_router_picks_two_adapters_for_each_token(small_backbone, small_inputs):
    dm_adapter.Method(width=8).attach(small_backbone)
    found = []
    for tower in small_backbone.towers:
        tower.blocks[1].beside_mlp[0].router.register_forward_hook(lambda _, given, out: found.append(out))
    small_backbone.image(small_inputs[0]), small_backbone.text(small_inputs[1])
    for gates, tokens in zip(found, (9, 24), strict=True):
        assert gates.shape == (3, tokens, 6)
        assert torch.equal((gates > 0).sum(-1), torch.full((3, tokens), 2))
        assert torch.allclose(gates.sum(-1), torch.ones(3, tokens))


def test_the_domain_prompt_alone_chooses_at_blend_one():
    layer, x = mixture(), torch.randn(2, 5, 6)
    torch.nn.init.ones_(layer.router.blend)
    gates = layer.router(x)
    assert torch.equal(gates, gates[:1, :1].expand_as(gates))
    top = (layer.router.domain @ layer.router.prompt).topk(2).indices
    assert set(gates[0, 0].nonzero().flatten().tolist()) == set(top.tolist())


def test_balance_by_hand():
    each = torch.full((1, 6), 1 / 6)
    uniform = torch.full((1, 6, 3), 1 / 3)
    pairs = torch.tensor([[[0, 1], [1, 2], [2, 0], [0, 1], [1, 2], [2, 0]]])
    assert balance(uniform, pairs, each).item() == pytest.approx(1.0)
    one = torch.tensor([0.75, 0.25]).expand(1, 6, 2)
    zero = torch.zeros(1, 6, 1, dtype=torch.int64)
    assert balance(one, zero, each).item() == pytest.approx(1.5)
    assert balance(F.one_hot(zero[..., 0], 4).float(), zero, each).item() == pytest.approx(4.0)


def test_one_is_the_least_when_the_choices_follow_the_probabilities():
    generator = torch.Generator().manual_seed(0)
    each = torch.full((3, 40), 1 / 40)
    for _ in range(50):
        logits = torch.randn(6, generator=generator).expand(3, 40, 6)
        assert balance(logits.softmax(-1), logits.topk(2).indices, each) >= 1.0


def test_balance_is_the_released_codes_up_to_its_factor():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, 6, generator=generator)
    chosen = logits.topk(2).indices
    mean, counted = logits.softmax(-1).mean((0, 1)), F.one_hot(chosen, 6).sum(2).float().mean((0, 1))
    released = 0.5 * (mean * counted).mean() * 6
    router = Router(torch.zeros(1), 8, 6, 2, Share(None), 0.5)
    router.last = balance(logits.softmax(-1), chosen, torch.full((5, 7), 1 / 7))
    assert router.extra_loss().item() == pytest.approx(released.item())


def test_extra_loss_sums_the_blocks_and_is_given_once(small_backbone, small_inputs):
    assert extra_loss(small_backbone) is None
    dm_adapter.Method(width=8, balance=3.0).attach(small_backbone)
    with torch.no_grad():
        small_backbone.image(small_inputs[0])
    assert extra_loss(small_backbone) is None
    small_backbone.image(small_inputs[0]), small_backbone.text(small_inputs[1])
    routers = [block.beside_mlp[0].router for tower in small_backbone.towers for block in tower.blocks]
    expected = sum(float(router.last.detach()) for router in routers)
    assert float(extra_loss(small_backbone).detach()) == pytest.approx(3.0 * 2 / 6 * expected)
    assert extra_loss(small_backbone) is None


def test_balance_trains_the_router_and_ignores_padding(small_backbone, small_inputs):
    ids = small_inputs[1][1:]
    dm_adapter.Method(width=8).attach(small_backbone)
    losses = []
    for cut in (24, 10):
        small_backbone.zero_grad()
        small_backbone.text(ids[:, :cut])
        loss = extra_loss(small_backbone)
        loss.backward()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    own = trainable(small_backbone.text)
    moved = {name.rsplit(".", 1)[-1] for name, p in own.items() if p.grad is not None and p.grad.abs().max() > 0}
    assert {"token", "domain", "prompt", "blend"} <= moved


def test_words_behind_the_end_token_do_not_count():
    captions = Captions()
    captions(torch.zeros(2, 4, 1), torch.tensor([3, 1]))
    assert Share(captions)(torch.zeros(2, 4, 1)).tolist() == [[0.25] * 4, [0.5, 0.5, 0.0, 0.0]]


def test_a_backbone_can_be_copied_between_forward_and_loss(small_backbone, small_inputs):
    dm_adapter.Method(width=8).attach(small_backbone)
    small_backbone.image(small_inputs[0])
    assert extra_loss(copy.deepcopy(small_backbone)) is None
    assert extra_loss(small_backbone) is not None


def test_the_published_count():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    blocks = sum(12 * (6 * (2 * d * (d // 8) + d // 8 + d) + 2 * 6 * d + 2 * d + d + 1) for d in (768, 512))
    assert dm_adapter.Method().parameters(sizes) == blocks == 15_669_528
    assert dm_adapter.Method(coupled=True).parameters(sizes) == blocks + 768 * 512 + 512 == 16_063_256


def test_coupling_carries_the_image_prompt_to_the_text_router(small_backbone, small_inputs):
    torch.manual_seed(0)
    dm_adapter.Method(width=8, coupled=True).attach(small_backbone)
    image, text = (tower.blocks[0].beside_mlp[0].router for tower in small_backbone.towers)
    assert text.link is small_backbone.text.blocks[1].beside_mlp[0].router.link
    torch.nn.init.normal_(text.link.weight)
    torch.nn.init.ones_(text.blend)
    with torch.no_grad():
        gates, prompt = text(torch.zeros(1, 1, 64)), text.prompt + text.link(image.prompt)
    chosen = (text.domain @ prompt).topk(2).indices
    assert set(gates[0, 0].nonzero().flatten().tolist()) == set(chosen.tolist())
    assert set(chosen.tolist()) != set((text.domain @ text.prompt).topk(2).indices.tolist())


def test_wrong_options():
    with pytest.raises(UserError, match="3 of 2 adapters cannot be active"):
        dm_adapter.Method(experts=2, active=3)
    with pytest.raises(UserError, match="'coupled' needs both towers"):
        dm_adapter.Method(towers="text", coupled=True)
