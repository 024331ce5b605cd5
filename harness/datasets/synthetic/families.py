"""Who does exist: identities of every split, with look-alikes that differ in one or two attributes.

A test set in which everybody is unlike everybody else saturates. Identities are therefore drawn in families: a base
person and its twin with the colours of upper and lower garment exchanged, each followed by single changes. Inside one
half of a family any two people differ in one or two attributes; between the halves the same colours are worn in other
places, which a reader that does not bind colours to garments cannot tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from harness.datasets.synthetic.people import NONE, SLOTS, WEIGHTS, Person, sample
from harness.datasets.synthetic.streams import pick, stream, weighted

FAMILY = 12  # people in a family, at least; each half has six or more

# What confusers are changed in, by how much it shows.
_CHANGES = {
    "upper_colour": 2.2, "lower_colour": 2.2, "shoes_colour": 0.8, "upper": 1.5, "lower": 1.2, "pattern": 1.5,
    "outer_colour": 1.5, "bag_colour": 0.8, "hat_colour": 0.6, "hair": 0.6, "hair_colour": 0.5, "shoes": 0.4,
    "glasses": 0.2, "held": 0.3,
}  # fmt: skip


def distance(a: Person, b: Person) -> int:
    """Number of attributes in which two people differ."""
    return sum(getattr(a, slot) != getattr(b, slot) for slot in SLOTS)


def change(rng: np.random.Generator, person: Person, slot: str | None = None) -> Person:
    """The same person with exactly one attribute changed, `slot` or any."""
    slot = slot or weighted(rng, {s: w for s, w in _CHANGES.items() if _alternatives(person, s)})
    return replace(person, **{slot: pick(rng, _alternatives(person, slot))})


def _alternatives(person: Person, slot: str) -> list[str]:
    value = getattr(person, slot)
    among: Iterable[str]
    if slot == "upper":
        plain_long = ("jacket", "sweater", "hoodie", "coat") if person.pattern == "plain" else ("sweater", "hoodie")
        among = {"long": plain_long, "short": ("t-shirt", "shirt"), "none": ()}[person.sleeve]
        if person.outer != NONE:
            among = [u for u in among if u in ("t-shirt", "shirt", "sweater")]
    elif slot == "lower":
        among = ("jeans", "trousers", *(("leggings",) if person.gender == "woman" else ()))
        among = among if person.lower_length == "long" and person.lower != "skirt" else ()
    elif slot == "hair":
        among = ("short", "shoulder-length") if person.gender == "man" else ("short", "long", "ponytail", "bun")
        among = () if person.hair == "bald" else among
    elif slot == "hair_colour":
        among = () if value == NONE or person.age == "old" else ("black", "brown", "blond")
    elif slot == "pattern":
        among = () if person.upper in ("coat", "jacket") else WEIGHTS[slot]
    elif value == NONE and slot.endswith("_colour"):
        among = ()
    else:
        among = WEIGHTS[slot]
    return [v for v in among if v != value]


def family(
    rng: np.random.Generator, size: int, tilt: Mapping, allow_held_out: bool, taken: set[Person]
) -> list[Person]:
    """`size` people around one base and its colour-exchanged twin; adds them to `taken`, none was there before."""

    def free(person: Person) -> bool:
        return person not in taken and (allow_held_out or not person.held_out)

    wanted = allow_held_out and rng.random() < 0.25
    while True:
        base = sample(rng, tilt)
        twin = replace(base, upper_colour=base.lower_colour, lower_colour=base.upper_colour)
        if (base.outer != NONE and rng.random() < 0.7) or (base.upper == "coat" and base.lower_length == "short"):
            continue  # long and open layers hide what look-alikes differ in
        if base.upper_colour != base.lower_colour and free(base) and free(twin) and (not wanted or base.held_out):
            break
    members = [base, twin]
    while len(members) < size:
        # Most look-alikes differ in the one colour that everybody mentions, the others in anything.
        half = len(members) % 2
        member = change(rng, (base, twin)[half], ("upper_colour", "lower_colour")[half] if len(members) < 10 else None)
        if free(member) and member not in members:
            members.append(member)
    members = members[:size]
    taken.update(members)
    return members


def population(
    seed: int, domain: str, counts: Mapping[str, int], tilt: Mapping, families: bool
) -> dict[str, list[Person]]:
    """People of every split, all different; held-out combinations appear in test only.

    Args:
        seed: Seed of the data set.
        domain: Name that separates the streams of the domains.
        counts: Number of identities per split.
        tilt: Factors on the weights of attribute values.
        families: Draw confusers; otherwise people are independent of each other.
    """
    taken: set[Person] = set()
    splits = {}
    for split, count in counts.items():
        rng = stream(seed, domain, "people", split)
        people: list[Person] = []
        if families and count:
            number = max(1, count // FAMILY)
            for k in range(number):
                size = count // number + (k < count % number)
                people += family(rng, size, tilt, split == "test", taken)
        while len(people) < count:
            person = sample(rng, tilt)
            if person not in taken and (split == "test" or not person.held_out):
                taken.add(person)
                people.append(person)
        splits[split] = people
    return splits
