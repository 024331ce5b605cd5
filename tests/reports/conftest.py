"""A made study with everything a real one has: several seeds, and cells that are infeasible, failed, missing or alone.

Scores are not written down but computed from the per-query records, so both must agree in every report.
"""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from harness.store import schema
from harness.store.store import Results

BASE = 149_617_664
PLACES = {"synth_cuhk": (60, 6, 3, 0.0), "synth_icfg": (40, 10, 18, -9.0), "synth_rstp": (30, 10, 5, -12.0)}
BUDGETS = ("0.1%", "0.5%", "1%", "5%")
PER_UNIT = {"lora": 61_440, "prefix": 30_720, "adapter": 61_488, "up_person": 153_648}
PER_UNIT |= {"s_prefix": 30_727, "l_adapter": 61_500, "lora+s_prefix": 92_167, "lora+l_adapter": 122_940}
CEILING = {"lora": 69.5, "prefix": 65.0, "adapter": 70.5, "up_person": 74.0}
CEILING |= {"s_prefix": 67.0, "l_adapter": 70.8, "lora+s_prefix": 71.0, "lora+l_adapter": 73.4}
ABLATION = ("l_adapter", "lora", "lora+l_adapter", "lora+s_prefix", "s_prefix", "up_person")


def trial_of(method: str, budget: str | None, dataset: str, seed: int, options: dict, **recipe) -> dict:
    """One resolved trial, as the declaration holds it."""
    return {
        "method": "union" if "+" in method else method,
        "options": {"parts": [{p: {}} for p in method.split("+")], **options} if "+" in method else options,
        "label": method,
        "budget": budget,
        "dataset": {"dataset": dataset, "options": {}},
        "backbone": {"name": "ViT-B-16", "pretrained": "openai", "image": [384, 128]},
        "recipe": {"epochs": 6, "batch": 64, "lr": 1e-3, "optimizer": "adam", **recipe},
        "selection": "val",
        "evaluate_on": [{"dataset": p, "options": {}} for p in PLACES if p != dataset],
        "seed": seed,
    }


def measure(level: float, place: str, rng: np.random.Generator, skill: np.ndarray) -> pd.DataFrame:
    """Per-query records whose Rank-1 is near `level` percent; `skill` [queries] is what makes a query easy for all."""
    people, each, positives, _ = PLACES[place]
    queries = people * each
    ease = 1.2 * skill + rng.normal(0, 0.16, queries)
    ease += rng.normal(0, 0.02)
    edge = np.quantile(1.2 * skill + rng.normal(0, 0.16, queries), 1 - level / 100)
    first = np.where(ease > edge, 1, 1 + np.ceil(np.exp(2.2 * (edge - ease)))).astype(int)
    ap = np.clip(1 / first * 0.6 + 0.35 * (ease > edge - 1) * rng.uniform(0.5, 1, queries), 0, 1)
    return pd.DataFrame(
        {
            "query": np.arange(queries),
            "person": np.repeat(np.arange(people), each),
            "positives": positives,
            "first": first,
            "ap": ap,
            "inp": ap**2 * 0.8,
        }
    )


def score_rows(ident: str, records: pd.DataFrame, place: str, choice: str, shift: float = 0.0) -> list[dict]:
    """Scores of one trial in percent, moved by `shift` points for the other ways to choose the epoch."""
    first = records["first"]
    values = {
        "R1": (first <= 1).mean(),
        "R5": (first <= 5).mean(),
        "R10": (first <= 10).mean(),
        "mAP": records["ap"].mean(),
        "mINP": records["inp"].mean(),
    }
    shared = {
        "id": ident,
        "dataset": place,
        "split": "test",
        "choice": choice,
        "direction": "t2i",
        "queries": len(records),
    }
    shared |= {"gallery": 300, "unmatched": 0}
    return [{**shared, "metric": m, "value": min(100 * v + shift, 100.0)} for m, v in values.items()]


