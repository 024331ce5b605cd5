"""Faults of attention that is written out for bf16 on a CPU."""

from __future__ import annotations

T, FILE = "tests/harness/model/test_attention.py::", "harness/model/parts/attention.py"
NEAR = T + "test_bf16_on_a_cpu_is_near_to_exact"
KINDS = T + "test_autocast_counts_and_other_kinds_of_numbers_have_the_fused_kernel"

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("attention", NEAR, FILE, "(q * q.shape[-1] ** -0.5) @", "q @"),
    ("attention", NEAR, FILE, "masked_fill(~seen, -torch.inf)", "masked_fill(seen, -torch.inf)"),
    ("attention", NEAR, FILE, "_causal(q.shape[2], 0, q.device) if causal else mask", "mask"),
    ("attention", NEAR, FILE, "return (scores if seen is None", "return (scores if causal"),
    ("attention", KINDS, FILE, 'torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else q.dtype', "q.dtype"),
    ("attention", KINDS, FILE, 'q.device.type != "cpu" or dtype', "dtype"),
]  # fmt: skip
