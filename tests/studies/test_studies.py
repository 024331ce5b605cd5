"""The studies of the licensed sets: heads, settings of the papers, plans without weights, one epoch of each."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from harness import registry
from harness.api import asking
from harness.cli import main
from harness.model.weights import Source, random, shape
from harness.store.store import Store
from harness.study.grid import trials as trials_of
from harness.study.reading import load
from harness.trial import resolve
from harness.trial import run as running

ROOT = Path(__file__).parents[2] / "studies"
NAMES = [p.relative_to(ROOT).with_suffix("").as_posix() for p in sorted(ROOT.rglob("*.yaml"))]
# Those of released models train nothing: tests/studies/test_released.py.
TRAINED = [name for name in NAMES if not name.startswith("released/")]
REAL = [name for name in TRAINED if "synth_" not in (ROOT / f"{name}.yaml").read_text()]
# What the files set for the real sizes and a small backbone does not have.
SMALL = {"backbone": "tiny", "recipe.epochs": "1", "recipe.batch": "32", "seeds": "[0]"}
FEWER = {
    "depth": {"grid": "{options.depth: [1, 3, -1]}"},  # the small towers have three and four blocks
    "data_fraction": {"grid": "{dataset.options.fraction: [0.3, 1.0]}"},  # a batch of the small set
}


def head(name: str) -> str:
    lines = (ROOT / f"{name}.yaml").read_text().splitlines()
    return "\n".join(line for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))])


def plan(name: str, data: Path, capsys, *more: str) -> dict:
    """`upbench plan`, with a batch that the drawn sets can fill."""
    places = ["--data", str(data), "--store", str(data / "store")]
    assert main.call(["plan", name, *places, "--json", "--no-probe", "--set", "recipe.batch=1", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_studies_of_the_papers_are_there():
    parts = ("main_table", "components", "s_prefix", "l_adapter", "loss", "cross_domain", "vit_l14")
    others = {"budget_curve", "depth", "data_fraction", "recipe_traps", "irra_full", "dm_adapter", "cskt"}
    assert {f"up_person/{part}" for part in parts} | others <= set(REAL)


@pytest.mark.parametrize("name", NAMES)
def test_head_and_name(name):
    text, study = head(name), load(ROOT / f"{name}.yaml")
    assert all(re.search(rf"^# {word}", text, re.M) for word in ("Question:", "Command:", "Cost:", "Expect:"))
    assert study.name == name.replace("/", "-") and study.question.endswith("?")
    assert asking.find_study(name) == asking.find_study(study.name)
    if name in REAL:
        assert f"upbench run {name} && upbench report {study.name}" in text
        assert len(study.seeds) >= 3 and "not" in text.split("# Cost:")[1].split("# Expect:")[0]
        assert study.backbone.pretrained == "openai" and study.backbone.image in ((384, 128), (378, 126))
        # An expectation names where its number was read.
        assert re.search(r"paper|thesis|computed", text.split("# Expect:")[1])


def test_subsets_of_up_person_are_all_seven_with_the_published_sizes(licensed, capsys):
    rows = plan("up_person/components", licensed, capsys, "--seeds", "1")["trials"]
    sizes = {row["label"]: row["trained"] for row in rows}
    assert sizes == {
        "prefix": 307_272,
        "LoRA": 1_966_128,
        "adapter": 5_146_416,
        "prefix + LoRA": 2_273_400,
        "prefix + adapter": 5_453_688,
        "LoRA + adapter": 7_112_544,
        "prefix + LoRA + adapter": 7_419_816,
    }


def test_settings_of_the_main_table_are_the_published_ones(licensed, capsys):
    rows = plan("up_person/main_table", licensed, capsys)["trials"]
    at = {(row["label"], row["dataset"]): row for row in rows}
    sizes = {d: at["up_person", d]["trained"] for d in ("cuhk_pedes", "icfg_pedes", "rstpreid")}
    assert sizes == {"cuhk_pedes": 7_419_816, "icfg_pedes": 7_542_696, "rstpreid": 6_191_016}
    assert at["cskt", "cuhk_pedes"]["trained"] == 12_117_888
    rates = {label: at[label, "rstpreid"]["trial"]["recipe"]["lr"] for label, _ in at if label != "zero_shot"}
    assert rates == {
        "full, ITC": 1e-5, "full, SDM": 1e-5, "cskt": 3e-4, "dm_adapter": 3e-4, "lora": 1e-3, "up_person": 1e-4,
    }  # fmt: skip
    recipe = at["up_person", "icfg_pedes"]["trial"]["recipe"]
    assert (recipe["lr"], recipe["eps"], recipe["epochs"]) == (1e-3, 1e-3, 60)
    assert (recipe["losses"], recipe["temperature"], recipe["weight_decay"]) == (["sdm"], 0.02, 4e-5)
    assert len(rows) == 57 and len({row["id"] for row in rows}) == 57
    batches = {t.label: t.recipe.batch for t in trials_of(load(ROOT / "up_person/main_table.yaml"))}
    assert batches["up_person"] == batches["cskt"] == batches["dm_adapter"] == 128 and batches["full, SDM"] == 64


def test_a_larger_backbone_has_the_computed_size(licensed, capsys):
    rows = plan("up_person/vit_l14", licensed, capsys, "--seeds", "1")["trials"]
    row = next(r for r in rows if (r["label"], r["dataset"]) == ("up_person", "cuhk_pedes"))
    assert (row["trained"], row["total"]) == (21_199_356, 427_603_200 + 21_199_356)


def test_heads_of_irra_have_the_published_size():
    whole = shape(Source("ViT-B-16", "openai", (384, 128)))
    extra = resolve.heads.parameters(("sdm", "id", "mlm"), 512, 11_003, whole.text.vocabulary, 4)
    assert whole.parameters + sum(extra.values()) == 194_535_419


def test_each_trap_changes_what_it_names():
    study = load(ROOT / "recipe_traps.yaml")
    trials = {t.label: t for t in trials_of(study) if t.seed == 0}
    base = trials["as in the paper"]

    def differs(label: str) -> dict:
        other = trials[label]
        found = {k: v for k, v in other.options.items() if base.options.get(k) != v}
        found |= {k: v for k, v in other.recipe.model_dump().items() if getattr(base.recipe, k) != v}
        return found | ({"selection": other.selection} if other.selection != base.selection else {})

    half, prefix = {"precision": "fp16-reference"}, {"lr_factors": {"prefix": 0.05}}
    assert base.recipe.lr * 0.05 == pytest.approx(5e-5)
    assert differs("scale 100") == {"scale": 100.0} and differs("prefix at 5e-5") == prefix
    assert differs("captions whole") == {"mask_captions": 0.0} and differs("eps 1e-8") == {"eps": 1e-8}
    assert differs("half precision") == half
    assert differs("epoch chosen on test") == {"selection": "test-oracle"}
    oracle = {"selection": "test-oracle"}
    assert differs("all of the first code") == {**prefix, **half, **oracle, "mask_captions": 0.0}
    assert differs("all of the last code") == {**half, **oracle, "scale": 100.0}
    assert differs("rank 64, length 20") == {"rank": 64, "length": 20}


def test_the_curve_has_every_method_that_scales():
    study = load(ROOT / "budget_curve.yaml")
    scales = {n for n in registry.names("methods") if n != "union" and registry.find("methods", n).Method.turns}
    assert scales <= {entry.method for entry in study.methods if entry.budgets is None}
    assert (study.budgets[0], study.budgets[-1]) == ("0.05%", "20%")


def test_fractions_are_nested_and_the_whole_is_no_second_trial(licensed, capsys):
    rows = plan("data_fraction", licensed, capsys, "--seeds", "1")["trials"]
    ids = {row["label"]: row["id"] for row in rows}
    whole = plan("data_fraction", licensed, capsys, "--seeds", "1", "--set", "grid={}")["trials"]
    assert ids["up_person fraction=1.0"] == next(row["id"] for row in whole if row["label"] == "up_person")
    assert ids["up_person fraction=0.5"] != ids["up_person fraction=1.0"]


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_plan_of_the_whole_study(name, licensed, capsys):
    found = plan(name, licensed, capsys)
    counted = re.search(r"(\d+) trials", head(name).split("# Cost:")[1])
    assert counted is None or int(counted[1]) == len(found["trials"])
    assert len(found["lacking"]) == 1 and all(row["trained"] >= 0 for row in found["trials"])


def chosen(resolved: list[dict]) -> list[dict]:
    """One trial per label, budgets and data sets in turn."""
    by_label: dict[str, list[dict]] = {}
    for one in resolved:
        by_label.setdefault(one["trial"]["label"], []).append(one)
    picked = []
    for number, group in enumerate(by_label.values()):
        ready = [one for one in group if one["status"] == "ready"] or group
        picked.append(ready[number % len(ready)])
    return picked


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", REAL)
def test_one_epoch_of_each_variant(name, licensed, tmp_path):
    study = asking.load(name, {**SMALL, **FEWER.get(name, {})})
    resolved = [resolve.resolve(one, licensed).as_dict() for one in trials_of(study)]
    picked, began = chosen(resolved), time.perf_counter()
    for one in picked:
        running.run(one, tmp_path, licensed)
    store = Store(tmp_path)
    store.declare(study.name, study.document, [asking.declared(one) for one in picked], study.question)
    found = store.read(study.name)
    bad = found.trials[~found.trials["status"].isin(["ok", "infeasible"])]
    assert bad.empty, bad[["label", "status", "reason"]].to_string()
    trained = found.trials[(found.trials["trained"] > 0) & (found.trials["status"] == "ok")]
    assert (trained["steps"] >= 1).all()
    assert main.call(["report", study.name, "--store", str(tmp_path), "--out", str(tmp_path / "page")]) == 0
    print(f"\n{name}: {len(picked)} of {len(resolved)} trials in {time.perf_counter() - began:.0f} s")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_epoch_at_the_real_size(licensed, tmp_path):
    """ViT-B/16 at 384x128 with random weights in open_clip's file format, eight captions, through the command line."""
    from safetensors.torch import save_file

    from harness.model.names import theirs

    sizes = shape(Source("ViT-B-16", None))
    file = tmp_path / "random.safetensors"
    save_file(theirs(random(sizes).state_dict(), 4.6), file)
    settings = {
        "backbone.pretrained": file, "backbone.activation": "quick_gelu", "recipe.epochs": 1, "recipe.batch": 8,
        "datasets": "[{rstpreid: {fraction: 0.1}}]", "methods": "[up_person]", "seeds": "[0]",
    }  # fmt: skip
    args = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    began = time.perf_counter()
    store = str(tmp_path / "store")
    assert (
        main.call(
            ["run", "up_person/main_table", "--executor", "serial", "--data", str(licensed), "--store", store, *args]
        )
        == 0
    )
    (row,) = Store(store).read("up_person-main_table").trials.to_dict("records")
    assert (row["status"], row["trained"], row["epochs"]) == ("ok", 6_191_016, 1)
    print(f"\n{row['steps']} steps of {row['step_seconds']} s; {time.perf_counter() - began:.0f} s in all")
