"""From YAML text to plain values with the line of each, within limits that no study comes near.

YAML 1.2 is read: `no` is text, `1e-3` a number, a key given twice is refused. Aliases and merge keys (`<<`) mean what
they stand for; how much that is, is counted before anything is written out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import UserError, brief

NODES = 50_000  # keys and values, each alias counted as all that it stands for
DEPTH = 40  # of lists and mappings in each other, likewise
KINDS = "str", "int", "float", "bool", "null", "seq", "map"  # tags that may be written
SILENT = "\t\n\r\u00ad\u200c\u200d"  # characters without a look that text may hold: soft hyphens, joiners of letters
YAML_TAG = "tag:yaml.org,2002:"

Lines = dict[tuple, int | str]


class _Refused(Exception):
    """What a text holds that a study cannot.

    Args:
        what: In a sentence.
        line: Counted from 0.
        expected: Instead.
    """

    def __init__(self, what: str, line: int, expected: str | None = None) -> None:
        self.what, self.line, self.expected = what, line, expected
        super().__init__(what)


class _Composer(Composer):
    """Makes nodes, an alias being the node that it stands for, and refuses what is beyond the limits."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False
        self.nested = 0
        self.sizes: dict[int, tuple[int, int]] = {}  # of whole nodes, by `id`: nodes below it and itself, depth
        self.tagged: dict[int, str] = {}  # what is written as its tag, by `id`

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As the base class does, and counted."""
        event = self.parser.peek_event()
        line, alias = event.start_mark.line, isinstance(event, AliasEvent)
        self.nested += 1
        if self.nested > DEPTH + 1:
            raise _deep(line)
        node = super().compose_node(parent, index)
        self.nested -= 1
        if alias:
            if id(node) not in self.sizes:
                raise _Refused(f"alias *{brief(event.anchor)} stands within what it stands for", line)
            return node
        if getattr(event, "tag", None) not in (None, "!"):
            self.tagged[id(node)] = str(event.tag)
        size, depth = 1, 0
        for part in _parts(node):
            count, below = self.sizes[id(part)]
            size, depth = size + count, max(depth, below + 1)
        if size > NODES:
            raise _Refused(f"a value of {size:,} parts, all aliases written out", line, f"at most {NODES:,}")
        if depth > DEPTH:
            raise _deep(line)
        self.sizes[id(node)] = size, depth
        return node


def _deep(line: int) -> _Refused:
    return _Refused("lists and mappings too deep in each other", line, f"at most {DEPTH} levels")


def _parts(node: Node) -> Iterator[Node]:
    """What is directly in a node."""
    for part in () if isinstance(node, ScalarNode) else node.value:
        yield from part if isinstance(part, tuple) else (part,)


def read(text: str, at: Callable[[int | None], str]) -> tuple[Any, Lines]:
    """A YAML document as mappings with text as keys, lists and scalars; and the line of each key and item, from 1.

    What a merge key brings has the line where it is written.

    Args:
        text: One document.
        at: From a line, counted from 1 (None: not known), to the place that a fault names.

    Raises:
        UserError: no YAML, or beyond the limits, or no plain values.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    lines: Lines = {}
    try:
        node = _composed(yaml, text, at)
        return (None if node is None else _Reading(yaml, lines).value(node, ())), lines
    except _Refused as fault:
        raise UserError(fault.what, at(fault.line + 1), fault.expected) from None


def _composed(yaml: YAML, text: str, at: Callable[[int | None], str]) -> Node | None:
    try:
        return yaml.compose(text)
    except YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        problem = " ".join(str(getattr(fault, "problem", None) or fault).split())
        raise UserError(f"no YAML: {brief(problem, 200)}", at(mark.line + 1 if mark else None)) from fault
    except (ValueError, OverflowError, AttributeError, TypeError, LookupError, AssertionError) as fault:
        # The library's own slips, as at an escape beyond the last character of Unicode.
        raise UserError(f"no YAML: {brief(str(fault), 200)}", at(None)) from fault


class _Reading:
    """From nodes to values.

    Args:
        yaml: That made the nodes.
        lines: Gets the line of every place.
    """

    def __init__(self, yaml: YAML, lines: Lines) -> None:
        self.yaml, self.lines = yaml, lines

    def value(self, node: Node, place: tuple) -> Any:
        """The plain value of a node."""
        self._check_tag(node, place)
        if isinstance(node, MappingNode):
            found = {}
            for key, (written, value) in self._pairs(node, place).items():
                self.lines[(*place, key)] = written.start_mark.line + 1
                found[key] = self.value(value, (*place, key))
            return found
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.lines[(*place, index)] = item.start_mark.line + 1
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node, place)

    def _pairs(self, node: MappingNode, place: tuple) -> dict[str, tuple[Node, Node]]:
        """Key -> (its node, the value's); what is written goes before what is merged, and of that the first."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        below: Node | None = None
        for key, value in node.value:
            line = key.start_mark.line
            if not isinstance(key, ScalarNode):
                raise _Refused(f"{_named(place)}a list or mapping as a key", line, "text as keys")
            self._check_tag(key, place)
            merges = key.tag == f"{YAML_TAG}merge"
            if key.value in own or (merges and below is not None):
                raise _Refused(f"key given twice: {brief(key.value)}", line)
            if not merges:
                _check_text(key, key.value, place)
                if not key.value.isprintable():
                    raise _Refused(f"{_named(place)}a key {brief(ascii(key.value))}", line, "plain text as keys")
                own[key.value] = key, value
                continue
            below = value
            for part in value.value if isinstance(value, SequenceNode) else [value]:
                if not isinstance(part, MappingNode):
                    raise _Refused(f"{_named(place)}'<<' merges no mapping", line, "an alias of a mapping, or a list")
                merged |= {k: pair for k, pair in self._pairs(part, place).items() if k not in merged}
        return {**own, **{key: pair for key, pair in merged.items() if key not in own}}

    def _check_tag(self, node: Node, place: tuple) -> None:
        tag = self.yaml.composer.tagged.get(id(node))
        kind = str(tag).removeprefix(YAML_TAG)
        fits = "seq" if isinstance(node, SequenceNode) else "map" if isinstance(node, MappingNode) else None
        if tag is not None and (kind not in KINDS or (kind if kind in ("seq", "map") else None) != fits):
            shown = f"!!{kind}" if tag.startswith(YAML_TAG) else tag
            raise _Refused(f"{_named(place)}tag {brief(shown)} is not read", node.start_mark.line, "plain values")

    def _scalar(self, node: ScalarNode, place: tuple) -> Any:
        kind = str(node.tag).removeprefix(YAML_TAG)
        if kind == "null":
            return None
        if kind in ("bool", "int", "float"):
            try:
                return getattr(self.yaml.constructor, f"construct_yaml_{kind}")(node)
            except (ValueError, LookupError, OverflowError, YAMLError):
                wanted = "truth value" if kind == "bool" else "number"
                what = f"{_named(place)}cannot read {brief(node.value)!r} as a {wanted}"
                raise _Refused(what, node.start_mark.line) from None
        _check_text(node, node.value, place)
        return node.value


def _check_text(node: Node, text: str, place: tuple) -> None:
    """Refuse what no file name, terminal or UTF-8 file can hold."""
    odd = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in SILENT), None)
    if odd is not None:
        raise _Refused(f"{_named(place)}text with the character U+{ord(odd):04X}", node.start_mark.line, "plain text")


def _named(place: tuple) -> str:
    return f"{brief('.'.join(str(part) for part in place))}: " if place else ""
