"""What stands below tables and figures, in words and numbers."""

from __future__ import annotations

import json
from collections import Counter

from tests.reports.slow import precision, variance
from tests.reports.slow.names import NAMES
from tests.reports.slow.study import Study

ONE = "* one seed, or fewer seeds than declared"
HALF = "mean ± half of the 95 % t interval over seeds"
SAID = "Percent, text to image, test split, epoch chosen on val"


def under(table: str, study: Study) -> list[str]:
    """The notes of a table."""
    whole = any(t["val_source"] not in (None, "official") for t in study.trials)
    val = ["val of S-ICFG: a slice of train"] if whole else []
    protocol = "; ".join([SAID, *val, *precision.unreached(study.groups("R1"))])
    half = f"mean ± half of {precision.name(study.seeds)}, 95 %, over seeds" if study.seeds else HALF
    mixed = "Identities are resampled beside seeds, so the intervals of differences are not Stein's"
    made = {
        "main": lambda: [
            f"{protocol}; {half}",
            "Within a budget: best mean bold, second underlined; ≈ cannot be told from the best (paired on queries and "
            "seeds, identities resampled, Holm, 5 %)",
            ONE,
            *["i→t: images as queries, captions as gallery"] * any(s["direction"] == "i2t" for s in study.scores),
            *tuning(study),
            *releases(study),
            "Below the last rule: published numbers, in no comparison; ‡ seen at second hand",
        ],
        "budget": lambda: [
            f"{protocol}; {half}",
            "Share: trained / all parameters, those of the method included",
            "Error: (trained - target) / target of the method without heads; of other budgets `upbench plan` tells",
            "† the target is missed by more than 2 %",
            ONE,
        ],
        "cost": lambda: [
            "Median over seeds; operations per image-text pair; memory is the peak; – not measured",
            *val,
            "Measured on made accelerator, other accelerator",
            "Times of different hardware stand side by side and cannot be compared",
            "Image ms, text ms: one input through its tower, as trained, then with the method merged into the weights "
            "(– cannot be merged)",
            "First step: from the start of the trial to the end of its first optimizer step",
            "Energy: of the accelerator while training",
            "† evaluation was shortened by features from the cache in at least one trial: do not compare",
            "‡ memory did not hold the batch in one pass; it was split, which changes memory and time",
        ],
        "cross_dataset": lambda: ["; ".join([f"{SAID} of the dataset trained on", *val, HALF]), ONE],
        "optimism": lambda: [
            "Rank-1 in percent, ± half of the 95 % t interval over the seeds that have all three",
            *val,
            "Optimism: best on test − selected on val, paired by seed: what test-selected numbers claim too much",
        ],
        "saturation": lambda: [
            "Law: ceiling − drop · (parameters / smallest)^(−rate), fitted to at least four sizes; its ceiling lies "
            "outside the data",
            "Smallest: trained parameters of the smallest budget whose mean is at most 1 points under full "
            "fine-tuning; sure: the 95 % interval of the paired difference (seeds and identities) lies above that",
            *val,
            "By the law: where the fitted law reaches that score; – not within ten times the largest size tried",
        ],
        "pairwise": lambda: [
            "Rank-1; A − B ± half of the 95 % interval over seeds and identities, paired",
            *val,
            *[mixed] * bool(study.seeds),
            "McNemar: Rank-1, median over seeds of being right, queries taken as independent; Wilcoxon: over all "
            "datasets, budgets and seeds that both have",
            "Detectable: smallest true difference that these seeds see with 80 %; seeds needed: for the difference and "
            "the spread as they are, on these queries",
        ],
        "against_full": lambda: [
            protocol,
            "− Full fine-tuning: points, paired by seed, ± half of "
            f"{precision.name(study.seeds) if study.seeds else 'the t interval'}, 95 %, over seeds alone; beside it ± "
            "half of the 95 % interval over seeds and identities, with its p, Holm's correction within a data set",
            *[mixed] * bool(study.seeds),
            "Seeds: those that both have; what is not trained stands against every seed",
            ONE,
        ],
        "data_fraction": lambda: [
            f"Rank-1: {protocol}; {HALF}",
            "Val and test are the same for all amounts; a smaller one lies inside a larger one",
            "No training data: "
            + ", ".join(f"{NAMES[g.dataset]} {g.mean:.2f}" for g in study.groups("R1") if g.label == "zero_shot"),
        ],
        "robustness": lambda: [
            "Rank-1 in percent, text to image, test split of the dataset trained on; ± half of the 95 % interval for "
            "other seeds and identities (seeds alone where no records were kept), in all columns",
            "Under shifts: mean over all shifts of images and texts; MMI: relative drop (clean − shifted) / clean, "
            "below zero a rise; means over severities, then over shifts",
            "Still first: of the right first matches, how many are still first after an edit of what the caption says; "
            "that makes another query, so there is no MMI and no best",
            "Within a dataset and budget: best mean bold; ≈ cannot be told from the best (paired on queries and seeds, "
            "identities resampled, Holm, 5 %)",
            ONE,
            *(
                f"{name}, shifts (severities): images: motion blur (1, 3), occlusion (1, 3, 5); texts: lower case "
                "(1, 3), typos (1, 3); content: drop attribute (1, 3), swap colour (1, 3)"
                for name in ("S-CUHK", "S-ICFG")
            ),
        ],
        "precision": lambda: precision.said(study, protocol),
        "variance": lambda: variance.said(study, protocol, ONE),
        "ablation": lambda: [
            f"{protocol}; {HALF}",
            "Δ: paired on queries and seeds, ± half of the 95 % interval over seeds and identities; p with Holm's "
            "correction within a budget",
        ],
    }  # fmt: skip
    return made[table]()


def tuning(study: Study) -> list[str]:
    """Trials and seconds of the searches; one that several trials share is counted once for each method."""
    searches: dict[str, dict[tuple, dict]] = {}
    named: dict[str, None] = {}
    without: dict[str, None] = {}
    for g in study.groups("R1"):
        told = [json.loads(t["tuned"]) for t in g.trials if t["tuned"]]
        if told:
            one = told[0]
            searches.setdefault(g.name, {})[one["dataset"], one["budget"], one["seconds"]] = one
            for key in one["edges"]:
                named[f"{g.name} {key}={one['values'][key]}"] = None
        elif g.of("trained"):
            without[g.name] = None
    if not searches:
        return []
    trials = ", ".join(f"{name} {sum(s['trials'] for s in some.values())}" for name, some in searches.items())
    took = ", ".join(
        f"{name} {sum(s['seconds'] / s['shared_by'] for s in some.values()):,.0f} s" for name, some in searches.items()
    )
    said = f"Tuning trials on val: {trials}; {took}; values at the edge of their range: {', '.join(named)}"
    return [said, f"Not tuned here: {', '.join(without)}"]


def releases(study: Study) -> list[str]:
    """How many trials each minor release has."""
    seen = Counter(json.loads(t["versions"])["torch"].rsplit(".", 1)[0] for t in study.trials)
    if len(seen) < 2:
        return []
    parts = ", ".join(f"{release} ({n} trials)" for release, n in sorted(seen.items()))
    return [f"measured under several releases of torch: {parts}"]
