"""Groups of shifts in a study: one data set for each shift and severity, and nothing else changes."""

from __future__ import annotations

import pytest

from harness.api import measuring
from harness.api.planning import plan
from harness.errors import UserError
from harness.measured_on import MeasuredOn, told
from harness.study import suites
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.study.study import Study
from harness.trial.resolve import check
from tests.harness.shifts.things import NAMES, kind

TEXT = "name: s\nbackbone: tiny\nmethods: [zero_shot]\ndatasets: [{synth_cuhk: {size: tiny}}]\nevaluate_on: "


def read(folder, on: str) -> Study:
    (folder / "s.yaml").write_text(f"{TEXT}{on}\n")
    return load(folder / "s.yaml", check=check)


@pytest.mark.parametrize(
    ("group", "kinds"),
    [("images", {"images"}), ("texts", {"texts"}), ("all", {"images", "texts"}), ("content", {"content"})],
)
def test_a_group_is_every_shift_of_its_kind_at_every_severity(tmp_path, group, kinds):
    found = read(tmp_path, f"[{{synth_icfg: {{size: tiny, shifts: {group}}}}}]").evaluate_on
    want = {(name, severity) for name in NAMES if kind(name) in kinds for severity in range(1, 6)}
    got = [(of.options["shift"], of.options["severity"]) for of in found]
    assert set(got) == want and len(got) == len(want) and all(of.options["size"] == "tiny" for of in found)
    assert all(set(of.options) == {"size", "shift", "severity"} and of.dataset == "synth_icfg" for of in found)


def test_content_edits_are_not_among_all_and_severities_are_chosen(tmp_path):
    on = "[synth_rstp, {synth_cuhk: {size: tiny, shifts: all, severities: [1, 5], shift_seed: 2}}]"
    (trial,) = trials_of(read(tmp_path, on))
    first, *rest = trial.evaluate_on
    assert first.dataset == "synth_rstp" and len(rest) == 2 * sum(kind(n) != "content" for n in NAMES)
    assert {of.options["severity"] for of in rest} == {1, 5} and {of.options["shift_seed"] for of in rest} == {2}
    assert not {"swap_colour", "drop_attribute"} & {of.options["shift"] for of in rest}


def test_labels_stay_readable(tmp_path):
    study = read(tmp_path, "[{synth_cuhk: {size: tiny, shifts: content, severities: [2]}}]")
    each = [MeasuredOn.of(of.model_dump()) for of in (*study.datasets, *study.evaluate_on)]
    assert list(told(each).values()) == [
        "synth_cuhk",
        "synth_cuhk (severity 2, shift drop_attribute)",
        "synth_cuhk (severity 2, shift swap_colour)",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("shifts: image", r"s\.yaml:5: .*synth_cuhk: shifts: unknown group 'image'.*did you mean images\?"),
        ("shifts: 3", "shifts: unknown group 3; expected one of images, texts, all, content"),
        ("shifts: all, severities: [0]", r"severities: got \[0\]; expected a list of whole numbers from 1 to 5"),
        ("shifts: all, severities: [1, 1]", r"severities: got \[1, 1\]"),
        ("shifts: all, severities: []", r"severities: got \[\]"),
        ("shifts: all, severities: 3", "severities: got 3"),
        ("shifts: all, severities: [true]", r"severities: got \[True\]"),
        ("severities: [1]", "severities: it goes with shifts"),
        ("shifts: all, severity: 3", "severity: it goes with one shift"),
        ("shifts: all, sizee: tiny", "no option 'sizee'"),
        ("shift: grey", "a shift without its severity"),
        ("shift: gray, severity: 3", r"unknown shift 'gray'.*did you mean grey\?"),
    ],
)
def test_what_is_no_group_is_one_line(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, f"[{{synth_cuhk: {{{options}}}}}]")


def test_a_group_is_measured_on_and_not_trained_on(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "name: s\nbackbone: tiny\nmethods: [lora]\ndatasets: [{synth_cuhk: {shifts: all}}]\n"
    )
    with pytest.raises(UserError, match=r"no option 'shifts'.*did you mean shift\?"):
        load(tmp_path / "s.yaml", check=check)


def test_on_reads_the_same(tmp_path):
    text = "{size: tiny, shifts: texts, severities: [4]}"
    study = read(tmp_path, f"[{{synth_cuhk: {text}}}]")
    assert measuring._datasets(f"synth_cuhk:{text}") == [of.model_dump() for of in study.evaluate_on]
    assert measuring._datasets("synth_cuhk") == [{"dataset": "synth_cuhk", "options": {}}]
    with pytest.raises(UserError, match="--on: synth_cuhk: shifts: unknown group 'text'"):
        measuring._datasets("synth_cuhk:{shifts: text}")


def test_a_plan_has_them_all(tmp_path):
    (tmp_path / "s.yaml").write_text(f"{TEXT}[{{synth_cuhk: {{size: tiny, shifts: texts, severities: [1]}}}}]\n")
    made = plan(tmp_path / "s.yaml", store=tmp_path / "store", data=tmp_path / "data")
    (row,) = made.trials
    assert len(row["trial"]["evaluate_on"]) == 8


def test_groups_are_these():
    assert list(suites.SUITES) == ["images", "texts", "all", "content"]
