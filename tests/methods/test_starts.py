"""The published starts of every method, with their sources, against what the methods declare on ViT-B/16.

`harness/adaptation/started.py` holds what is drawn against the declarations, so neither can change alone.
"""

from __future__ import annotations

import math

import pytest
import torch

from harness import registry
from harness.adaptation.method import make
from harness.adaptation.probe import BASE, attached, on_meta, sizes_of, small
from harness.adaptation.started import parts, started
from harness.adaptation.starts import Constant, Normal, Uniform
from methods import dora, pissa, zero_shot

D = {"image": 768, "text": 512}
UP_PERSON = "UP-Person, released code, model/Prefix.py and module_msa.py"


def normal(std: float, mean: float = 0.0) -> tuple:
    return "normal", std, mean


def linear(fan_in: float) -> tuple:
    """As torch draws a linear: Kaiming-uniform with a = sqrt 5."""
    return "uniform", -(fan_in**-0.5), fan_in**-0.5


def xavier(fans: float) -> tuple:
    return "uniform", -math.sqrt(6 / fans), math.sqrt(6 / fans)


ADAPTER = {"down.weight": linear, "down.bias": 0, "up.weight": 0, "up.bias": 0}
LOW_RANK = {"a": linear, "b": 0}
PREFIX = {"keys": ("uniform", 0, 0.01), "values": ("uniform", 0, 0.01)}
S_PREFIX = {**PREFIX, "scale": 10, "key_scalar": 1, "value_scalar": 1}
NORM = {"norm.weight": 1, "norm.bias": 0}
FACT = {"u": linear, "v": 0}
CONVS = {f"{conv}.{part}": linear(fan) for conv, fan in (("0", 9), ("1", 25), ("2", 49)) for part in ("weight", "bias")}

# name -> options, source, end of a name -> a value, a law, or a law of the tower's width. Of FacT's 144
# square parts of a tower's weights, fc1 and fc2 have 4 each in a block.
PUBLISHED: dict[str, tuple[dict, str, dict]] = {
    "adapter": ({}, "near the identity (Houlsby et al. 2019); W_down as in LoRA: ours", ADAPTER),
    "adaptformer": ({}, "Chen et al. 2022, released code, init_option lora", ADAPTER),
    "bitfit": ({}, "the backbone's", {}),
    "clip_adapter": (
        {},
        "Gao et al. 2021, released code: torch's linears",
        {"down.weight": linear(512), "up.weight": linear(128)},
    ),
    "convpass": (
        {},
        "Jie and Deng 2022, released code",
        {"down.weight": lambda d: xavier(d + 8), "down.bias": 0, "conv.weight": "dirac", "conv.bias": 0}
        | {"up.weight": 0, "up.bias": 0},
    ),
    "coop": ({}, "Zhou et al. 2022, released code: std 0.02", {"tokens": normal(0.02)}),
    "cskt": (
        {},
        "Liu et al. 2024, released code",
        {"tokens": normal(0.02), "map.weight": normal(0.02), "map.bias": 0, **NORM}
        | {"down.weight": normal(0.02), "up.weight": normal(0.02), "down.bias": 0, "up.bias": 0},
    ),
    "dm_adapter": (
        {"coupled": True},
        "Liu et al. 2025, released code; the link: ours",
        {"down.weight": linear, "down.bias": 0, "up.weight": 0, "up_bias": 0, **NORM}
        | {"router.token": normal(0.02), "router.domain": normal(0.02), "router.prompt": normal(1)}
        | {"router.blend": 0.5, "link.weight": 0, "link.bias": 0},
    ),
    "dora": ({"scaling": "learned"}, "Liu et al. 2024, section 4", {**LOW_RANK, "scale": 1, "magnitude": "tensor"}),
    "fact": (
        {},
        "Jie and Deng 2023, released code, fact_tt.py",
        {**FACT, "sigma": linear(16), "fc2.sigma": linear(4 * 16)},
    ),
    "fact tk": (
        {"form": "tk", "rank": 8},
        "Jie and Deng 2023, released code, fact_tk.py",
        {**FACT, "c": xavier(2 * 8 * 8), "p": xavier(144 + 8)},
    ),
    "full": ({}, "the backbone's", {}),
    "full_image": ({}, "the backbone's", {}),
    "full_text": ({}, "the backbone's", {}),
    "head": ({}, "the backbone's", {}),
    "ia3": ({}, "Liu et al. 2022, section 3.3", {"scale": 1}),
    "l_adapter": ({}, UP_PERSON, {**ADAPTER, "scale": 1}),
    "layer_norm": ({}, "the backbone's", {}),
    "lora": ({"scaling": "learned"}, "Hu et al. 2022, released code", {**LOW_RANK, "scale": 1}),
    "mam": ({}, "prefix and adapter", {**PREFIX, **ADAPTER}),
    "maple": (
        {},
        "Khattak et al. 2023, released code: std 0.02 and torch's linears",
        {"tokens": normal(0.02), "map.weight": linear(512), "map.bias": linear(512)},
    ),
    "mona": (
        {},
        "Yin et al. 2025, released code: gamma 1e-6, gammax 1, Swin's N(0, 0.02^2), torch's convolutions",
        {**NORM, "normed": 1e-6, "plain": 1, "down.weight": normal(0.02), "up.weight": normal(0.02), "down.bias": 0}
        | {"up.bias": 0, "mix.weight": linear(64), "mix.bias": linear(64), **CONVS},
    ),
    "pissa": ({}, "Meng et al. 2024, equations 2 to 4", {"a": "tensor", "b": "tensor"}),
    "prefix": ({}, UP_PERSON, PREFIX),
    "rep_adapter": (
        {},
        "Luo et al. 2023, released code",
        {"down.weight": lambda d: xavier(d + 8), "down.bias": 0, "up": 0, "up_bias": 0},
    ),
    "s_prefix": ({}, f"{UP_PERSON}; S_p from 10: the paper", S_PREFIX),
    "ssf": ({}, "Lian et al. 2022, released code", {"scale": normal(0.02, 1), "shift": normal(0.02)}),
    "unipelt": (
        {},
        "Mao et al. 2022, released code",
        {**LOW_RANK, **PREFIX, **ADAPTER, "linear.weight": normal(0.02), "linear.bias": 0},
    ),
    "up_person": (
        {},
        UP_PERSON,
        {**LOW_RANK, **S_PREFIX, **ADAPTER, **{f"{site}.0.scale": 1 for site in ("beside_ln1", "beside_ln2")}}
        | {"k.scale": 1, "v.scale": 1},
    ),
    "vera": (
        {"targets": ["k", "v"]},
        "Kopiczko et al. 2024, section 3.2",
        {"d": 0.1, "b": 0, "shared.a": lambda d: xavier(d), "shared.b": xavier(256)},
    ),
    "vpt": (
        {"towers": "both"},
        "Jia et al. 2022, released code, for images; CoOp's for texts",
        {"tokens": lambda d: xavier(3 * 16 * 16 + 768) if d == 768 else normal(0.02)},
    ),
    "zero_shot": ({}, "nothing is trained", {}),
}


