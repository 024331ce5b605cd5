"""Where the person stands: the background of a camera, clutter, shadow, and things in front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from harness.datasets.synthetic.people import NONE
from harness.datasets.synthetic.picture.figure import RGB, shade
from harness.datasets.synthetic.streams import between, pick, stream
from harness.datasets.synthetic.view import Shot

PLACES = ("street", "plaza", "corridor", "park", "crossing", "studio")
_GROUND: dict[str, list[RGB]] = {
    "street": [(128, 126, 124), (112, 112, 116), (150, 146, 138)],
    "plaza": [(176, 166, 150), (160, 158, 154), (188, 178, 160)],
    "corridor": [(190, 184, 172), (150, 150, 156), (204, 200, 192)],
    "park": [(104, 140, 76), (126, 148, 92), (150, 140, 104)],
    "crossing": [(96, 96, 100), (110, 108, 106)],
    "studio": [(236, 236, 236), (220, 214, 206), (206, 216, 226), (246, 240, 230)],
}
_WALL: dict[str, list[RGB]] = {
    "street": [(150, 120, 104), (138, 140, 146), (176, 168, 150), (120, 124, 134)],
    "plaza": [(170, 176, 184), (196, 186, 166), (146, 132, 120)],
    "corridor": [(210, 204, 190), (186, 192, 198), (172, 160, 146)],
    "park": [(70, 106, 60), (86, 120, 70), (60, 88, 62)],
    "crossing": [(132, 136, 142), (158, 148, 136)],
    "studio": [(244, 244, 244), (226, 222, 216), (212, 220, 230), (250, 244, 236)],
}


@dataclass(frozen=True)
class Backdrop:
    """The fixed part of a camera's picture; lengths are shares of the image."""

    place: str
    horizon: float
    ground: RGB
    wall: RGB
    marks: tuple[tuple[float, float, float, float, RGB], ...]  # rectangles on the wall: x, y, width, height, colour


def backdrop(seed: int, domain: str, camera: int, places: tuple[str, ...]) -> Backdrop:
    """The backdrop of a camera of a domain."""
    rng = stream(seed, domain, "backdrop", camera)
    place = places[camera % len(places)]
    wall = pick(rng, _WALL[place])
    marks = []
    for _ in range(0 if place == "studio" else 7):
        tone = (
            shade(wall, between(rng, 0.45, 1.4))
            if rng.random() < 0.8
            else pick(rng, [(150, 50, 44), (50, 80, 150), (210, 180, 60)])
        )
        marks.append(
            (between(rng, -0.3, 1.1), between(rng, -0.1, 0.4), between(rng, 0.06, 0.4), between(rng, 0.08, 0.4), tone)
        )
    return Backdrop(place, between(rng, 0.12, 0.46), pick(rng, _GROUND[place]), wall, tuple(marks))


