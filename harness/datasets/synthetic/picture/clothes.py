"""Garments on a skeleton: lower, shoes, upper with sleeves and pattern, and the open outer layer."""

from __future__ import annotations

from harness.datasets.synthetic.people import NONE, Person
from harness.datasets.synthetic.picture.figure import RGB, Pen, Point, Skeleton, shade

_SKIRT_HEM = {"short": 0.645, "knee-length": 0.75, "long": 0.88}


def leg(pen: Pen, bones: Skeleton, person: Person, colour: RGB, index: int) -> None:
    """The garment on leg `index`; skirts are drawn by `waist`."""
    hip, knee, ankle = bones.legs[index]
    thick = bones.thick
    tone = shade(colour, 0.84 + 0.16 * index)
    if person.lower == "shorts":
        share = 0.8 if person.lower_length == "short" else 1.08
        end = (hip[0] + (knee[0] - hip[0]) * share, hip[1] + (knee[1] - hip[1]) * share)
        pen.limb([hip, end], [0.055 * thick, 0.056 * thick], tone)
    elif person.lower == "trousers":
        pen.limb([hip, knee, ankle], [0.055 * thick, 0.047 * thick, 0.042], tone)
        pen.line(hip, ankle, 0.006, shade(tone, 0.82))
    elif person.lower == "jeans":
        pen.limb([hip, knee, ankle], [0.053 * thick, 0.041 * thick, 0.032], tone)
        pen.limb([_mix(hip, knee, 0.3), _mix(hip, knee, 0.8)], [0.022, 0.02], shade(tone, 1.14))
        pen.line(_mix(knee, ankle, 0.9), ankle, 0.066, shade(tone, 1.2))
    elif person.lower == "leggings":
        pen.limb([hip, knee, ankle], [0.05 * thick, 0.034 * thick, 0.022], tone)


def waist(pen: Pen, bones: Skeleton, person: Person, colour: RGB) -> None:
    """Pelvis or skirt."""
    hip = bones.hip
    if person.lower == "skirt":
        hem = _SKIRT_HEM[person.lower_length]
        flare = hip + 0.03 + 0.07 * (hem - 0.6)
        pen.area([(-hip, 0.42), (hip, 0.42), (flare, hem), (-flare, hem)], colour)
        for x in (-0.5, 0.0, 0.5):
            pen.line((x * hip, 0.5), (x * flare, hem), 0.006, shade(colour, 0.8))
    else:
        pen.area([(-hip, 0.42), (hip, 0.42), (hip * 1.12, 0.545), (-hip * 1.12, 0.545)], colour)


def shoe(pen: Pen, bones: Skeleton, person: Person, colour: RGB, skin: RGB, index: int) -> None:
    """The shoe on leg `index`."""
    _, knee, ankle = bones.legs[index]
    side = bones.view == "side"
    toe = (ankle[0] + bones.facing * 0.03, ankle[1] + 0.026) if side else (ankle[0], ankle[1] + 0.025)
    rx, ry = (0.056, 0.024) if side else (0.032, 0.03)
    if person.shoes == "boots":
        pen.limb([_mix(knee, ankle, 0.5), ankle], [0.036, 0.034], shade(colour, 0.9))
        pen.disc(toe, rx, ry, colour)
    elif person.shoes == "sneakers":
        pen.disc((toe[0], toe[1] + 0.01), rx * 1.04, ry, (232, 232, 228))
        pen.disc((toe[0], toe[1] - 0.003), rx, ry * 0.92, colour)
        pen.line((toe[0] - rx * 0.3, toe[1] - 0.006), (toe[0] + rx * 0.3, toe[1] - 0.006), 0.007, shade(colour, 1.5))
    elif person.shoes == "sandals":
        pen.disc(toe, rx * 0.92, ry * 0.8, skin)
        pen.line((toe[0] - rx * 0.8, toe[1]), (toe[0] + rx * 0.8, toe[1]), 0.014, colour)
        pen.line((toe[0] - rx * 0.8, toe[1] + 0.018), (toe[0] + rx * 0.8, toe[1] + 0.018), 0.01, colour)
    else:
        pen.disc(toe, rx, ry * 0.85, colour)
        pen.line((toe[0] - rx, toe[1] + ry * 0.8), (toe[0] + rx, toe[1] + ry * 0.8), 0.008, (24, 22, 22))


def trunk(bones: Skeleton, hem: float, flare: float = 0.0, drop: float = 0.0) -> list[Point]:
    """Outline of a garment on the trunk down to `hem`; `drop` lowers the neckline."""
    w, hip = bones.width, bones.hip
    middle = min(w, hip) * 0.98
    right = [
        (0.036, 0.146 + drop), (w * 0.78, 0.166 + drop * 0.3), (w, 0.2), (w * 0.93, 0.28), (middle, 0.4),
        (hip * 1.08 + flare, hem),
    ]  # fmt: skip
    return right + [(-x, y) for x, y in reversed(right)]


