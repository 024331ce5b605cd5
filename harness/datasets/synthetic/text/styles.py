"""The four ways of writing: short web captions, two crowd workers, identity only, and formal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.datasets.synthetic.streams import pick, shuffled
from harness.datasets.synthetic.text.captions import Speaker, Writing, listed, misspelt
from harness.datasets.synthetic.text.words import STYLES, article
from harness.datasets.synthetic.view import Shot

_PLACE = {
    "street": ("on the sidewalk", "down the street"),
    "plaza": ("across the plaza", "on the pavement"),
    "corridor": ("in a hallway", "in the corridor"),
    "park": ("past some trees", "on the grass"),
    "crossing": ("across the street", "over the crosswalk"),
    "studio": ("", ""),
}
_AWAY = {"front": "towards the camera", "back": "away from the camera", "side": "to the side"}


def _some(*parts: str | None) -> list[str]:
    return [part for part in parts if part]


def broad(say: Speaker, shot: Shot, place: str) -> str:
    """A few attributes in the manner of alt texts and shop titles."""
    worn = shuffled(say.rng, _some(say.noun("upper"), say.noun("outer"), say.noun("lower"), say.noun("shoes")))
    extra = shuffled(say.rng, _some(say.hair(), say.noun("bag"), say.noun("hat"), say.glasses()))
    held, person = say.held(), say.person()
    if not worn:
        things = extra[:2] or [say.one_of("street style", "walking", "outdoors")]
        return f"{person} {say.one_of('with', 'and')} {listed(things)}"
    kind = say.rng.random()
    tail = f" with {listed(extra[:2])}" if extra else ""
    tail += f", holding {held}" if held else ""
    if kind < 0.3:
        return f"{article(person)} in {listed(worn)}{tail}"
    if kind < 0.5:
        return f"{article(person)} wearing {listed(worn)}{tail}"
    if kind < 0.65:
        return f"{person} {', '.join(worn + extra)} {say.one_of('outfit', 'street style', 'look', 'fashion')}"
    if kind < 0.8:
        return f"{say.one_of('street style', 'ootd', 'photo', 'stock photo', 'casual look')}: {', '.join(worn)}{tail}"
    if kind < 0.9:
        return f"{worn[0]} styled with {listed(worn[1:] + extra) if worn[1:] + extra else 'basics'}"
    return f"{article(person)} {shot.action} {pick(say.rng, _PLACE[place])} in {listed(worn)}{tail}".replace("  ", " ")


def cuhk(say: Speaker, shot: Shot, place: str) -> str:
    """Two workers: one writes sentences, one strings everything together; both in an order of their own."""
    he, his = say.he, say.his
    worn = shuffled(say.rng, _some(say.phrase("upper"), say.phrase("lower"), say.phrase("shoes"), say.phrase("outer")))
    subject = f"{say.one_of('the', 'a', 'this')} {say.person()}"
    if subject[:2] == "a ":
        subject = article(subject[2:])
    hair, hat, glasses, bag, held = say.hair(), say.phrase("hat"), say.glasses(), say.phrase("bag"), say.held()
    act = f"is {shot.action} {say.one_of(_AWAY[shot.view], pick(say.rng, _PLACE[place]), '')}".strip()
    said: list[str] = []
    if hair:
        said.append(say.one_of(f"has {hair}", f"has {hair}", f"is seen with {hair}"))
    if worn:
        cut = 1 + int(say.rng.random() * len(worn))
        said.append(f"{say.one_of('is wearing', 'wears', 'is dressed in', 'has on')} {listed(worn[:cut])}")
        if worn[cut:]:
            said.append(f"{say.one_of('is also wearing', 'wears', 'has on', 'also has')} {listed(worn[cut:])}")
    if hat or glasses:
        said.append(f"is wearing {listed(_some(hat, glasses))}")
    if bag:
        said.append(f"{say.one_of('is carrying', 'carries', 'has')} {bag} {say.where()}".rstrip())
    if held:
        said.append(f"{say.one_of('is holding', 'holds', 'is carrying')} {held} in {say.one_of('one', his)} hand")
    if say.rng.random() < 0.3:
        said.append(act)
    said = shuffled(say.rng, said) or [act]
    if say.rng.random() < 0.5:
        text, k = f"{subject} {said[0]}.", 1
        while k < len(said):
            two = k + 1 < len(said) and say.rng.random() < 0.45
            again = "the " + say.word("gender", "man" if say.man else "woman")
            text += f" {say.one_of(he, he, again)} {said[k]}"
            text += f" and {said[k + 1]}." if two else "."
            k += 1 + two
    else:
        text = (
            f"{subject} {said[0]}"
            + "".join(f"{say.one_of(', ', ' and ', f', {he} ')}{part}" for part in said[1:])
            + "."
        )
    while say.rng.random() < 0.09:
        text += " " + say.one_of(
            f"{he} looks like {he} is waiting for someone.",
            f"in the background you can see a wall and {say.one_of('some people', 'a parked car', 'a few trees')}.",
            f"{his} face is hard to make out because the picture is so blurry.",
            f"{he} appears to be in a hurry and {his} head is turned to the side as {he} passes by.",
            f"it is possible that {he} has something else in {his} other hand but it can not be seen from this angle.",
        )
    return ". ".join(part[:1].upper() + part[1:] for part in text.split(". "))


def icfg(say: Speaker, shot: Shot, place: str) -> str:
    """The identity and nothing but: every garment at length, no action and no background."""
    he, his = say.he.capitalize(), say.his
    hair, upper, outer = say.hair(), say.phrase("upper"), say.phrase("outer")
    lower, shoes, bag = say.phrase("lower"), say.phrase("shoes"), say.phrase("bag")
    head = say.person()
    text = say.one_of(f"The {head}", article(head).capitalize())
    text += f" {say.one_of('with', 'who has')} {hair}" if hair else ""
    if upper and outer:
        text += f" is wearing {outer} which is left open over {upper}."
    elif upper or outer:
        where = say.one_of(f" on {his} upper body", "", "")
        text += f" is {say.one_of('wearing', 'dressed in')} {upper or outer}{where}."
    else:
        text += f" is shown here and {his} upper body is not easy to describe."
    if say.facts.get("sleeve") == "long" and say.rng.random() < 0.35:
        text += say.one_of(" The sleeves cover the whole arm.", f" The sleeves reach down to {his} wrists.")
    elif say.facts.get("sleeve") == "short" and say.rng.random() < 0.35:
        text += say.one_of(" The sleeves end above the elbow.", f" The sleeves leave {his} forearms bare.")
    if lower:
        text += f" {say.one_of('On the lower body', 'Below that')} {say.he} wears {lower}"
        length = say.facts.get("lower_length", "")
        reach = {"long": "ankles", "knee-length": "knees", "short": "thighs"}.get(length)
        text += f" that {say.one_of('reach', 'come down to')} {his} {reach}" if reach and say.rng.random() < 0.4 else ""
        text += f" {say.one_of('together with', 'and', 'with')} {shoes}." if shoes else "."
    elif shoes:
        text += f" {he} has {shoes} on {his} feet."
    if bag:
        text += f" {he} carries {bag} {say.where()}".rstrip() + "."
    extra = _some(say.phrase("hat"), say.glasses())
    if extra:
        text += f" {he} also wears {listed(extra)}."
    held = say.held()
    if held:
        text += f" There is {held} in one of {his} hands."
    return text


def rstp(say: Speaker, shot: Shot, place: str) -> str:
    """Formal sentences with few words, never fewer than twenty-three."""
    he, his = say.he.capitalize(), say.his
    noun = "man" if say.man else "woman"
    text = f"The {say.person()} {'wears' if say.rng.random() < 0.6 else 'is wearing'} "
    worn = _some(say.phrase("outer"), say.phrase("upper"), say.phrase("lower"), say.phrase("shoes"))
    text += f"{listed(worn)}." if worn else "dark clothes."
    hair, bag, held = say.hair(), say.phrase("bag"), say.held()
    extra = _some(say.phrase("hat"), say.glasses())
    if hair:
        text += f" {he} has {hair}."
    if bag:
        text += f" {he} {say.one_of('carries', 'is carrying')} {bag} {say.where()}".rstrip() + "."
    if extra:
        text += f" {he} wears {listed(extra)}."
    if held:
        text += f" {he} holds {held} in {his} hand."
    closing = [
        f" The {noun} is {shot.action} with {his} {say.one_of('head down', 'head up', 'hands down')}.",
        f" {he} is {shot.action} {_AWAY[shot.view]}.",
        f" The {noun} is in the middle of the picture.",
    ]
    for sentence in closing:
        if len(text.split()) >= 23:
            break
        text += sentence
    return text


WRITERS: dict[str, Callable[[Speaker, Shot, str], str]] = {"broad": broad, "cuhk": cuhk, "icfg": icfg, "rstp": rstp}


def caption(rng: np.random.Generator, facts: dict[str, str], shot: Shot, place: str, how: Writing) -> str:
    """The caption for stated facts, in the domain's style or, rarely, in a foreign one."""
    style = how.style
    if how.foreign and rng.random() < how.foreign:
        style = pick(rng, [s for s in STYLES if s != style])
    text = WRITERS[style](Speaker(rng, facts, how, style), shot, place)
    return misspelt(rng, text, how.typos)
