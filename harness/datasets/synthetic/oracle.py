"""How far perfect eyes would get: oracles that rank by facts instead of pixels.

- `chance`: every image scores the same.
- `bag of words`: garments and colours are read perfectly, but not which colour belongs to which garment.
- `attributes`: every stated fact is compared with what can be seen of its own slot.

A caption scores +1 for each fact that agrees with the image, -1 for each that disagrees, 0 for what the image hides.
The two oracles differ in binding alone, so their difference is the room for a model that binds. Equal scores are
common here, and the metrics are expected values over all orders of equal scores.
"""

from __future__ import annotations

import json
from functools import lru_cache
from math import comb
from pathlib import Path

import numpy as np

from harness.datasets.synthetic.layouts import LAYOUTS
from harness.datasets.synthetic.people import NONE, SLOTS

_COLOURS = ("upper_colour", "outer_colour", "lower_colour", "shoes_colour", "bag_colour", "hat_colour")
_GARMENTS = ("upper", "outer", "lower", "shoes", "bag", "hat")
HIDDEN = ""


def ladder(folder: Path) -> dict[str, dict[str, float]]:
    """R1, mAP and mINP in percent of every oracle on the test split of a drawn data set, text to image."""
    captions, images, query_person, image_person = facts(folder)
    matches = query_person[:, None] == image_person[None, :]
    scores = {
        "chance": np.zeros(matches.shape),
        "bag of words": _bag(captions, images, _COLOURS)
        + _bag(captions, images, _GARMENTS)
        + _slots(captions, images, [s for s in SLOTS if s not in _COLOURS + _GARMENTS]),
        "attributes": _slots(captions, images, SLOTS),
    }
    return {name: expected(score, matches) for name, score in scores.items()}


def facts(folder: Path) -> tuple[list[dict], list[dict], np.ndarray, np.ndarray]:
    """Stated facts of each test caption, seen facts of each test image, and the identity of both."""
    folder = Path(folder)
    known = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    layout = next(lay for lay in LAYOUTS.values() if (folder / lay.folder / lay.annotation).is_file())
    records = json.loads((folder / layout.folder / layout.annotation).read_text(encoding="utf-8"))
    captions, images, owner, person = [], [], [], []
    for record in records:
        if record["split"] != "test":
            continue
        path = record.get("file_path") or record.get("img_path")
        hidden = known["images"][path]["hidden"]
        images.append({s: v for s, v in known["persons"][str(record["id"])].items() if s in SLOTS and s not in hidden})
        captions += known["captions"][path]
        owner += [record["id"]] * len(record["captions"])
        person.append(record["id"])
    return captions, images, np.array(owner), np.array(person)


def _slots(captions: list[dict], images: list[dict], slots) -> np.ndarray:
    score = np.zeros((len(captions), len(images)))
    for slot in slots:
        said = np.array([c.get(slot, HIDDEN) for c in captions])
        seen = np.array([i.get(slot, HIDDEN) for i in images])
        both = (said != HIDDEN)[:, None] & (seen != HIDDEN)[None, :]
        score += both * np.where(said[:, None] == seen[None, :], 1.0, -1.0)
    return score


def _bag(captions: list[dict], images: list[dict], slots) -> np.ndarray:
    """Matches of two bags count +1, pairs of what is left over on both sides -1, the rest 0."""
    values = sorted({d[s] for d in captions + images for s in slots if s in d} - {NONE})

    def counts(items: list[dict]) -> np.ndarray:
        return np.array([[sum(d.get(s) == v for s in slots) for v in values] for d in items])

    said, seen = counts(captions), counts(images)
    matched = np.zeros((len(captions), len(images)))
    for k in range(len(values)):
        matched += np.minimum(said[:, None, k], seen[None, :, k])
    left = np.minimum(said.sum(1)[:, None], seen.sum(1)[None, :]) - matched
    return matched - left


def expected(score: np.ndarray, matches: np.ndarray) -> dict[str, float]:
    """Mean R1, mAP and mINP in percent of a score matrix [queries, gallery], expected over the order of equal scores.

    In a group of n equal scores with p positives, behind N images of which P are positives, place N + j holds a
    positive with probability p / n, then with (j - 1)(p - 1) / (n - 1) positives of the group before it on average;
    the last positive of the group is at place j with probability C(j - 1, p - 1) / C(n, p).
    """
    total = np.zeros(3)
    counted = 0
    for row, match in zip(score, matches, strict=True):
        if not match.any():
            continue
        counted += 1
        values, group = np.unique(-row, return_inverse=True)
        size = np.bincount(group, minlength=len(values))
        positive = np.bincount(group, weights=match, minlength=len(values)).astype(int)
        total[0] += positive[0] / size[0]
        precision, before, before_positive, inverse = 0.0, 0, 0, 0.0
        all_positives = int(match.sum())
        for n, p in zip(size.tolist(), positive.tolist(), strict=True):
            if p:
                j = np.arange(1, n + 1)
                mates = (j - 1) * (p - 1) / (n - 1) if n > 1 else 0.0
                precision += float(np.sum(p / n * (before_positive + 1 + mates) / (before + j)))
                if before_positive + p == all_positives:
                    inverse = all_positives * _inverse(n, p, before)
            before, before_positive = before + n, before_positive + p
        total[1] += precision / all_positives
        total[2] += inverse
    return dict(zip(("R1", "mAP", "mINP"), (100 * total / max(counted, 1)).tolist(), strict=True))


@lru_cache(maxsize=65536)
def _inverse(n: int, p: int, before: int) -> float:
    """Expected 1 / place of the last of p positives among n equal scores behind `before` images."""
    return sum(comb(k - 1, p - 1) / comb(n, p) / (before + k) for k in range(p, n + 1))
