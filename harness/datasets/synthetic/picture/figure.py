"""The body: a canvas in units of body height, a skeleton for each view and stride, and skin."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from harness.datasets.synthetic.people import Person
from harness.datasets.synthetic.view import Shot

RGB = tuple[int, int, int]
Point = tuple[float, float]


def shade(colour: RGB, factor: float) -> RGB:
    """The colour made darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1:
        red, green, blue = (int(c * factor) for c in colour)
    else:
        red, green, blue = (int(c + (255 - c) * (factor - 1)) for c in colour)
    return red, green, blue


class Pen:
    """Draws on a transparent canvas; x and y are in body heights, x=0 the body's axis, y=0 the top, y=1 the soles.

    `elevation` is 1 for a camera at the height of the body; the larger it is, the more a camera that looks down
    enlarges the head and foreshortens the legs.
    """

    def __init__(self, size: tuple[int, int], axis: float, top: float, unit: float, elevation: float = 1.0) -> None:
        self.image = Image.new("RGBA", size)
        self._draw = ImageDraw.Draw(self.image)
        self._axis, self._top, self.unit, self._elevation = axis, top, unit, elevation

    def _at(self, point: Point) -> Point:
        x, y = point
        across = 1 + (self._elevation - 1) * (0.5 - y) * 0.8
        if self._elevation != 1 and y < 1:
            y = 1 - (1 - y) ** self._elevation
        return (self._axis + x * across * self.unit, self._top + y * self.unit)

    def _radii(self, y: float, rx: float, ry: float) -> Point:
        """Radii in pixels of an ellipse whose centre is at height y."""
        across = 1 + (self._elevation - 1) * (0.5 - y) * 0.8
        down = self._elevation * max(0.3, 1 - y) ** (self._elevation - 1)
        return rx * across * self.unit, ry * down * self.unit

    def area(self, points: list[Point], colour: RGB) -> None:
        self._draw.polygon([self._at(p) for p in points], fill=(*colour, 255))

    def disc(self, centre: Point, rx: float, ry: float, colour: RGB) -> None:
        x, y = self._at(centre)
        rx, ry = self._radii(centre[1], rx, ry)
        self._draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=(*colour, 255))

    def arc(self, centre: Point, rx: float, ry: float, start: float, end: float, colour: RGB) -> None:
        """A filled slice of an ellipse cut by its chord; angles in degrees, clockwise from the right."""
        x, y = self._at(centre)
        rx, ry = self._radii(centre[1], rx, ry)
        self._draw.chord((x - rx, y - ry, x + rx, y + ry), start, end, fill=(*colour, 255))

    def line(self, a: Point, b: Point, width: float, colour: RGB) -> None:
        self._draw.line([self._at(a), self._at(b)], fill=(*colour, 255), width=max(1, round(width * self.unit)))

    def limb(self, points: list[Point], radii: list[float], colour: RGB) -> None:
        """A chain of tapered segments with round joints."""
        for (a, ra), (b, rb) in zip(
            zip(points, radii, strict=True), zip(points[1:], radii[1:], strict=True), strict=False
        ):
            length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1e-6
            nx, ny = -(b[1] - a[1]) / length, (b[0] - a[0]) / length
            self.area(
                [
                    (a[0] + nx * ra, a[1] + ny * ra),
                    (b[0] + nx * rb, b[1] + ny * rb),
                    (b[0] - nx * rb, b[1] - ny * rb),
                    (a[0] - nx * ra, a[1] - ny * ra),
                ],
                colour,
            )
        for point, radius in zip(points, radii, strict=True):
            self.disc(point, radius, radius, colour)

    def pattern(self, points: list[Point], lines: list[tuple[Point, Point]], width: float, colour: RGB) -> None:
        """Straight lines that show only inside the polygon `points`."""
        stencil = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(stencil)
        for a, b in lines:
            draw.line([self._at(a), self._at(b)], fill=255, width=max(1, round(width * self.unit)))
        inside = Image.new("L", self.image.size)
        ImageDraw.Draw(inside).polygon([self._at(p) for p in points], fill=255)
        empty = Image.new("L", self.image.size)
        self.image.paste((*colour, 255), mask=Image.composite(stencil, empty, inside))


