"""Drawn people: who exists, what is visible of them, and what is said of it in which words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.datasets.synthetic import oracle, write
from harness.datasets.synthetic.domains import DOMAINS
from harness.datasets.synthetic.families import distance, population
from harness.datasets.synthetic.people import COLOURS, HAIR_COLOURS, SLOTS, WEIGHTS, Person
from harness.datasets.synthetic.text.words import LEXICON, STYLES
from harness.datasets.synthetic.view import Shot, visible

NAMES = ("broad", "cuhk", "icfg", "rstp")


@pytest.mark.parametrize("name", ("cuhk", "icfg", "rstp"))
def test_people(name):
    domain = DOMAINS[name]
    people = population(0, name, domain.sizes["standard"].identities, domain.tilt, domain.families)
    everyone = [person for split in people.values() for person in split]
    assert len(set(everyone)) == len(everyone)
    assert not any(person.held_out for split in ("train", "val") for person in people.get(split, []))
    assert any(person.held_out for person in people["test"])
    for person in people["test"]:
        assert sum(1 <= distance(person, other) <= 2 for other in people["test"]) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_wide_is_demo_with_a_long_test(name):
    domain = DOMAINS[name]
    demo, wide = domain.sizes["demo"], domain.sizes["wide"]
    assert (wide.height, wide.width) == (demo.height, demo.width)
    kept = [split for split in demo.identities if split != "test"]
    assert all(wide.identities[s] == demo.identities[s] and wide.images[s] == demo.images[s] for s in kept)
    (images,), fewest = wide.images["test"], min(domain.captions)
    assert wide.identities["test"] == 150 and 150 * images * fewest >= 2000
    people = [list(write._people(domain, size, 0)) for size in ("demo", "wide")]
    for split in kept:  # so that files of these splits are the same
        first, second = ([(k, person) for k, (s, person) in enumerate(p) if s == split] for p in people)
        assert first == second


def test_broad_has_no_look_alikes_on_purpose():
    people = population(0, "broad", {"train": 300}, {}, families=False)["train"]
    assert not any(person.held_out for person in people)
    assert np.mean([any(1 <= distance(a, b) <= 2 for b in people) for a in people]) < 0.05


def _person(**changes: str) -> Person:
    plain = dict.fromkeys(SLOTS, "none") | {
        "gender": "woman", "age": "young", "build": "medium", "hair": "ponytail", "hair_colour": "black",
        "upper": "shirt", "upper_colour": "red", "pattern": "printed", "sleeve": "long", "lower": "jeans",
        "lower_colour": "blue", "lower_length": "long", "shoes": "boots", "shoes_colour": "black",
    }  # fmt: skip
    return Person(**(plain | changes))


def _shot(view: str, facing: int = 1, occluder: str = "none") -> Shot:
    return Shot(0, view, facing, "walking", 0.5, 0.9, (0.0, 0.0), occluder)


def test_what_is_visible_depends_on_the_view():
    dressed = _person(outer="jacket", outer_colour="green", glasses="glasses", held="phone")
    assert "pattern" in visible(dressed, _shot("front"))
    assert not {"pattern", "upper_colour", "glasses", "held", "age"} & set(visible(dressed, _shot("back")))
    assert "hair" in visible(dressed, _shot("back")) and "hair" not in visible(dressed, _shot("front"))
    assert not {"shoes", "shoes_colour"} & set(visible(dressed, _shot("front", occluder="low")))
    bag = _person(bag="handbag", bag_colour="red", bag_side="left")
    assert "bag" in visible(bag, _shot("side", facing=-1)) and "bag" not in visible(bag, _shot("side", facing=1))


def test_captions_state_only_what_can_be_seen(folders):
    for name in NAMES:
        known = json.loads((folders[name] / write.FACTS).read_text())
        for path, captions in known["captions"].items():
            hidden = set(known["images"][path]["hidden"])
            assert all(not hidden & set(facts) for facts in captions)


def test_rates_of_omission_and_mistakes(data):
    """The share of stated facts that are wrong is between 2 and 8 % (mistakes and rendered colours together)."""
    for name in ("cuhk", "icfg", "rstp"):
        captions, images, query, gallery = oracle.facts(write.ensure(name, data, "tiny"))
        del images, gallery
        known = json.loads((write.ensure(name, data, "tiny") / write.FACTS).read_text())["persons"]
        stated = [
            (value, known[str(who)][slot]) for c, who in zip(captions, query, strict=True) for slot, value in c.items()
        ]
        wrong = np.mean([said != true for said, true in stated])
        assert 0.01 < wrong < 0.1
        assert 4 < len(stated) / len(captions) < 12


def test_every_value_has_words_in_every_style():
    values = {
        **{slot: list(weights) for slot, weights in WEIGHTS.items()},
        "colour": list(COLOURS),
        "hair_colour": list(HAIR_COLOURS),
    }
    for kind, table in LEXICON.items():
        for value in set(values.get(kind, [])) - {"none", "plain", "medium"}:
            assert all(table[style, value] for style in STYLES), (kind, value)


def test_words_of_the_domains_occur_in_broad():
    """Transfer must be possible: nearly all words of the narrow domains occur, if rarely, in the broad one."""
    from harness.datasets.synthetic.streams import stream
    from harness.datasets.synthetic.text.captions import stated
    from harness.datasets.synthetic.text.styles import caption
    from harness.datasets.synthetic.view import shoot

    def vocabulary(name: str, count: int) -> set[str]:
        domain = DOMAINS[name]
        people = population(0, name, {"train": count}, domain.tilt, False)["train"]
        words: set[str] = set()
        for k, person in enumerate(people):
            rng = stream("vocabulary", name, k)
            shot = shoot(rng, 0, (0.9, 0.95), 0.0)
            facts = stated(rng, visible(person, shot), {}, domain.writing)
            words |= set(
                caption(rng, facts, shot, "street", domain.writing).lower().replace(",", "").replace(".", "").split()
            )
        return words

    broad = vocabulary("broad", 6000)
    for name in ("icfg", "rstp"):
        own = vocabulary(name, 400)
        assert len(own & broad) / len(own) > 0.8
