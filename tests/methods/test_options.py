"""Every option of every method does something, in every tower that it is about; the options come from the methods."""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from torch import Tensor, nn

from harness import registry
from harness.adaptation.method import Method, make, sized, state
from harness.adaptation.probe import SMALL, disturb, gradients, outputs, small

# Another value of an option and what it changes:
#   size      the trained parameters, or their shapes
#   start     their values right after `attach`
#   output    the features under the same parameters
#   gradient  the gradients under the same features
#   budget    the setting that a budget is solved to
# A pair of values is of one that differs from the default and of options that must be set for it to count.
Change = tuple[Any, str] | tuple[Any, str, dict[str, Any]]
ANY: dict[str, list[Change]] = {
    "width": [(3, "size")],
    "rank": [(3, "size")],
    "length": [(3, "size")],
    "reduction": [(3, "size")],
    "depth": [(1, "size"), (-1, "size"), ([1], "size")],
    "scale": [(2.5, "output")],
    "learn_scale": [(True, "size", {"learn_scale": False}), (False, "size", {"learn_scale": True})],
    "bank_scalars": [(True, "size", {"bank_scalars": False}), (False, "size", {"bank_scalars": True})],
    "scale_image": [(2.5, "output")],
    "scale_text": [(2.5, "output")],
    "alpha": [(3.0, "output"), (3.0, "output", {"scaling": "rslora"})],
    "scaling": [("rslora", "output"), ("learned", "size")],
    "targets": [(["q"], "size"), (["fc1", "fc2"], "size")],
    "towers": [("image", "size", {"towers": "both"}), ("text", "size", {"towers": "both"})],
    "sites": [(["mlp"], "size")],
}
OWN: dict[str, dict[str, list[Change]]] = {
    "adapter": {"form": [("parallel", "output")], "scale": [(2.5, "output", {"form": "parallel"})]},
    "clip_adapter": {"ratio": [(0.7, "output")]},
    "dm_adapter": {
        "experts": [(3, "size")],
        "active": [(1, "output"), (3, "output")],
        "balance": [(3.0, "gradient")],
        "coupled": [(True, "size")],
    },
    "fact": {"form": [("tk", "size")]},
    "ia3": {"sites": [(["k"], "size"), (["v", "mlp"], "size")]},
    "l_adapter": {"sites": [(["ln1"], "size"), (["ln2"], "size")]},
    "mam": {"length": [(3, "size")]},
    "maple": {"depth": [(2, "size", {"depth": 1})]},
    "rep_adapter": {"width": [(4, "size")], "groups": [(4, "size")]},
    "ssf": {"std": [(0.3, "start")]},
    "union": {
        "parts": [(["lora", "adapter"], "size"), (["lora", {"s_prefix": {"length": 3}}], "size")],
        "spend": [("lora", "budget")],
    },
    "up_person": {"scale": [(2.5, "start")]},
    "vera": {"initial": [(0.5, "start")], "seed": [(1, "output")]},
    "vpt": {"deep": [(False, "size")], "depth": [(1, "size"), (-1, "size")]},
}
NEEDED = {"union": {"parts": ["lora", "s_prefix"]}}
# Options that are about one tower alone.
ABOUT: dict[Any, set[str]] = {
    ("cskt", "length"): {"image"},
    "more": {"image"},
    "scale_image": {"image"},
    "scale_text": {"text"},
    ("dm_adapter", "coupled"): {"text"},
}
# Methods that start from no random number: from zeros, ones or the backbone's own weights, or by a seed of their own.
FIXED = {"bitfit", "full", "full_image", "full_text", "head", "ia3", "layer_norm", "pissa", "vera", "zero_shot"}


def changes(method: str, option: str) -> list[Change]:
    if option == "more":
        kind = methods()[method]
        place = {"towers": "image", **({"depth": [1]} if hasattr(kind, "depth") else {})}
        return [([{**place, kind.turns[0]: 6}], "size")]
    return OWN.get(method, {}).get(option) or ANY.get(option, [])


def methods() -> dict[str, type]:
    return {name: registry.find("methods", name).Method for name in registry.names("methods")}


def single(kind: type, option: str) -> bool:
    """Whether the option has one value, and so is a statement and no choice."""
    hint = get_type_hints(kind)[option]
    return get_origin(hint) is Literal and len(get_args(hint)) == 1


