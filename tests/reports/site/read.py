"""A page as a reader of screens takes it: its tables, its links, and what it would load."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "input", "br", "link", "img", "hr"}


@dataclass
class Cell:
    """One cell of a table."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    links: list[str] = field(default_factory=list)
    bar: list[float] = field(default_factory=list)  # low, high, mean in pixels

    @property
    def key(self) -> str | None:
        return self.attributes.get("data-key")


@dataclass
class Table:
    """Its caption, the cells of its head, and those of its body by row."""

    name: str | None
    caption: str = ""
    heads: list[Cell] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    scrolls: bool = False

    def by_head(self, row: list[Cell]) -> dict[str, Cell]:
        """The cells of a row by what stands above them."""
        return dict(zip((head.text for head in self.heads), row, strict=True))


class Page(HTMLParser):
    """Everything of a page that a test asks for; fails on tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tables: list[Table] = []
        self.links: list[str] = []
        self.loaded: list[str] = []  # addresses of what a browser would fetch by itself
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._regions: list[bool] = []
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in VOID:
            self._open.append(tag)
        if given.get("id"):
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        for name in ("src", "srcset", "data", "poster", "action", "formaction"):
            if name in given:
                self.loaded.append(given[name])
        if tag != "a" and (address := given.get("href") or given.get("xlink:href")):
            self.loaded.append(address)
        if tag == "div":
            self._regions.append("scroll" in (given.get("class") or "").split())
        if tag == "table":
            self.tables.append(Table(given.get("data-table"), scrolls=any(self._regions)))
        elif tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append([])
        elif tag in ("th", "td"):
            (self.tables[-1].rows[-1] if "tbody" in self._open else self.tables[-1].heads).append(Cell(tag, given))
        elif tag == "line":
            self._cell().bar += [float(given["x1"]), float(given["x2"])]
        elif tag == "circle":
            self._cell().bar.append(float(given["cx"]))
        if tag == "a" and "table" in self._open:
            self._cell().links.append(given["href"])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, tag
        if tag == "div":
            self._regions.pop()

    def handle_data(self, data):
        if "caption" in self._open:
            self.tables[-1].caption += data
        elif {"th", "td"} & set(self._open):
            self._cell().text += data

    def _cell(self) -> Cell:
        table = self.tables[-1]
        return table.rows[-1][-1] if "tbody" in self._open else table.heads[-1]

    @property
    def styles(self) -> str:
        return "\n".join(re.findall(r"<style>(.*?)</style>", self.source, flags=re.DOTALL))

    def table(self, caption: str) -> Table:
        (found,) = (table for table in self.tables if table.caption == caption)
        return found
