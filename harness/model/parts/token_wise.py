"""Whether a module treats each token by itself, found by reading its steps."""

from __future__ import annotations

import copy
import operator

import torch
import torch.fx
import torch.nn.functional as F
from torch import nn

LEAVES = {nn.Linear, nn.LayerNorm, nn.GELU, nn.ReLU, nn.SiLU}
EACH = {operator.add, operator.mul, operator.truediv, F.linear, F.layer_norm, F.silu, F.relu, "relu", "sigmoid"}


def token_wise(module: nn.Module) -> bool:
    """Whether all steps of a trace are known to treat each token by itself; what resists tracing counts as mixing."""
    try:  # on a copy, because a module may remember what it saw
        traced = torch.fx.symbolic_trace(copy.deepcopy(module))
    except Exception:
        return False
    known = not any(hasattr(part, "extra_loss") for part in module.modules())
    for node in traced.graph.nodes:
        if node.op == "call_module":
            known &= type(traced.get_submodule(node.target)) in LEAVES
        elif node.op == "get_attr":  # a vector at most, or a weight
            vector = operator.attrgetter(node.target)(traced).ndim < 2
            known &= vector or _weight(node)
        else:
            known &= node.op in ("placeholder", "output") or node.target in EACH
    return known


def _weight(node: torch.fx.Node) -> bool:
    """Whether a matrix serves as the weight of linears only, perhaps after a factor that depends on no input."""
    return all(
        (user.target is F.linear and user.args[1:2] == (node,))
        or (
            user.target is operator.mul
            and all(getattr(a, "op", "get_attr") == "get_attr" for a in user.args)
            and _weight(user)
        )
        for user in node.users
    )
