"""UP-Person's parts against the reference implementation, by numbers it computed with random weights on the CPU.

`tests/fixtures/oracle` holds weights and inputs that float16 can hold exactly, and what the reference made of them:
features of both towers, SDM losses, gradients, and five steps of its Adam. `python tests/methods/test_oracle.py` prints
the largest relative error of every fixture.
"""

from __future__ import annotations

import copy
import functools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.adaptation.method import trainable
from harness.model.clip import Backbone, Shape, TowerShape
from harness.model.state_dict import from_state
from harness.training import interaction
from harness.training.losses import sdm
from methods import union

FOLDER = Path(__file__).parents[1] / "fixtures" / "oracle"
TOLERANCE = 1e-5  # of the largest value
# A scalar's gradient sums terms that cancel: the reference's float32 is up to 1.2e-3 from our float64 there.
TENSORS, SCALARS = 3e-4, 2e-3
VARIANTS = sorted(json.loads((FOLDER / "model_fixtures.json").read_text())["configs"]["tiny_a"]["variants"])
FEATURES = [name for name in VARIANTS if name != "all_halfdelta"]
BANK = {"keys": "key.tokens", "values": "val.tokens", "scale": "scale_to_grad"}
BANK |= {"key_scalar": "key.scaler.scale", "value_scalar": "val.scaler.scale"}


@functools.cache
def expected() -> dict:
    return json.loads((FOLDER / "model_fixtures.json").read_text())["configs"]["tiny_a"]


@functools.cache
def arrays() -> dict[str, Tensor]:
    with np.load(FOLDER / "tiny_a_io.npz") as file:
        whole = {name: torch.from_numpy(file[name]) for name in file}
    return {name: value.float() if value.is_floating_point() else value.long() for name, value in whole.items()}


def parts(depth_lora: int, depth_prefix: int, depth_adapter: int, s: float | None = None) -> tuple:
    """The union's parts; the reference counts LoRA and prefixes from the first block and adapters to the last."""
    chosen = []
    if depth_prefix and s == 1.0:
        chosen.append({"prefix": {"length": 3, "depth": depth_prefix, "bank_scalars": True}})
    elif depth_prefix:
        chosen.append({"s_prefix": {"length": 3, "depth": depth_prefix, "scale": s or 10.0}})
    if depth_lora:
        chosen.append({"lora": {"rank": 4, "targets": ["k", "v"], "scaling": "learned", "depth": depth_lora}})
    if depth_adapter < 2:
        chosen.append({"l_adapter": {"reduction": 8, "depth": list(range(depth_adapter, 2))}})
    return tuple(chosen)


def theirs(name: str) -> str | None:
    """The reference's name of one of our trained parameters."""
    tower, _, block, *rest = name.split(".")
    visual = tower == "image"
    resblock = f"base_model.{'visual.' if visual else ''}transformer.resblocks.{block}"
    match rest:
        case ["attn", "k" | "v" as target, last]:
            index = "kv".index(target)
            part = {"a": f"lora_A.{index}", "b": f"lora_B.{index}", "scale": f"scale.{index}.scale"}[last]
            return f"LORA_learner.lora_{tower}.{block}.{part}"
        case ["attn", "prefix", "0", last]:
            start = f"{'vit' if visual else 'text'}_prefix"
            return f"{start}_learner.{start}.{block}.{BANK[last]}"
        case ["beside_ln1" | "beside_ln2" as site, "0", "scale"]:
            return f"{resblock}.scale_{site[-1]}"
        case ["beside_ln1" | "beside_ln2" as site, "0", "inner", side, last]:
            return f"{resblock}.adapter_ln_{'msa' if site == 'beside_ln1' else 'mlp'}.{side}.{last}"
    return None


