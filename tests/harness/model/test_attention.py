"""Attention written out, for bf16 on a CPU, against torch's own in exact arithmetic."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from harness.model.parts import attention
from harness.model.parts.attention import attend

HEADS, TOKENS, EXTRA, WIDTH = 3, 7, 2, 8


def tensors(extra: int = EXTRA) -> list[torch.Tensor]:
    """Queries, keys, values and a gradient, of values that bf16 has."""
    generator = torch.Generator().manual_seed(0)
    sizes = (TOKENS, TOKENS + extra, TOKENS + extra, TOKENS)
    return [torch.randn(2, HEADS, n, WIDTH, generator=generator).bfloat16() for n in sizes]


def passed(run, dtype: torch.dtype, given: list[torch.Tensor]) -> list[torch.Tensor]:
    """The output and the gradients of queries, keys and values."""
    q, k, v = (part.to(dtype).requires_grad_() for part in given[:3])
    out = run(q, k, v)
    out.backward(given[3].to(dtype))
    return [part.detach().double() for part in (out, q.grad, k.grad, v.grad)]


MASKS = {
    "everything": (EXTRA, None, False),
    "causal": (0, None, True),
    "extra keys under a causal mask": (EXTRA, attention._causal(TOKENS, EXTRA, torch.device("cpu")), False),
    "a mask for each sample": (0, torch.ones(2, 1, TOKENS, TOKENS).tril().bool(), False),
}


@pytest.mark.parametrize(("extra", "mask", "causal"), MASKS.values(), ids=MASKS)
def test_bf16_on_a_cpu_is_near_to_exact(monkeypatch, extra, mask, causal):
    given = tensors(extra)
    exact = passed(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal), torch.float64, given
    )
    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", None)  # which is not what is asked here
    found = passed(lambda q, k, v: attend(q, k, v, mask, causal), torch.bfloat16, given)
    for one, other in zip(found, exact, strict=True):
        assert (one - other).norm() < 0.01 * other.norm()  # seen: 0.003 to 0.005


def test_autocast_counts_and_other_kinds_of_numbers_have_the_fused_kernel(monkeypatch):
    calls = []
    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", lambda *a, **k: calls.append(a[0].dtype) or a[0])
    q, k, v, _ = tensors()
    with torch.autocast("cpu", torch.bfloat16):
        attend(q, k, v)
        assert attend(q.float(), k.float(), v.float()).dtype == torch.bfloat16
    assert calls == []
    with torch.autocast("cpu", torch.float16):
        attend(q, k, v)
    attend(q.float(), k.float(), v.float())
    attend(q.to("meta"), k.to("meta"), v.to("meta"))
    assert calls == [torch.bfloat16, torch.float32, torch.bfloat16]
