"""A map of the features of some identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE

from tests.reports.slow import names
from tests.reports.slow.drawn import ANY, Mark
from tests.reports.slow.figures import common, inside

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#000000")


def wanted(folder: Path) -> list[Mark]:
    f = np.load(folder / "features.npz")
    image, text = f["image"].astype(float), f["text"].astype(float)
    points = [*_around(image), *_around(text)]
    perplexity = min(30, (len(points) - 1) / 3)
    places = TSNE(2, perplexity=perplexity, init="pca", metric="cosine", method="exact", random_state=0).fit_transform(
        np.array(points)
    )
    people = [*f["image_person"].tolist(), *f["text_person"].tolist()]
    known = sorted(set(people))
    found = []
    for k, (at, person) in enumerate(zip(places, people, strict=True)):
        colour = COLOURS[known.index(person)]
        found.append(Mark("line", 0, at, names.dot(colour, "o", "" if k < len(image) else "#ffffff")))
    right = 0
    for caption, person in zip(text, f["text_person"], strict=True):
        nearest = max(range(len(image)), key=lambda i: float(sum(image[i] * caption)))
        right += f["image_person"][nearest] == person
    said = f"{right / len(text):.0%} of their captions have a picture of the right one nearest among these"
    return [
        *found,
        Mark("limits", 0, [ANY] * 4, ("linear", "linear")),
        *common.legend([("image", names.dot("#404040", "o")), ("caption", names.dot("#404040", "o", "#ffffff"))]),
        common.note([inside.trial(folder), f"{len(known)} identities, one colour and shape each; {said}"]),
    ]


def _around(features: np.ndarray) -> list[list[float]]:
    """Each row without the mean of its kind, of length one."""
    middle = [sum(column) / len(features) for column in features.T]
    moved = [[x - m for x, m in zip(row, middle, strict=True)] for row in features]
    return [[x / sum(v * v for v in row) ** 0.5 for x in row] for row in moved]
