"""Every knob of every domain: people, cameras, looks, writers, and sizes.

`cuhk`, `icfg` and `rstp` are shaped like the published sets: images and captions per identity, mean brightness, aspect
of the crops, style and length of the captions. `broad` is what a model meets before them: many cameras at the height of
the body, short web captions, few facts in each, no look-alikes. The others are shifted away from it in words, and in
pixels by cameras that look down, tint, fade or darken, so that what was learnt there transfers, but weakly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.datasets.synthetic.picture.camera import Look
from harness.datasets.synthetic.picture.scene import PLACES
from harness.datasets.synthetic.text.captions import Writing

SIZES = ("tiny", "demo", "wide", "standard")  # wide: demo with 150 people and 2,000 queries in test


@dataclass(frozen=True)
class Size:
    """How much of a domain is drawn, and how large."""

    height: int  # of an image in pixels, before jitter
    width: int
    identities: Mapping[str, int]  # by split
    images: Mapping[str, Mapping[int, float]]  # by split: number of images of an identity -> weight


@dataclass(frozen=True)
class Domain:
    """All that makes one domain."""

    name: str
    layout: str  # whose folder layout and annotation file it has: cuhk, icfg or rstp
    cameras: int
    places: tuple[str, ...]
    look: Look
    clutter: float  # mean number of loose objects in the background
    occlusion: float  # probability that something stands in front
    framing: tuple[float, float]  # height of the figure as a share of the image
    jitter: float  # relative, of the image size
    writing: Writing
    captions: Mapping[int, float]  # captions per image -> weight
    tilt: Mapping[str, Mapping[str, float]]  # factors on the weights of attribute values
    families: bool  # draw look-alikes
    sizes: Mapping[str, Size]
    elevation: float = 1.0  # of the cameras: 1 at the height of the body, more looks down
    noise: float = 0.0  # share of training captions exchanged with those of other images


_FEW = {2: 0.33, 3: 0.31, 4: 0.24, 5: 0.11, 1: 0.01}
_TWO = {2: 1.0}
_CUHK_IMAGES = {"train": _FEW, "val": _FEW, "test": _FEW}
_BROAD_IMAGES = {"train": _TWO, "val": _TWO, "test": _TWO}
_FIVE = {"train": {5: 1.0}, "val": {5: 1.0}, "test": {5: 1.0}}

_WARM = {"coat": 0.3, "jacket": 0.7, "hoodie": 0.8, "t-shirt": 1.4, "tank top": 1.3}
_COLD = {"coat": 2.2, "jacket": 2.0, "hoodie": 1.4, "t-shirt": 0.5, "tank top": 0.2}
_MUTED = {"yellow": 0.5, "orange": 0.5, "pink": 0.6, "black": 1.4, "dark blue": 1.3, "grey": 1.2}

DOMAINS = {
    domain.name: domain
    for domain in (
        Domain(
            name="broad",
            layout="cuhk",
            cameras=48,
            places=PLACES,
            look=Look(
                exposure=(0.6, 1.1),
                gamma=(0.85, 1.35),
                tint=(1.0, 1.0, 1.0),
                spread=0.12,
                saturation=(0.7, 1.15),
                blur=(0.0, 5.0),
                noise=(0.0, 7.0),
                haze=(0.0, 22.0),
                shade=0.3,
                quality=(60, 92),
            ),
            clutter=0.8,
            occlusion=0.05,
            framing=(0.78, 0.95),
            jitter=0.1,
            writing=Writing("broad", 0.55, 0.75, 0.04, 0.15, 0.1, 0.003, 0.10, 0.05),
            captions={1: 1.0},
            tilt={},
            families=False,
            sizes={
                "tiny": Size(120, 44, {"train": 40, "val": 8, "test": 12}, _BROAD_IMAGES),
                "demo": Size(128, 48, {"train": 2800, "val": 100, "test": 100}, _BROAD_IMAGES),
                "wide": Size(128, 48, {"train": 2800, "val": 100, "test": 150}, _BROAD_IMAGES | {"test": {14: 1.0}}),
                "standard": Size(256, 96, {"train": 7600, "val": 200, "test": 200}, _BROAD_IMAGES),
            },
        ),
        Domain(
            name="cuhk",
            layout="cuhk",
            cameras=5,
            places=("street", "plaza", "park", "corridor", "crossing"),
            look=Look(
                exposure=(0.54, 0.72),
                gamma=(0.95, 1.15),
                tint=(1.1, 0.99, 0.87),
                spread=0.05,
                saturation=(0.7, 0.9),
                blur=(7.0, 12.0),
                noise=(2.0, 5.0),
                haze=(36.0, 60.0),
                shade=0.25,
                quality=(55, 75),
            ),
            clutter=0.9,
            occlusion=0.08,
            framing=(0.88, 0.97),
            jitter=0.12,
            writing=Writing("cuhk", 0.5, 0.82, 0.03, 0.015, 0.1, 0.012, 0.0, 0.0),
            captions={2: 0.98, 3: 0.02},
            tilt={"upper": _WARM, "lower": {"shorts": 1.4}},
            families=True,
            elevation=1.8,
            sizes={
                "tiny": Size(120, 44, {"train": 24, "val": 8, "test": 12}, _CUHK_IMAGES),
                "demo": Size(128, 48, {"train": 300, "val": 60, "test": 100}, _CUHK_IMAGES),
                "wide": Size(128, 48, {"train": 300, "val": 60, "test": 150}, _CUHK_IMAGES | {"test": {10: 1.0}}),
                "standard": Size(246, 90, {"train": 600, "val": 100, "test": 100}, _CUHK_IMAGES),
            },
        ),
        Domain(
            name="icfg",
            layout="icfg",
            cameras=8,
            places=("plaza", "street", "corridor", "crossing"),
            look=Look(
                exposure=(0.68, 0.92),
                gamma=(1.1, 1.4),
                tint=(1.02, 0.97, 1.02),
                spread=0.06,
                saturation=(0.4, 0.6),
                blur=(3.0, 7.0),
                noise=(3.0, 7.0),
                haze=(14.0, 30.0),
                shade=0.4,
                quality=(28, 45),
            ),
            clutter=3.0,
            occlusion=0.16,
            framing=(0.72, 0.84),
            jitter=0.08,
            writing=Writing("icfg", 0.68, 0.82, 0.03, 0.015, 0.06, 0.002, 0.0, 0.0),
            captions={1: 1.0},
            tilt={"upper": _COLD, "upper_colour": _MUTED, "lower_colour": _MUTED, "lower": {"shorts": 0.5}},
            families=True,
            elevation=1.6,
            sizes={
                "tiny": Size(120, 45, {"train": 32, "test": 12}, {"train": {3: 1.0}, "test": {4: 1.0}}),
                "demo": Size(136, 51, {"train": 150, "test": 100}, {"train": {10: 1, 11: 1, 12: 1}, "test": {10: 1.0}}),
                "wide": Size(136, 51, {"train": 150, "test": 150}, {"train": {10: 1, 11: 1, 12: 1}, "test": {14: 1.0}}),
                "standard": Size(
                    378, 142, {"train": 300, "test": 100}, {"train": {10: 1, 11: 1, 12: 1}, "test": {20: 1.0}}
                ),
            },
        ),
        Domain(
            name="rstp",
            layout="rstp",
            cameras=15,
            places=("street", "crossing", "corridor", "plaza", "park"),
            look=Look(
                exposure=(0.57, 1.35),
                gamma=(1.0, 1.45),
                tint=(0.92, 0.91, 1.17),
                spread=0.1,
                saturation=(0.4, 0.8),
                blur=(1.0, 5.0),
                noise=(2.0, 6.0),
                haze=(6.0, 24.0),
                shade=0.55,
                quality=(60, 85),
            ),
            clutter=1.8,
            occlusion=0.12,
            framing=(0.66, 0.8),
            jitter=0.06,
            writing=Writing("rstp", 0.7, 0.82, 0.03, 0.015, 0.08, 0.003, 0.0, 0.0),
            captions=_TWO,
            tilt={"upper": _COLD, "hat": {"cap": 0.6}},
            families=True,
            elevation=1.7,
            sizes={
                "tiny": Size(120, 48, {"train": 24, "val": 8, "test": 12}, {s: {3: 1.0} for s in _FIVE}),
                "demo": Size(160, 64, {"train": 150, "val": 50, "test": 50}, _FIVE),
                "wide": Size(160, 64, {"train": 150, "val": 50, "test": 150}, _FIVE | {"test": {10: 1.0}}),
                "standard": Size(546, 219, {"train": 300, "val": 50, "test": 50}, _FIVE),
            },
        ),
    )
}
