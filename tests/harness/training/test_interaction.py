"""Reading masked words from the picture: sizes as published, equations by torch's own modules, places, gradients."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness import registry
from harness.adaptation.method import make, trainable
from harness.data.pipeline.tokens import listed
from harness.training import heads, interaction, objective, optimizer
from harness.training.interaction import Interaction, Words
from harness.training.losses import mlm
from harness.training.recipe import Recipe, named
from harness.training.step import Stepper

WIDTH, VOCABULARY = 64, 80  # of the small backbone's embedding and captions


def built(width: int = WIDTH, vocabulary: int = VOCABULARY, layers: int = 2, seed: int = 0) -> dict[str, nn.Module]:
    return heads.build(("interaction", "mlm_head"), width, 1, seed, vocabulary, layers)


def test_sizes_are_the_published_ones():
    sizes = heads.parameters(("sdm", "id", "mlm"), 512, 11003, 49408, 4)
    assert sizes == {"classifier": 5_644_539, "interaction": 13_663_232, "mlm_head": 25_609_984}
    assert heads.parameters(("mlm",), 512, 11003, 49408, 4).keys() == {"interaction", "mlm_head"}


@pytest.mark.parametrize(("width", "vocabulary", "layers"), [(64, 80, 0), (96, 50, 1), (130, 33, 3), (512, 100, 4)])
def test_closed_forms(width, vocabulary, layers):
    made = built(width, vocabulary, layers)
    counted = {name: sum(p.numel() for p in module.parameters()) for name, module in made.items()}
    assert counted == interaction.parameters(width, vocabulary, layers)
    assert width % made["interaction"].cross_attn.heads == 0


def test_heads_are_64_wide_where_that_divides_the_embedding():
    assert {w: interaction.heads_of(w) for w in (512, 768, 96, 40, 130, 200)} == {
        512: 8, 768: 12, 96: 1, 40: 1, 130: 2, 200: 2,
    }  # fmt: skip


def test_the_interaction_is_torchs_attention_and_clips_blocks():
    """The same numbers from nn.MultiheadAttention and nn.TransformerEncoderLayer with the weights copied over."""
    torch.manual_seed(0)
    ours = built(128, 50, 2)["interaction"]
    for p in ours.parameters():  # zero biases and unit LayerNorms would hide a swap
        nn.init.normal_(p, std=0.2)
    text, image = torch.randn(3, 7, 128), torch.randn(3, 5, 128)
    cross = nn.MultiheadAttention(128, 2, batch_first=True)

    def fill(attention, mine):
        attention.in_proj_weight.copy_(torch.cat([mine.q.weight, mine.k.weight, mine.v.weight]))
        attention.in_proj_bias.copy_(torch.cat([mine.q.bias, mine.k.bias, mine.v.bias]))
        attention.out_proj.load_state_dict(mine.out.state_dict())

    with torch.no_grad():
        fill(cross, ours.cross_attn)
        seen = ours.ln_image(image)
        x = cross(ours.ln_text(text), seen, seen, need_weights=False)[0]
        for block in ours.cross_blocks:
            layer = nn.TransformerEncoderLayer(
                128, 2, 512, 0.0, lambda v: v * torch.sigmoid(1.702 * v), batch_first=True, norm_first=True
            )
            fill(layer.self_attn, block.attn)
            for name, part in (("norm1", block.ln1), ("norm2", block.ln2), ("linear1", block.mlp.fc1)):
                getattr(layer, name).load_state_dict(part.state_dict())
            layer.linear2.load_state_dict(block.mlp.fc2.state_dict())
            x = layer(x)
        assert torch.allclose(ours(text, image), ours.ln_last(x), atol=1e-4)


def test_first_weights():
    made = built(512, 3000, 4)
    cross, block, words = made["interaction"].cross_attn, made["interaction"].cross_blocks[1], made["mlm_head"]
    written = (8 * 512) ** -0.5
    for part, deviation in (
        (cross.q, 512**-0.5), (cross.v, 512**-0.5), (cross.out, written), (block.attn.k, 512**-0.5),
        (block.attn.out, written), (block.mlp.fc1, 1024**-0.5), (block.mlp.fc2, written),
        (words[0], 1024**-0.5), (words[3], written),
    ):  # fmt: skip
        assert float(part.weight.detach().std()) == pytest.approx(deviation, rel=0.02)
    assert not cross.q.bias.any() and not block.attn.out.bias.any() and words[3].bias.any()
    assert bool((block.ln1.weight == 1).all()) and not block.ln1.bias.any()
    again, other = built(96, 50, 1), built(96, 50, 1, seed=1)
    assert torch.equal(again["mlm_head"][0].weight, built(96, 50, 1)["mlm_head"][0].weight)
    assert not torch.equal(again["mlm_head"][0].weight, other["mlm_head"][0].weight)
    before = torch.get_rng_state()
    built()
    assert torch.equal(torch.get_rng_state(), before)


def test_features_are_the_towers_and_the_read_token_is_among_all(small_backbone, small_inputs):
    images, ids = small_inputs
    image, text, places, words = interaction.encode(small_backbone, images, ids)
    assert torch.allclose(image, small_backbone.image(images), atol=1e-6)
    assert torch.allclose(text, small_backbone.text(ids), atol=1e-6)
    assert places.shape == (3, 9, WIDTH) and words.shape == (3, 24, WIDTH)
    assert torch.allclose(places[:, 0], image, atol=1e-5)
    assert torch.allclose(words[torch.arange(3), ids.argmax(1)], text, atol=1e-5)
    assert not small_backbone.image.blocks[-1]._forward_hooks and small_backbone.image.blocks[-1].token_wise()


def test_masked_captions_are_encoded_apart(small_backbone, small_inputs):
    images, ids = small_inputs
    masked = torch.where(ids == ids[0, 3], 77, ids)
    _, text, _, words = interaction.encode(small_backbone, images, ids[:, :24], masked)
    assert torch.allclose(text, small_backbone.text(ids), atol=1e-6)
    assert torch.allclose(words, interaction.encode(small_backbone, images, masked)[3], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [("coop", {"length": 3}), ("vpt", {"length": 2}), ("maple", {}), ("cskt", {}), ("full", {}), ("up_person", {})],
)
def test_words_keep_their_places_beside_prompts(small_backbone, small_inputs, name, options):
    """The token at the end of each caption is the one that the tower reads, wherever a method puts its prompts."""
    images, ids = small_inputs
    ids[0, 15:] = 0  # room for prompts behind the longest caption
    ids[0, 14] = 79
    make(registry.find("methods", name), options).attach(small_backbone)
    for p in small_backbone.parameters():
        p.data += 0.02 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    _, text, _, words = interaction.encode(small_backbone, images, ids)
    assert not small_backbone.text.head
    assert torch.allclose(words[torch.arange(3), ids.argmax(1)], text, atol=1e-4)


def test_words_that_prompts_push_out_are_not_read(small_backbone, small_inputs):
    images, ids = small_inputs
    make(registry.find("methods", "coop"), {"length": 5}).attach(small_backbone)
    _, _, places, words = interaction.encode(small_backbone, images, ids)
    assert words.shape[1] == 24 - 5
    labels = torch.zeros_like(ids)
    labels[0, 20], labels[1, 2] = 5, 6
    given = interaction.read(built(), words, places, listed(labels, 2))
    assert given["mlm_labels"].tolist() == [0, 6]


def test_only_masked_words_are_scored_and_the_loss_is_that_of_all(small_backbone, small_inputs):
    images, ids = small_inputs
    made = built()
    _, _, places, words = interaction.encode(small_backbone, images, ids)
    labels = torch.zeros_like(ids)
    labels[0, 3], labels[0, 7], labels[2, 1] = 11, 12, 13
    given = interaction.read(made, words, places, listed(labels, 3))
    assert given["mlm_scores"].shape == (3, VOCABULARY) and given["mlm_labels"].tolist() == [11, 12, 13]
    every = made["mlm_head"](made["interaction"](words, places))
    slow = F.cross_entropy(every.flatten(0, 1), labels.flatten(), ignore_index=0)
    assert mlm.loss(**given).item() == pytest.approx(slow.item(), abs=1e-5)
    assert slow.item() == pytest.approx(torch.log(torch.tensor(80.0)).item(), abs=0.5)


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_the_step_adds_the_loss_and_every_part_learns(small_backbone, small_inputs, share):
    images, ids = small_inputs
    recipe = Recipe(losses=("sdm", "mlm"), mask_captions=share, precision="float32")
    made = built()
    small_backbone.requires_grad_(True)
    masked, labels = ids.clone(), torch.zeros_like(ids)
    labels[0, 3], masked[0, 3] = ids[0, 3], 77
    labels[1, 2], masked[1, 2] = ids[1, 2], 77
    person = torch.arange(3)
    fed = masked if share else ids
    loss = Stepper(small_backbone, recipe, made)(images, fed, person, masked, listed(labels, 2))
    with torch.no_grad():
        image, text = small_backbone.image(images), small_backbone.text(fed)
        _, _, places, words = interaction.encode(small_backbone, images, masked)
        given = interaction.read(made, words, places, listed(labels, 2))
        parts = objective.compute(("sdm", "mlm"), image, text, person, **given)
    assert loss.item() == pytest.approx(float(sum(parts.values())), abs=1e-4)
    for name, p in trainable(nn.ModuleDict({"backbone": small_backbone, **made})).items():
        if name.endswith(("attn.k.bias", "cross_attn.k.bias")):  # the softmax ignores a bias on all keys
            continue
        assert p.grad is not None and p.grad.abs().sum() > 0, name


def test_recomputed_blocks_give_the_same_loss(small_backbone, small_inputs):
    images, ids = small_inputs
    labels = torch.where(ids > 70, ids, 0)
    labels[:, 0], values = 0, []
    for on in (False, True):
        backbone, made = copy.deepcopy(small_backbone).requires_grad_(True), built()
        backbone.checkpointing(on)
        loss = Stepper(backbone, Recipe(losses=("mlm",), precision="float32"), made)(
            images, ids, torch.arange(3), ids, listed(labels, int(labels.count_nonzero()))
        )
        values.append((loss.item(), backbone.image.conv.weight.grad.norm().item()))
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_the_recipe_irra_has_the_released_learning_rates(small_backbone):
    recipe = Recipe(**{**named("irra"), "name": "irra"})
    assert recipe.losses == ("sdm", "id", "mlm") and (recipe.batch, recipe.lr, recipe.eps) == (64, 1e-5, 1e-3)
    made = heads.build(("classifier", "interaction", "mlm_head"), WIDTH, 5, 0, VOCABULARY, recipe.interaction)
    small_backbone.requires_grad_(True)
    parameters = trainable(nn.ModuleDict({"backbone": small_backbone, **made}))
    rates = {}
    for group in optimizer.groups(parameters, recipe):
        own = {id(p) for p in group["params"]}
        rates |= {n: round(group["lr"] / recipe.lr, 6) for n, p in parameters.items() if id(p) in own}
    # As released: five for the classifier and the words, two for every other bias, five for names with `cross`.
    assert rates["classifier.weight"] == rates["classifier.bias"] == rates["mlm_head.0.bias"] == 5
    assert rates["interaction.cross_attn.q.weight"] == rates["interaction.cross_blocks.3.ln1.weight"] == 5
    assert rates["interaction.cross_attn.q.bias"] == rates["backbone.text.blocks.0.attn.q.bias"] == 2
    assert rates["interaction.ln_text.weight"] == rates["backbone.image.proj.weight"] == 1
    alone = Recipe(**{**named("irra"), "losses": ("sdm",)})
    assert len(optimizer.groups(trainable(small_backbone), alone)) == 2


def test_bare_modules_have_no_numbers_until_they_are_started():
    assert isinstance(built()["interaction"], Interaction) and isinstance(built()["mlm_head"], Words)
    assert all(torch.isfinite(p).all() for module in built().values() for p in module.parameters())