@dataclass(frozen=True)
class Skeleton:
    """Joints in body heights. Index 0 is the limb drawn first: left in the image, or the far one from the side."""

    view: str
    facing: int
    width: float  # half the width of the shoulders (half the depth of the chest from the side)
    hip: float  # half the width of the hips
    thick: float  # factor on the girth of limbs
    arms: tuple[tuple[Point, Point, Point], ...]  # shoulder, elbow, hand
    legs: tuple[tuple[Point, Point, Point], ...]  # hip, knee, ankle
    head: Point

    def side(self, person_side: str) -> int:
        """Index of the limb on the person's own left or right."""
        if self.view == "side":
            return int((person_side == "right") == (self.facing > 0))
        return int((person_side == "left") == (self.view == "front"))


GIRTH = {"slim": 0.86, "medium": 1.0, "heavy": 1.2}
STRIDE = {"standing": 0.12, "walking": 0.75, "running": 1.25}


def skeleton(person: Person, shot: Shot) -> Skeleton:
    """Joints of a person in a shot."""
    girth = GIRTH[person.build] * (1.06 if person.age == "middle-aged" else 1.0)
    shoulder = (0.112 if person.gender == "man" else 0.096) * girth
    hip = (0.078 if person.gender == "man" else 0.084) * girth
    swing = shot.phase * STRIDE[shot.action]
    if abs(swing) < 0.1 and shot.action != "standing":
        swing = 0.25
    stoop = 0.018 if person.age == "old" else 0.0
    if shot.view == "side":
        depth = 0.074 * girth
        arms, legs = [], []
        for sign in (-1, 1):
            a = sign * swing * 0.55
            elbow = (shot.facing * math.sin(a) * 0.16, 0.2 + math.cos(a) * 0.16)
            bend = a + (0.9 if shot.action == "running" else 0.3)
            hand = (elbow[0] + shot.facing * math.sin(bend) * 0.14, elbow[1] + math.cos(bend) * 0.14)
            arms.append(((0.0, 0.2), elbow, hand))
            b = -sign * swing * 0.5
            knee = (shot.facing * math.sin(b) * 0.23, 0.51 + math.cos(b) * 0.23)
            bend = b - (0.55 if b < 0 else 0.08) * min(1.0, abs(swing) + 0.05)
            ankle = (knee[0] + shot.facing * math.sin(bend) * 0.21, knee[1] + math.cos(bend) * 0.21)
            legs.append(((0.0, 0.51), knee, ankle))
        head = (shot.facing * (0.015 + stoop * 2), 0.068 + stoop)
        return Skeleton("side", shot.facing, depth, hip * 0.9, girth, tuple(arms), tuple(legs), head)
    arms, legs = [], []
    for sign in (-1, 1):
        lift = max(0.0, sign * swing)
        wide = shoulder + 0.022 * girth
        elbow = (sign * (wide + 0.006), 0.345 - 0.02 * lift)
        hand = (sign * (wide + 0.006 - 0.03 * lift), 0.475 - (0.12 if shot.action == "running" else 0.035) * lift)
        arms.append(((sign * (shoulder - 0.016), 0.203), elbow, hand))
        back = max(0.0, -sign * swing)
        knee = (sign * (0.05 - 0.012 * back), 0.735 - 0.03 * back)
        ankle = (sign * (0.052 - 0.02 * back), 0.945 - 0.075 * back)
        legs.append(((sign * 0.046 * girth, 0.51), knee, ankle))
    return Skeleton(shot.view, shot.facing, shoulder, hip, girth, tuple(arms), tuple(legs), (0.0, 0.068 + stoop))


def limbs(pen: Pen, bones: Skeleton, skin: RGB, index: int) -> None:
    """Bare leg `index`."""
    thick = bones.thick
    pen.limb(list(bones.legs[index]), [0.05 * thick, 0.036 * thick, 0.022], shade(skin, 0.82 + 0.14 * index))


def arm(pen: Pen, bones: Skeleton, skin: RGB, index: int) -> None:
    """Bare arm `index`."""
    thick = bones.thick
    pen.limb(list(bones.arms[index]), [0.03 * thick, 0.024 * thick, 0.019], shade(skin, 0.86 + 0.12 * index))
