"""The released code's precision: which tensors are float16, what the optimizer does with them, what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.adaptation.method import merge, trainable
from harness.adaptation.probe import Case, attached, disturb, inputs, outputs
from harness.errors import EnvironmentFault, UserError
from harness.model import half_precision
from harness.registry import find
from harness.training import optimizer
from harness.training.recipe import Recipe
from harness.training.step import Stepper

CPU = torch.device("cpu")
REFERENCE = Recipe(precision="fp16-reference", eps=1e-3)
PERSON = torch.tensor([0, 1, 0, 2])


def build(name: str = "up_person", recipe: Recipe = REFERENCE, **given):
    method = Case(name, find("methods", name), given).small()
    return half_precision.place(disturb(attached(method, dtype=torch.float32)), CPU, recipe.precision)


def test_which_parameters_are_half():
    backbone = build()
    kinds: dict[torch.dtype, set[str]] = {torch.float16: set(), torch.float32: set()}
    for name, parameter in trainable(backbone).items():
        kinds[parameter.dtype].add(".".join(name.split(".")[3:]).replace(".0.", "."))
    adapters = {
        f"beside_{ln}.inner.{side}.{kind}"
        for ln in ("ln1", "ln2")
        for side in ("down", "up")
        for kind in ("weight", "bias")
    }
    prefix = {f"attn.prefix.{part}" for part in ("keys", "values", "key_scalar", "value_scalar")}
    assert kinds[torch.float16] == adapters | prefix | {"attn.k.scale", "attn.v.scale"}
    lora = {f"attn.{target}.{part}" for target in "kv" for part in "ab"}
    assert kinds[torch.float32] == lora | {"beside_ln1.scale", "beside_ln2.scale", "attn.prefix.scale"}
    frozen = {n: p.dtype for n, p in backbone.named_parameters() if not p.requires_grad}
    assert {n for n, kind in frozen.items() if kind == torch.float32} == {n for n in frozen if ".ln" in n}


def test_features_are_those_of_float32_up_to_half_precision():
    single, halved = outputs_of(build(recipe=Recipe())), outputs_of(build())
    for name, want in single.items():
        assert halved[name].dtype == torch.float16
        off = float((halved[name].float() - want).abs().max() / want.abs().max())
        assert 1e-6 < off < 3e-2, off


def outputs_of(backbone):
    images, ids = inputs(torch.float32)
    with torch.no_grad():
        return {"image": backbone.image(images), "text": backbone.text(ids)}


def test_the_update_is_rounded_to_half_and_added_to_the_weight():
    backbone = build("lora", scaling="learned", targets=["k", "v"])
    layer = backbone.image.blocks[0].attn.k
    x = torch.randn(2, 3, 128).half()
    weight = layer.frozen.weight + (layer.scale * (layer.b @ layer.a)).half()
    assert weight.dtype == torch.float16 and layer.b.dtype == torch.float32
    want = torch.nn.functional.linear(x, weight, layer.frozen.bias)
    assert torch.equal(layer(x), want)
    before = outputs_of(backbone)
    assert merge(backbone) == 8
    assert all(torch.equal(before[n], found) for n, found in outputs_of(backbone).items())


def test_a_step_in_half_has_the_direction_of_one_in_float32():
    images, ids = inputs(torch.float32)
    found = []
    for recipe in (Recipe(temperature=0.5), REFERENCE.model_copy(update={"temperature": 0.5})):
        backbone = build(recipe=recipe)
        loss = Stepper(backbone, recipe, {})(images, ids, PERSON)
        assert loss.dtype == torch.float32
        found.append(torch.cat([p.grad.flatten().double() for p in trainable(backbone).values()]))
    assert float(torch.cosine_similarity(*found, dim=0)) > 0.98
    parts = build()
    Stepper(parts, REFERENCE.model_copy(update={"micro_batch": 3, "temperature": 0.5}), {})(images, ids, PERSON)
    again = torch.cat([p.grad.flatten().double() for p in trainable(parts).values()])
    assert float(torch.cosine_similarity(again, found[1], dim=0)) > 0.999


@pytest.mark.parametrize(
    ("gradient", "in_half", "in_single"), [(1e-3, 1.0e-3, 5.0e-4), (5e-3, 5.0e-3, 8.3e-4), (1e-2, 8.4e-4, 9.1e-4)]
)
def test_adam_s_moments_underflow_as_in_the_released_code(gradient, in_half, in_single):
    """Mean steps of one parameter at rate 1e-3 with a constant gradient, as measured with the released code."""
    for dtype, want in ((torch.float16, in_half), (torch.float32, in_single)):
        parameter = nn.Parameter(torch.zeros(1, dtype=dtype))
        adam = optimizer.build({"x": parameter}, REFERENCE.model_copy(update={"weight_decay": 0.0}))
        steps = 20
        for _ in range(steps):
            parameter.grad = torch.full_like(parameter, gradient)
            adam.step()
        assert -parameter.item() / steps == pytest.approx(want, rel=0.05)


def test_what_the_released_code_does_not_have_is_refused():
    for name in ("vera", "full", "dora", "vpt"):
        with pytest.raises(UserError, match="no half precision for"):
            build(name)
    with pytest.raises(ValueError, match="wants the released 1e-3"):
        Recipe(precision="fp16-reference")


def test_a_device_without_half_is_named(monkeypatch):
    def missing(*_given, **_more):
        raise RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'\nmore")

    monkeypatch.setattr(torch.nn.functional, "conv2d", missing)
    with pytest.raises(EnvironmentFault, match=r"float16 does not run on this cpu: .slow_conv2d_cpu"):
        build()


def test_other_precisions_stay_as_they_are():
    assert {p.dtype for p in build(recipe=Recipe(precision="bf16")).parameters()} == {torch.float32}
    assert outputs(build(recipe=Recipe()))["text"].dtype == torch.float32
