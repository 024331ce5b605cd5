"""What a file of weights is, told by its content: OpenAI's, open_clip's, Hugging Face's, IRRA's and its descendants'.

Whatever the form, the towers come out in OpenAI's names (`names.py`), and a method that the file was trained with in
ours (`trained.py`). What is no part of them is told with its number of parameters, and how the activation is known is
told too: a file that does not say leaves it open.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harness.model.names import ours
from harness.model.trained import Trained, up_person

CONTAINERS = ("state_dict", "model", "model_state_dict", "net")  # what training scripts put the weights under
BESIDE = ("logit_scale", "input_resolution", "context_length", "vocab_size", "attn_mask")  # no weights of a tower
IDS = ("position_ids", "attn_mask")  # ends of names of buffers

# Hugging Face's name -> OpenAI's, of a part of a block and of a part of a tower.
BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
TOWER = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
    "visual_projection.weight": "visual.proj",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "text_projection.weight": "text_projection",
}
LAYER = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)")

UP_PERSON = "UP-Person"
# A part of a name beside `base_model.*` -> whose file it is; all were trained from OpenAI's weights.
FAMILY = {
    "LORA_learner": UP_PERSON,
    "prefix_learner": UP_PERSON,
    "adapter_ln": UP_PERSON,
    "visul_emb_layer": "RDE",
    "texual_emb_layer": "RDE",
    "cross_modal_transformer": "IRRA",
    "mlm_head": "IRRA",
}


@dataclass(frozen=True)
class Form:
    """A file of weights.

    Attributes:
        origin: Whose form it is.
        state: The towers in OpenAI's names.
        quick_gelu: Whether the activation is QuickGELU; None where the file does not tell.
        known_by: How the activation is known; empty where it is not.
        left_out: Parameters that are no part of the towers, by the beginning of their names.
        method: The method that the file was trained with and its parameters, where it holds one.
    """

    origin: str
    state: dict[str, Tensor]
    quick_gelu: bool | None
    known_by: str
    left_out: dict[str, int] = field(default_factory=dict)
    method: Trained | None = None

    @property
    def used(self) -> int:
        """Parameters of the towers and of the method."""
        return sum(value.numel() for value in self.state.values()) + (self.method.parameters if self.method else 0)


def recognise(read: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> Form:
    """The form of what `weight_files.read` found, with Hugging Face's configuration where one lies beside it."""
    state, left = _unwrapped(read)
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    if any(LAYER.search(name) for name in state):
        activation = _activation(config or {})
        found = _towers(_from_hugging_face(state, left), left)
        quick = None if activation is None else activation == "quick_gelu"
        return Form("Hugging Face", found, quick, "" if quick is None else f"hidden_act {activation}", dict(left))
    if any(name.startswith("base_model.") for name in state):
        family = next((whose for part, whose in FAMILY.items() if any(part in name for name in state)), "IRRA's family")
        method, taken = up_person(state) if family == UP_PERSON else (None, set())
        rest = {name: value for name, value in state.items() if name not in taken}
        found = _towers(_within("base_model.", rest, left), left)
        return Form(family, found, True, f"{family} was trained from OpenAI's weights", dict(left), method)
    if any(name.startswith("clip.") for name in state):
        return Form("a training script", _towers(_within("clip.", state, left), left), None, "", dict(left))
    if "input_resolution" in state:
        return Form("OpenAI", _towers(state, left), True, "input_resolution, which OpenAI's files hold", dict(left))
    return Form("open_clip", _towers(state, left), None, "", dict(left))


def _activation(config: Mapping[str, Any]) -> str | None:
    """`hidden_act` of a Hugging Face configuration, which leaves out what has its default, `quick_gelu`."""
    if not config:
        return None
    said = {config.get(part, {}).get("hidden_act", "quick_gelu") for part in ("text_config", "vision_config")}
    return said.pop() if len(said) == 1 else None


def _unwrapped(read: Mapping[str, Any]) -> tuple[dict[str, Tensor], Counter[str]]:
    """The mapping of tensors inside the usual containers, and the sizes of what lies beside it."""
    left: Counter[str] = Counter()
    while inner := next((n for n in CONTAINERS if isinstance(read.get(n), Mapping) and _tensors(read[n])), None):
        left.update({name: size for name, value in read.items() if name != inner and (size := _tensors(value))})
        read = read[inner]
    return {name: value for name, value in read.items() if isinstance(value, Tensor)}, left


def _tensors(value: Any) -> int:
    """Elements of all tensors within containers."""
    if isinstance(value, Tensor):
        return value.numel()
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return sum(map(_tensors, inner))


def _within(start: str, state: Mapping[str, Tensor], left: Counter[str]) -> dict[str, Tensor]:
    """What lies below a name; the rest is left out."""
    for name, value in state.items():
        if not name.startswith(start):
            left[name.split(".")[0]] += value.numel()
    return {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}


def _towers(state: Mapping[str, Tensor], left: Counter[str]) -> dict[str, Tensor]:
    """What belongs to a tower, whole numbers and buffers aside."""
    found = {}
    for name, value in state.items():
        if name in BESIDE or name.endswith(IDS):
            continue
        if next(ours(name, value), None):
            found[name] = value
        else:
            block = re.sub(r".*resblocks\.\d+\.", "blocks: ", name)
            left[block.split(".")[0]] += value.numel()
    return found


def _from_hugging_face(state: Mapping[str, Tensor], left: Counter[str]) -> dict[str, Tensor]:
    """OpenAI's names for `CLIPModel`'s; query, key and value go into one matrix, projections are turned."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if match := LAYER.search(name):
            tower, index, part = match.groups()
            start = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{index}."
            if third := re.fullmatch(r"self_attn\.q_proj\.(weight|bias)", part):
                parts = [state.get(name.replace("q_proj", f"{letter}_proj")) for letter in "qkv"]
                if not any(p is None for p in parts):
                    found[f"{start}attn.in_proj_{third[1]}"] = torch.cat([p for p in parts if p is not None])
            elif renamed := next((new + part[len(old) :] for old, new in BLOCK.items() if part.startswith(old)), None):
                found[start + renamed] = value
        elif renamed := next((new + name[len(old) :] for old, new in TOWER.items() if name.startswith(old)), None):
            found[renamed] = value.T if name.endswith("projection.weight") else value
        elif not name.endswith(IDS) and name != "logit_scale":
            left[name.split(".")[0]] += value.numel()
    return found
