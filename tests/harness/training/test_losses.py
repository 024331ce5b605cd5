"""Losses: values and gradients of the released code, equations written out as loops, errors."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import registry
from harness.errors import UserError
from harness.training import objective
from harness.training.losses import mlm, sdm, tal, triplet

FIXTURES = Path(__file__).parents[2] / "fixtures/oracle"
ARRAYS = {k: torch.from_numpy(v) for k, v in np.load(FIXTURES / "losses_rank_io.npz").items()}
VALUES = json.loads((FIXTURES / "losses_rank_schedule.json").read_text())["losses"]["values"]


def classifier(x):
    return x @ ARRAYS["id_W"].T + ARRAYS["id_b"]


CASES = {
    "sdm_unique": ("sdm", "pid_unique", {}),
    "sdm_dup": ("sdm", "pid_dup", {}),
    "sdm_dup_T1": ("sdm", "pid_dup", {"temperature": 1.0}),
    "sdm_dup_image_id_factor0.3": ("sdm", "pid_dup", {"image_id": ARRAYS["image_id"], "factor": 0.3}),
    "itc": ("itc", "pid_dup", {}),
    "cmpm_unique": ("cmpm", "pid_unique", {}),
    "cmpm_dup": ("cmpm", "pid_dup", {}),
    "triplet": ("triplet", "pid_dup", {}),
    "id": ("id", "id_labels", {"classifier": classifier}),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_released_loss(case):
    name, person, given = CASES[case]
    image, text = (ARRAYS[f"loss_{side}"].clone().requires_grad_() for side in ("image", "text"))
    value = objective.compute([name], image, text, ARRAYS[person].long(), **{"temperature": 1 / 50, **given})[name]
    value.backward()
    expected = VALUES[case]
    assert value.item() == pytest.approx(expected["loss"], abs=1e-4)
    for side, x in (("image", image), ("text", text)):
        assert x.grad.norm().item() == pytest.approx(expected[f"grad_{side}_norm"], rel=3e-4)
        assert x.grad.sum().item() == pytest.approx(expected[f"grad_{side}_sum"], abs=1e-4)
        if f"grad/{case}/{side}" in ARRAYS:
            assert torch.allclose(x.grad, ARRAYS[f"grad/{case}/{side}"], atol=1e-5)


def test_mlm_equals_the_released_loss():
    value = mlm.loss(ARRAYS["mlm_scores"].view(5, 8, 20), ARRAYS["mlm_labels"].view(5, 8).long())
    assert value.item() == pytest.approx(VALUES["mlm (CE, ignore_index=0)"]["loss"], abs=1e-5)


def batch(seed=0, count=6, d=5):
    generator = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(count, d, generator=generator, dtype=torch.float64) for _ in range(2))
    return image, text, torch.arange(count) // 2


def test_sdm_written_out():
    image, text, person = batch()
    t, n, total = 0.1, len(person), 0.0
    for rows, columns in ((image, text), (text, image)):
        for i in range(n):
            cos = [float(rows[i] @ c / (rows[i].norm() * c.norm())) / t for c in columns]
            z = sum(math.exp(c) for c in cos)
            same = [float(person[i] == person[j]) for j in range(n)]
            for c, y in zip(cos, same, strict=True):
                total += math.exp(c) / z * (c - math.log(z) - math.log(y / sum(same) + 1e-8)) / n
    assert sdm.loss(image, text, person, t).item() == pytest.approx(total, abs=1e-6)


def test_triplet_written_out():
    image, text, person = batch(1)
    total, n = 0.0, len(person)
    for rows, columns in ((image, text), (text, image)):
        for i in range(n):
            negative = min(float((rows[i] - columns[j]).norm()) for j in range(n) if person[j] != person[i])
            total += max(0.0, float((rows[i] - columns[i]).norm()) - negative + 0.5) / n
    assert triplet.loss(image, text, person, margin=0.5).item() == pytest.approx(total, abs=1e-9)


def test_triplet_without_negatives_is_zero_with_finite_gradients():
    image, text, _ = batch()
    image.requires_grad_()
    value = triplet.loss(image, text, torch.zeros(6, dtype=torch.int64))
    value.backward()
    assert value.item() == 0 and torch.isfinite(image.grad).all()


def test_tal_by_hand():
    """Two persons of one pair each: S = [[0.6, 0.8], [0, 1]], and for one positive alpha is 1."""
    image, text = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    s = (image @ text.T).tolist()
    assert s == [pytest.approx([0.6, 0.0]), pytest.approx([0.8, 1.0])]
    # Of one negative the soft maximum is that negative: image 0: [0.5 - 0.6 + 0]+ = 0, image 1: 0.5 - 1 + 0.8 = 0.3,
    # text 0: 0.5 - 0.6 + 0.8 = 0.7, text 1: [0.5 - 1 + 0]+ = 0.
    value = tal.loss(image, text, torch.tensor([0, 1]), 0.02, margin=0.5)
    assert value.item() == pytest.approx(0.3 + 0.7, abs=1e-6)


def test_tal_written_out():
    image, text, person = batch(3)
    t, margin, total, n = 0.3, 0.4, 0.0, 6
    for rows, columns in ((image, text), (text, image)):
        for i in range(n):
            s = [float(rows[i] @ c / (rows[i].norm() * c.norm())) for c in columns]
            own = [j for j in range(n) if person[j] == person[i]]
            weights = [math.exp(s[j] / t) / sum(math.exp(s[k] / t) for k in own) for j in own]
            soft = t * math.log(sum(math.exp(s[j] / t) for j in range(n) if j not in own))
            total += max(0.0, margin - sum(w * s[j] for w, j in zip(weights, own, strict=True)) + soft)
    assert tal.loss(image, text, person, t, margin).item() == pytest.approx(total, abs=1e-9)
    default = tal.loss(image, text, person, t).item()
    assert default == pytest.approx(tal.loss(image, text, person, t, 0.1).item()) and default != pytest.approx(total)


def test_no_gradient_flows_through_the_weights_of_tal():
    """With weights held fixed, the numeric derivative is the gradient."""
    image, text, person = batch(4)
    image.requires_grad_()
    t, margin, step = 0.3, 2.0, 1e-6
    tal.loss(image, text, person, t, margin).backward()
    positive = person[:, None] == person[None, :]

    def fixed(x, alpha):
        s, total = torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(text).T, 0.0
        for scores, weights in ((s, alpha[0]), (s.T, alpha[1])):
            others = t * (scores / t).masked_fill(positive, -torch.inf).logsumexp(1)
            total += (margin - (weights * scores).sum(1) + others).relu().sum()
        return float(total)

    with torch.no_grad():
        s = torch.nn.functional.normalize(image) @ torch.nn.functional.normalize(text).T
        alpha = [(x / t).masked_fill(~positive, -torch.inf).softmax(1) for x in (s, s.T)]
        moved = image.detach().clone()
        moved[1, 2] += step
        back = image.detach().clone()
        back[1, 2] -= step
        numeric = (fixed(moved, alpha) - fixed(back, alpha)) / (2 * step)
    assert image.grad[1, 2].item() == pytest.approx(numeric, rel=1e-5)


def test_tal_without_negatives_is_zero_with_finite_gradients():
    image, text, _ = batch()
    image.requires_grad_()
    value = tal.loss(image, text, torch.zeros(6, dtype=torch.int64), 0.015)
    value.backward()
    assert value.item() == 0 and torch.equal(image.grad, torch.zeros_like(image))


@pytest.mark.parametrize("name", ["sdm", "itc", "cmpm", "tal", "triplet"])
def test_does_not_depend_on_the_order_of_the_batch(name):
    image, text, person = batch(2)
    p = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    a, b = (objective.compute([name], *x)[name].item() for x in ((image, text, person), (image[p], text[p], person[p])))
    assert a == pytest.approx(b, rel=1e-10)


def test_several_at_once():
    image, text, person = batch()
    got = objective.compute(["sdm", "id"], image, text, person, classifier=torch.nn.Linear(5, 3).double())
    assert list(got) == ["sdm", "id"] and all(v.shape == () for v in got.values())


def test_names_and_errors():
    assert registry.names("losses") == ["cmpm", "id", "itc", "mlm", "sdm", "tal", "triplet"]
    with pytest.raises(UserError, match=r"unknown loss 'sdn'.*did you mean sdm"):
        objective.compute(["sdn"], *batch())
    with pytest.raises(UserError, match="loss 'id' needs classifier"):
        objective.compute(["id"], *batch())
    with pytest.raises(UserError, match="mlm_scores and mlm_labels"):
        objective.compute(["mlm"], *batch())
