"""A backbone that carries a trained method: UP-Person's released files, and folders that `upbench export` wrote.

It is evaluated as it was trained, by `zero_shot`. Nothing is trained on top of it: the reader of a result would have to
tell two methods at one site apart, and the backbone below can be named by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from harness import registry
from harness.adaptation.method import Method, make, merge, restore
from harness.errors import UserError
from harness.model import exported, weight_files, weights
from harness.model.clip import Backbone, Shape
from harness.model.trained import Trained
from harness.model.weights import Source


def of(source: Source) -> Trained | None:
    """The trained method of a backbone, or None."""
    if source.pretrained:
        path = Path(source.pretrained)
        return weight_files.form(path).method if path.exists() else None
    folder = weights.folder_of(source.name)
    return exported.trained(folder) if folder else None


def load(source: Source, seed: int = 0) -> Backbone:
    """A frozen backbone with the method that it carries; `seed` acts on random initialisation only.

    Raises:
        UserError: the parameters do not fit the method, or `weights.load` has something to say.
    """
    trained = of(source)
    if trained is None:
        return weights.load(source, seed)
    method = method_of(trained)
    folder = None if source.pretrained else weights.folder_of(source.name)
    folds = folder is not None and exported.merged(folder)
    backbone = weights.random(weights.shape(source)) if folds else weights.load(source, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method.attach(backbone)
    try:
        if folds:
            merge(backbone)
            _replace(backbone, trained)
        else:
            restore(backbone, trained.state)
    except UserError as error:
        raise UserError(f"{trained.method}: {error.what}", source.pretrained or source.name) from error
    return backbone.requires_grad_(False).eval()


def _replace(backbone: nn.Module, trained: Trained) -> None:
    try:
        backbone.load_state_dict(trained.state)
    except RuntimeError as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(f"saved parameters do not fit the method: {said}") from error


def method_of(trained: Trained) -> Method:
    """The method with its options."""
    return make(registry.find("methods", trained.method), trained.options)


def names(trained: Trained | None) -> tuple[str, ...]:
    """The method and the parts of a union, whose code decides the features."""
    return tuple(dict.fromkeys(made_of(trained.method, method_of(trained)))) if trained else ()


def made_of(name: str, method: Method) -> Iterator[str]:
    """A method's name, and those of the parts of a union."""
    yield name
    members = getattr(method, "members", ())
    if isinstance(members, dict):
        for part, member in members.items():
            yield from made_of(part.split("#")[0], member)


def added(trained: Trained | None, shape: Shape) -> int:
    """Parameters that the method adds to the backbone's."""
    method = method_of(trained) if trained else None
    return method.parameters(shape) if method and method.adds else 0


def refuse(source: Source, trained: Trained | None, name: str, method: Method, shape: Shape) -> None:
    """Refuse to train on top of a trained method.

    Raises:
        UserError: `method` trains something, and the backbone carries a method.
    """
    if trained is not None and method.parameters(shape):
        raise UserError(
            f"{source.pretrained or source.name} carries a trained {trained.method}, and {name} would be trained on it",
            "backbone",
            "method zero_shot, which measures it as it is, or the backbone it was trained on",
        )
