"""Head, hair, hat and glasses; bags and things held."""

from __future__ import annotations

from harness.datasets.synthetic.people import NONE, Person
from harness.datasets.synthetic.picture.figure import RGB, Pen, Skeleton, shade
from harness.datasets.synthetic.view import Shot

_RX, _RY = 0.046, 0.064


def hair_behind(pen: Pen, bones: Skeleton, person: Person, colour: RGB) -> None:
    """The part of the hair that lies behind the head and, from the front, behind the shoulders."""
    (x, y), f = bones.head, bones.facing
    if person.hair in ("long", "shoulder-length") and bones.view != "back":
        end = 0.26 if person.hair == "long" else 0.165
        if bones.view == "front":
            pen.limb([(x, y), (x, end)], [0.056, 0.06], colour)
        else:
            pen.limb([(x - f * 0.02, y), (x - f * 0.045, end)], [0.046, 0.036], colour)


def head(pen: Pen, bones: Skeleton, person: Person, skin: RGB, colour: RGB) -> None:
    """Neck, head, hair on top and face."""
    (x, y), f, view = bones.head, bones.facing, bones.view
    size = 1.22 if person.age == "child" else 1.0
    rx, ry = _RX * size * (0.94 if view == "side" else 1.0), _RY * size
    pen.limb([(x * 0.6, 0.175), (x, y + 0.04)], [0.026, 0.024], shade(skin, 0.84))
    pen.disc((x, y), rx, ry, skin)
    if person.hair == "bald":
        pen.arc((x, y + 0.002), rx, ry, 200, 340, shade(skin, 1.15))
    elif view == "back":
        pen.disc((x, y - 0.004), rx * 1.08, ry * (0.98 if person.hair != "short" else 0.9), colour)
        if person.hair in ("long", "shoulder-length"):
            end = 0.29 if person.hair == "long" else 0.18
            pen.limb([(x, y), (x, end)], [rx * 1.08, rx * (0.95 if person.hair == "long" else 1.1)], colour)
    elif view == "front":
        pen.arc((x, y - 0.006), rx * 1.1, ry * 1.06, 188, 352, colour)
        if person.hair in ("long", "shoulder-length"):
            end = 0.2 if person.hair == "long" else 0.13
            for sign in (-1, 1):
                pen.limb([(sign * rx, y - 0.02), (sign * rx * 1.12, end)], [0.013, 0.016], colour)
    else:
        pen.arc((x - f * 0.004, y - 0.006), rx * 1.1, ry * 1.06, 185, 355, colour)
        pen.limb([(x - f * rx * 0.5, y - 0.01), (x - f * rx * 0.6, y + 0.025)], [0.03, 0.022], colour)
    if person.hair == "ponytail" and view != "front":
        start = (x, y - 0.01) if view == "back" else (x - f * rx, y - 0.025)
        pen.limb([start, (start[0] - f * (0.03 if view == "side" else 0), 0.215)], [0.018, 0.014], shade(colour, 1.12))
    if person.hair == "bun":
        pen.disc((x - (f * 0.035 if view == "side" else 0), y - ry * 1.02), 0.027, 0.025, shade(colour, 1.08))
    _face(pen, bones, person, skin, rx)


def _face(pen: Pen, bones: Skeleton, person: Person, skin: RGB, rx: float) -> None:
    (x, y), f = bones.head, bones.facing
    if bones.view == "back":
        return
    eyes = [x + f * rx * 0.5] if bones.view == "side" else [x - 0.017, x + 0.017]
    for eye in eyes:
        pen.disc((eye, y), 0.0055, 0.005, (30, 24, 24))
        if person.glasses != NONE:
            pen.disc((eye, y), 0.0155, 0.013, (18, 18, 20))
            if person.glasses == "glasses":
                pen.disc((eye, y), 0.0095, 0.0075, shade(skin, 1.4))
    if person.glasses != NONE:
        pen.line((x - rx * 0.9, y - 0.002), (x + rx * 0.9, y - 0.002), 0.004, (18, 18, 20))
    mouth = x + f * rx * 0.55 if bones.view == "side" else x
    pen.line((mouth - 0.01, y + 0.034), (mouth + 0.01, y + 0.034), 0.005, shade(skin, 0.6))
    if bones.view == "side":
        pen.disc((x + f * rx, y + 0.008), 0.008, 0.008, skin)


def hat(pen: Pen, bones: Skeleton, person: Person, colour: RGB) -> None:
    """Cap, beanie or brimmed hat."""
    (x, y), f = bones.head, bones.facing
    if person.hat == "cap":
        pen.arc((x, y - 0.012), 0.053, 0.062, 180, 360, colour)
        if bones.view == "side":
            pen.area([(x, y - 0.02), (x + f * 0.085, y - 0.008), (x + f * 0.08, y - 0.0), (x, y - 0.006)], colour)
        elif bones.view == "front":
            pen.disc((x, y - 0.012), 0.046, 0.012, shade(colour, 0.75))
    elif person.hat == "beanie":
        pen.arc((x, y), 0.055, 0.076, 180, 360, colour)
        pen.line((x - 0.053, y - 0.006), (x + 0.053, y - 0.006), 0.02, shade(colour, 0.78))
    elif person.hat == "hat":
        pen.disc((x, y - 0.022), 0.088, 0.015, shade(colour, 0.8))
        pen.arc((x, y - 0.026), 0.05, 0.056, 180, 360, colour)