def make(
    seeds: int = 3, methods=("zero_shot", "full", "prefix", "lora", "adapter", "up_person"), budgets=BUDGETS,
    places=tuple(PLACES), holes: bool = True, lrs=(1e-3,), depths=(None,), cross: bool = True, fractions=(None,),
) -> Results:  # fmt: skip
    """A study; `holes` adds the infeasible, diverged, out-of-memory, missing and single-seed cells."""
    declared, trials, scores, history, queries, missing = [], [], [], [], [], []
    skills = {}
    for place, (people, each, _, _) in PLACES.items():
        rng = np.random.default_rng(len(place) + people)
        skills[place] = np.repeat(rng.normal(0, 1, people), each) * 0.7 + rng.normal(0, 0.7, people * each)
    number = 0
    for method, budget, place, lr, depth, share, seed in itertools.product(
        methods, (None, *budgets), places, lrs, depths, fractions, range(seeds)
    ):
        if (budget is None) == (method in PER_UNIT) or (method not in PER_UNIT and lr != lrs[0]):
            continue
        if method == "zero_shot" and share != fractions[0]:
            continue
        if seed and (method == "zero_shot" or (holes and (method, budget) == ("adapter", "0.5%"))):
            continue
        number += 1
        ident = f"{number:016x}"
        rng = np.random.default_rng([number, seed])
        target = round(float(budget[:-1]) / 100 * BASE) if budget else None
        units = max(1, round(target / PER_UNIT[method])) if budget else 0
        trained = {"zero_shot": 0, "full": BASE}.get(method, units * PER_UNIT.get(method, 0))
        total = BASE + (trained if budget else 0)
        options = ({"units": units} if budget else {}) | ({"depth": depth} if depth else {})
        trial = trial_of(method, budget, place, seed, options, lr=lr)
        cut = {"fraction": share} if share is not None and method != "zero_shot" else {}
        trial["dataset"] = {"dataset": place, "options": cut}
        label = method + (f" lr={lr}" if len(lrs) > 1 else "") + (f" depth={depth}" if depth else "")
        row = {
            "id": ident, "label": label, "method": trial["method"], "options": trial["options"],
            "dataset": place, "dataset_options": cut, "backbone": "ViT-B-16", "seed": seed,
            "status": "ok", "budget": budget, "budget_parameters": target, "trained": trained,
            "total": total, "share": trained / total, "selection": "val", "chosen_epoch": 5,
            "epochs": 6, "steps": 600, "batch": 64, "lr": lr, "recipe": trial["recipe"],
            "spec": trial, "backbone_hash": "b16", "data_hash": place, "code_hash": "c0de",
            "seconds_total": 400 + 60 * rng.random(), "seconds_train": 300 + 9 * np.log10(trained + 1),
            "seconds_evaluate": 40.0, "seconds_data": 20.0,
            "step_seconds": 0.2 + 0.01 * np.log10(trained + 1),
            "peak_memory_train": int(2e9 + 16 * trained), "peak_memory_evaluate": int(1e9),
            "flops_forward": 3.3e10 + 300 * trained / (9 if method == "full" else 1),
            "flops_backward": 6.6e10 + 600 * trained, "adapter_bytes": 4 * trained, "device": "cuda",
            "threads": 1, "hardware": "made accelerator", "commit": "0123abc", "dirty": False,
            "versions": {"torch": "2.10.0", "upbench": "0.1.0"},
            "started": pd.Timestamp("2026-01-01", tz="UTC"), "release": "0.1.0",
        }  # fmt: skip
        declared.append(
            {
                "id": ident,
                "label": label,
                "method": trial["method"],
                "budget": budget,
                "dataset": place,
            }
            | {"seed": seed, "trial": trial}
        )
        if holes and (method, budget, place, seed) == ("up_person", "5%", "synth_rstp", seeds - 1):
            missing.append({**declared[-1], "why": "not run"})
            continue
        status = {
            ("prefix", "5%"): "infeasible",
            ("lora", "5%", "synth_icfg", 1): "diverged",
            ("full", None, "synth_icfg", 0): "oom",
        }
        state = status.get((method, budget)) or status.get((method, budget, place, seed))
        if holes and state:
            kept = dict.fromkeys(("seconds_total", "seconds_train", "chosen_epoch", "steps"))
            if state == "infeasible":
                kept |= dict.fromkeys(("trained", "total", "share"))
            trials.append({**row, **kept, "status": state, "reason": f"made {state}"})
            continue
        trials.append(row)
        less = 9 * np.log10(share or 1)
        _fill(method, trained, place, ident, lr, rng, skills, scores, history, queries, cross, less)
    tables = {"trials": trials, "scores": scores, "history": history}
    frames = {name: schema.frame(schema.build(name, rows)) for name, rows in tables.items()}
    records = schema.frame(schema.build("queries", pd.concat(queries, ignore_index=True) if queries else []))
    grid = ({"recipe.lr": list(lrs)} if len(lrs) > 1 else {}) | ({"options.depth": list(depths)} if depths[0] else {})
    grid |= {"dataset.options.fraction": list(fractions)} if len(fractions) > 1 else {}
    document = {"name": "made", "recipe": {"epochs": 6, "lr": 1e-3}, "grid": grid}
    study = {"schema": 1, "study": document, "trials": declared}
    study["question"] = "Which method should adapt CLIP for a given number of trained parameters?"
    return Results(study=study, queries=records, missing=missing, **frames)


