"""What the site says of a method: its docstring, its closed-form sizes, and where its cells stand in each study."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness import registry
from harness.errors import UserError
from reports.drawing import palette
from reports.site.entries import Entry, slug

LONGEST = 24  # characters of a name; what is longer is a sentence
Words = list[tuple[bool, str]]  # (whether it is code, text)


@dataclass(frozen=True)
class Size:
    """Closed-form parameters of a method with its default options on one backbone."""

    backbone: str
    trained: int
    share: float  # of backbone and method together, or of the backbone where nothing is added; a fraction


@dataclass(frozen=True)
class Closed:
    """What only a method's code tells: the paper, its sizes, and options that it needs and that have no default."""

    reference: str
    sizes: tuple[Size, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """One method."""

    name: str
    title: str
    address: str  # of its page, below `methods/`
    first: str  # what it is, one line
    blocks: list[tuple[bool, Words]]  # (whether it is set as it is, as equations are, words)
    closed: Closed | None
    entries: list[Entry]

    @property
    def studies(self) -> list[str]:
        """Studies that measured it."""
        return list(dict.fromkeys(e.study for e in self.entries if e.cell.values))

    @property
    def measured(self) -> dict[str, list[tuple[int, float]]]:
        """By backbone, the (trained parameters, share) that it was measured with, rising."""
        found: dict[str, set[tuple[int, float]]] = {}
        for e in self.entries:
            if e.cell.values and e.cell.trained is not None and e.cell.share is not None:
                found.setdefault(e.backbone, set()).add((e.cell.trained, e.cell.share))
        return {backbone: sorted(some) for backbone, some in sorted(found.items())}


def pages(closed: Mapping[str, Closed], entries: Iterable[Entry]) -> dict[str, Page]:
    """A page for every known method and every other one that was measured, by name."""
    of: dict[str, list[Entry]] = {name: [] for name in registry.names("methods")}
    for entry in entries:
        of.setdefault(entry.method, []).append(entry)
    made: dict[str, Page] = {}
    for name, some in sorted(of.items()):
        first, *blocks = _docstring(name)
        address = f"{slug(name)}.html"
        while any(page.address.lower() == address.lower() for page in made.values()):
            address = address.replace(".html", "_.html")
        shown = [_block(text) for text in blocks]
        made[name] = Page(name, _title(name, first), address, first, shown, closed.get(name), some)
    return made


def _title(name: str, first: str) -> str:
    """A method's name as papers write it: as figures have it, or what its docstring begins with."""
    begins, colon, _ = first.partition(": ")
    known = palette.name(name)
    return begins if known == name and colon and len(begins) <= LONGEST else known


def _docstring(name: str) -> list[str]:
    """Paragraphs of the docstring of a method's file, its first line first; where it is not here, a line says so."""
    try:
        text = registry.source("methods", name).read_text(encoding="utf-8")
        doc = ast.get_docstring(ast.parse(text)) or ""
    except (UserError, OSError, SyntaxError):
        doc = ""
    return re.split(r"\n\s*\n", doc) if doc else ["Its file is not part of this installation."]


def _block(text: str) -> tuple[bool, Words]:
    """Lines that are all indented stand as they are; others are a paragraph, with code between backticks."""
    if all(line.startswith("    ") for line in text.splitlines() if line.strip()):
        return True, [(False, textwrap.dedent(text))]
    return False, [(place % 2 == 1, part) for place, part in enumerate(" ".join(text.split()).split("`")) if part]