def attached(variant: str) -> Backbone:
    """The fixtures' CLIP with a variant's modules, all weights as in the fixtures."""
    config, options = expected(), {k: v for k, v in expected()["variants"][variant].items() if k.startswith("depth")}
    override = expected()["variants"][variant].get("s")
    cfg, heads, embed = config["cfg"], config["heads"], config["cfg"]["embed_dim"]
    grid = tuple(side // cfg["patch"] for side in config["img_size"])
    wide, narrow = cfg["vision_width"], cfg["text_width"]
    shape = Shape(
        TowerShape("image", wide, 2, heads["vision"], 4 * wide, 1 + math.prod(grid), embed, grid, cfg["patch"]),
        TowerShape("text", narrow, 2, heads["text"], 4 * narrow, cfg["ctx"], embed, vocabulary=cfg["vocab"]),
        quick_gelu=True,
    )
    weights = {name: value.float() for name, value in load_file(FOLDER / "tiny_a_weights.safetensors").items()}
    clip = {n.removeprefix("clip."): v for n, v in weights.items() if n.startswith("clip.")}
    backbone = from_state(shape, clip, (cfg["grid"],) * 2, "bilinear")
    if chosen := parts(**options, s=override):
        union.Method(parts=chosen).attach(backbone)
    with torch.no_grad():
        for name, parameter in trainable(backbone).items():
            if override is None or not name.endswith("prefix.0.scale"):
                parameter.copy_(weights[f"petl.{theirs(name)}"])
    return backbone


def outputs(backbone: Backbone) -> tuple[Tensor, Tensor]:
    return backbone.image(arrays()["images"]), backbone.text(arrays()["caption_ids"])


def loss_of(backbone: Backbone) -> Tensor:
    return sdm.loss(*outputs(backbone), arrays()["pids"], 0.02)


def error(ours: Tensor, reference: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    assert ours.shape == reference.shape
    return float((ours.detach() - reference).abs().max() / reference.abs().max())


@torch.no_grad()
def round_delta(backbone: Backbone) -> Backbone:
    """LoRA's merged update rounded to half precision, as the released code does on every device."""
    for block in (block for tower in backbone.towers for block in tower.blocks):
        for target in ("k", "v"):
            wrapped = getattr(block.attn, target)
            wrapped.frozen.weight += (wrapped.scale * wrapped.b @ wrapped.a).half().float()
            setattr(block.attn, target, wrapped.frozen)
    return backbone


# Measurements: each returns {quantity: relative error} ---------------------------------------------------------------


@torch.no_grad()
def feature_errors(variant: str) -> dict[str, float]:
    backbone = attached(variant)
    image, text = outputs(backbone)
    loss = sdm.loss(image, text, arrays()["pids"], 0.02)
    return {
        "image features": error(image, arrays()[f"{variant}/image_feat"]),
        "text features": error(text, arrays()[f"{variant}/text_feat"]),
        "SDM loss": abs(float(loss) / expected()["variants"][variant]["sdm_loss"] - 1),
    }


@torch.no_grad()
def token_errors() -> dict[str, float]:
    """All tokens of sample 1 after the last LayerNorm and the projection."""
    given = arrays()
    _, _, places, words = interaction.encode(attached("all"), given["images"][1:2], given["caption_ids"][1:2])
    image, text = given["all/image_tokens_sample1"], given["all/text_tokens_sample1_first25"]
    return {"image tokens": error(places[0], image), "text tokens": error(words[0, : len(text)], text)}


def group_of(name: str) -> str:
    """The fixture's group of one of our parameters."""
    tower, last = name.split(".")[0], name.rsplit(".", 1)[-1]
    if ".beside_" in name:
        return f"{tower}.adapter_scale" if last == "scale" else f"{tower}.adapter"
    if ".prefix." in name:
        kind = {"scale": "scale_to_grad", "keys": "tokens", "values": "tokens"}.get(last, "scaler")
        return f"{tower}.prefix_{kind}"
    return f"{tower}.lora_" + {"a": "A", "b": "B", "scale": "scaler"}[last]


def moments(tensor: Tensor) -> tuple[float, float]:
    return float(tensor.detach().double().norm()), float(tensor.detach().double().sum())


def compare(ours: dict[str, tuple[float, float]], reference: dict[str, list[float]]) -> dict[str, float]:
    """Largest errors of [norm, sum] per parameter, both relative to the norm (at least 1e-6 of the largest norm)."""
    assert set(ours) == set(reference)
    floor = 1e-6 * max(norm for norm, _ in reference.values())
    size = {name: max(norm, floor) for name, (norm, _) in reference.items()}
    return {
        "norm": max(abs(ours[n][0] - reference[n][0]) / size[n] for n in ours),
        "sum": max(abs(ours[n][1] - reference[n][1]) / size[n] for n in ours),
    }


def gradient_errors() -> dict[str, float]:
    backbone, wanted = attached("all"), copy.deepcopy(expected()["all_grad"])
    loss_of(backbone).backward()
    groups: dict[str, float] = {}
    own = trainable(backbone)
    for name, parameter in own.items():
        groups[group_of(name)] = groups.get(group_of(name), 0.0) + float(parameter.grad.double().square().sum())
    assert set(groups) == set(wanted["group_norm"])
    found = {"gradient norm of groups": max(abs(math.sqrt(v) / wanted["group_norm"][k] - 1) for k, v in groups.items())}
    for kind, scalar in (("tensors", False), ("scalars", True)):
        ours = {theirs(n): moments(p.grad) for n, p in own.items() if (p.ndim == 0) == scalar}
        each = compare(ours, {n: wanted["per_param_[norm,sum]"].pop(n) for n in ours})
        found |= {f"gradient norm of {kind}": each["norm"], f"gradient sum of {kind}": each["sum"]}
    assert not wanted["per_param_[norm,sum]"]
    return found


def trace_errors() -> dict[str, float]:
    """Five steps of the reference's Adam: L2 in the gradient, none on biases, eps 1e-3."""
    backbone, wanted = attached("all"), expected()["all_train_trace"]
    own = trainable(backbone)
    groups = [
        {"params": [p for n, p in own.items() if theirs(n).endswith("bias")], "weight_decay": 0.0},
        {"params": [p for n, p in own.items() if not theirs(n).endswith("bias")], "weight_decay": 4e-5},
    ]
    adam, losses = torch.optim.Adam(groups, lr=wanted["lr"], eps=1e-3), []
    for _ in range(5):
        adam.zero_grad()
        loss = loss_of(backbone)
        losses.append(float(loss.detach()))
        loss.backward()
        adam.step()
    losses.append(float(loss_of(backbone).detach()))
    each = compare({theirs(n): moments(p) for n, p in own.items()}, wanted["param_[norm,sum]_after"])
    return {
        "losses of six evaluations": max(abs(a / b - 1) for a, b in zip(losses, wanted["losses"], strict=True)),
        "norm of parameters after": each["norm"],
        "sum of parameters after": each["sum"],
    }


@torch.no_grad()
def half_errors() -> dict[str, float]:
    """How far the reference as released is from ours, with and without its rounding."""
    found = {}
    for name, backbone in (("rounded", round_delta(attached("all"))), ("not rounded", attached("all"))):
        for tower, ours in zip(("image", "text"), outputs(backbone), strict=True):
            found[f"{tower} features, delta {name}"] = error(ours, arrays()[f"all_halfdelta/{tower}_feat"])
    return found


# Tests --------------------------------------------------------------------------------------------------------------


def test_every_fixture_is_used():
    assert set(VARIANTS) == {name.split("/")[0] for name in arrays() if name.endswith("_feat")}
    assert len(VARIANTS) == 13


@pytest.mark.parametrize("variant", FEATURES)
def test_features_and_loss(variant):
    found = feature_errors(variant)
    assert max(found.values()) < TOLERANCE, found


@pytest.mark.parametrize("variant", FEATURES)
def test_every_weight_of_a_variant_is_used_once(variant):
    names = [theirs(name) for name in trainable(attached(variant))]
    fixed = 4 if variant.endswith("_s1") else 0  # the fixed scale of vanilla prefixes is no parameter of ours
    assert len(set(names)) == len(names) == expected()["variants"][variant]["weights_used"] - fixed


def test_tokens_and_resized_position():
    assert error(attached("plain").image.position, arrays()["visual_positional_embedding_resized"]) < 1e-6
    assert max(token_errors().values()) < TOLERANCE, token_errors()


def test_gradients():
    found = gradient_errors()
    assert found["gradient norm of groups"] < 1e-4, found
    assert max(found["gradient norm of tensors"], found["gradient sum of tensors"]) < TENSORS, found
    assert max(found["gradient norm of scalars"], found["gradient sum of scalars"]) < SCALARS, found


def test_five_steps_of_adam():
    found = trace_errors()
    assert found["losses of six evaluations"] < 1e-4, found
    assert found["norm of parameters after"] < 1e-4, found
    assert found["sum of parameters after"] < 1e-4, found


def test_half_precision_update_explains_the_reference_as_released():
    """Rounding LoRA's update to half precision moves features by about 1e-3 of their size, and it is all that does."""
    found = half_errors()
    for tower in ("image", "text"):
        assert found[f"{tower} features, delta rounded"] < TOLERANCE, found
        assert 1e-4 < found[f"{tower} features, delta not rounded"] < 1e-2, found


def table() -> str:
    rows = [(variant, feature_errors(variant)) for variant in FEATURES]
    rows += [("all", token_errors()), ("all_grad", gradient_errors())]
    rows += [("all_train_trace", trace_errors()), ("all_halfdelta", half_errors())]
    lines = [f"{'fixture':<20} {'quantity':<38} {'relative error':>14}"]
    lines += [f"{fixture:<20} {name:<38} {value:>14.1e}" for fixture, found in rows for name, value in found.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table())