def law_of(found: object) -> object:
    """A law as the table writes it."""
    match found:
        case Constant():
            return found.value
        case Normal():
            return "normal", found.std, found.mean
        case Uniform():
            return "uniform", found.low, found.high
    return "dirac" if found.ndim == 4 and found.device.type == "cpu" else "tensor"


@pytest.mark.parametrize("name", PUBLISHED)
def test_declared_as_published(name):
    given, source, published = PUBLISHED[name]
    used, plain = set(), on_meta(zero_shot.Method(), sizes_of(BASE))
    for part in parts(make(registry.find("methods", name.split()[0]), given)):
        for tensor, _, _, found in started(part, plain, on_meta(part, sizes_of(BASE))):
            end = max((known for known in published if f".{tensor}".endswith(f".{known}")), key=len, default=None)
            assert end, f"{tensor} is not in the table"
            want = published[end](D[tensor.split(".")[0]]) if callable(published[end]) else published[end]
            got, used = law_of(found), used | {end}
            pairs = zip(flat(got), flat(want), strict=False)
            close = [one == (other if isinstance(other, str) else pytest.approx(other)) for one, other in pairs]
            assert len(flat(got)) == len(flat(want)) and all(close), f"{tensor}: {got}, published {want} ({source})"
    assert used == set(published), "the table has what nothing trains"


def flat(law: object) -> tuple:
    return law if isinstance(law, tuple) else (law,)


def test_every_method_is_in_the_table():
    assert {name.split()[0] for name in PUBLISHED} == set(registry.names("methods")) - {"union"}  # has its parts'


def test_computed_starts_are_what_the_papers_say():
    """Magnitudes are the norms of rows; B A is the best approximation of rank r, and both share its values evenly."""
    weight = small(torch.float32).image.blocks[0].attn.q.weight.double()
    declared = {}
    for module in (dora, pissa):
        plain, backbone = small(torch.float32), attached(module.Method(), dtype=torch.float32)
        found = {name: law for name, _, _, law in started(module.Method(), plain, backbone)}
        for end in ("a", "b", "magnitude"):
            declared[f"{module.__name__}.{end}"] = found.get(f"image.blocks.0.attn.q.{end}")
    torch.testing.assert_close(
        declared["methods.dora.magnitude"].double(), (weight**2).sum(1).sqrt(), rtol=1e-5, atol=0
    )
    a, b = declared["methods.pissa.a"].double(), declared["methods.pissa.b"].double()
    values, vectors = torch.linalg.eigh(weight.T @ weight)
    top, kept = values[-4:].sqrt().flip(0), vectors[:, -4:]
    torch.testing.assert_close(b @ a, weight @ kept @ kept.T, rtol=1e-3, atol=1e-4)
    for gram in (a @ a.T, b.T @ b):
        torch.testing.assert_close(gram, torch.diag(top), rtol=1e-3, atol=1e-3)
