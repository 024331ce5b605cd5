"""Faults of the remainder of a budget and of blocks that differ in size."""

from __future__ import annotations

S = "tests/harness/adaptation/test_spread.py::"
WITHIN, EVENLY = S + "test_budgets_are_met_within_two_per_cent", S + "test_larger_blocks_lie_evenly"
HAND, SCALE = S + "test_counts_by_hand", S + "test_a_block_with_another_rank_keeps_its_scale"
SPREAD, BUDGET, METHOD = "harness/adaptation/spread.py", "harness/adaptation/budget.py", "harness/adaptation/method.py"
LORA = "methods/lora.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("spread", WITHIN, BUDGET, "chosen = spread(chosen, following, shape, target)", "chosen = chosen"),
    ("spread", WITHIN, SPREAD, "if before < total <= target:", "if before < total:"),
    ("spread", HAND, METHOD, "for name, own in left.items() if own)", "for name, own in [*left.items()][1:] if own)"),
    ("spread", EVENLY, SPREAD, "group[(2 * index + 1) * len(group) // (2 * count)]", "group[index]"),
    ("spread", S + "test_towers_get_like_shares", SPREAD, "(0, order, apart, -total)", "(0, order, -apart, -total)"),
    ("spread", SCALE, LORA, '(sizes["rank"] / self.rank) ** power', "1.0 ** power"),
]  # fmt: skip
