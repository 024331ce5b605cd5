"""From what can be seen to what is written: omission, mistakes, and noun phrases for the styles to join."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.datasets.synthetic.people import COLOURS, HAIR_COLOURS, NONE, WEIGHTS
from harness.datasets.synthetic.streams import pick
from harness.datasets.synthetic.text.words import article, say, typo

# Slots that make one noun phrase together; the first is its noun.
GROUPS = {
    "person": ("gender", "age", "build"),
    "upper": ("upper", "upper_colour", "pattern", "sleeve"),
    "lower": ("lower", "lower_colour", "lower_length"),
    "hair": ("hair", "hair_colour"),
    "shoes": ("shoes", "shoes_colour"),
    "outer": ("outer", "outer_colour"),
    "bag": ("bag", "bag_colour", "bag_side"),
    "hat": ("hat", "hat_colour"),
    "glasses": ("glasses",),
    "held": ("held",),
}
# How readily writers leave a slot out, relative to the domain's mean.
_OMITTED = {
    "gender": 0.1, "age": 1.8, "build": 2.8, "upper": 0.6, "upper_colour": 0.25, "pattern": 0.5, "sleeve": 2.0,
    "lower": 0.6, "lower_colour": 0.3, "lower_length": 1.8, "shoes": 0.9, "shoes_colour": 0.7, "outer": 0.2,
    "outer_colour": 0.4, "bag": 0.4, "bag_colour": 0.6, "bag_side": 1.4, "hat": 0.7, "hat_colour": 0.8, "hair": 0.9,
    "hair_colour": 0.9, "glasses": 1.0, "held": 1.0,
}  # fmt: skip
_UNSAID = {NONE, "plain", "medium"}  # values that go without saying
_GENERIC = {"upper": "top", "lower": "bottoms", "shoes": "shoes", "outer": "outer layer", "hat": "hat", "bag": "bag"}
_PLURAL = {"lower": True, "shoes": True}


@dataclass(frozen=True)
class Writing:
    """How a domain's captions come about; probabilities unless said otherwise."""

    style: str
    density: float  # share of noun phrases that a caption considers
    completeness: float  # 1 - mean omission of an attribute of a considered phrase
    wrong: float  # an attribute is stated wrongly
    rendered: float  # a colour is named as the camera renders it
    slip: float  # left and right are exchanged
    typos: float  # per word
    borrow: float  # per phrase, to use the word of another style
    foreign: float  # per caption, to write in another style altogether


def stated(rng: np.random.Generator, seen: dict[str, str], rendered: dict[str, str], how: Writing) -> dict[str, str]:
    """What one writer says of one image, right or wrong, by slot.

    Args:
        rng: Stream of this caption.
        seen: Visible facts by slot.
        rendered: Colour names as the camera shows them, by slot.
        how: The domain's habits.
    """
    facts = {}
    for group, slots in GROUPS.items():
        if group != "person" and rng.random() > how.density * (2.0 if group in ("upper", "lower") else 1.0):
            continue
        for slot in slots:
            value = seen.get(slot, NONE)
            omission = min(0.9, (1 - how.completeness) * _OMITTED[slot])
            if value in _UNSAID or rng.random() < omission:
                continue
            if slot in rendered and rng.random() < how.rendered:
                value = rendered[slot]
            if rng.random() < (how.slip if slot == "bag_side" else how.wrong):
                value = _another(rng, slot, value)
            facts[slot] = value
    return facts


def _another(rng: np.random.Generator, slot: str, value: str) -> str:
    if slot == "hair_colour":
        among = list(HAIR_COLOURS)
    elif slot.endswith("_colour"):
        among = list(COLOURS)
    elif slot == "lower":
        among = ["jeans", "trousers", "shorts"]
    elif slot == "hair":
        among = ["short", "shoulder-length", "long"]
    elif slot in ("sleeve", "lower_length"):
        among = ["long", "short"]
    else:
        among = list(WEIGHTS[slot])
    among = [v for v in among if v != value and v not in _UNSAID]
    return pick(rng, among) if among else value


