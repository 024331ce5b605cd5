"""One name, two things: whatever differs in a study stands in rows, lines and sentences of its own."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable

import pandas as pd
import pytest

from harness.measured_on import MeasuredOn
from harness.store.store import Results
from reports import page
from reports.cells import cells, home
from reports.drawing import style
from reports.figures import ablation, budget_curve, cross_dataset, data_fraction
from reports.tables import budget, main
from reports.tables import cross_dataset as transfer
from reports.tables import data_fraction as amounts
from reports.untrained import untrained


def doubled(results: Results, change: Callable[[dict], None], points: float = 1.0) -> Results:
    """The study, and behind it every trial again with something changed and all scores `points` higher."""
    trials = []
    for told in results.study["trials"]:
        other = copy.deepcopy(told["trial"])
        change(other)
        trials.append({**told, "id": f"f{told['id'][1:]}", "trial": other})
    by_id = {told["id"]: told["trial"] for told in trials}
    frames = {}
    for name in ("trials", "scores", "history", "queries"):
        one = getattr(results, name)
        two = one.assign(id="f" + one["id"].str[1:])
        if name == "trials":
            two["spec"] = [json.dumps(by_id[ident]) for ident in two["id"]]
            two["recipe"] = [json.dumps(by_id[ident]["recipe"]) for ident in two["id"]]
        if name == "scores":
            two["value"] += points
        frames[name] = pd.concat([one, two], ignore_index=True)
    return dataclasses.replace(results, study={**results.study, "trials": results.study["trials"] + trials}, **frames)


def backbone(trial: dict) -> None:
    trial["backbone"]["image"] = [224, 224]


def weights(trial: dict) -> None:
    trial["backbone"]["pretrained"] = "laion2b"


def activation(trial: dict) -> None:
    trial["backbone"]["activation"] = "gelu"


def recipe(trial: dict) -> None:
    trial["recipe"]["lr"] = 0.5


def option(trial: dict) -> None:
    trial["options"]["alpha"] = 16


def file(trial: dict) -> None:
    trial["method"] = f"./mine/{trial['method']}.py"


@pytest.fixture(scope="module")
def plain(making):
    return making(seeds=2, methods=("zero_shot", "lora"), budgets=("1%",), places=("synth_cuhk",), holes=False)


CHANGES = {backbone: "backbone.image", weights: "backbone.pretrained", activation: "backbone.activation",
           recipe: "recipe.lr", option: "options.alpha", file: "method"}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_cells_and_tables_have_both(plain, change):
    both = doubled(plain, change)
    alone = {(c.label, c.measured): c.values for c in cells(plain)}
    found = cells(both)
    assert len(found) == 2 * len(alone)
    for (label, measured), values in alone.items():
        pair = sorted((c for c in found if (c.label, c.measured) == (label, measured)), key=lambda c: c.values)
        assert pair[0].values == values and pair[1].values == tuple(v + 1 for v in values)
        assert {key for c in pair for key, _ in c.variant} == {CHANGES[change]} and pair[0].series != pair[1].series
    for table in (main, budget):
        names = [row["method"] for row in table.draw(both).rows]
        assert len(set(names)) == len(names) == 4, names


def test_what_is_not_trained_is_shown_for_each_backbone(plain, making):
    both = doubled(plain, backbone)
    kept = untrained(home(cells(both)))
    means = sorted(next(iter(some.values())).mean for some in kept)
    assert means == sorted(c.mean for c in home(cells(both)) if not c.trained) and len(means) == 2
    drawn = style.numbers(budget_curve.draw(both))
    assert len(drawn[drawn["label"] == "zero_shot"]) == 2
    texts = [t.get_text() for axes in budget_curve.draw(both).axes for t in axes.texts]
    assert sum("Zero-shot" in text for text in texts) == 2 and len(set(texts)) == len(texts)
    rows = [row for row in transfer.draw(both).rows if row["trained_on"] == "–"]
    assert len(rows) == 2 and rows[0]["method"] != rows[1]["method"]
    assert abs(rows[1]["synth_icfg_R1"].number - rows[0]["synth_icfg_R1"].number) == pytest.approx(1)
    assert cross_dataset.draw(both).get_supxlabel().count("Zero-shot") == 2
    shares = making(seeds=2, methods=("zero_shot", "lora"), budgets=("1%",), places=("synth_cuhk",), holes=False,
                    fractions=(0.1, 0.5))  # fmt: skip
    assert len(untrained(home(cells(shares)))) == 1
    shares = doubled(shares, backbone)
    (note,) = (n for n in amounts.draw(shares).notes if n.startswith("No training data"))
    assert note.count("Zero-shot") == 2
    texts = [t.get_text() for axes in data_fraction.draw(shares).axes for t in axes.texts]
    assert sum(text.count("Zero-shot") for text in texts) == 2


def test_a_page_says_which_backbones(plain):
    assert dict(page.provenance(plain))["Backbone"] == "ViT-B-16"
    said = dict(page.provenance(doubled(plain, backbone)))["Backbone"]
    assert said.startswith("mixed: ViT-B-16 (image [224, 224]) (3 trials); ViT-B-16 (image [384, 128])")


def test_equal_backbones_without_training_stand_once(plain):
    assert len(untrained(home(cells(doubled(plain, backbone, points=0.0))))) == 1


def test_unions_of_one_label_keep_their_parts(making):
    """A grid over parts has one label for all of them."""
    methods = ("lora", "s_prefix", "l_adapter", "lora+s_prefix", "up_person")
    study = making(seeds=2, methods=methods, budgets=("1%",), places=("synth_cuhk",), holes=False)
    named = {t["id"]: "union" if t["trial"]["method"] == "union" else t["label"] for t in study.study["trials"]}
    two = doubled(
        dataclasses.replace(
            study,
            study={**study.study, "trials": [{**t, "label": named[t["id"]]} for t in study.study["trials"]]},
            trials=study.trials.assign(label=[named[i] for i in study.trials["id"]]),
        ),
        lambda trial: trial["options"].update(parts=[{"lora": {}}, {"l_adapter": {}}]) if "parts" in trial["options"]
        else trial.update(label="other"),
    )  # fmt: skip
    unions = [t["id"] for t in two.study["trials"] if t["trial"]["method"] == "union"]
    kept = {t["id"] for t in study.study["trials"]} | set(unions)
    two = dataclasses.replace(
        two,
        study={**two.study, "trials": [t for t in two.study["trials"] if t["id"] in kept]},
        **{n: getattr(two, n)[getattr(two, n)["id"].isin(kept)] for n in ("trials", "scores", "history", "queries")},
    )
    (group,) = ablation.groups(two, home(cells(two))).values()
    assert {has for _, has in group[1]} == {("l_adapter",), ("lora",), ("s_prefix",), ("lora", "l_adapter"),
                                            ("lora", "s_prefix")}  # fmt: skip


def test_what_the_label_of_a_data_set_tells_is_no_variant(plain):
    def demo(trial: dict) -> None:
        trial["dataset"]["options"] = {"size": "demo", "fraction": "50%"}

    both = doubled(plain, demo)
    told = {t["id"]: "synth_cuhk (size demo)" if t["id"][0] == "f" else "synth_cuhk" for t in both.study["trials"]}
    for name in ("trials", "scores"):
        frame = getattr(both, name)
        mine = [told[i] if d == "synth_cuhk" else d for i, d in zip(frame["id"], frame["dataset"], strict=True)]
        both = dataclasses.replace(both, **{name: frame.assign(dataset=mine)})
    on = {"synth_cuhk": MeasuredOn("synth_cuhk"),
          "synth_cuhk (size demo)": MeasuredOn("synth_cuhk", (("size", '"demo"'),))}  # fmt: skip
    study = {**both.study, "study": {**both.study["study"], "grid": {"dataset.options.size": ["demo"]}}}
    found = home(cells(dataclasses.replace(both, study=study, measured_on=on)))
    assert {(c.dataset, c.variant) for c in found} == {(label, ()) for label in on}
