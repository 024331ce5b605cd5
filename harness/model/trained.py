"""What a file of weights holds beside the towers where it is a method's: options and parameters of a method of ours.

UP-Person's release keeps LoRA's factors and the prefixes beside `base_model` and the adapters within it. Ranks,
lengths, widths and the blocks that have them are read off names and shapes. Where the three parts are in the same
blocks of both towers they are the method `up_person`, else a `union` of its parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from harness.errors import UserError

TOWERS = {"image": "image", "text": "text", "vit": "image", "visual.": "image", "": "text"}
PREFIX = {
    "key.tokens": "keys",
    "val.tokens": "values",
    "scale_to_grad": "scale",
    "key.scaler.scale": "key_scalar",
    "val.scaler.scale": "value_scalar",
}
SITES = {"msa": "beside_ln1", "mlp": "beside_ln2", "1": "beside_ln1", "2": "beside_ln2"}
# Names of UP-Person's release; LoRA's index is 0 for keys and 1 for values.
LORA = re.compile(r"LORA_learner\.lora_(image|text)\.(\d+)\.(?:lora_([AB])|(scale))\.([01])(?:\.scale)?")
TOKENS = re.compile(r"(vit|text)_prefix_learner\.(?:vit|text)_prefix\.(\d+)\.(.+)")
BLOCK = r"base_model\.(visual\.|)transformer\.resblocks\.(\d+)\."
ADAPTER = re.compile(BLOCK + r"adapter_ln_(msa|mlp)\.((?:down|up)\.(?:weight|bias))")
SCALE = re.compile(BLOCK + r"scale_([12])")
AGAIN = re.compile(BLOCK + r"attn\.prefix\.")  # prefixes that hang in the attention too once it has run

# Our names of what tells a part's size by its first dimension.
SIZES = {
    "s_prefix": re.compile(r"(image|text)\.blocks\.(\d+)\.attn\.prefix\.0\.keys"),
    "lora": re.compile(r"(image|text)\.blocks\.(\d+)\.attn\.k\.a"),
    "l_adapter": re.compile(r"(image|text)\.blocks\.(\d+)\.beside_ln1\.0\.inner\.down\.weight"),
}
OPTION = {"s_prefix": "length", "lora": "rank", "l_adapter": "reduction"}


@dataclass(frozen=True)
class Trained:
    """A trained method.

    Attributes:
        method: Its name.
        options: Its options, as JSON has them.
        state: Its trained parameters in our names; they fit the method once it is attached.
    """

    method: str
    options: dict[str, Any]
    state: dict[str, Tensor]

    @property
    def parameters(self) -> int:
        return sum(value.numel() for value in self.state.values())


def up_person(state: Mapping[str, Tensor]) -> tuple[Trained | None, set[str]]:
    """UP-Person's trained parts in a state dict of its release, and the names in it that belong to them.

    Raises:
        UserError: parts of different sizes within one tower, which its release never has.
    """
    renamed = {name: ours for name in state if (ours := _ours(name))}
    with_adapter = {ours.rpartition(".inner.")[0] for ours in renamed.values() if ".inner." in ours}
    own = {
        ours: state[name]
        for name, ours in renamed.items()
        # A block may have the adapters' factors without adapters.
        if not SCALE.fullmatch(name) or ours.removesuffix(".scale") in with_adapter
    }
    taken = {name for name, ours in renamed.items() if ours in own} | {name for name in state if AGAIN.match(name)}
    if not own:
        return None, set()
    method, options = _options(own, _depths(state))
    return Trained(method, options, own), taken


def _ours(name: str) -> str | None:
    """Our name of a parameter of the release, or None where it is none of the trained ones."""
    if match := LORA.fullmatch(name):
        tower, block, factor, scale, index = match.groups()
        return f"{tower}.blocks.{block}.attn.{'kv'[int(index)]}.{scale or factor.lower()}"
    if (match := TOKENS.fullmatch(name)) and match[3] in PREFIX:
        return f"{TOWERS[match[1]]}.blocks.{match[2]}.attn.prefix.0.{PREFIX[match[3]]}"
    if match := ADAPTER.fullmatch(name):
        return f"{TOWERS[match[1]]}.blocks.{match[2]}.{SITES[match[3]]}.0.inner.{match[4]}"
    if match := SCALE.fullmatch(name):
        return f"{TOWERS[match[1]]}.blocks.{match[2]}.{SITES[match[3]]}.0.scale"
    return None


def _depths(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Blocks of each tower."""
    found = {"image": 0, "text": 0}
    for name in state:
        if match := re.match(BLOCK, name):
            tower = TOWERS[match[1]]
            found[tower] = max(found[tower], int(match[2]) + 1)
    return found


def _options(own: Mapping[str, Tensor], depths: Mapping[str, int]) -> tuple[str, dict[str, Any]]:
    """Method and options."""
    parts = [part for kind in SIZES for part in _part(kind, own, depths)]
    kinds = [kind for kind, _ in parts]
    depth = [options["depth"] for _, options in parts]
    both = all(options["towers"] == "both" for _, options in parts)
    if kinds == list(SIZES) and both and depth.count(depth[0]) == len(depth):
        united = {name: value for _, options in parts for name, value in options.items()}
        return "up_person", {name: value for name, value in united.items() if name not in ("targets", "scaling")}
    return "union", {"parts": [{kind: options} for kind, options in parts]}


def _part(kind: str, own: Mapping[str, Tensor], depths: Mapping[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One kind of part: once for both towers where its options are the same, else once for each."""
    fixed = {"targets": ["k", "v"], "scaling": "learned"} if kind == "lora" else {}
    found: dict[str, dict[str, Any]] = {}
    for tower, layers in depths.items():
        sizes = {}
        for name, value in own.items():
            match = SIZES[kind].fullmatch(name)
            if match and match[1] == tower:
                # The adapters' option is width over bottleneck.
                sizes[int(match[2])] = _reduction(value) if kind == "l_adapter" else len(value)
        if sizes:
            if len(set(sizes.values())) > 1:
                said = ", ".join(map(str, sorted(set(sizes.values()))))
                raise UserError(
                    f"{kind} in the {tower} tower has sizes {said}", "backbone.pretrained", "one size in all blocks"
                )
            blocks = sorted(sizes)
            found[tower] = {OPTION[kind]: sizes[blocks[0]], **fixed, "depth": _depth(blocks, layers)}
    if len(found) == 2 and found["image"] == found["text"]:
        yield kind, {**found["image"], "towers": "both"}
    else:
        yield from ((kind, {**options, "towers": tower}) for tower, options in found.items())


def _reduction(down: Tensor) -> int:
    """The option `reduction` that gives a bottleneck with this matrix [bottleneck, width]."""
    bottleneck, width = down.shape
    if (found := width // bottleneck) and width // found == bottleneck:
        return found
    expected = "the width over a whole number"
    raise UserError(f"adapters of {bottleneck} in a tower of {width}", "backbone.pretrained", expected)


def _depth(blocks: list[int], layers: int) -> int | list[int] | None:
    """The option `depth` that names these of a tower's blocks."""
    count = len(blocks)
    if count == layers:
        return None
    if blocks == list(range(count)):
        return count
    return -count if blocks == list(range(layers - count, layers)) else blocks