class Speaker:
    """Turns stated facts into noun phrases in the words of one style."""

    def __init__(self, rng: np.random.Generator, facts: dict[str, str], how: Writing, style: str) -> None:
        self.rng, self.facts, self._how, self.style = rng, facts, how, style
        self.man = facts.get("gender", "man") == "man"
        self.he, self.his = ("he", "his") if self.man else ("she", "her")

    def word(self, kind: str, value: str) -> str:
        return say(self.rng, self.style, kind, value, self._how.borrow)

    def one_of(self, *options: str) -> str:
        return pick(self.rng, options)

    def noun(self, group: str) -> str | None:
        """A garment or thing with its colour, without article; None if nothing was stated of it."""
        facts = self.facts
        kind, colour = facts.get(group), facts.get(f"{group}_colour")
        if kind is None and colour is None:
            return None
        parts = [self.word("colour", colour)] if colour else []
        if group == "upper":
            if "pattern" in facts:
                parts.append(self.word("pattern", facts["pattern"]))
            if facts.get("sleeve") == "short" and kind in ("t-shirt", "shirt"):
                parts.append("short sleeved" if self.style == "icfg" else "short sleeve")
            elif facts.get("sleeve") == "long" and kind in ("t-shirt", "shirt", None):
                parts.append("long sleeved" if self.style == "icfg" else "long sleeve")
        if group == "lower" and kind in ("skirt", "shorts") and "lower_length" in facts and self.style != "icfg":
            length = facts["lower_length"]
            parts.append("knee length" if length == "knee-length" and self.style == "cuhk" else length)
        parts.append(self.word(group, kind) if kind else _GENERIC[group])
        return " ".join(parts)

    def phrase(self, group: str) -> str | None:
        """The noun phrase with article, or a pair of something."""
        noun = self.noun(group)
        if noun is None:
            return None
        single = noun.endswith(("skirt", "book"))
        if _PLURAL.get(group) and not single:
            return f"a pair of {noun}" if self.style == "icfg" and self.rng.random() < 0.6 else noun
        if noun.endswith(("luggage", "denim", "coffee")):
            return noun
        return article(noun)

    def person(self) -> str:
        """`young man`, without article."""
        facts = self.facts
        noun = self.word("gender", facts["gender"]) if "gender" in facts else "person"
        if noun == "girl" and facts.get("age") in ("middle-aged", "old"):
            noun = "woman"
        words = [self.word("build", facts["build"])] if "build" in facts else []
        if "age" in facts:
            age = self.word("age", facts["age"])
            if age in ("kid", "child"):
                return " ".join([*words, "boy" if self.man else "girl"])
            if age != "twenties":
                words.append(age)
        return " ".join([*words, noun])

    def hair(self) -> str | None:
        """`short black hair`."""
        kind, colour = self.facts.get("hair"), self.facts.get("hair_colour")
        if kind is None:
            return None if colour is None else f"{self.word('hair_colour', colour)} hair"
        phrase = self.word("hair", kind)
        if colour is None or kind == "bald":
            return phrase
        name = self.word("hair_colour", colour)
        if "hair" in phrase:
            return phrase.replace("hair", f"{name} hair", 1)
        return f"{name} hair in {phrase}" if phrase.startswith("a ") else f"{name} {phrase}"

    def glasses(self) -> str | None:
        """The word for what is worn on the nose."""
        return self.word("glasses", self.facts["glasses"]) if "glasses" in self.facts else None

    def held(self) -> str | None:
        """The thing in the hand with its article."""
        if "held" not in self.facts:
            return None
        noun = self.word("held", self.facts["held"])
        return noun if noun in ("coffee", "latte") else article(noun)

    def where(self) -> str:
        """How the bag is carried: `on his back`, `in her left hand`."""
        side = self.facts.get("bag_side")
        side = f"{side} " if side else ""
        kind = self.facts.get("bag")
        if kind == "backpack":
            return f"on {self.his} back"
        if kind == "shoulder bag":
            return f"over {self.his} {side}shoulder"
        return f"in {self.his} {side}hand" if kind else ""


def listed(parts: list[str]) -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def misspelt(rng: np.random.Generator, text: str, rate: float) -> str:
    """The text with typing mistakes in some words of five letters or more."""
    if not rate:
        return text
    words = text.split(" ")
    for k, word in enumerate(words):
        if len(word) > 4 and word.isalpha() and (rng.random() < rate or (word == "pleated" and rng.random() < 0.2)):
            words[k] = typo(rng, word)
    return " ".join(words)
