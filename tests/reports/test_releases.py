"""Rows of two releases are never mixed silently: summary, page and main table say so."""

from __future__ import annotations

import dataclasses
import json

from reports import page
from reports.tables import main
from reports.words import releases


def under(study, *torch: str):
    """The study with these releases of torch in turn."""
    trials = study.trials.copy()
    trials["versions"] = [json.dumps({"torch": torch[k % len(torch)], "pillow": "12.1.0"}) for k in range(len(trials))]
    return dataclasses.replace(study, trials=trials)


def test_two_releases_are_said_wherever_numbers_stand(whole, tmp_path):
    both = under(whole, "2.14.1", "2.15.0+cpu")
    (line,) = releases.mixed(both)
    half = len(whole.trials) // 2
    assert line.startswith("measured under several releases of torch: 2.14 (") and f"2.15 ({half} trials)" in line
    assert line in " ".join(page.summary(both).split())
    assert line in main.draw(both).notes
    assert line in page.report(both, tmp_path, only=["cost"])[0].read_text()


def test_one_release_needs_no_word(whole):
    assert releases.mixed(under(whole, "2.15.0", "2.15.1+cpu")) == []
    assert releases.mixed(whole) == []
