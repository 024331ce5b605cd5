"""The table of methods: known rows by hand, and the committed page against one made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adaptation.probe import BASE, attached, disturb, sizes_of
from harness.benchmark import capabilities
from harness.benchmark.capabilities import COLUMNS, mergeable, page, probe, reach, table
from harness.registry import names
from methods import lora, prefix, union, up_person

PAGE = Path(__file__).parents[3] / "docs" / "methods.md"
AGAIN = "make it again: python -m harness.benchmark.capabilities > docs/methods.md"


def rows(text: str) -> list[list[str]]:
    """Cells of the table in a page."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]


def test_committed_page_is_the_generated_one():
    made, kept = page(operations=False), PAGE.read_text(encoding="utf-8")
    assert [row[:-1] for row in rows(kept)] == [row[:-1] for row in rows(made)], AGAIN
    assert [line for line in kept.splitlines() if line[:1] != "|"] == [
        line for line in made.splitlines() if line[:1] != "|"
    ], AGAIN
    assert {row[0] for row in rows(kept)} >= set(names("methods"))


@pytest.mark.slow
def test_committed_page_with_operations():
    assert page() == PAGE.read_text(encoding="utf-8"), AGAIN


def test_rows_by_hand():
    whole = 149_617_664
    row = probe("lora")
    assert set(row) == set(COLUMNS)
    assert (row["towers"], row["trained"], row["turns"]) == (["image", "text"], 245_760, ["rank"])
    assert row["share"] == 245_760 / (whole + 245_760)
    assert row["smallest"] == 61_440 / (whole + 61_440) and row["largest"] == 61_440 * 512 / (whole + 61_440 * 512)
    assert row["identity"] is True and row["mergeable"] == "all"
    # Two products of 2 r d operations per linear and token, two linears in each of twelve blocks; the last block asks
    # its query, output and MLP of one token only: q of LoRA, and of 40.3 GFLOP the attention of the others and ten d^2.
    added = 12 * 2 * (4 * 4 * (193 * 768 + 77 * 512)) - 4 * 4 * (192 * 768 + 76 * 512)
    spared = sum((t - 1) * (20 * d * d + 4 * d * t) for t, d in ((193, 768), (77, 512)))
    assert row["flops"] == pytest.approx(added / (40_344_743_936 - spared), rel=1e-9)
    row = probe("bitfit", operations=False)
    assert row["smallest"] == row["largest"] == row["share"] == 171_008 / whole
    assert (row["mergeable"], row["flops"], row["turns"]) == ("none", None, [])
    assert probe("prefix", operations=False)["largest"] is None
    assert probe("maple", operations=False)["towers"] == ["image", "text"]
    assert probe("full_text", operations=False)["towers"] == ["text"]
    assert probe("zero_shot", operations=False)["towers"] == []
    assert probe("ssf", operations=False)["identity"] is False
    assert set(probe("union").values()) == {"union", None}


def test_merges_in_part_or_not_at_all():
    assert mergeable(disturb(attached(up_person.Method()))) == "part"
    assert mergeable(disturb(attached(prefix.Method()))) == "none"
    assert mergeable(disturb(attached(union.Method(parts=("lora", "ssf"))))) == "all"


def test_a_false_merge_is_none(monkeypatch):
    monkeypatch.setattr(lora.LowRank, "delta", lambda self: 1.1 * self.scale * (self.b @ self.a))
    assert mergeable(disturb(attached(lora.Method()))) == "none"


def test_reach_of_a_union_is_that_of_its_parts_together():
    shape = sizes_of(BASE)
    smallest, largest = reach(union.Method(parts=("lora", "vera")), shape)
    few, many = (61_440 * rank + 48 * wide + 30_720 for rank, wide in ((1, 1), (512, 1024)))
    assert smallest == few / (shape.parameters + few) and largest == many / (shape.parameters + many)


def test_table_says_what_is_missing_and_aligns():
    empty = {**dict.fromkeys(COLUMNS), "method": "x"}
    lines = table([empty, {**empty, "smallest": 0.5, "flops": 0.014, "identity": False}]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split() == ["|", "x", *["|", capabilities.NONE] * (len(COLUMNS) - 1), "|"]
    assert "no limit" in lines[3] and "+1.4%" in lines[3] and "| no " in lines[3] and "50.000%" in lines[3]


def test_committed_budgets_page_is_the_generated_one():
    kept = (PAGE.parent / "budgets.md").read_text(encoding="utf-8")
    assert kept.rstrip() == capabilities.budgets().rstrip(), (
        "python -m harness.benchmark.capabilities --budgets > docs/budgets.md"
    )
