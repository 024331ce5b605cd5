"""Published numbers: columns, sources, ranges, duplicates, and sums that were computed from other rows."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from harness import registry
from reports import literature

ROOT = Path(__file__).parents[2]
ROWS = list(csv.DictReader(literature.FILE.open(encoding="utf-8")))
SCORES = ("R1", "R5", "R10", "mAP", "mINP")
ELSEWHERE = {"mean", "T2I-VeRI", "T2I-VeRW"}  # names of data that the harness does not read


def faults(rows: list[dict]) -> list[str]:
    """What is wrong with the rows of the file, one line each."""
    found, seen = [], {}
    for line, row in enumerate(rows, start=2):

        def say(text: str, line: int = line) -> None:
            found.append(f"line {line}: {text}")

        if list(row) != list(literature.COLUMNS) or None in row.values():
            say("columns")
            continue
        if not row["source"].strip() or not row["method"].strip():
            say("no source or method")
        if row["certainty"] not in literature.CERTAINTY:
            say(f"certainty {row['certainty']}")
        if row["tuning"] not in ("full", "petl", "none", "") or row["table"] not in tables():
            say("tuning or table")
        if row["trainable"] and not re.fullmatch(r"\d+", row["trainable"]):
            say("trainable")
        if (row["tuning"] == "none") != (row["trainable"] == "0"):
            say("zero-shot trains nothing, and nothing else does")
        for score in SCORES:
            if row[score] and not (re.fullmatch(r"\d{1,2}\.\d{1,2}", row[score]) and 0 < float(row[score]) < 100):
                say(f"{score} {row[score]}")
        known = [float(row[s]) for s in ("R1", "R5", "R10") if row[s]]
        if known != sorted(set(known)):
            say("ranks do not rise")
        if row["mAP"] and row["mINP"] and float(row["mINP"]) >= float(row["mAP"]):
            say("mINP above mAP")
        places = row["dataset"].split("->")
        if len(places) > 2 or not set(places) <= {*registry.names("datasets"), *ELSEWHERE}:
            say(f"data set {row['dataset']}")
        key = tuple(row[k] for k in ("table", "method", "backbone", "dataset"))
        if key in seen:
            say(f"same as line {seen[key]}")
        seen[key] = line
    return found


def tables() -> set[str]:
    """Tables that the description of the file names."""
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8").split("## `literature.csv`")[1]
    return set(re.findall(r"`([^`]+)`", next(line for line in text.splitlines() if line.startswith("| `table`")))[1:])


def test_every_row_is_whole():
    assert faults(ROWS) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": " "}, "no source"),
        ({"certainty": "rumour"}, "certainty"),
        ({"R5": "47.17"}, "ranks do not rise"),
        ({"R1": "0.7417"}, "R1"),
        ({"mINP": "99.0"}, "mINP above mAP"),
        ({"dataset": "cuhk"}, "data set cuhk"),
        ({"table": "mine"}, "table"),
        ({"trainable": "7.4M"}, "trainable"),
        ({"method": "IRRA", "dataset": "icfg_pedes"}, "same as line"),
    ],
)
def test_a_fault_is_found(change, words):
    rows = [dict(row) for row in ROWS]
    place = next(
        i for i, r in enumerate(rows) if (r["table"], r["method"], r["dataset"]) == ("main", "IRRA", "cuhk_pedes")
    )
    rows[place] |= change
    assert any(words in fault for fault in faults(rows))


def score(method: str, dataset: str, table: str = "main", backbone: str = "ViT-B/16") -> float:
    (row,) = (
        r for r in ROWS if (r["table"], r["method"], r["dataset"], r["backbone"]) == (table, method, dataset, backbone)
    )
    return float(row["R1"])


def test_computed_rows_add_up():
    three = ("cuhk_pedes", "icfg_pedes", "rstpreid")
    assert sum(score("DM-Adapter", d) for d in three) / 3 == pytest.approx(64.94, abs=0.005)
    assert score("DM-Adapter", "mean", "mean of three") == 64.94
    # The means of a thesis agree with another paper's zero-shot run of each data set.
    assert sum(score("CLIP, zero-shot", d) for d in three) / 3 == pytest.approx(
        score("CLIP, zero-shot", "mean", "mean of three"), abs=0.05
    )
    for target, margin in (("cuhk_pedes", 4.21), ("icfg_pedes", 6.2)):
        irra, ours = (score(m, f"rstpreid->{target}", "cross-domain") for m in ("IRRA", "UP-Person"))
        assert ours == pytest.approx(irra + margin)
    assert score("UP-Person, ITC in place of SDM", "cuhk_pedes", "ablation") == pytest.approx(74.17 - 2.13)
    for dataset, margin in (("cuhk_pedes", 0.79), ("icfg_pedes", 1.56), ("rstpreid", 2.95)):
        assert score("UP-Person", dataset) - score("IRRA", dataset) == pytest.approx(margin)


def test_the_expectations_of_the_studies_are_in_the_file():
    """Every Rank-1 in the head of a study is a published one, so the two cannot drift apart."""
    known = {f"{float(row['R1']):.2f}" for row in ROWS if row["R1"]}
    margins = {"2.13", "4.21", "0.79", "1.56", "2.95"}
    for path in sorted((ROOT / "studies").rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if "synth_" in text:
            continue
        expected = text.split("# Expect:")[1].split("\nname:")[0]
        numbers = set(re.findall(r"(?<![\d.,])\d{1,2}\.\d\d(?![\d%]| %)", expected))
        assert numbers <= known | margins, (path.name, numbers - known - margins)