def cases() -> list:
    found = []
    for name, kind in methods().items():
        for field in fields(kind):
            for value, effect, *context in () if single(kind, field.name) else changes(name, field.name):
                base = {**NEEDED.get(name, {}), **(context[0] if context else {})}
                ident = f"{name}-{field.name}={value}" + (f"-{base}" if context else "")
                ident = ident.replace(" ", "").replace("'", "")
                found.append(pytest.param(name, base, field.name, value, effect, id=ident))
    return found


def by_tower(found: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    return {of: {name: value for name, value in found.items() if name.split(".")[0] == of} for of in ("image", "text")}


def of(method: str, options: dict[str, Any]) -> Method:
    return make(registry.find("methods", method), options)


PLAIN = small()


def twin(module: nn.Module) -> nn.Module:
    """A copy of a backbone without a method; `copy.deepcopy` takes ten times as long."""
    new = copy.copy(module)
    new.__dict__ = {name: value.copy() if isinstance(value, dict) else value for name, value in vars(module).items()}
    for name, parameter in module._parameters.items():
        new._parameters[name] = parameter if parameter is None else nn.Parameter(parameter.clone(), False)
    for name, part in module._modules.items():
        new._modules[name] = twin(part)
    return new


def attached(method: str, options: dict[str, Any], seed: int = 0) -> nn.Module:
    backbone = twin(PLAIN)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        of(method, options).attach(backbone)
    return backbone.eval()


@functools.cache
def _start(method: str, options: str, seed: int) -> dict[str, dict[str, Tensor]]:
    return by_tower(state(attached(method, json.loads(options), seed)))


def start(method: str, options: dict[str, Any], seed: int = 0) -> dict[str, dict[str, Tensor]]:
    """What is trained right after `attach`, by tower."""
    return _start(method, json.dumps(options), seed)


def seen(method: str, options: dict[str, Any], effect: str) -> dict[str, dict[str, Tensor]]:
    """What `effect` names, by tower; the noise on the trained parameters is the same for the same shapes."""
    if effect == "size":
        found = start(method, options).items()
        return {tower: {name: torch.tensor(value.shape) for name, value in own.items()} for tower, own in found}
    if effect == "start":
        return start(method, options)
    backbone = disturb(attached(method, options))
    return by_tower(outputs(backbone) if effect == "output" else gradients(backbone))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(("method", "base", "option", "value", "effect"), cases())
def test_another_value_changes_what_it_is_about(method, base, option, value, effect):
    if effect == "budget":
        one, other = (sized(of(method, given), SMALL, 2.0) for given in (base, base | {option: value}))
        assert one.parts != other.parts
        return
    one, other = (seen(method, given, effect) for given in (base, base | {option: value}))
    alike = {tower for tower in one if same(one[tower], other[tower])}
    trained = {tower for tower, own in start(method, base).items() if own}
    if option == "towers":
        assert alike == {value} and not other["text" if value == "image" else "image"]
        return
    about = ABOUT.get((method, option)) or ABOUT.get(option) or trained
    assert not alike & about, f"{option} of {method} does nothing in {alike & about}"
    assert alike == {"image", "text"} - about, f"{option} of {method} is not about {about} alone"


@pytest.mark.parametrize("method", registry.names("methods"))
def test_every_option_has_another_value(method):
    kind = methods()[method]
    lacking = [f.name for f in fields(kind) if not single(kind, f.name) and not changes(method, f.name)]
    assert not lacking, f"say in this file what {lacking} of {method} changes"


def test_the_tables_name_what_exists():
    known = {name: {field.name for field in fields(kind)} for name, kind in methods().items()}
    assert all(set(own) <= known[name] for name, own in OWN.items())
    assert set(ANY) <= set().union(*known.values()) and set(FIXED) <= set(known)


@pytest.mark.parametrize("method", registry.names("methods"))
def test_the_seed_decides_the_start_or_the_method_has_a_fixed_one(method):
    one, other = (start(method, NEEDED.get(method, {}), seed) for seed in (0, 1))
    trained = {tower for tower in one if one[tower]}
    assert {t for t in trained if same(one[t], other[t])} == (trained if method in FIXED else set())
