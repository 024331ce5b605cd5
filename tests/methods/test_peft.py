"""Our linears against those of Hugging Face's `peft`: outputs, gradients, merged weights, and the starting point."""

from __future__ import annotations

import math

import pytest
import torch
from peft import IA3Config, LoraConfig, VeraConfig, get_peft_model
from torch import Tensor, nn

from methods import dora, ia3, lora, pissa, vera

EXACT = 1e-12


class Two(nn.Module):
    """Two linears of different sides, named as in a block."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.k, self.fc2 = nn.Linear(12, 20), nn.Linear(20, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.k(x)))


def pair(config) -> tuple[Two, Two]:
    """Theirs with adapters, and ours frozen and bare, with equal weights in float64."""
    return get_peft_model(Two(), config).base_model.model.double(), Two().double().requires_grad_(False)


def randomised(parameters: dict[str, Tensor]) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))


def equal(theirs: nn.Module, ours: nn.Module, names: dict[str, tuple[Tensor, Tensor]]) -> None:
    """Same outputs, same gradients of the paired parameters (ours, theirs), same outputs once merged."""
    x = torch.randn(5, 7, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    first, second = ours(x), theirs(x)
    assert (first - second).abs().max() < EXACT * second.abs().max()
    first.square().sum().backward()
    second.square().sum().backward()
    for name, (mine, other) in names.items():
        assert mine.grad.abs().max() > 0, name
        off = (mine.grad - other.grad.reshape(mine.shape)).abs().max()
        assert off < EXACT * other.grad.abs().max(), name
    with torch.no_grad():
        ours.k, ours.fc2 = ours.k.merged(), ours.fc2.merged()
        assert (ours(x) - second).abs().max() < EXACT * second.abs().max()
    for target in ("k", "fc2"):
        other = getattr(theirs, target)
        other.merge()
        weight = other.get_base_layer().weight
        assert (getattr(ours, target).weight - weight).abs().max() < EXACT * weight.abs().max()


def paired(theirs: Two, ours: Two) -> dict[str, tuple[Tensor, Tensor]]:
    """LoRA's factors of both linears, ours given the values of theirs."""
    found = {}
    for target in ("k", "fc2"):
        mine, other = getattr(ours, target), getattr(theirs, target)
        found[f"{target}.a"] = (mine.a, other.lora_A["default"].weight)
        found[f"{target}.b"] = (mine.b, other.lora_B["default"].weight)
        if hasattr(mine, "magnitude"):
            found[f"{target}.magnitude"] = (mine.magnitude, other.lora_magnitude_vector["default"].weight)
    return found


def copied(names: dict[str, tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for mine, other in names.values():
            mine.copy_(other.reshape(mine.shape))


@pytest.mark.parametrize(("rank", "scaling"), [(1, "alpha"), (4, "alpha"), (4, "rslora"), (12, "rslora")])
def test_lora(rank, scaling):
    theirs, ours = pair(LoraConfig(r=rank, lora_alpha=6, target_modules=["k", "fc2"], use_rslora=scaling == "rslora"))
    scale = lora.Method(rank=rank, alpha=6.0, scaling=scaling)._scale()
    assert scale == pytest.approx(6 / rank if scaling == "alpha" else 6 / math.sqrt(rank))
    ours.k, ours.fc2 = (lora.LowRank(linear, rank, scale) for linear in (ours.k, ours.fc2))
    names = paired(theirs, ours)
    randomised({name: other for name, (_, other) in names.items()})
    copied(names)
    equal(theirs, ours, names)


def test_dora():
    theirs, ours = pair(LoraConfig(r=4, lora_alpha=6, target_modules=["k", "fc2"], use_dora=True))
    ours.k, ours.fc2 = (dora.Decomposed(linear, 4, 1.5) for linear in (ours.k, ours.fc2))
    names = paired(theirs, ours)
    for target in ("k", "fc2"):
        mine, other = names[f"{target}.magnitude"]
        assert (mine - other).abs().max() < 1e-6  # theirs was computed in float32
    randomised({name: other for name, (_, other) in names.items()})
    copied(names)
    equal(theirs, ours, names)


def test_pissa():
    """Singular vectors are fixed up to their sign, so the products B A and the rests are compared at the start."""
    theirs, ours = pair(LoraConfig(r=4, lora_alpha=4, target_modules=["k", "fc2"], init_lora_weights="pissa"))
    ours.k, ours.fc2 = (pissa.Principal(linear, 4) for linear in (ours.k, ours.fc2))
    names = paired(theirs, ours)
    for target in ("k", "fc2"):
        mine, other = getattr(ours, target), getattr(theirs, target)
        product = names[f"{target}.b"][1] @ names[f"{target}.a"][1]
        assert (mine.delta() - product).abs().max() < 1e-6
        assert (mine.frozen.weight - other.get_base_layer().weight).abs().max() < 1e-6
        with torch.no_grad():
            mine.frozen.weight.copy_(other.get_base_layer().weight)
    copied(names)
    equal(theirs, ours, names)


def test_vera():
    theirs, ours = pair(VeraConfig(r=6, target_modules=["k", "fc2"], projection_prng_key=3, d_initial=0.1))
    shared = vera.Projections(6, 20, 20, seed=3).double()
    ours.k, ours.fc2 = (vera.Vectors(linear, shared, 0.1) for linear in (ours.k, ours.fc2))
    names = {}
    for target in ("k", "fc2"):
        mine, other = getattr(ours, target), getattr(theirs, target)
        names[f"{target}.d"] = (mine.d, other.vera_lambda_d["default"])
        names[f"{target}.b"] = (mine.b, other.vera_lambda_b["default"])
        assert (mine.d - other.vera_lambda_d["default"]).abs().max() < 1e-7 and not mine.b.any()
        for name in "ab":
            one, two = getattr(shared, name), getattr(other, f"vera_{name.upper()}")["default"]
            assert one.shape == two.shape and one.abs().max() == pytest.approx(float(two.abs().max()), rel=0.05)
            one.copy_(two)
    randomised({name: other for name, (_, other) in names.items()})
    copied(names)
    equal(theirs, ours, names)


def test_ia3():
    theirs, ours = pair(IA3Config(target_modules=["k", "fc2"], feedforward_modules=["fc2"]))
    ours.k, ours.fc2 = ia3.ScaledOutput(ours.k), ia3.ScaledInput(ours.fc2)
    names = {t: (getattr(ours, t).scale, getattr(theirs, t).ia3_l["default"]) for t in ("k", "fc2")}
    for mine, other in names.values():
        assert torch.equal(mine, other.flatten())
    randomised({name: other for name, (_, other) in names.items()})
    copied(names)
    equal(theirs, ours, names)
