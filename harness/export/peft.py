"""A folder of Hugging Face's `peft`: `adapter_config.json` and `adapter_model.safetensors`, beside the base model.

    PeftModel.from_pretrained(CLIPModel.from_pretrained(BASE), "FOLDER")

BASE stands in `adapter_config.json`: OpenAI's model on the hub where the backbone is one of them at its own size, else
the folder `base` that is written too. What peft computes is the same, by other parameters where it has to be:

- LoRA's learned scalars are multiplied into B.
- Blocks with another rank stand in `rank_pattern` and `alpha_pattern`, by whole paths.
- PiSSA's factors become LoRA of twice the rank, [B, -B0] [A; A0]: what was trained less what it started from, so that
  it sits on the backbone itself.
- VeRA's random matrices are one pair for both towers in peft, where each tower here has its own: they are stacked, and
  each linear's d is zero on the other tower's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.errors import UserError
from harness.export import huggingface
from harness.export.model import Model, replaced
from methods import dora, ia3, lora, pissa, vera

HUB = {  # of OpenAI's weights at the size they were trained at
    "ViT-B-32": ("openai/clip-vit-base-patch32", 224),
    "ViT-B-16": ("openai/clip-vit-base-patch16", 224),
    "ViT-L-14": ("openai/clip-vit-large-patch14", 224),
    "ViT-L-14-336": ("openai/clip-vit-large-patch14-336", 336),
}
PLACE = re.compile(r"(image|text)\.blocks\.(\d+)\.(attn|mlp)\.(\w+)")
NAMES = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out": "out_proj", "fc1": "fc1", "fc2": "fc2"}
Adapter = tuple[dict[str, Any], dict[str, Tensor]]  # configuration, tensors by peft's names


def write(model: Model, folder: Path) -> None:
    """Write the adapter, and its base where that is not on the hub.

    Raises:
        UserError: a method that peft has not, or images that are not square.
    """
    name = model.method
    if name not in BY_METHOD:
        raise UserError(
            f"peft has no {name}, of those here {', '.join(BY_METHOD)}",
            "--as",
            "--as upbench, or open_clip or huggingface where all of it folds into the weights",
        )
    huggingface.square(model, "peft")
    config, tensors = BY_METHOD[name](model)
    about = {"task_type": None, "inference_mode": True, "base_model_name_or_path": _base(model, folder), **config}
    (folder / "adapter_config.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    kept = {f"base_model.{key}": value.detach().cpu().contiguous() for key, value in tensors.items()}
    save_file(kept, folder / "adapter_model.safetensors")


def _base(model: Model, folder: Path) -> str:
    source = model.source
    known, side = HUB.get(source.name, ("", 0))
    if known and source.pretrained == "openai" and source.image in (None, (side, side)):
        return known
    (folder / "base").mkdir()
    huggingface.write(replaced(model, model.base()), folder / "base")
    return "base"


def _wrapped(model: Model, kind: type) -> Iterator[tuple[str, Any]]:
    """Paths in a `CLIPModel` and our modules of a kind."""
    for name, module in model.backbone.named_modules():
        if type(module) is kind and (match := PLACE.fullmatch(name)):
            tower, index, part, last = match.groups()
            start = f"{'vision' if tower == 'image' else 'text'}_model.encoder.layers.{index}"
            yield f"{start}.{'self_attn' if part == 'attn' else 'mlp'}.{NAMES[last]}", module


def _targets(model: Model, paths: list[str]) -> list[str]:
    """The ends of names where all blocks of both towers have them, else whole paths."""
    ends = sorted({path.rsplit(".", 1)[-1] for path in paths})
    blocks = sum(len(tower.blocks) for tower in model.backbone.towers)
    return ends if len(paths) == len(ends) * blocks else sorted(paths)


def _lora(model: Model, kind: type = lora.LowRank, **more: Any) -> Adapter:
    """LoRA, and DoRA with its magnitudes."""
    method = cast(lora.Method, model.made())
    tensors: dict[str, Tensor] = {}
    paths = []
    for path, module in _wrapped(model, kind):
        learned = isinstance(module.scale, Tensor)
        tensors[f"model.{path}.lora_A.weight"] = module.a
        tensors[f"model.{path}.lora_B.weight"] = module.scale * module.b if learned else module.b
        if isinstance(module, dora.Decomposed):
            tensors[f"model.{path}.lora_magnitude_vector"] = module.magnitude
        paths.append(path)
    alpha = float(method.rank) if method.scaling == "learned" else method.alpha
    config = _lora_config(model, method.rank, alpha, paths, use_rslora=method.scaling == "rslora", **more)
    power = 0.5 if method.scaling == "rslora" else 1.0
    own = {p: (len(m.a), 1.0 if isinstance(m.scale, Tensor) else m.scale) for p, m in _wrapped(model, kind)}
    even = method.rank, alpha / method.rank**power
    if other := {path: each for path, each in own.items() if each != even}:
        config["rank_pattern"] = {path: rank for path, (rank, _) in other.items()}
        config["alpha_pattern"] = {path: scale * rank**power for path, (rank, scale) in other.items()}
    return config, tensors


def _lora_config(model: Model, rank: int, alpha: float, paths: list[str], **more: Any) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": int(alpha) if alpha == int(alpha) else alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        **more,
        "target_modules": _targets(model, paths),
    }


def _dora(model: Model) -> Adapter:
    return _lora(model, dora.Decomposed, use_dora=True)


def _pissa(model: Model) -> Adapter:
    rank, base = cast(pissa.Method, model.made()).rank, dict(model.base().named_modules())
    other: dict[str, int] = {}
    inside = {module: name for name, module in model.backbone.named_modules()}
    tensors: dict[str, Tensor] = {}
    paths = []
    for path, module in _wrapped(model, pissa.Principal):
        own = len(module.a)
        a, b = pissa.principal(cast(nn.Linear, base[inside[module]]).weight, own)
        other |= {path: 2 * own} if own != rank else {}
        tensors[f"model.{path}.lora_A.weight"] = torch.cat([module.a, a])
        tensors[f"model.{path}.lora_B.weight"] = torch.cat([module.b, -b], dim=1)
        paths.append(path)
    pattern = {"rank_pattern": other, "alpha_pattern": other} if other else {}
    return _lora_config(model, 2 * rank, 2 * rank, paths, **pattern), tensors


def _ia3(model: Model) -> Adapter:
    tensors: dict[str, Tensor] = {}
    outputs, inputs = (list(_wrapped(model, kind)) for kind in (ia3.ScaledOutput, ia3.ScaledInput))
    for path, module in outputs:
        tensors[f"model.{path}.ia3_l"] = module.scale[:, None]
    for path, module in inputs:
        tensors[f"model.{path}.ia3_l"] = module.scale[None]
    config = {
        "peft_type": "IA3",
        "target_modules": _targets(model, [path for path, _ in (*outputs, *inputs)]),
        "feedforward_modules": _targets(model, [path for path, _ in inputs]),
    }
    return config, tensors


def _vera(model: Model) -> Adapter:
    method = cast(vera.Method, model.made())
    found = list(_wrapped(model, vera.Vectors))
    shared = list({id(module.shared): module.shared for _, module in found}.values())
    ranks = [len(each.a) for each in shared]
    a = torch.zeros(sum(ranks), max(each.a.shape[1] for each in shared))
    b = torch.zeros(max(len(each.b) for each in shared), sum(ranks))
    starts = {id(each): sum(ranks[:index]) for index, each in enumerate(shared)}
    for each in shared:
        rows = slice(starts[id(each)], starts[id(each)] + len(each.a))
        a[rows, : each.a.shape[1]], b[: len(each.b), rows] = each.a, each.b
    tensors: dict[str, Tensor] = {"vera_A": a, "vera_B": b}
    for path, module in found:
        d, start = torch.zeros(sum(ranks)), starts[id(module.shared)]
        d[start : start + len(module.d)] = module.d.detach()
        tensors |= {f"model.{path}.vera_lambda_d": d, f"model.{path}.vera_lambda_b": module.b}
    config = {
        "peft_type": "VERA",
        "r": sum(ranks),
        "d_initial": method.initial,
        "projection_prng_key": method.seed,
        "save_projection": True,
        "vera_dropout": 0.0,
        "bias": "none",
        "target_modules": _targets(model, [path for path, _ in found]),
    }
    return config, tensors


BY_METHOD: Mapping[str, Callable[[Model], Adapter]] = {
    "lora": _lora,
    "dora": _dora,
    "pissa": _pissa,
    "ia3": _ia3,
    "vera": _vera,
}