_HEM = {
    "coat": 0.7,
    "jacket": 0.525,
    "hoodie": 0.53,
    "sweater": 0.52,
    "shirt": 0.53,
    "t-shirt": 0.515,
    "tank top": 0.51,
}


def upper(pen: Pen, bones: Skeleton, person: Person, colour: RGB) -> None:
    """The upper garment without its sleeves."""
    kind, dark = person.upper, shade(colour, 0.72)
    light = shade(colour, 1.55) if sum(colour) < 520 else shade(colour, 0.55)
    flare = 0.03 if kind == "coat" else 0.006
    outline = trunk(bones, _HEM[kind], flare, 0.045 if kind == "tank top" else 0.0)
    if kind == "tank top":
        outline = [(x * (0.72 if y < 0.24 else 1.0), y) for x, y in outline]
    pen.area(outline, colour)
    if kind == "sweater":
        pen.line((-bones.hip, _HEM[kind] - 0.012), (bones.hip, _HEM[kind] - 0.012), 0.016, dark)
    _print(pen, bones, person, outline, light)
    if bones.view == "back":
        if kind == "hoodie":
            pen.disc((0, 0.185), 0.062, 0.042, dark)
        return
    x = bones.facing * bones.width * 0.75 if bones.view == "side" else 0.0
    if kind in ("shirt", "coat", "jacket"):
        pen.line((x, 0.16), (x, _HEM[kind] - 0.005), 0.012 if kind == "jacket" else 0.008, dark)
        pen.area([(x - 0.042, 0.148), (x, 0.21), (x + 0.042, 0.148)], shade(colour, 1.25))
    if kind == "coat" and not x:
        for y in (0.28, 0.36, 0.44, 0.52):
            pen.disc((0.018, y), 0.008, 0.008, dark)
            pen.disc((-0.018, y), 0.008, 0.008, dark)
    if kind == "hoodie":
        pen.disc((x * 0.4, 0.16), 0.058, 0.026, dark)
        if not x:
            pen.area([(-0.05, 0.4), (0.05, 0.4), (0.065, 0.475), (-0.065, 0.475)], dark)


def _print(pen: Pen, bones: Skeleton, person: Person, outline: list[Point], colour: RGB) -> None:
    hem = _HEM[person.upper]
    rows = [((-0.2, y / 1000), (0.2, y / 1000)) for y in range(190, int(hem * 1000), 44)]
    if person.pattern == "striped":
        pen.pattern(outline, rows, 0.017, colour)
    elif person.pattern == "checked":
        columns = [((x / 1000, 0.14), (x / 1000, hem)) for x in range(-140, 141, 40)]
        pen.pattern(outline, rows + columns, 0.01, colour)
    elif person.pattern == "printed" and bones.view == "front":
        pen.disc((0, 0.28), 0.05, 0.04, colour)
        pen.area([(-0.055, 0.31), (0.055, 0.31), (0.03, 0.345), (-0.03, 0.345)], shade(colour, 0.8))


def sleeve(pen: Pen, bones: Skeleton, person: Person, colour: RGB, index: int) -> None:
    """The sleeve on arm `index`, of the outer layer if there is one with sleeves."""
    shoulder, elbow, hand = bones.arms[index]
    thick = bones.thick * (1.08 if person.upper in ("coat", "jacket") or person.outer == "jacket" else 0.98)
    tone = shade(colour, 0.8 + 0.13 * index)
    long = person.sleeve == "long" or person.outer in ("jacket", "cardigan")
    if long:
        pen.limb([shoulder, elbow, _mix(elbow, hand, 0.86)], [0.036 * thick, 0.031 * thick, 0.026], tone)
        if person.pattern == "striped" and person.outer == NONE:
            pen.line(_mix(shoulder, elbow, 0.5), _mix(shoulder, elbow, 0.62), 0.06, shade(tone, 1.3))
    elif person.sleeve == "short":
        pen.limb([shoulder, _mix(shoulder, elbow, 0.72)], [0.037 * thick, 0.036 * thick], tone)


def outer(pen: Pen, bones: Skeleton, person: Person, colour: RGB) -> None:
    """The open outer layer: two panels from the front, a part from the side, everything from behind."""
    hem = 0.62 if person.outer == "cardigan" else 0.52
    outline = trunk(bones, hem, 0.012)
    if bones.view == "back":
        pen.area(outline, colour)
        pen.line((0, 0.2), (0, hem), 0.006, shade(colour, 0.8))
    elif bones.view == "side":
        f = bones.facing
        pen.area([(x if x * f < 0.02 else f * 0.02, y) for x, y in outline], colour)
    else:
        for sign in (-1, 1):
            inner = [(sign * 0.05, hem), (sign * 0.042, 0.3), (sign * 0.03, 0.15)]
            pen.area([(sign * x, y) for x, y in outline[:6]] + inner, colour)
            pen.line((sign * 0.042, 0.3), (sign * 0.05, hem), 0.008, shade(colour, 0.7))


def _mix(a: Point, b: Point, share: float) -> Point:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