def _fill(method, trained, place, ident, lr, rng, skills, scores, history, queries, cross, less=0.0):
    """Scores, history and records of one finished trial."""
    drop = PLACES[place][3]
    if method == "zero_shot":
        level = 12.6 + drop / 3
    elif method == "full":
        level = 70.4 + drop
    else:
        level = CEILING[method] + drop - 26 * (trained / 1e5) ** -0.55
    level += less * (method != "zero_shot")
    level += rng.normal(0, 0.5) * (method != "zero_shot") - 3 * abs(np.log10(lr / 1e-3))
    for where in PLACES if cross else (place,):
        here = level if where == place else max(0.62 * level, 2.0)
        noise = np.random.default_rng(7) if method == "zero_shot" else rng
        records = measure(here, where, noise, skills[where])
        scores += score_rows(ident, records, where, "selected")
        if where == place:
            scores += [{**row, "split": "val"} for row in score_rows(ident, records, where, "selected", 0.4)]
            scores += score_rows(ident, records, where, "last", -0.3) + score_rows(ident, records, where, "oracle", 0.6)
            records = records.assign(id=ident, dataset=where, split="test", direction="t2i")
            queries.append(records)
    for epoch in range(7 if method != "zero_shot" else 1):
        val = level - 0.8 * level * np.exp(-0.9 * epoch)
        history.append(
            {"id": ident, "epoch": epoch, "step": 100 * epoch, "lr": lr, "loss": 3 * np.exp(-0.4 * epoch) + 0.5}
            | {"seconds": 50.0 * epoch, "val_R1": val + rng.normal(0, 0.4), "val_mAP": 0.9 * val}
        )


@pytest.fixture(scope="session")
def results() -> Results:
    """The made study with all its holes; read only."""
    return make()


@pytest.fixture(scope="session")
def whole() -> Results:
    """The same without holes."""
    return make(holes=False)


@pytest.fixture(scope="session")
def under() -> Results:
    """Another made study, measured under shifts too; read only."""
    from tests.reports.made_shifts import MADE, under_shifts

    return under_shifts(make(**MADE))


@pytest.fixture(scope="session")
def making():
    """The maker itself, for studies of another shape."""
    return make


@pytest.fixture(scope="session")
def recomputed(results, request, tmp_path_factory):
    """For a table or figure, by name: a study that it applies to, and the same read from Parquet by the slow script."""
    from tests.reports.made import SHIFTED, SPECIAL, stored, study_of

    made = {}

    def of(name: str):
        name = name.rpartition(" of ")[2]  # of another study than its own
        kind = name if name in SPECIAL or name.endswith("'") else "shifts" if name in SHIFTED else ""
        if kind not in made:
            study = request.getfixturevalue("under") if kind == "shifts" else study_of(name, results, make)
            made[kind] = study, stored(study, tmp_path_factory.mktemp("recomputed"))
        return made[kind]

    return of


@pytest.fixture(scope="session")
def inspection(tmp_path_factory):
    """What `upbench inspect` leaves, made by hand: two captions, six images, three identities; read only."""
    from PIL import Image

    from reports import inspected

    folder = tmp_path_factory.mktemp("inspections") / "0123456789abcdef"
    (folder / "thumbnails").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(6):
        Image.fromarray(rng.integers(0, 255, (256, 128, 3), dtype=np.uint8)).save(folder / "thumbnails" / f"{k}.jpg")
    person = [0, 0, 1, 1, 2, 2]
    retrieval = [
        {"query": q, "caption": "A man in a red coat walks with an umbrella, seen from behind.", "person": p,
         "positives": 2, "first": first, "described": described,
         "top": [{"rank": r, "image": i, "person": person[i], "score": 0.9 - r / 10, "right": person[i] == p}
                 for r, i in enumerate(order, start=1)]}
        for q, p, first, described, order in ((3, 0, 1, 1, [0, 4, 1, 2, 3]), (7, 2, 3, 5, [0, 1, 4, 2, 3]))
    ]  # fmt: skip
    about = {"id": folder.name, "label": "up_person", "method": "up_person", "dataset": "synth_cuhk", "seed": 0,
             "budget": "1%", "rank1": 50.0, "queries": 8, "gallery": 6}  # fmt: skip
    centre = rng.normal(0, 1, (3, 8))
    image = np.concatenate([c + rng.normal(0, 0.05, (4, 8)) for c in centre])
    text = np.concatenate([c + rng.normal(0, 0.05, (5, 8)) + 2 for c in centre])
    (folder / "about.json").write_text(json.dumps(about))
    (folder / "retrieval.json").write_text(json.dumps(retrieval))
    np.savez(folder / "features.npz", image=image.astype(np.float32), text=text.astype(np.float32),
             image_person=np.repeat([4, 7, 9], 4), text_person=np.repeat([4, 7, 9], 5),
             image_index=np.arange(12), text_index=np.arange(15))  # fmt: skip
    words = np.array(retrieval[0]["caption"].split())
    parts = {}
    for k in range(2):
        heat = np.zeros((len(words), 4, 2), dtype=np.float32)
        heat[4, 2, 1] = 0.5  # "red", third row from the top, right
        parts |= {f"words_{k}": words, f"effect_{k}": np.linspace(0.3, 0, len(words)), f"map_{k}": heat}
    np.savez(folder / "evidence.npz", **parts)
    return inspected.load(folder)