def bag_behind(pen: Pen, bones: Skeleton, person: Person, colour: RGB) -> None:
    """Bags hidden in part by the body: a backpack from the side, a suitcase pulled behind."""
    if person.bag == "backpack" and bones.view == "side":
        x = -bones.facing * (bones.width + 0.03)
        pen.limb([(x, 0.235), (x, 0.4)], [0.05, 0.06], colour)
        pen.limb([(x - bones.facing * 0.03, 0.35), (x - bones.facing * 0.03, 0.4)], [0.028, 0.03], shade(colour, 0.75))
    elif person.bag == "suitcase":
        hand = bones.arms[bones.side(person.bag_side)][2]
        side = -bones.facing if bones.view == "side" else (1 if hand[0] > 0 else -1)
        x = hand[0] + side * 0.06
        pen.line(hand, (x, 0.74), 0.012, (70, 70, 74))
        pen.area([(x - 0.06, 0.74), (x + 0.06, 0.74), (x + 0.06, 0.97), (x - 0.06, 0.97)], colour)
        for y in (0.79, 0.85, 0.91):
            pen.line((x - 0.05, y), (x + 0.05, y), 0.008, shade(colour, 0.72))


def bag_before(pen: Pen, bones: Skeleton, person: Person, colour: RGB, near: bool) -> None:
    """Bags and straps in front of the body."""
    dark = shade(colour, 0.7)
    if person.bag == "backpack" and bones.view == "back":
        pen.limb([(0, 0.25), (0, 0.4)], [0.078, 0.086], colour)
        pen.area([(-0.055, 0.345), (0.055, 0.345), (0.055, 0.44), (-0.055, 0.44)], dark)
        pen.line((-0.05, 0.24), (0.05, 0.24), 0.008, dark)
    elif person.bag == "backpack" and bones.view == "front":
        for sign in (-1, 1):
            pen.limb([(sign * 0.06, 0.165), (sign * 0.07, 0.35)], [0.0145, 0.0145], colour)
    elif person.bag == "backpack":
        pen.limb([(0, 0.185), (bones.facing * 0.035, 0.25), (-bones.facing * 0.03, 0.37)], [0.014] * 3, colour)
    if person.bag == "shoulder bag":
        if bones.view == "side":
            pen.line((0, 0.18), (-bones.facing * 0.01, 0.45), 0.014, dark)
            if near:
                pen.area([(-0.07, 0.44), (0.06, 0.44), (0.065, 0.55), (-0.075, 0.55)], colour)
                pen.line((-0.07, 0.475), (0.06, 0.475), 0.01, dark)
            return
        sign = 1 if bones.side(person.bag_side) else -1
        x = sign * (bones.hip + 0.02)
        pen.line((-sign * 0.06, 0.165), (x, 0.45), 0.016, dark)
        pen.area([(x - 0.06, 0.44), (x + 0.06, 0.44), (x + 0.066, 0.555), (x - 0.066, 0.555)], colour)
        pen.line((x - 0.055, 0.475), (x + 0.055, 0.475), 0.01, dark)
    elif person.bag == "handbag" and near:
        x, y = bones.arms[bones.side(person.bag_side)][2]
        pen.arc((x, y + 0.045), 0.035, 0.045, 180, 360, dark)
        pen.area([(x - 0.045, y + 0.04), (x + 0.045, y + 0.04), (x + 0.062, y + 0.125), (x - 0.062, y + 0.125)], colour)


def held(pen: Pen, bones: Skeleton, person: Person, shot: Shot) -> None:
    """What is held, in the hand without a bag."""
    if person.held == NONE or (shot.view == "back" and person.held != "umbrella"):
        return
    index = 1 if shot.view == "side" else 1 - bones.side(person.bag_side if person.bag_side != NONE else "left")
    x, y = bones.arms[index][2]
    if person.held == "phone":
        pen.area(
            [(x - 0.014, y - 0.03), (x + 0.014, y - 0.03), (x + 0.014, y + 0.02), (x - 0.014, y + 0.02)], (20, 20, 24)
        )
        pen.area(
            [(x - 0.01, y - 0.025), (x + 0.01, y - 0.025), (x + 0.01, y + 0.012), (x - 0.01, y + 0.012)],
            (140, 180, 220),
        )
    elif person.held == "cup":
        pen.area(
            [(x - 0.02, y - 0.045), (x + 0.02, y - 0.045), (x + 0.014, y + 0.015), (x - 0.014, y + 0.015)],
            (240, 238, 230),
        )
        pen.line((x - 0.02, y - 0.04), (x + 0.02, y - 0.04), 0.012, (120, 70, 40))
    elif person.held == "book":
        pen.area(
            [(x - 0.04, y - 0.045), (x + 0.035, y - 0.045), (x + 0.035, y + 0.03), (x - 0.04, y + 0.03)], (150, 40, 40)
        )
        pen.line((x - 0.036, y + 0.026), (x + 0.032, y + 0.026), 0.01, (236, 232, 220))
    elif person.held == "bottle":
        pen.limb([(x, y - 0.04), (x, y + 0.03)], [0.008, 0.017], (90, 170, 200))
    elif person.held == "umbrella":
        pen.limb([(x, y - 0.03), (x + 0.01, y + 0.02), (x + 0.03, y + 0.3)], [0.008, 0.022, 0.006], (60, 50, 110))
