"""Who can exist: the attributes of a person, their values, and how often they occur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np

from harness.datasets.synthetic.streams import weighted

COLOURS = {
    "black": (28, 28, 30),
    "white": (238, 238, 234),
    "grey": (134, 136, 138),
    "red": (200, 34, 38),
    "dark red": (108, 22, 34),
    "orange": (232, 122, 30),
    "yellow": (236, 206, 48),
    "green": (58, 160, 70),
    "dark green": (40, 78, 46),
    "blue": (38, 86, 196),
    "light blue": (146, 192, 232),
    "dark blue": (26, 36, 88),
    "purple": (112, 54, 148),
    "pink": (238, 150, 180),
    "brown": (112, 70, 40),
    "beige": (206, 184, 146),
}
HAIR_COLOURS = {
    "black": (26, 22, 22),
    "brown": (88, 54, 32),
    "blond": (216, 182, 110),
    "red": (150, 66, 30),
    "grey": (172, 172, 174),
}
NONE = "none"
LONG_SLEEVED = ("sweater", "hoodie", "jacket", "coat")


@dataclass(frozen=True)
class Person:
    """All that is true of one identity; `none` where there is nothing."""

    gender: str
    age: str
    build: str
    hair: str
    hair_colour: str
    upper: str
    upper_colour: str
    pattern: str
    sleeve: str
    outer: str
    outer_colour: str
    lower: str
    lower_colour: str
    lower_length: str
    shoes: str
    shoes_colour: str
    bag: str
    bag_colour: str
    bag_side: str
    hat: str
    hat_colour: str
    glasses: str
    held: str

    @property
    def held_out(self) -> bool:
        """Whether this combination of upper garment and colour is kept out of training and pre-training."""
        return (UPPERS.index(self.upper) * 3 + list(COLOURS).index(self.upper_colour) * 7) % 10 == 0


SLOTS = tuple(field.name for field in fields(Person))
UPPERS = ("t-shirt", "tank top", "shirt", "sweater", "hoodie", "jacket", "coat")

_CLOTHES = {
    "black": 2.2, "white": 1.8, "grey": 1.5, "red": 1.2, "dark red": 0.7, "orange": 0.6, "yellow": 0.8, "green": 0.8,
    "dark green": 0.7, "blue": 1.3, "light blue": 1.0, "dark blue": 1.3, "purple": 0.7, "pink": 0.8, "brown": 0.9,
    "beige": 0.9,
}  # fmt: skip
_LOWER = {**_CLOTHES, "black": 3, "dark blue": 2.5, "blue": 2, "orange": 0.3, "yellow": 0.4, "pink": 0.4, "beige": 1.5}
_SHOES = {"black": 3, "white": 3, "brown": 1.5, "grey": 1, "red": 0.8, "blue": 0.8, "pink": 0.4, "green": 0.3}
_BAGS = {
    "black": 2.5,
    "brown": 1.3,
    "red": 1,
    "blue": 1,
    "grey": 1,
    "green": 0.6,
    "pink": 0.6,
    "white": 0.6,
    "yellow": 0.4,
}

# How often each value occurs; a domain may tilt a slot, e.g. towards coats.
WEIGHTS: dict[str, dict[str, float]] = {
    "gender": {"man": 0.54, "woman": 0.46},
    "age": {"child": 0.05, "young": 0.5, "middle-aged": 0.3, "old": 0.15},
    "build": {"slim": 0.25, "medium": 0.55, "heavy": 0.2},
    "upper": {"t-shirt": 3, "tank top": 0.6, "shirt": 2, "sweater": 1.3, "hoodie": 1.2, "jacket": 1.8, "coat": 1.1},
    "pattern": {"plain": 5, "striped": 1.3, "checked": 1, "printed": 1.4},
    "outer": {NONE: 7, "jacket": 1, "cardigan": 0.8, "vest": 0.7},
    "shoes": {"sneakers": 4, "shoes": 2.2, "boots": 1.5, "sandals": 1.3},
    "bag": {NONE: 3, "backpack": 2.6, "shoulder bag": 2, "handbag": 1.3, "suitcase": 0.6},
    "bag_side": {"left": 1, "right": 1},
    "hat": {NONE: 7.8, "cap": 1.2, "beanie": 0.6, "hat": 0.4},
    "glasses": {NONE: 8, "glasses": 1.3, "sunglasses": 0.7},
    "held": {NONE: 6, "phone": 1.2, "umbrella": 0.6, "cup": 0.8, "book": 0.7, "bottle": 0.7},
    "upper_colour": _CLOTHES,
    "outer_colour": _CLOTHES,
    "hat_colour": _CLOTHES,
    "lower_colour": _LOWER,
    "shoes_colour": _SHOES,
    "bag_colour": _BAGS,
}


def sample(rng: np.random.Generator, tilt: Mapping[str, Mapping[str, float]]) -> Person:
    """One person of the population; `tilt` multiplies the weights of some values, slot by slot."""

    def draw(slot: str, weights: Mapping[str, float] | None = None) -> str:
        factors = tilt.get(slot, {})
        return weighted(rng, {v: w * factors.get(v, 1.0) for v, w in (weights or WEIGHTS[slot]).items()})

    gender, age = draw("gender"), draw("age")
    if gender == "man":
        hair = draw("hair", {"short": 8, "bald": 0.8, "shoulder-length": 0.6, "ponytail": 0.4})
        lower = draw("lower", {"jeans": 3.2, "trousers": 3.2, "shorts": 2})
    else:
        hair = draw("hair", {"short": 1.2, "shoulder-length": 2.5, "long": 3.3, "ponytail": 2, "bun": 1})
        lower = draw("lower", {"jeans": 2.6, "trousers": 1.8, "shorts": 1.2, "skirt": 2, "leggings": 1.2})
    colour = {"grey": 7, "black": 1, "brown": 1} if age == "old" else {"black": 5, "brown": 3, "blond": 1.4, "red": 0.8}
    upper = draw("upper")
    layered = upper in ("t-shirt", "shirt", "tank top", "sweater")
    lengths = {"shorts": {"short": 1, "knee-length": 1.5}, "skirt": {"short": 1.3, "knee-length": 1.3, "long": 1}}
    bag, hat, outer = draw("bag"), draw("hat"), draw("outer") if layered else NONE
    return Person(
        gender=gender,
        age=age,
        build=draw("build"),
        hair=hair,
        hair_colour=draw("hair_colour", colour) if hair != "bald" else NONE,
        upper=upper,
        upper_colour=draw("upper_colour"),
        pattern=draw("pattern") if upper not in ("coat", "jacket") else "plain",
        sleeve=_sleeve(rng, upper),
        outer=outer,
        outer_colour=draw("outer_colour") if outer != NONE else NONE,
        lower=lower,
        lower_colour=draw("lower_colour"),
        lower_length=draw("lower_length", lengths.get(lower, {"long": 1})),
        shoes=draw("shoes"),
        shoes_colour=draw("shoes_colour"),
        bag=bag,
        bag_colour=draw("bag_colour") if bag != NONE else NONE,
        bag_side=draw("bag_side") if bag not in (NONE, "backpack") else NONE,
        hat=hat,
        hat_colour=draw("hat_colour") if hat != NONE else NONE,
        glasses=draw("glasses"),
        held=draw("held"),
    )


def _sleeve(rng: np.random.Generator, upper: str) -> str:
    if upper in LONG_SLEEVED:
        return "long"
    if upper == "tank top":
        return "none"
    return weighted(rng, {"short": 4, "long": 1} if upper == "t-shirt" else {"short": 1, "long": 1.5})


def as_facts(person: Person) -> dict[str, str]:
    """All attributes by slot."""
    return asdict(person)
