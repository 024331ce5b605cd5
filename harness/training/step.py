"""One step's loss and gradients, in as many forward passes as memory asks for.

A contrastive loss looks at all pairs of a batch, so a batch cannot simply be split. Gradient caching (Gao et al.,
"Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021) splits the forward pass only:
the features of all parts are computed without a graph, the loss of the whole batch gives the gradient of every feature,
and a second pass over the parts carries these into the parameters. The gradients are those of the whole batch up to
rounding; the price is a second forward pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from harness import memory
from harness.adaptation.method import extra_loss, trainable
from harness.errors import UserError
from harness.model.clip import Backbone
from harness.training import compiling, grouped, interaction, objective
from harness.training.recipe import Recipe


class Stepper:
    """Computes a batch's loss and leaves its gradients in `.grad` of the trained parameters.

    When memory runs out, the same step is taken again with half as many pairs per forward pass, and the steps after it
    keep to that.

    Args:
        backbone: On its device, with a method attached.
        recipe: Losses, temperature, precision, checkpointing, compilation, pairs per forward pass.
        heads: Modules that losses need, such as the classifier of the identity loss; they see the whole batch.

    Attributes:
        micro: Pairs per forward pass; None for all of a batch.
        compiled: Seconds that compiling took, once it is done; with `auto` those of finding out whether it pays.
        left: Steps that are still to be taken, for `compile: auto`.
    """

    def __init__(self, backbone: Backbone, recipe: Recipe, heads: Mapping[str, nn.Module]) -> None:
        self.backbone, self.recipe, self.heads = backbone, recipe, heads
        self.device = backbone.text.position.device
        kind = self.device.type
        self.precision = torch.autocast(kind, torch.bfloat16) if recipe.bf16(kind) else nullcontext()
        # What these offer beyond a module, `extra_loss` of `adaptation.method` and `_whole_only` tell.
        self.coupled: list[Any] = [module for module in backbone.modules() if hasattr(module, "extra_loss")]
        self.micro = recipe.micro_batch
        self.compiles = recipe.compile is True or (recipe.compile == "auto" and kind == "cuda")
        self.compiled: float | None = None
        self.left = 0
        self._calls: dict[nn.Module, Callable[..., Any] | None] = {}
        if recipe.micro_batch and (name := self._whole_only()):
            raise UserError(
                f"the loss of {name} couples the samples of a batch and cannot be taken in parts",
                "recipe.micro_batch",
                "none, or a module that offers `statistics` and `extra_of`",
            )
        backbone.checkpointing(recipe.checkpointing)

    def __call__(
        self, images: Tensor, ids: Tensor, person: Tensor, masked: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, detached and on the device; gradients must be None before.

        Args:
            images: float [B, 3, H, W], or image features [B, embed].
            ids: int64 [B, L], or text features float [B, embed].
            person: int64 [B].
            masked: For the loss `mlm`, int64 [B, context]: captions with masked words.
            labels: int64 [masked, 3]: caption of the batch, place in it, and word of every masked word.
        """
        inputs = (images, ids) if masked is None else (images, ids, masked)
        if not self.compiles:
            return self._descend(inputs, person, labels)
        if self.compiled is None:
            self._compile(inputs, person, labels)
        with self._compiled_blocks():
            return self._descend(inputs, person, labels)

    def features(self, images: Tensor, ids: Tensor, masked: Tensor | None = None) -> tuple[Tensor, ...]:
        """What the losses see, one row per sample: features [B, embed] of both towers, for `mlm` also their tokens."""
        with self.precision:
            if masked is not None:
                # Where every loss is fed masked captions, `ids` are those.
                return interaction.encode(self.backbone, images, ids, None if self.recipe.mask_captions else masked)
            image = images if images.ndim == 2 else self.backbone.image(images)
            if ids.is_floating_point():
                return image, ids
            # What a module keeps for a loss of its own is of one forward pass over all captions.
            groups = 1 if self.coupled else len(ids) // grouped.LEAST
            return image, grouped.encode(self.backbone.text, ids, groups)

    def loss(self, features: Sequence[Tensor], person: Tensor, labels: Tensor | None = None) -> Tensor:
        """The recipe's losses of a whole batch from its `features`."""
        (image, text, *tokens), recipe = features, self.recipe
        given: dict[str, nn.Module | Tensor] = dict(self.heads)
        if tokens:
            seen, words = tokens
            with self.precision:
                given |= interaction.read(self.heads, words, seen, labels)
        parts = objective.compute(recipe.losses, image.float(), text.float(), person, recipe.temperature, **given)
        whole, *others = parts.values()
        return sum(others, start=whole)

    def _descend(self, inputs: tuple[Tensor, ...], person: Tensor, labels: Tensor | None) -> Tensor:
        """The step, with ever smaller parts as long as memory runs out."""
        count, start = len(person), _random(self.device)
        while True:
            try:
                if self.micro is None or self.micro >= count:
                    return self._whole(inputs, person, labels)
                return self._parts(inputs, person, labels, self.micro)
            except Exception as fault:
                smaller = min(self.micro or count, count) // 2
                if not memory.exhausted(fault) or not smaller or self._whole_only():
                    raise
            self.forget()
            memory.release(self.device)
            _seed(self.device, start)
            self.micro = smaller

    def _whole(self, inputs: tuple[Tensor, ...], person: Tensor, labels: Tensor | None) -> Tensor:
        loss = self.loss(self.features(*inputs), person, labels)
        if (extra := extra_loss(self.backbone)) is not None:
            loss = loss + extra
        loss.backward()
        return loss.detach()

    def _parts(self, inputs: tuple[Tensor, ...], person: Tensor, labels: Tensor | None, micro: int) -> Tensor:
        """`_whole` by gradient caching."""
        parts = [slice(i, i + micro) for i in range(0, len(person), micro)]
        states: list[tuple[Tensor, ...]] = []
        found: list[tuple[Tensor, ...]] = []
        seen: list[list[Tensor | None]] = []
        with torch.no_grad(), self._recording():
            for rows in parts:
                states.append(_random(self.device))
                found.append(self.features(*(x[rows] for x in inputs)))
                seen.append([module.statistics() for module in self.coupled])
        features = [torch.cat(each).requires_grad_() for each in zip(*found, strict=True)]
        weights = [len(person[rows]) / len(person) for rows in parts]
        means = [_mean(weights, each) for each in zip(*seen, strict=True)]
        loss = self.loss(features, person, labels)
        for module, mean in zip(self.coupled, means, strict=True):
            if mean is not None:
                loss = loss + module.extra_of(mean)
        loss.backward()
        for rows, weight, state in zip(parts, weights, states, strict=True):
            _seed(self.device, state)
            again = self.features(*(x[rows] for x in inputs))
            pairs = zip(again, features, strict=True)
            outputs = [(part, whole.grad[rows]) for part, whole in pairs if whole.grad is not None]
            for module, mean in zip(self.coupled, means, strict=True):
                module.extra_loss()
                if (part := module.statistics()) is not None and mean is not None and mean.grad is not None:
                    outputs.append((part, weight * mean.grad))
            outputs = [(part, gradient) for part, gradient in outputs if part.requires_grad]
            torch.autograd.backward([part for part, _ in outputs], [gradient for _, gradient in outputs])
        return loss.detach()

    def forget(self) -> None:
        """Drop all gradients and what modules remember of a forward pass."""
        for module in (self.backbone, *self.heads.values()):
            for parameter in trainable(module).values():
                parameter.grad = None
        for module in self.coupled:
            module.extra_loss()
            getattr(module, "statistics", lambda: None)()

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Modules with a loss of their own keep their statistics without gradients too."""
        for module in self.coupled:
            module.recording = True
        try:
            yield
        finally:
            for module in self.coupled:
                module.recording = False

    def _whole_only(self) -> str | None:
        """A module whose loss is no function of means over samples."""
        return next((type(m).__name__ for m in self.coupled if not hasattr(m, "statistics")), None)

    def _compile(self, inputs: tuple[Tensor, ...], person: Tensor, labels: Tensor | None) -> None:
        """Compile every block, by a step that is not taken; its time beyond that of a second one is the compiler's.

        With `compile: auto` blocks stay as they are unless compiled ones pay.
        """
        start = _random(self.device)
        for tower in self.backbone.towers:
            for block in tower.blocks:
                block.compile(dynamic=tower.causal)
                self._calls[block], block._compiled_call_impl = block._compiled_call_impl, None

        def step(compiled: bool) -> None:
            with self._compiled_blocks() if compiled else nullcontext():
                self._descend(inputs, person, labels)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.forget()
            _seed(self.device, start)

        if self.recipe.compile == "auto":
            keep, self.compiled = compiling.probe(step, self.left)
            if not keep:
                self._calls.clear()
            return
        begin = time.perf_counter()
        step(True)
        middle = time.perf_counter()
        step(True)
        self.compiled = max(0.0, 2 * middle - begin - time.perf_counter())

    @contextmanager
    def _compiled_blocks(self) -> Iterator[None]:
        """Only steps use what was compiled: an evaluation, without gradients, would have to compile all of it again."""
        try:
            for block, call in self._calls.items():
                block._compiled_call_impl = call
            yield
        finally:
            for block in self._calls:
                block._compiled_call_impl = None


def _mean(weights: Sequence[float], parts: Sequence[Tensor | None]) -> Tensor | None:
    """Of the statistics of a batch's parts, as the leaf of a graph; None where a module keeps none."""
    known = [weight * part for weight, part in zip(weights, parts, strict=True) if part is not None]
    return sum(known[1:], start=known[0]).requires_grad_() if known else None


def _random(device: torch.device) -> tuple[Tensor, ...]:
    """State of the generators that modules draw from."""
    host = torch.get_rng_state()
    return (host, torch.cuda.get_rng_state(device)) if device.type == "cuda" else (host,)


def _seed(device: torch.device, state: tuple[Tensor, ...]) -> None:
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)
