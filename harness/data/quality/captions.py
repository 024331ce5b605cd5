"""What can be wrong with captions: the same twice, the same for several identities, other scripts, pieces of code."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping

from harness.data.quality.faults import EXAMPLES, Finding
from harness.data.split import Split

# Marks of what was meant for a machine: tags and entities, escapes, addresses, pieces of JSON.
CODE = re.compile(
    r"</?[a-z][a-z0-9]*[^<>]*>|&(?:[a-z]{2,8}|#\d+);|\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|n|t|\")"
    r"|https?://|\bwww\.|\"\s*:\s*[\"\[{]|[{}]",
    re.IGNORECASE,
)
LATIN = ("LATIN", "FEMININE", "MASCULINE", "MICRO")  # how Unicode names of letters begin that Latin texts have


def look(splits: Mapping[str, Split]) -> list[Finding]:
    """A warning for each kind of odd caption in each split, with how many there are and the first of them."""
    findings = []
    for part, split in splits.items():
        repeated = len(split.captions) - len(set(split.captions))
        if repeated:
            findings.append(Finding("warning", f"{repeated:,} captions of {part} repeat another one word for word"))
        findings += _shared(part, split)
        for what, odd in KINDS.items():
            strange = [(k, caption) for k, caption in enumerate(split.captions) if odd(caption)]
            if strange:
                first = tuple(f"caption {k} {caption[:40]!r}" for k, caption in strange[:EXAMPLES])
                findings.append(Finding("warning", f"{len(strange):,} captions of {part} have {what}", first))
    return findings


def _shared(part: str, split: Split) -> list[Finding]:
    """Captions that several identities have: as queries they have a right answer that counts as wrong."""
    people: dict[str, set[int]] = defaultdict(set)
    for caption, person in zip(split.captions, split.caption_person.tolist(), strict=True):
        people[" ".join(caption.lower().split())].add(person)
    found = {caption: whose for caption, whose in people.items() if len(whose) > 1}
    if not found:
        return []
    identities = len(set().union(*found.values()))
    first = tuple(
        f"{caption[:40]!r} (identities {', '.join(split.persons[p] for p in sorted(whose)[:EXAMPLES])})"
        for caption, whose in list(found.items())[:EXAMPLES]
    )
    words = f"{len(found):,} captions of {part} are given to several identities ({identities:,} of them)"
    return [Finding("warning", words, first)]


def _control(caption: str) -> bool:
    return any(ord(letter) < 32 and letter not in "\t\n\r" for letter in caption)


def _foreign(caption: str) -> bool:
    """Whether letters of another script than Latin are in it."""
    letters = "" if caption.isascii() else caption
    return not all(unicodedata.name(letter, LATIN[0]).startswith(LATIN) for letter in letters if letter.isalpha())


KINDS: dict[str, Callable[[str], object]] = {
    "control characters": _control,
    "letters of another script": _foreign,
    "pieces of code": CODE.search,
}
