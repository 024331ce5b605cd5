"""CSKT: the published count, both couplings, and its adapter."""

from __future__ import annotations

import torch

from harness.adaptation.method import trainable
from harness.model.weights import Source, random, shape
from methods import cskt


def test_the_published_count():
    sizes = shape(Source("ViT-B-16", image=(384, 128)))
    prompts = 12 * (4 * 512 + 4 * 768 + 768 * 512 + 768 + 512 * 768 + 512)
    adapters = 12 * (2 * 768 * 96 + 96 + 768 + 2 * 768 + 2 * 512 * 64 + 64 + 512 + 2 * 512)
    assert cskt.Method().parameters(sizes) == prompts + adapters == 12_117_888
    assert sizes.parameters + 12_117_888 == 161_735_552


def test_prompts_of_both_towers_in_both_towers(small_backbone, small_inputs):
    images, ids = small_inputs
    cskt.Method(length=2).attach(small_backbone)
    image, text = small_backbone.towers
    found = {}
    for tower in (image, text):
        tower.blocks[1].ln1.register_forward_pre_hook(lambda _, given, n=tower.name: found.update({n: given[0][0]}))
    image(images), text(ids)
    for_image, for_text = image.blocks[1].tokens[0].parts, text.blocks[1].tokens[0].parts
    textual, visual = for_text[0].tokens, for_image[1].tokens
    assert torch.allclose(found["image"][9:], torch.cat([for_image[0].map(textual), visual]), atol=1e-6)
    assert torch.allclose(found["text"][1:5], torch.cat([textual, for_text[1].map(visual)]), atol=1e-6)
    assert (found["image"].shape[0], found["text"].shape[0]) == (9 + 4, 24)


def test_each_tower_trains_the_prompts_of_both(small_backbone, small_inputs):
    method = cskt.Method(length=2)
    method.attach(small_backbone)
    own = trainable(small_backbone)
    assert sum(p.numel() for p in own.values()) == method.parameters(small_backbone.shape)
    prompts = [name for name in own if name.endswith("tokens")]
    assert len(prompts) == 2 * 2
    for features in (small_backbone.image(small_inputs[0]), small_backbone.text(small_inputs[1])):
        small_backbone.zero_grad()
        features.square().sum().backward()
        assert all(own[name].grad.abs().max() > 0 for name in prompts)


def test_adapter_has_its_own_layer_norm_and_scale(small_backbone):
    cskt.Method().attach(small_backbone)
    for tower, scale in zip(small_backbone.towers, (0.1, 4.0), strict=True):
        site, x = tower.blocks[0].beside_mlp[0], torch.randn(1, 3, tower.shape.width)
        assert torch.allclose(site(x, 0 * x), scale * site.inner(torch.nn.functional.layer_norm(x, x.shape[-1:])))
        assert 0.01 < float(site.inner.up.weight.detach().std()) < 0.03


def test_text_prompts_that_are_words(small_backbone):
    """With silent adapters, T and U V equal to word embeddings give the caption with these words."""
    plain = random(small_backbone.shape, seed=0).text
    ids = torch.zeros(1, 24, dtype=torch.int64)
    ids[0, :4] = torch.tensor([78, 11, 12, 79])
    longer = torch.cat([ids[:, :1], torch.tensor([[5, 6]]), ids[:, 1:22]], dim=1)
    cskt.Method(length=1, depth=1).attach(small_backbone)
    tower = small_backbone.text
    with torch.no_grad():
        own, coupled = tower.inputs[0].prompts.parts
        own.tokens.copy_(plain.embedding.weight[[5]])
        coupled.map.weight.zero_()
        coupled.map.bias.copy_(plain.embedding.weight[6])
        tower.blocks[0].beside_mlp[0].inner.up.weight.zero_()
        assert torch.allclose(tower(ids), plain(longer), atol=1e-6)
