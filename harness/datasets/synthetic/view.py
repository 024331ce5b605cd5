"""What one image shows: view, action, camera and occlusion, and which attributes can be seen in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.datasets.synthetic.people import NONE, Person, as_facts
from harness.datasets.synthetic.streams import between, weighted


@dataclass(frozen=True)
class Shot:
    """One image of one person."""

    camera: int
    view: str  # front, back or side
    facing: int  # 1: to the right of the image, -1: to the left (side views)
    action: str
    phase: float  # -1..1, where in the stride
    scale: float  # height of the figure as a share of the image
    shift: tuple[float, float]  # of the figure, in shares of width and height
    occluder: str  # none, pole, low (hides the feet), side


def shoot(rng: np.random.Generator, camera: int, scale: tuple[float, float], occlusion: float) -> Shot:
    """A random shot from `camera`; `occlusion` is the probability that something stands in front."""
    view = weighted(rng, {"front": 0.4, "back": 0.32, "side": 0.28})
    return Shot(
        camera=camera,
        view=view,
        facing=1 if rng.random() < 0.5 else -1,
        action=weighted(rng, {"walking": 0.62, "standing": 0.3, "running": 0.08}),
        phase=between(rng, -1, 1),
        scale=between(rng, *scale),
        shift=(between(rng, -0.06, 0.06), between(rng, -0.015, 0.015)),
        occluder=weighted(rng, {"pole": 1, "low": 1.4, "side": 1}) if rng.random() < occlusion else NONE,
    )


def near_side(person_side: str, shot: Shot) -> bool:
    """Whether the person's own left or right is turned to the camera (always, unless seen from the side)."""
    return shot.view != "side" or (person_side == "right") == (shot.facing > 0)


def visible(person: Person, shot: Shot) -> dict[str, str]:
    """The facts that can be seen in this shot, by slot; absences (`none`) are seen like presences."""
    facts = as_facts(person)
    hidden: set[str] = set()
    if shot.view == "back":
        hidden |= {"glasses", "held"} if person.held != "umbrella" else {"glasses"}
        if person.age != "child":
            hidden.add("age")
        if person.outer != NONE:
            hidden |= {"upper", "upper_colour", "pattern", "sleeve"}
    if shot.view != "front" and person.pattern == "printed":
        hidden.add("pattern")
    if shot.view == "front" and person.hair == "ponytail":
        hidden.add("hair")
    if person.outer not in (NONE, "vest"):
        hidden.add("sleeve")
    if person.hat == "beanie" and person.hair in ("short", "bald"):
        hidden |= {"hair", "hair_colour"}
    if person.upper == "coat" and person.lower_length == "short":
        hidden |= {"lower", "lower_colour", "lower_length"}
    if shot.occluder == "low":
        hidden |= {"shoes", "shoes_colour"}
    if person.bag in ("shoulder bag", "handbag") and not near_side(person.bag_side, shot):
        hidden |= {"bag", "bag_colour", "bag_side"}
    if person.bag == "suitcase" and shot.occluder == "low":
        hidden |= {"bag", "bag_colour", "bag_side"}
    return {slot: value for slot, value in facts.items() if slot not in hidden}
