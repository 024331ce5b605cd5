"""One image: background, person, foreground, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from harness.datasets.synthetic.people import COLOURS, HAIR_COLOURS, NONE, Person
from harness.datasets.synthetic.picture import clothes, extras
from harness.datasets.synthetic.picture.camera import Camera
from harness.datasets.synthetic.picture.figure import RGB, Pen, arm, limbs, skeleton
from harness.datasets.synthetic.picture.scene import Backdrop, background, foreground, shadow
from harness.datasets.synthetic.streams import pick
from harness.datasets.synthetic.view import Shot, near_side

SKIN: tuple[RGB, ...] = ((238, 200, 172), (224, 178, 146), (200, 150, 116), (150, 104, 76), (104, 72, 54))
FINE = 2  # pictures are drawn this many times larger and then reduced


@dataclass(frozen=True)
class Wardrobe:
    """The exact colours of one identity: the named ones, a little off, the same in each of its images."""

    skin: RGB
    colours: dict[str, RGB]  # by slot

    @classmethod
    def of(cls, rng: np.random.Generator, person: Person) -> Wardrobe:
        """Draw the colours of a person."""
        skin = pick(rng, SKIN)
        colours = {}
        for slot in ("hair", "upper", "outer", "lower", "shoes", "bag", "hat"):
            name = getattr(person, f"{slot}_colour")
            off = rng.integers(-11, 12, 3)
            if name != NONE:
                base = (HAIR_COLOURS if slot == "hair" else COLOURS)[name]
                red, green, blue = (int(min(250, max(5, b + d))) for b, d in zip(base, off, strict=True))
                colours[slot] = (red, green, blue)
        return cls(skin, colours)


def picture(
    rng: np.random.Generator,
    size: tuple[int, int],
    person: Person,
    wardrobe: Wardrobe,
    shot: Shot,
    back: Backdrop,
    camera: Camera,
    clutter: float,
    elevation: float = 1.0,
) -> Image.Image:
    """One photograph, RGB, `size` = (height, width) in pixels."""
    height, width = size
    large = (width * FINE, height * FINE)
    scale = shot.scale * {"child": 0.8, "old": 0.97}.get(person.age, 1.0)
    unit = large[1] * scale
    top = large[1] * (0.975 + shot.shift[1]) - unit
    axis = large[0] * (0.5 + shot.shift[0])
    image = background(rng, large, back, clutter)
    shadow(image, (axis, top + unit * 0.985), unit * 0.16)
    layer = body(large, axis, top, unit, person, wardrobe, shot, elevation)
    lit = ImageChops.multiply(layer.convert("RGB"), _modelling(large, axis, unit, rng.random() < 0.5))
    image.paste(lit, mask=layer.getchannel("A"))
    foreground(rng, image, shot)
    return camera.take(rng, image.reduce(FINE))


def body(
    large: tuple[int, int],
    axis: float,
    top: float,
    unit: float,
    person: Person,
    wardrobe: Wardrobe,
    shot: Shot,
    elevation: float = 1.0,
) -> Image.Image:
    """The person alone on a transparent canvas, RGBA."""
    pen = Pen(large, axis, top, unit, elevation)
    bones = skeleton(person, shot)
    skin, worn = wardrobe.skin, wardrobe.colours
    hair = worn.get("hair", skin)
    near = near_side(person.bag_side, shot)
    sleeves = worn["outer"] if person.outer in ("jacket", "cardigan") else worn["upper"]
    if person.bag != NONE:
        extras.bag_behind(pen, bones, person, worn["bag"])
    extras.hair_behind(pen, bones, person, hair)
    behind = (0,) if shot.view == "side" else ()
    for index in behind:
        arm(pen, bones, skin, index)
        clothes.sleeve(pen, bones, person, sleeves, index)
    for index in (0, 1):
        limbs(pen, bones, skin, index)
        clothes.leg(pen, bones, person, worn["lower"], index)
        clothes.shoe(pen, bones, person, worn["shoes"], skin, index)
    clothes.waist(pen, bones, person, worn["lower"])
    if person.upper == "tank top":
        pen.area(clothes.trunk(bones, 0.4), skin)
    clothes.upper(pen, bones, person, worn["upper"])
    if person.outer != NONE:
        clothes.outer(pen, bones, person, worn["outer"])
    for index in (0, 1):
        if index not in behind:
            arm(pen, bones, skin, index)
            clothes.sleeve(pen, bones, person, sleeves, index)
    extras.head(pen, bones, person, skin, hair)
    if person.hat != NONE:
        extras.hat(pen, bones, person, worn["hat"])
    if person.bag != NONE:
        extras.bag_before(pen, bones, person, worn["bag"], near)
    extras.held(pen, bones, person, shot)
    return pen.image


def _modelling(large: tuple[int, int], axis: float, unit: float, from_left: bool) -> Image.Image:
    """Light that falls off across the body, so that it looks round."""
    w, h = large
    across = np.clip((np.arange(w) - axis) / (unit * 0.15), -1, 1)
    light = 0.9 + 0.1 * (-across if from_left else across) - 0.1 * across**2
    row = Image.fromarray((np.clip(light, 0, 1) * 255).astype(np.uint8)[None, :])
    return Image.merge("RGB", [row.resize((w, h), Image.Resampling.NEAREST)] * 3)
