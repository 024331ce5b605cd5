"""Do the captions of a person lie with the pictures of that person?

t-SNE (van der Maaten and Hinton, JMLR 9, 2008; scikit-learn) of the features of some identities on test, from `upbench
inspect`. Each identity has its colour and shape; pictures are filled, captions hollow. The mean of each modality is
taken out first: the gap between pictures and captions (Liang et al., arXiv:2203.02053) says nothing about identities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.drawing import artists, palette, style

if TYPE_CHECKING:
    from harness.store.store import Results
    from reports.inspected import Inspection

EXACT = 600  # points; more take the approximation of Barnes and Hut


def applies(results: Results | None, inspection: Inspection | None = None) -> bool:
    """Whether a trial was inspected, with features enough for a map."""
    return inspection is not None and len(inspection.features["image"]) + len(inspection.features["text"]) > 9


def centred(features: np.ndarray) -> np.ndarray:
    """Features [n, d] without their mean, of length one."""
    moved = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)


def places(image: np.ndarray, text: np.ndarray) -> np.ndarray:
    """The map [images + captions, 2]; it starts from the two main axes, so the same features give the same map."""
    from sklearn.manifold import TSNE

    points = np.concatenate([centred(image), centred(text)])
    method = "exact" if len(points) <= EXACT else "barnes_hut"
    perplexity = min(30.0, (len(points) - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="pca", metric="cosine", method=method, random_state=0, n_jobs=1)
    return made.fit_transform(points)


def draw(results: Results | None, preset: str = "cvpr", inspection: Inspection | None = None) -> Figure:
    """The map, without axes: distances far apart mean nothing in it."""
    if inspection is None:
        raise ValueError("no trial was inspected; ask `applies` first")
    with style.use(preset) as p:
        f = inspection.features
        at = places(f["image"], f["text"])
        people = np.concatenate([f["image_person"], f["text_person"]])
        known = np.unique(people)
        spare = [palette.Look(colour, marker, palette.SOLID) for marker in "os^Dv" for colour in COLOURS]
        looks = {person: spare[k % len(spare)] for k, person in enumerate(known)}
        scale = p.size / 8
        figure = style.figure(preset, min(p.width, 3.4 * scale) + 0.35 * scale)
        axes = figure.subplots()
        kinds = ["image"] * len(f["image"]) + ["caption"] * len(f["text"])
        numbers = []
        for k, ((x, y), person, kind) in enumerate(zip(at.tolist(), people.tolist(), kinds, strict=True)):
            look = looks[person]
            dot = axes.plot([x], [y], look.marker, color=look.colour, ms=1.1 * p.marker, mew=0.8 * p.line,
                            markerfacecolor=look.colour if kind == "image" else "white",
                            zorder=2 if kind == "image" else 3)[0]  # fmt: skip
            dot.set_gid(f"point-{k}")
            numbers.append({"identity": int(person), "kind": kind, "x": x, "y": y, "gid": f"point-{k}",
                            "tip": f"identity {person}, {kind}"})  # fmt: skip
        axes.set(xticks=[], yticks=[])
        axes.margins(0.05)
        right = nearest_right(f)
        shape: dict[str, Any] = {"ls": "none", "color": "#404040", "marker": "o", "mew": 0.8 * p.line}
        entries = [Line2D([], [], label="image", **shape)]
        entries += [Line2D([], [], label="caption", markerfacecolor="white", **shape)]
        artists.legend(figure, entries)
        artists.note(
            figure,
            [
                inspection.name,
                f"{len(known)} identities, one colour and shape each; {right:.0%} of their captions have a picture of "
                "the right one nearest among these",
            ],
        )
    return style.keep(figure, pd.DataFrame(numbers))


COLOURS = (palette.BLUE, palette.VERMILLION, palette.GREEN, palette.ORANGE, palette.SKY, palette.PURPLE, palette.BLACK)


def nearest_right(features: dict[str, np.ndarray]) -> float:
    """Share of the captions whose nearest picture, by cosine of the features as they are, shows the right identity."""
    best = (features["text"] @ features["image"].T).argmax(axis=1)
    return float((features["image_person"][best] == features["text_person"]).mean())
