"""A step in parts has the loss and the gradients of the whole batch, and memory that runs out makes parts smaller."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness import registry
from harness.adaptation.method import trainable
from harness.adaptation.probe import SMALL, Case, attached, disturb, inputs
from harness.data.pipeline.tokens import listed
from harness.errors import UserError
from harness.model.clip import Block
from harness.training import heads, objective, step
from harness.training.recipe import Recipe
from harness.training.step import Stepper

PERSON = torch.tensor([0, 1, 0, 2])
OPTIONS = {"union": {"parts": ["lora", "s_prefix", "l_adapter", "dm_adapter"]}}
METHODS = [name for name in registry.names("methods") if name != "zero_shot"]


def backbone_of(name: str = "lora", dtype: torch.dtype = torch.float64):
    return disturb(attached(Case(name, registry.find("methods", name), OPTIONS.get(name, {})).small(), dtype=dtype))


def gradients(backbone, recipe: Recipe, given=None, modules=None, seed: int = 0) -> tuple[float, dict, Stepper]:
    """Loss and gradients of a batch of four, from the same random numbers."""
    modules = modules or {}
    every = nn.ModuleDict({"backbone": backbone, **modules})
    every.zero_grad()
    stepper = Stepper(backbone, recipe, modules)
    torch.manual_seed(seed)
    loss = stepper(*(given or (*inputs(backbone.image.position.dtype), PERSON)))
    return float(loss), {n: p.grad.clone() for n, p in trainable(every).items() if p.grad is not None}, stepper


def assert_same(found, expected, tolerance: float = 2e-5) -> None:
    (loss, own, _), (want, whole, _) = found, expected
    assert loss == pytest.approx(want, rel=1e-5)
    assert own.keys() == whole.keys()
    largest = max(float(g.abs().max()) for g in whole.values())
    off = max(float((own[n] - whole[n]).abs().max()) for n in whole) / largest
    assert off < tolerance, off


@pytest.mark.parametrize("name", METHODS)
def test_parts_have_the_gradients_of_the_whole(name):
    backbone = backbone_of(name)
    whole = gradients(backbone, Recipe())
    for micro in (1, 3):
        assert_same(gradients(backbone, Recipe(micro_batch=micro)), whole)


@pytest.mark.parametrize("losses", [("itc",), ("cmpm",), ("triplet",), ("sdm", "id"), ("mlm", "itc")])
@pytest.mark.parametrize("masked_everywhere", [False, True])
def test_parts_have_the_gradients_of_the_whole_for_every_loss(losses, masked_everywhere):
    backbone = backbone_of("up_person", torch.float32)
    names = objective.heads(losses)
    modules = heads.build(names, SMALL.image.embed, 3, 0, SMALL.text.vocabulary, 1)
    images, ids = inputs(torch.float32)
    given = (images, ids, PERSON)
    if "mlm" in losses:
        masked, labels = ids.clone(), torch.zeros_like(ids)
        masked[:, 2], labels[:, 2] = 77, ids[:, 2]
        given = (images, masked if masked_everywhere else ids, PERSON, masked, listed(labels, len(ids)))
    common = {"losses": losses, "mask_captions": 0.15 * masked_everywhere}
    whole = gradients(backbone, Recipe(**common), given, modules)
    assert_same(gradients(backbone, Recipe(**common, micro_batch=3), given, modules), whole, 2e-4)
    assert not names or any(n.startswith(names[0]) for n in whole[1])


class Dropout(nn.Module):
    """One random number per sample, so that its draws are the same in parts of one and in the whole."""

    def forward(self, x):
        return x * (torch.rand(len(x), 1, dtype=x.dtype) < 0.5) * 2


def test_the_second_pass_draws_what_the_first_drew():
    backbone = backbone_of("lora")
    backbone.image.head.append(Dropout())
    whole = gradients(backbone, Recipe(), seed=5)
    assert_same(gradients(backbone, Recipe(micro_batch=2), seed=5), whole)
    assert gradients(backbone, Recipe(), seed=8)[0] != pytest.approx(whole[0], rel=1e-3)
    # Within a block and recomputed, the draws stay as well: the gradients are those of the loss that is returned.
    backbone.image.blocks[0].after_mlp.append(nn.Dropout(0.5))
    backbone.train()
    for recipe in (Recipe(micro_batch=2), Recipe(micro_batch=2, checkpointing=True), Recipe(checkpointing=True)):
        own = {n: g for n, g in gradients(backbone, recipe)[1].items() if ".image." in n}
        name = max(own, key=lambda n: float(own[n].abs().max()))
        parameter, small = backbone.get_parameter(name.removeprefix("backbone.")), 1e-3
        at = own[name].abs().argmax()
        moved = []
        for sign in (1, -1):
            parameter.data.view(-1)[at] += sign * small
            moved.append(gradients(backbone, recipe)[0])
            parameter.data.view(-1)[at] -= sign * small
        slope = (moved[0] - moved[1]) / (2 * small)
        assert slope == pytest.approx(float(own[name].view(-1)[at]), rel=2e-2)


def test_checkpointing_and_parts_together():
    backbone = backbone_of("dm_adapter")
    whole = gradients(backbone, Recipe())
    assert_same(gradients(backbone, Recipe(checkpointing=True)), whole, 1e-6)
    assert_same(gradients(backbone, Recipe(checkpointing=True, micro_batch=3)), whole)


class Greedy(nn.Module):
    """Runs out of memory for more than `most` samples."""

    def __init__(self, most: int, fault: Exception) -> None:
        super().__init__()
        self.most, self.fault, self.seen = most, fault, []

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.fault
        return x


FAULTS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=range(len(FAULTS)))
def test_memory_that_runs_out_halves_the_parts_and_the_step_is_the_same(fault):
    backbone = backbone_of("lora")
    whole = gradients(backbone, Recipe())
    backbone.text.head.append(greedy := Greedy(1, fault))
    found = gradients(backbone, Recipe())
    assert_same(found, whole)
    assert found[2].micro == 1 and greedy.seen[:3] == [4, 2, 1]
    greedy.seen.clear()
    found[2](*inputs(), PERSON)
    assert max(greedy.seen) == 1, "the next step begins where the last one ended"


def test_the_same_step_draws_the_same_when_taken_again():
    backbone = backbone_of("lora")
    backbone.image.head.append(Dropout())
    whole = gradients(backbone, Recipe(), seed=5)
    backbone.text.head.append(Greedy(1, MemoryError()))
    assert_same(gradients(backbone, Recipe(), seed=5), whole)


def test_a_fault_in_the_second_pass_leaves_nothing_behind():
    backbone = backbone_of("dm_adapter")
    whole = gradients(backbone, Recipe())

    class Late(nn.Module):
        def forward(self, x):
            if len(x) > 1 and torch.is_grad_enabled() and next(calls) > 0:
                raise MemoryError
            return x

    calls = iter(range(100))
    backbone.text.head.append(Late())
    next(calls)
    calls = iter(range(100))
    found = gradients(backbone, Recipe(micro_batch=2))
    assert found[2].micro == 1
    assert_same(found, whole)


def test_one_pair_that_does_not_fit_is_the_end():
    backbone = backbone_of("lora")
    backbone.text.head.append(Greedy(0, MemoryError()))
    stepper = Stepper(backbone, Recipe(), {})
    with pytest.raises(MemoryError):
        stepper(*inputs(), PERSON)
    assert stepper.micro == 1


def test_other_faults_are_not_retried():
    backbone = backbone_of("lora")
    backbone.text.head.append(greedy := Greedy(1, RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes"):
        Stepper(backbone, Recipe(), {})(*inputs(), PERSON)
    assert greedy.seen == [4]


class Coupled(nn.Module):
    """A loss of its own that is no function of means over samples."""

    def forward(self, x):
        self.last = x.std()
        return x

    def extra_loss(self):
        return self.last


def test_what_couples_a_batch_otherwise_is_refused_in_parts():
    backbone = backbone_of("lora")
    backbone.text.head.append(Coupled())
    with pytest.raises(UserError, match="Coupled couples the samples"):
        Stepper(backbone, Recipe(micro_batch=2), {})
    backbone.text.head.append(Greedy(1, MemoryError("full")))
    with pytest.raises(MemoryError, match="full"):
        Stepper(backbone, Recipe(), {})(*inputs(), PERSON)


def test_features_given_instead_of_inputs():
    backbone = backbone_of("lora", torch.float32)
    images, ids = inputs(torch.float32)
    for parameter in backbone.text.parameters():
        parameter.requires_grad_(False)
    whole = gradients(backbone, Recipe(), (images, ids, PERSON))
    with torch.no_grad():
        text = backbone.text(ids)
    for micro in (None, 3):
        assert_same(gradients(backbone, Recipe(micro_batch=micro), (images, text, PERSON)), whole)


def test_only_steps_run_what_was_compiled(monkeypatch):
    calls = []

    def pretend(self, dynamic):
        self._compiled_call_impl = lambda *given: [calls.append(dynamic), self._call_impl(*given)][1]

    monkeypatch.setattr(Block, "compile", pretend)
    backbone = backbone_of("lora")
    whole = gradients(backbone, Recipe())
    found = gradients(backbone, Recipe(compile=True))
    assert_same(found, whole, 1e-6)
    assert sorted(calls) == 6 * [False] + 6 * [True], "two passes while compiling and one step, two blocks each"
    assert found[2].compiled >= 0 and whole[2].compiled is None
    backbone.image(inputs()[0])
    assert len(calls) == 12, "not outside of steps"
    assert not Stepper(backbone, Recipe(compile="auto"), {}).compiles, "on a CPU"


@pytest.mark.parametrize("keep", [False, True])
def test_blocks_are_compiled_where_a_probe_says_that_it_pays(monkeypatch, keep):
    calls, asked = [], []

    def pretend(self, dynamic):
        self._compiled_call_impl = lambda *given: [calls.append(dynamic), self._call_impl(*given)][1]

    def probe(step, left):
        asked.append(left)
        step(False)
        assert not calls
        step(True)
        return keep, 7.0

    monkeypatch.setattr(Block, "compile", pretend)
    monkeypatch.setattr(step.compiling, "probe", probe)
    backbone = backbone_of("lora")
    whole = gradients(backbone, Recipe())
    stepper = Stepper(backbone, Recipe(compile="auto"), {})
    stepper.compiles, stepper.left = True, 9  # as on a GPU
    for count in (8 if keep else 4, 12 if keep else 4):
        loss = stepper(*inputs(), PERSON)
        every = trainable(nn.ModuleDict({"backbone": backbone})).items()
        found = {name: p.grad for name, p in every if p.grad is not None}
        assert_same((float(loss), found, stepper), whole, 1e-6)
        assert len(calls) == count
        stepper.forget()
    assert (asked, stepper.compiled) == ([9], 7.0)


@pytest.mark.slow
def test_compiled_blocks_have_the_same_gradients():
    backbone = backbone_of("lora", torch.float32)
    images, ids = inputs(torch.float32)
    with torch.no_grad():
        given = (images, backbone.text(ids), PERSON)
    whole = gradients(backbone, Recipe(), given)
    assert whole[2].compiled is None
    compiled = gradients(backbone, Recipe(compile=True), given)
    assert_same(compiled, whole, 1e-4)
    assert compiled[2].compiled > 0


def test_generators_are_put_back(monkeypatch):
    state = step._random(torch.device("cpu"))
    first = torch.rand(3)
    step._seed(torch.device("cpu"), state)
    assert torch.equal(torch.rand(3), first)
