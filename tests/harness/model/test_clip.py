"""Our towers against open_clip's own model, float32, with random biases and LayerNorms."""

from __future__ import annotations

import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from harness.errors import UserError
from harness.model.clip import Block
from harness.model.names import theirs as renamed
from harness.model.parts.token_wise import token_wise
from harness.model.state_dict import from_state, resize_position
from harness.model.weights import Source, identity, load, pixels, shape
from harness.registry import find

CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": [64, 32], "layers": 2, "width": 128, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 24, "vocab_size": 80, "width": 64, "heads": 2, "layers": 3},
    "quick_gelu": True,
}


def disturb(model: torch.nn.Module) -> torch.nn.Module:
    """Random values everywhere: zero biases and unit LayerNorms would hide a swap."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def theirs(config: dict = CONFIG, custom: bool = False) -> torch.nn.Module:
    kind = open_clip.model.CustomTextCLIP if custom else open_clip.model.CLIP
    torch.manual_seed(0)
    return disturb(kind(**config))


def folder(path, model, config=CONFIG):
    path.mkdir(exist_ok=True)
    (path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3}})
    )
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path / "open_clip_model.safetensors")
    return Source(str(path))


@pytest.mark.parametrize("custom", [False, True])
@pytest.mark.parametrize("quick", [False, True])
def test_outputs_equal_open_clip(tmp_path, small_inputs, quick, custom):
    config = {**CONFIG, "quick_gelu": quick}
    model = theirs(config, custom)
    backbone = load(folder(tmp_path, model, config))
    images, ids = small_inputs
    with torch.no_grad():
        assert (backbone.image(images) - model.encode_image(images)).abs().max() < 1e-5
        assert (backbone.text(ids) - model.encode_text(ids)).abs().max() < 1e-5
    assert not any(p.requires_grad for p in backbone.parameters())


def test_parameter_count_is_open_clips_without_the_logit_scale(tmp_path):
    model = theirs()
    source = folder(tmp_path, model)
    assert shape(source).parameters == sum(p.numel() for p in model.parameters()) - 1


def test_batch_cut_to_its_longest_caption_gives_the_same_features(small_backbone, small_inputs):
    _, ids = small_inputs
    whole, cut = small_backbone.text(ids)[1:], small_backbone.text(ids[1:, :10])
    assert torch.allclose(whole, cut, atol=1e-6)


def test_checkpoint_paths_and_openai_archive(tmp_path, small_inputs):
    model = theirs()
    source = folder(tmp_path / "a", model)
    images, _ = small_inputs
    expected = load(source).image(images)
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "c.pt")
    assert torch.equal(load(Source(source.name, str(tmp_path / "c.pt"))).image(images), expected)
    plain = {**model.state_dict(), "input_resolution": torch.tensor(64)}
    torch.save(plain, tmp_path / "o.pt")
    (tmp_path / "a" / "open_clip_config.json").write_text(json.dumps({"model_cfg": {**CONFIG, "quick_gelu": False}}))
    assert torch.equal(load(Source(source.name, str(tmp_path / "o.pt"))).image(images), expected)


def test_position_is_resized_from_the_known_grid(tmp_path):
    model = theirs()
    source = folder(tmp_path, model)
    wide = Source(source.name, image=(96, 32))
    assert load(wide).image.position.shape == (13, 128)
    table = torch.arange(9.0)[:, None].expand(9, 3)
    resized = resize_position(table, (4, 2), (2, 1), "bilinear")
    assert resized[:, 0].tolist() == [0.0, 2.5, 6.5]
    bicubic = resize_position(torch.randn(9, 3), (4, 2), (3, 2), "bicubic")
    assert bicubic.shape == (7, 3)
    with pytest.raises(UserError, match="has 8 patches; expected 3x3"):
        resize_position(table, (3, 3), (2, 1), "bilinear")


def test_wrong_checkpoint_names_the_difference(tmp_path):
    model = theirs()
    source = folder(tmp_path, model)
    state = model.state_dict()
    state.pop("visual.ln_post.bias")
    with pytest.raises(UserError, match=r"missing image\.ln_final\.bias"):
        from_state(shape(source), state, (4, 2), "bilinear")


def test_unknown_names_are_answered():
    with pytest.raises(UserError, match=r"unknown backbone 'ViT-B-61'.*did you mean ViT-B-16"):
        shape(Source("ViT-B-61"))
    with pytest.raises(UserError, match=r"did you mean openai"):
        shape(Source("ViT-B-16", pretrained="open-ai"))
    with pytest.raises(UserError, match=r"no plain ViT"):
        shape(Source("RN50"))
    with pytest.raises(UserError, match=r"multiples of 16; did you mean 384x128"):
        shape(Source("ViT-B-16", image=(390, 130)))


def test_the_papers_backbone_has_the_papers_sizes():
    source = Source("ViT-B-16", pretrained="openai", image=(384, 128))
    sizes = shape(source)
    assert sizes.parameters == 149_617_664
    assert (sizes.image.grid, sizes.image.tokens, sizes.quick_gelu) == ((24, 8), 193, True)
    assert pixels(source)["mean"][0] == pytest.approx(0.48145466)
    assert shape(Source("ViT-B-16", image=(384, 128))).quick_gelu is False
    assert shape(Source("ViT-L-14", pretrained="openai", image=(378, 126))).image.grid == (27, 9)
    assert identity(source) == "ViT-B-16/openai"


@pytest.mark.slow
def test_vit_b_16_equals_open_clip():
    torch.manual_seed(0)
    model = disturb(open_clip.create_model("ViT-B-16", force_image_size=(384, 128), force_quick_gelu=True))
    sizes = shape(Source("ViT-B-16", image=(384, 128), activation="quick_gelu"))
    backbone = from_state(sizes, model.state_dict(), (24, 8), "bilinear")
    images, ids = torch.randn(2, 3, 384, 128), torch.randint(1, 400, (2, 77))
    ids[:, 40] = 49407
    with torch.no_grad():
        for ours, other in (
            (backbone.image(images), model.encode_image(images)),
            (backbone.text(ids), model.encode_text(ids)),
        ):
            assert ((ours - other).abs().max() / other.abs().max()) < 1e-5


def test_every_site_is_reached(small_backbone, small_inputs):
    images, ids = small_inputs
    before = small_backbone.image(images), small_backbone.text(ids)

    class Roll(torch.nn.Module):
        """No LayerNorm undoes it."""

        def forward(self, *parts):
            return parts[0].roll(1, -1)

    for site in Block.SITES:
        for tower in small_backbone.towers:
            getattr(tower.blocks[-1], site).append(Roll())
        after = small_backbone.image(images), small_backbone.text(ids)
        assert all((a - b).abs().max() > 1e-3 for a, b in zip(before, after, strict=True)), site
        for tower in small_backbone.towers:
            getattr(tower.blocks[-1], site).pop(-1)


def test_names_go_both_ways(tmp_path):
    model = theirs()
    backbone = load(folder(tmp_path, model))
    back = renamed(backbone.state_dict(), float(model.logit_scale))
    assert sorted(back) == sorted(model.state_dict())
    assert all(torch.equal(back[name], value) for name, value in model.state_dict().items())


class Each(torch.nn.Module):
    """Treats each token by itself: s W relu(x) + b."""

    def __init__(self, width):
        super().__init__()
        self.linear, self.scale = torch.nn.Linear(width, width), torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x, *_):
        return self.scale * self.linear(x.relu())


class Mean(torch.nn.Module):
    """Mixes tokens; at the start, when its weight is zero, no output tells."""

    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x, *_):
        return x + self.weight * x.mean(dim=1, keepdim=True)


class Remembers(Each):
    """A loss of all tokens."""

    def extra_loss(self):
        return None


class Table(torch.nn.Module):
    """One row for every token of nine."""

    def __init__(self, width):
        super().__init__()
        self.rows = torch.nn.Parameter(torch.ones(9, width))

    def forward(self, x, *_):
        return x + self.rows


@pytest.mark.parametrize("site", Block.SITES)
def test_the_last_block_for_one_token_equals_that_for_all(small_backbone, small_inputs, site, monkeypatch):
    generator = torch.Generator().manual_seed(2)
    for tower in small_backbone.towers:
        getattr(tower.blocks[-1], site).append(Each(tower.shape.width))
    for parameter in small_backbone.requires_grad_(True).parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    small_backbone.double()

    def both():
        small_backbone.zero_grad()
        features = torch.stack([small_backbone.image(small_inputs[0].double()), small_backbone.text(small_inputs[1])])
        features.sin().sum().backward()
        gradients = [p.grad.clone() for p in small_backbone.parameters() if p.grad is not None]
        return [features.detach(), *gradients]

    assert all(tower.blocks[-1].token_wise() for tower in small_backbone.towers)
    one = both()
    monkeypatch.setattr(Block, "token_wise", lambda block: False)
    for a, b in zip(one, both(), strict=True):
        assert torch.allclose(a, b, atol=1e-10 * max(1.0, float(b.abs().max())))


@pytest.mark.parametrize("kind", [Mean, Remembers, Table])
def test_what_may_mix_tokens_gets_all_of_them(small_backbone, kind):
    block = small_backbone.image.blocks[-1]
    assert block.token_wise()
    for site in Block.AFTER:
        getattr(block, site).append(kind(128))
        assert not block.token_wise(), site
        getattr(block, site).pop(-1)
        assert block.token_wise()
    for site in ("tokens", "beside_ln1"):
        getattr(block, site).append(kind(128))
    assert block.token_wise()
    for name in ("q", "out"):
        frozen = getattr(block.attn, name)
        setattr(block.attn, name, kind(128))
        assert not block.token_wise(), name
        setattr(block.attn, name, frozen)


def test_a_hook_sees_all_tokens(small_backbone, small_inputs):
    seen = []
    hook = small_backbone.image.blocks[-1].register_forward_hook(lambda module, given, out: seen.append(out.shape))
    small_backbone.image(small_inputs[0])
    hook.remove()
    assert seen == [(3, 9, 128)] and small_backbone.image.blocks[-1].token_wise()


@pytest.mark.parametrize("name", ["lora", "adapter", "l_adapter", "s_prefix", "up_person"])
def test_methods_of_the_paper_leave_the_last_block_to_one_token(small_backbone, name):
    find("methods", name).Method().attach(small_backbone)
    assert all(tower.blocks[-1].token_wise() for tower in small_backbone.towers)


def test_a_weight_that_the_input_changes_is_none(small_backbone):
    class Changed(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, self.weight * torch.nn.functional.relu(x))

    class Scaled(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, 2.0 * self.weight)

    assert token_wise(Scaled(4, 4)) and not token_wise(Changed(4, 4))
