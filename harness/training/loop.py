"""The training loop: a generator of steps that knows no method and no data set by name, and can be entered anywhere.

What a step does is a function of the seed, its number and the parameters before it, and of nothing else: the order of
samples and their augmentation are drawn from (seed, epoch, index), and torch's own generators, from which a module may
draw (dropout), are seeded anew before every step. So a training that is left after a step and entered there again gives
the same bits.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.adaptation.method import trainable
from harness.data.pipeline.batches import Batch
from harness.errors import RunFailed, UserError
from harness.model.clip import Backbone
from harness.training import optimizer
from harness.training.average import Average
from harness.training.recipe import Recipe
from harness.training.step import Stepper


class Diverged(RunFailed):
    """A loss or gradient that is no finite number; `samples` are the captions of the first batch that had one."""

    samples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """What one optimizer step did; `loss` stays on the device, so that nothing waits for it.

    Attributes:
        epoch: From 0.
        step: Of the whole training, from 0.
        last: Whether it ends its epoch.
        loss: Scalar tensor.
        lr: Learning rate of a group with factor 1.
        waited: Seconds until the batch was there.
        seconds: Seconds of the step with the wait; on a GPU without synchronisation.
    """

    epoch: int
    step: int
    last: bool
    loss: Tensor
    lr: float
    waited: float
    seconds: float


class Training:
    """The training of what is trainable in `backbone` and `heads`.

    Args:
        backbone: On its device, with a method attached.
        recipe: Losses, optimizer, schedule, precision.
        steps: Batches in an epoch.
        heads: Modules that losses need, such as the classifier of the identity loss.
        seed: Of what modules draw from torch's generators while training.

    Attributes:
        done: Steps taken.
        rate: Learning rate of the last one, of a group with factor 1.
        whole: Whether parameters, optimizer and `done` belong together; False only inside a step and `measured`.
    """

    def __init__(
        self,
        backbone: Backbone,
        recipe: Recipe,
        steps: int,
        heads: Mapping[str, nn.Module] | None = None,
        seed: int = 0,
    ) -> None:
        self.recipe, self.steps, self.seed = recipe, steps, seed
        self.modules = nn.ModuleDict({"backbone": backbone, **(heads or {})})
        self.parameters = trainable(self.modules)
        self._adam = optimizer.build(self.parameters, recipe) if recipe.epochs else None
        self.average = Average(trainable(backbone), recipe, steps) if recipe.average else None
        self.stepper = Stepper(backbone, recipe, heads or {})
        self.device = backbone.text.position.device
        self.done, self.rate, self.whole = 0, 0.0, True
        self._sum = torch.zeros((), device=self.device)
        self._broken = torch.full((), steps, device=self.device)
        self._seen = torch.full((), steps, pin_memory=self.device.type != "cpu")

    @property
    def adam(self) -> torch.optim.Optimizer:
        """The optimizer; there is none where nothing is trained for no epoch."""
        assert self._adam is not None
        return self._adam

    @property
    def epoch(self) -> int:
        """Epochs that are through."""
        return self.done // self.steps

    @property
    def loss(self) -> float:
        """Mean over the steps so far of the epoch that the last step belongs to; waits for the device."""
        return float(self._sum) / ((self.done - 1) % self.steps + 1)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Inside it the backbone has what is to be measured and kept of the training so far: the mean, if the recipe
        asks for one, in the precision of each parameter. Then the parameters come back bit for bit."""
        if not (average := self.average):
            yield
            return
        raw = {name: p.data for name, p in average.parameters.items()}
        try:
            self.whole = False
            for name, p in average.parameters.items():
                p.data = average.mean[name].to(p.dtype)
            yield
        finally:
            for name, p in average.parameters.items():
                p.data = raw[name]
            self.whole = True

    def run(
        self, batches: Callable[[int, int], Iterator[Batch]], prepare: Callable[[Batch, int], tuple[Tensor, ...]]
    ) -> Iterator[Step]:
        """Train from `done` to the end; may be left after any step.

        Args:
            batches: Epoch and first batch to the batches from there on.
            prepare: Batch and epoch to (images [B, 3, H, W], ids [B, L]) on the backbone's device, and what else
                `Stepper` takes.

        Yields:
            One `Step` per optimizer step.

        Raises:
            Diverged: a loss or gradient was not finite, naming the first such step. A CPU tells at once; a GPU is not
                waited for, and tells some steps later, at the end of the epoch at the latest.
        """
        for epoch in range(self.epoch, self.recipe.epochs):
            start = self.done - epoch * self.steps
            begin = time.perf_counter()
            for index, batch in enumerate(batches(epoch, start), start):
                images, ids, *masked = prepare(batch, epoch)
                person = torch.as_tensor(batch.person, device=self.device)
                waited = time.perf_counter() - begin
                compiled = self.stepper.compiled or 0.0
                loss = self._step(epoch, index, images, ids, person, *masked)
                begin += (self.stepper.compiled or 0.0) - compiled  # has a column of its own
                last = index == self.steps - 1
                if (first := self._first_broken(last)) < self.steps:
                    fault = Diverged(f"loss or gradient is not finite from step {first + 1} of epoch {epoch + 1} on")
                    fault.samples = tuple(next(iter(batches(epoch, first))).rows.tolist())
                    raise fault
                now = time.perf_counter()
                yield Step(epoch, self.done - 1, last, loss, self.rate, waited, now - begin)
                begin = time.perf_counter()

    def _step(self, epoch: int, index: int, *given: Tensor) -> Tensor:
        # An evaluation puts the backbone alone out of training, and not what holds it here.
        if not all(module.training for module in self.modules.values()):
            self.modules.train()
        self._seed()
        rate = optimizer.set_rate(self.adam, self.recipe, epoch, index, self.steps)
        self.adam.zero_grad(set_to_none=True)
        self.stepper.left = self.recipe.epochs * self.steps - self.done
        loss = self.stepper(*given)
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.recipe.clip_gradient:
            nn.utils.clip_grads_with_norm_(self.parameters.values(), self.recipe.clip_gradient, norm)
        self.whole = False
        self.adam.step()
        if not index:
            self._sum.zero_()
            self._broken.fill_(self.steps)
        self._sum += loss
        broken = self._broken.clamp(max=index)
        self._broken = torch.where(torch.isfinite(loss) & torch.isfinite(norm), self._broken, broken)
        self.rate = rate
        self.done += 1
        if self.average:
            self.average.add(self.done)
        self.whole = True
        return loss

    def _seed(self) -> None:
        digest = hashlib.sha256(f"modules {self.seed} {self.done}".encode()).digest()
        word = int.from_bytes(digest[:8], "big") >> 1
        torch.default_generator.manual_seed(word)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(word)

    def _first_broken(self, wait: bool) -> int:
        """The first broken step of the epoch, as far as it is known; `steps` if none."""
        if wait or self.device.type == "cpu":
            return int(self._broken)
        # Arrives some steps later; until then the old value is read.
        self._seen.copy_(self._broken, non_blocking=True)
        return int(self._seen)

    # Leaving and entering ---------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on besides `done`: not copied, on the device."""
        found = self._own()
        for name, parameter in self.parameters.items():
            found |= {f"optimizer/{name}/{key}": value for key, value in self.adam.state.get(parameter, {}).items()}
        return found

    def enter(self, saved: Mapping[str, Tensor], done: int, rate: float) -> None:
        """Go on from what `tensors` gave after `done` steps.

        Raises:
            UserError: other names or shapes than this training has, each named; nothing is loaded then.
        """
        own = self._own()
        shapes = {name: tuple(value.shape) for name, value in own.items()}
        states: dict[str, dict[str, Tensor]] = {}
        for key, value in saved.items():
            name, _, part = key.removeprefix("optimizer/").rpartition("/")
            if key.startswith("optimizer/") and name in self.parameters:
                states.setdefault(name, {})[part] = value
                # Numbers of a whole parameter, such as Adam's count of steps, have no shape.
                shapes[key] = tuple(self.parameters[name].shape) if value.ndim else ()
        if wrong := differences(shapes, saved):
            raise UserError(f"the checkpoint does not fit the training: {wrong}")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(saved[name])
        names = {parameter: name for name, parameter in self.parameters.items()}
        state: dict[int, dict[str, Any]] = {}
        for number, parameter in enumerate(p for group in self.adam.param_groups for p in group["params"]):
            for part, value in states.get(names[parameter], {}).items():
                # With the strides of the parameter: the fused optimizer walks over both in the order of memory.
                like = torch.empty_like(parameter, requires_grad=False).copy_(value) if value.ndim else value.clone()
                state.setdefault(number, {})[part] = like
        self.adam.load_state_dict({**self.adam.state_dict(), "state": state})
        self.done, self.rate = done, rate
        self._seen.fill_(self.steps)

    def _own(self) -> dict[str, Tensor]:
        """`tensors` without the optimizer's."""
        found = {f"trained/{name}": p.detach() for name, p in self.parameters.items()}
        found |= {f"buffer/{name}": value for name, value in self._buffers().items()}
        found |= {f"average/{name}": value for name, value in (self.average.mean if self.average else {}).items()}
        return found | {"loss": self._sum, "broken": self._broken}

    def _buffers(self) -> dict[str, Tensor]:
        """Buffers that belong to the state of a module, such as running means."""
        every = self.modules.state_dict(keep_vars=True).items()
        return {name: v for name, v in every if isinstance(v, Tensor) and not isinstance(v, nn.Parameter)}


def differences(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, Tensor]) -> str:
    """How two sets of named shapes differ, in words: missing, unexpected and reshaped ones; empty if they do not."""
    wrong = [f"missing {name}" for name in expected if name not in found]
    wrong += [f"unexpected {name}" for name in found if name not in expected]
    wrong += [
        f"{name} is {tuple(found[name].shape)}, not {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != shape
    ]
    return "; ".join(wrong[:3]) + (f" ({len(wrong)} in all)" if len(wrong) > 3 else "")
