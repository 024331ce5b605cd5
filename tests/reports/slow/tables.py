"""The cells of every table: `TWINS` has a function for each, which gives rows of what must be shown, by column."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.reports.slow import numbers
from tests.reports.slow import variance as spread
from tests.reports.slow.names import NAMES, PLACES
from tests.reports.slow.precision import precision
from tests.reports.slow.shifts import robustness
from tests.reports.slow.shown import Shown
from tests.reports.slow.study import Group, Study, pairs

Rows = list[dict[str, object]]
COSTS = {
    "forward_gflops": ("flops_forward", 1e9, 1), "backward_gflops": ("flops_backward", 1e9, 1),
    "train_mib": ("peak_memory_train", 2**20, 0), "evaluate_mib": ("peak_memory_evaluate", 2**20, 0),
    "step_ms": ("step_seconds", 1e-3, 1), "first_step_s": ("seconds_first_step", 1, 1),
    "compile_s": ("seconds_compile", 1, 1), "train_s": ("seconds_train", 1, 1),
    "evaluate_s": ("seconds_evaluate", 1, 1), "data_s": ("seconds_data", 1, 1), "total_s": ("seconds_total", 1, 1),
    "image_ms": ("latency_image_ms", 1, 2), "image_merged_ms": ("latency_image_merged_ms", 1, 2),
    "text_ms": ("latency_text_ms", 1, 2), "text_merged_ms": ("latency_text_merged_ms", 1, 2),
    "energy_kj": ("energy_joules", 1e3, 1), "stored_mib": ("adapter_bytes", 2**20, 2),
}  # fmt: skip
CACHED, SPLIT = ("evaluate_s", "total_s"), ("train_mib", "step_ms")


def _named(g: Group) -> dict[str, object]:
    return {"dataset": NAMES[g.dataset], "method": g.name, "budget": g.budget}


def _count(value: float | None) -> Shown:
    return Shown() if value is None else Shown(value, digits=0, text=numbers.short(value))


def _p(value: float) -> Shown:
    return Shown(value, digits=3, text="<0.001" if value < 0.001 else "")


def _mean(g: Group, bare: bool = False) -> Shown:
    if not g.scores:
        return Shown(text="–" if bare else g.story)
    return Shown.of(g.interval, mark=g.mark)


def main(study: Study) -> Rows:
    rows: dict[tuple, dict] = {}
    for metric, direction in (*((m, "t2i") for m in ("R1", "R5", "R10", "mAP")), ("R1", "i2t")):
        every = study.groups(metric, direction=direction)
        if not any(s["direction"] == direction for s in study.scores):
            continue
        for g in every:
            row = rows.setdefault((g.label, g.budget), {"method": g.name, "budget": g.budget})
            if row.get("trained", Shown()).number is None:
                row["trained"] = _count(g.of("trained"))
            row[f"{g.dataset}_{metric}" + "_i2t" * (direction == "i2t")] = cell = _mean(g)
            rivals = [o for o in every if (o.dataset, o.budget) == (g.dataset, g.budget) and o.scores]
            if g.budget is None or len(rivals) < 2 or not g.scores:
                continue
            best, *others = sorted(rivals, key=lambda o: -o.mean)
            cell.emphasis = "best" if g is best else "second" if g.mean == others[0].mean else ""
            adjusted = numbers.holm([study.difference(best, o, metric, direction)[1] for o in others])
            cell.mark += "≈" * any(o is g and p > 0.05 for o, p in zip(others, adjusted, strict=True))
    for line in study.published:
        if line["table"] == "main" and line["dataset"] in PLACES:
            name = f"{line['method']} ({line['backbone']}, published)"
            size = _count(float(line["trainable"])) if line["trainable"] else "–"
            row = rows.setdefault((name,), {"method": name, "budget": None, "trained": size})
            for metric in ("R1", "R5", "R10", "mAP"):
                if line[metric]:
                    mark = "‡" * (line["certainty"] != "paper")
                    row[f"{line['dataset']}_{metric}"] = Shown(float(line[metric]), mark=mark)
    return list(rows.values())


def budget(study: Study) -> Rows:
    rows: dict[tuple, dict] = {}
    for metric in ("R1", "R5", "R10", "mAP", "mINP"):
        for g in study.groups(metric):
            row = rows.setdefault((g.label, g.budget, g.dataset), _named(g))
            share, wanted = g.of("share"), g.of("budget_parameters")
            off = None if not wanted or g.of("trained") is None else 100 * (g.of("trained") / wanted - 1)
            row |= {
                "error": Shown(off, mark="†" if off is not None and not -2 <= off <= 2 else ""),
                "target": _count(g.of("budget_parameters")),
                "trained": _count(g.of("trained")),
                "share": Shown(None if share is None else 100 * share, digits=3),
                "seeds": g.story,
                metric: _mean(g, bare=True),
            }
    return list(rows.values())


def cost(study: Study) -> Rows:
    every = study.groups("R1")
    rows = []
    for g in every:
        row = _named(g) | {"trained": _count(g.of("trained"))}
        for key, (column, scale, digits) in COSTS.items():
            largest = max(o.of(column) or 0 for o in every) / scale
            more = digits if not 0 < largest < 1 else max(digits, 2 - math.floor(math.log10(largest)))
            value = g.of(column)
            cached = any(t.get("features_cached") for t in g.trials) and key in CACHED
            cut = any(t.get("micro_batch") is not None and t["micro_batch"] < t["batch"] for t in g.trials)
            mark = "†" * cached + "‡" * (cut and key in SPLIT)
            row[key] = Shown(None if value is None else value / scale, digits=more, mark=mark)
        rows.append(row)
    return rows


def cross_dataset(study: Study) -> Rows:
    measured = {(m, on): study.groups(m, on=on) for m in ("R1", "mAP") for on in PLACES}
    rows: dict[tuple, dict] = {}
    largest: dict[str, float] = {}
    for (metric, on), groups in measured.items():
        for g in groups:
            if metric == "R1" and g.dataset != on and g.scores:
                largest[g.label] = max(largest.get(g.label, 0), g.of("budget_parameters") or 0)
    for (metric, on), groups in measured.items():
        for g in groups:
            if g.label == "zero_shot":
                if g.dataset == on:
                    row = rows.setdefault(("",), {"method": "Zero-shot", "budget": None, "trained_on": "–"})
                    row[f"{on}_{metric}"] = Shown.of(g.interval)
            elif (g.of("budget_parameters") or 0) == largest[g.label]:
                given = {"method": g.name, "budget": g.budget, "trained_on": NAMES[g.dataset]}
                row = rows.setdefault((g.label, g.dataset), given)
                row[f"{on}_{metric}"] = _mean(g)
    return list(rows.values())


def optimism(study: Study) -> Rows:
    ways = {way: study.groups("R1", way) for way in ("last", "selected", "oracle")}
    rows = []
    for last, chosen, best in zip(*ways.values(), strict=True):
        seeds = [s for s in last.scores if s in chosen.scores and s in best.scores]
        if not seeds:
            continue
        a, b, c = ([g.scores[s] for s in seeds] for g in (last, chosen, best))
        row = _named(last) | {"seeds": len(seeds)}
        for key, values in (
            ("last", a), ("selected", b), ("oracle", c), ("gap", [z - y for y, z in zip(b, c, strict=True)]),
            ("regret", [y - x for x, y in zip(a, b, strict=True)]),
        ):  # fmt: skip
            row[key] = Shown.of(numbers.student(values))
        rows.append(row)
    return rows


def saturation(study: Study, within: float = 1.0) -> Rows:
    every = study.groups("R1")
    rows = []
    for place in PLACES:
        here = [g for g in every if g.dataset == place]
        (full,) = (g for g in here if g.label == "full")
        for label in dict.fromkeys(g.label for g in here if g.budget):
            curve = sorted((g for g in here if g.label == label and g.scores), key=lambda g: g.of("trained"))
            best = max(curve, key=lambda g: g.mean)
            row = {"dataset": NAMES[place], "method": NAMES[label], "best": Shown.of(best.interval)}
            near = [g for g in curve if g.mean >= full.mean - within]
            gaps = [(g, study.difference(g, full, "R1")[0]) for g in curve if g.ids.keys() & full.ids.keys()]
            sure = [g for g, d in gaps if d.half is not None and d.mean - d.half >= -within]
            row["smallest"] = _count(near[0].of("trained") if near else None)
            row["sure"] = _count(sure[0].of("trained") if sure else None)
            if len(curve) > 3:
                fit = numbers.law(curve)
                words = f"{fit['ceiling']:.1f} [{fit['low']:.1f}, {fit['high']:.1f}]"
                row |= {"ceiling": Shown(fit["ceiling"], text=words), "rate": Shown(fit["rate"])}
                row["law"] = _count(_needed(fit, curve, full.mean - within))
            rows.append(row)
    return rows


def _needed(fit: dict, curve: list[Group], score: float) -> float | None:
    smallest, largest = curve[0].of("trained"), curve[-1].of("trained")
    if score >= fit["ceiling"] or fit["drop"] <= 0:
        return None
    found = smallest * ((fit["ceiling"] - score) / fit["drop"]) ** (-1 / fit["rate"])
    return None if found > 10 * largest else max(found, smallest)


def pairwise(study: Study) -> Rows:
    every = [g for g in study.groups("R1") if g.budget and g.scores]
    across: dict[str, dict[tuple, float]] = {}
    for g in every:
        across.setdefault(g.label, {}).update({(g.dataset, g.budget, s): v for s, v in g.scores.items()})
    rows = []
    for place, size in dict.fromkeys((g.dataset, g.budget) for g in every):
        here = []
        for a, b in pairs([g for g in every if (g.dataset, g.budget) == (place, size)]):
            seeds = [s for s in a.scores if s in b.scores]
            gap, p = study.difference(a, b, "R1")
            only_a, only_b, chance = numbers.mcnemar(study.right(a, seeds), study.right(b, seeds))
            shared = across[a.label].keys() & across[b.label].keys()
            row = {
                "dataset": NAMES[place], "budget": size, "a": a.name, "b": b.name, "p": p,
                "difference": Shown.of(gap), "only_a": only_a, "only_b": only_b, "mcnemar": _p(chance),
                "wilcoxon": _p(numbers.wilcoxon([across[a.label][k] - across[b.label][k] for k in sorted(shared)])),
            }  # fmt: skip
            if len(seeds) > 1:
                apart = [a.scores[s] - b.scores[s] for s in seeds]
                deviation = math.sqrt(numbers.variance(apart))
                row["detectable"] = Shown(numbers.detectable(len(seeds)) * deviation)
                needed = _seeds(sum(apart) / len(apart), deviation)
                row["needed"] = Shown(needed, digits=0, text="" if needed else ">1000")
            here.append(row)
        for row, p in zip(here, numbers.holm([row["p"] for row in here]), strict=True):
            row["p"] = _p(p)
        rows += here
    return rows


def _seeds(effect: float, deviation: float) -> int | None:
    """Fewest seeds, by halving: power grows with their number."""
    low, high = 1, 1000
    if numbers.power(effect, deviation, high) < 0.8:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if numbers.power(effect, deviation, middle) >= 0.8 else (middle, high)
    return high


def data_fraction(study: Study) -> Rows:
    rows: dict[tuple, dict] = {}
    for g in study.groups("R1"):
        if g.label != "zero_shot":
            line = f"{g.name} {g.budget}"
            row = rows.setdefault((g.dataset, line), {"dataset": NAMES[g.dataset], "method": line})
            row[f"fraction_{100 * g.fraction:g}"] = _mean(g)
    return list(rows.values())


PARTS = {"l_adapter": ("l_adapter",), "lora": ("lora",), "lora+l_adapter": ("lora", "l_adapter"),
         "up_person": ("s_prefix", "lora", "l_adapter")}  # fmt: skip


def ablation(study: Study) -> Rows:
    rows = []
    every = study.groups("R1")
    for place, size in dict.fromkeys((g.dataset, g.budget) for g in every):
        here = [g for g in every if (g.dataset, g.budget) == (place, size)]
        (whole,) = (g for g in here if g.label == "up_person")
        fewer = [g for g in here if g is not whole]
        gaps = [study.difference(g, whole, "R1") for g in fewer]
        known = zip(fewer, gaps, numbers.holm([p for _, p in gaps]), strict=True)
        for g, gap, p in [*((g, d, p) for g, (d, _), p in known), (whole, None, None)]:
            row = _named(g) | {name: "✓" * (name in PARTS[g.label]) for name in PARTS["up_person"]}
            row |= {"trained": _count(g.of("trained")), "score": _mean(g), "difference": Shown(), "p": None}
            row["score"].emphasis = "best" * (g is whole)
            if gap is not None:
                row |= {"difference": Shown.of(gap), "p": _p(p)}
            rows.append(row)
    return rows


def against_full(study: Study) -> Rows:
    rows = []
    every = study.groups("R1")
    for place in dict.fromkeys(g.dataset for g in every):
        (full,) = (g for g in every if (g.label, g.dataset) == ("full", place))
        here, known = [], []
        for g in every:
            if g is full or g.dataset != place:
                continue
            row = _named(g) | {"trained": _count(g.of("trained")), "score": _mean(g)}
            row |= dict.fromkeys(("seeds", "people", "p", "pairs"))
            if g.label == "zero_shot":  # one trial, which stands for every seed
                (ident,), (score,) = g.ids.values(), g.scores.values()
                g = replace(g, ids=dict.fromkeys(full.ids, ident), scores=dict.fromkeys(full.ids, score))
            both = [s for s in g.scores if s in full.scores]
            if both:
                gaps = {s: g.scores[s] - full.scores[s] for s in both}
                alone = numbers.student(list(gaps.values())) if g.first is None else numbers.two_stage(gaps, g.first)
                people, p = study.difference(g, full, "R1")
                row |= {"seeds": Shown.of(alone), "people": Shown.of(people), "pairs": len(both)}
                known.append((row, p))
            here.append(row)
        for (row, _), p in zip(known, numbers.holm([p for _, p in known]), strict=True):
            row["p"] = _p(p)
        rows += here
    return rows


COMMON = {
    "dataset": "Dataset", "method": "Method", "budget": "Budget", "trained": "Trained", "target": "Target",
    "error": "Error (%)", "share": "Share (%)", "seeds": "Seeds", "R1": "Rank-1", "R5": "Rank-5", "R10": "Rank-10",
    "trained_on": "Trained on", "forward_gflops": "Fwd GFLOPs", "backward_gflops": "Bwd GFLOPs",
    "train_mib": "Train MiB", "evaluate_mib": "Eval MiB", "step_ms": "ms / step", "first_step_s": "First step s",
    "compile_s": "Compile s", "train_s": "Train s", "evaluate_s": "Eval s", "data_s": "Data s", "total_s": "Total s",
    "image_ms": "Image ms", "image_merged_ms": "merged", "text_ms": "Text ms", "text_merged_ms": "merged",
    "energy_kj": "Energy kJ", "stored_mib": "Stored MiB", "last": "Last epoch", "selected": "Selected on val",
    "oracle": "Best on test", "gap": "Optimism", "regret": "Selected − last", "ceiling": "Ceiling (%)", "rate": "Rate",
    "best": "Best Rank-1", "smallest": "Smallest by mean", "sure": "Smallest, sure", "law": "By the law", "a": "A",
    "b": "B", "difference": "A − B (points)", "p": "p (Holm)", "only_a": "Only A right", "only_b": "Only B right",
    "clean": "Rank-1 As it comes", "retained": "Rank-1 Under shifts", "mmi_images": "MMI (%) Images",
    "mmi_texts": "MMI (%) Texts", "still_first": "Content edits Still first",
    "deviation": "s of the pilot", "asked": "Seeds asked",
    "mcnemar": "McNemar p", "wilcoxon": "Wilcoxon p", "detectable": "Detectable", "needed": "Seeds needed",
}  # fmt: skip

AGAINST = {"score": "Rank-1", "seeds": "− Full fine-tuning over seeds", "people": "− Full fine-tuning and identities",
           "pairs": "Seeds"}  # fmt: skip


def head(table: str, key: str) -> str:
    """What stands above a column, with the group that it belongs to."""
    if table == "ablation":
        special = {"method": "Variant", "score": "Rank-1", "difference": "Δ to the whole"}
        return special.get(key) or COMMON.get(key) or NAMES[key]
    if table == "against_full" and key in AGAINST:
        return AGAINST[key]
    if table == "variance" and key in spread.HEADS:
        return spread.HEADS[key]
    if table == "precision" and key in ("difference", "reached"):
        return {"difference": "− Full fine-tuning", "reached": "± 2"}[key]
    if key.startswith("fraction_"):
        return f"Training captions {key.removeprefix('fraction_')} %"
    for place in PLACES:
        if key.startswith(place):
            metric, _, back = key.removeprefix(f"{place}_").partition("_")
            return f"{NAMES[place]} {NAMES.get(metric, metric)}" + " i→t" * bool(back)
    return COMMON.get(key, key)


TWINS = {f.__name__: f for f in (main, budget, cost, cross_dataset, optimism, saturation, pairwise, data_fraction,
                                 ablation, against_full, robustness, precision, spread.variance)}  # fmt: skip