def background(rng: np.random.Generator, size: tuple[int, int], back: Backdrop, clutter: float) -> Image.Image:
    """The picture without the person, RGB; `clutter` is the mean number of loose objects."""
    w, h = size
    shift, light = between(rng, -0.35, 0.35), between(rng, 0.9, 1.1)
    image = Image.new("RGB", size, shade(back.wall, light))
    draw = ImageDraw.Draw(image)
    horizon = (back.horizon + between(rng, -0.05, 0.05)) * h
    for x, y, dx, dy, tone in back.marks:
        x += shift
        draw.rectangle((x * w, y * h, (x + dx) * w, max(y * h, min((y + dy) * h, horizon))), fill=tone)
        if back.place == "park":
            r = dx * w * 1.2
            draw.ellipse((x * w - r, y * h - r, x * w + r, y * h + r), fill=shade(tone, 0.9))
    draw.rectangle((0, horizon, w, h), fill=shade(back.ground, light))
    lines = shade(back.ground, 0.84)
    if back.place == "plaza":
        for k in range(1, 7):
            y = horizon + (h - horizon) * (k / 7) ** 1.5
            draw.line((0, y, w, y), fill=lines, width=max(1, h // 130))
            draw.line(
                (w * (0.5 + shift) + (k - 3.5) * w * 0.12, horizon, w * (0.5 + shift) + (k - 3.5) * w * 0.7, h),
                fill=lines,
            )
    elif back.place == "crossing":
        for k in range(-2, 5):
            x = (k * 0.34 + shift) * w
            draw.polygon(
                [(x, h), (x + w * 0.16, h), (x + w * 0.3, horizon + h * 0.2), (x + w * 0.2, horizon + h * 0.2)],
                fill=(206, 204, 198),
            )
    elif back.place in ("street", "corridor"):
        edge = horizon + h * 0.05
        draw.rectangle((0, horizon, w, edge), fill=shade(back.ground, 1.25 if back.place == "street" else 0.6))
        draw.line((w * (0.2 + shift), h, w * (0.5 + shift), edge), fill=lines, width=max(1, w // 40))
    for _ in range(int(rng.poisson(clutter))):
        _clutter(rng, draw, w, h, horizon)
    return image


def _clutter(rng: np.random.Generator, draw: ImageDraw.ImageDraw, w: int, h: int, horizon: float) -> None:
    x = between(rng, -0.1, 1.1) * w
    red, green, blue = (int(v) for v in rng.integers(20, 215, 3))
    tone = (red, green, blue)
    kind = pick(rng, ("person", "pole", "car", "box"))
    base = min(h * 0.96, horizon + between(rng, 0.05, 0.4) * h)
    if kind == "person":
        tall = between(rng, 0.3, 0.6) * h
        thin = tall * 0.1
        legs = tuple(int(v) for v in rng.integers(20, 120, 3))
        draw.rectangle((x - thin * 0.8, base - tall * 0.5, x + thin * 0.8, base), fill=legs)
        draw.rectangle((x - thin * 1.2, base - tall * 0.85, x + thin * 1.2, base - tall * 0.45), fill=tone)
        draw.ellipse((x - thin * 0.6, base - tall, x + thin * 0.6, base - tall * 0.84), fill=(150, 116, 96))
    elif kind == "pole":
        draw.rectangle((x, 0, x + w * 0.05, base), fill=shade(tone, 0.6))
    elif kind == "car":
        draw.rectangle((x - w * 0.45, base - h * 0.12, x + w * 0.45, base), fill=tone)
        draw.rectangle((x - w * 0.28, base - h * 0.19, x + w * 0.25, base - h * 0.11), fill=shade(tone, 0.5))
    else:
        draw.rectangle((x - w * 0.12, base - h * 0.16, x + w * 0.12, base), fill=tone)


def shadow(image: Image.Image, centre: tuple[float, float], radius: float) -> None:
    """A soft dark patch under the feet, in pixels."""
    x, y = centre
    stencil = Image.new("L", image.size)
    draw = ImageDraw.Draw(stencil)
    for k, strength in ((1.0, 50), (0.7, 90)):
        draw.ellipse((x - radius * k, y - radius * 0.22 * k, x + radius * k, y + radius * 0.22 * k), fill=strength)
    image.paste((10, 10, 14), mask=stencil)


def foreground(rng: np.random.Generator, image: Image.Image, shot: Shot) -> None:
    """The occluder of the shot."""
    if shot.occluder == NONE:
        return
    w, h = image.size
    draw = ImageDraw.Draw(image)
    tone = pick(rng, [(60, 64, 70), (150, 150, 148), (92, 70, 54), (40, 70, 48), (120, 30, 30)])
    if shot.occluder == "pole":
        x = between(rng, 0.1, 0.9) * w
        draw.rectangle((x, 0, x + w * 0.06, h), fill=tone)
    elif shot.occluder == "low":
        draw.rectangle((0, h * 0.86, w, h), fill=tone)
        draw.rectangle((0, h * 0.86, w, h * 0.88), fill=shade(tone, 1.3))
    else:
        edge = between(rng, 0.06, 0.2) * w
        draw.rectangle((0, h * 0.3, edge, h) if rng.random() < 0.5 else (w - edge, h * 0.3, w, h), fill=tone)
