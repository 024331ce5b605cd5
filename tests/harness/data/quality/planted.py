"""Every fault that a copy of a published data set can have, planted one at a time in each of the three layouts.

`python tests/harness/data/quality/planted.py` draws the copies, plants the faults and prints what `check` says of each.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from harness import registry
from harness.data.quality.check import Report, check
from harness.datasets.synthetic import write

LAYOUTS = {"cuhk": "cuhk_pedes", "icfg": "icfg_pedes", "rstp": "rstpreid"}


@dataclass
class Copy:
    """A small copy of a data set in a published layout."""

    dataset: str
    root: Path

    def __post_init__(self) -> None:
        source = registry.find("datasets", self.dataset).SOURCE
        self.key, self.file, self.imgs = source.path_key, self.root / source.files[0], self.root / source.images

    @property
    def rows(self) -> list[dict]:
        return json.loads(self.file.read_text())

    def edit(self, change: Callable[[list], object]) -> None:
        rows = self.rows
        change(rows)
        self.file.write_text(json.dumps(rows))

    def set(self, k: int, **values: object) -> None:
        """Replace values of record k; `path` is the key of the image's path."""
        values = {self.key if key == "path" else key: value for key, value in values.items()}
        self.edit(lambda rows: rows[k].update(values))

    def of(self, split: str) -> list[int]:
        """Numbers of the records of a split."""
        return [k for k, row in enumerate(self.rows) if row["split"] == split]

    def image(self, k: int) -> Path:
        return self.imgs / self.rows[k][self.key]

    def save(self, k: int, mode: str, kind: str = "PNG", **more: object) -> None:
        """Write the picture of record k anew in another mode, under its old name."""
        with Image.open(self.image(k)) as image:
            grey = image.convert("L")
            changed = {"I;16": grey.convert("I").point(lambda v: v * 257).convert("I;16"), "F": grey.convert("F")}.get(
                mode
            ) or image.convert(mode)
        changed.save(self.image(k), kind, **more)

    def check(self, **options: object) -> Report:
        return check(self.dataset, self.root, tokens=lambda text: 2 + len(text.split()), **options)


def made(layout: str, root: Path, whole: bool = False) -> Copy:
    """A drawn copy; if not whole, two identities of val and test and three of train (six where val is cut off it)."""
    folder = write.ensure(layout, root / "drawn", "tiny")
    dataset = LAYOUTS[layout]
    copy = Copy(dataset, root / dataset)
    shutil.copytree(folder / registry.find("datasets", dataset).FOLDER, copy.root)
    if whole:
        return copy
    known: dict[str, dict] = {}
    for row in copy.rows:
        known.setdefault(row["split"], {}).setdefault(row["id"], []).append(row)
    kept = [
        row
        for split, persons in known.items()
        for own in list(persons.values())[: 3 + 3 * ("val" not in known) if split == "train" else 2]
        for row in own
    ]
    wanted = {row[copy.key] for row in kept}
    for path in (p for p in copy.imgs.rglob("*") if p.is_file()):
        if path.relative_to(copy.imgs).as_posix() not in wanted:
            path.unlink()
    copy.file.write_text(json.dumps(kept))
    return copy


def bomb() -> bytes:
    """The head of a PNG of 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def drawn(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "JPEG")
    return out.getvalue()


def empty_folder(copy: Copy) -> None:
    """The folder of the first image disappears whole."""
    shutil.rmtree(copy.image(0).parent)


def link_out(copy: Copy, k: int = 0) -> None:
    outside = copy.root.parent / f"outside-{copy.root.name}.jpg"
    shutil.move(copy.image(k), outside)
    copy.image(k).symlink_to(outside)


def link_loop(copy: Copy) -> None:
    path = copy.image(0)
    path.unlink()
    path.symlink_to(path)


def recompress(copy: Copy) -> None:
    with Image.open(copy.image(0)) as image:
        image.convert("RGB").save(copy.image(copy.of("test")[0]), "JPEG", quality=90)


def two_people(copy: Copy) -> None:
    """A caption of another identity of the same split."""
    rows = copy.rows
    other = next(
        k for k in range(1, len(rows)) if rows[k]["id"] != rows[0]["id"] and rows[k]["split"] == rows[0]["split"]
    )
    copy.set(other, captions=rows[0]["captions"])


def twin(copy: Copy) -> None:
    """One picture under two identities of train."""
    rows = copy.rows
    other = next(k for k in copy.of("train") if rows[k]["id"] != rows[0]["id"])
    shutil.copy(copy.image(0), copy.image(other))


def exif(copy: Copy) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    copy.save(0, "RGB", "JPEG", exif=turned)


def clash(copy: Copy) -> None:
    copy.set(1, path=copy.rows[0][copy.key].swapcase())


def lost(copy: Copy, name: str, content: str | None = None) -> None:
    """The annotation file under another name."""
    copy.file.rename(copy.file.with_name(name))
    if content is not None:
        copy.file.write_text(content)


MODES = {"L": "L", "LA": "LA", "RGBA": "RGBA", "P": "P", "1": "1", "I;16": "I;16"}

# Fault -> how it is planted, and words of what is said. Numbers are those of the records.
FAULTS: dict[str, tuple[Callable[[Copy], object], str]] = {
    "no folder": (lambda c: shutil.rmtree(c.root), "no such folder"),
    "no annotation file": (lambda c: c.file.unlink(), "no annotation file"),
    "annotation file under another name": (lambda c: lost(c, "labels.json"), "found labels.json"),
    "one image missing": (lambda c: c.image(0).unlink(), "1 of "),
    "a folder of images missing": (empty_folder, "images are missing"),
    "JSON cut off": (lambda c: c.file.write_text(c.file.read_text()[:-40]), "not valid JSON"),
    "JSON not a list": (lambda c: c.file.write_text('{"a": 1}'), "holds a dict"),
    "JSON an empty list": (lambda c: c.file.write_text("[]"), "an empty list"),
    "JSON not UTF-8": (lambda c: c.file.write_bytes(b'["\xff"]'), "not UTF-8"),
    "record not an object": (lambda c: c.edit(lambda r: r.__setitem__(1, 3)), "record 1: is a int"),
    "key missing": (lambda c: c.edit(lambda r: r[1].pop("captions")), "record 1, captions: missing"),
    "captions a string": (lambda c: c.set(1, captions="A man."), "record 1, captions: is a str"),
    "captions empty": (lambda c: c.set(1, captions=[]), "captions: is an empty list"),
    "caption a number": (lambda c: c.set(1, captions=[3]), "captions[0]: is a int"),
    "caption empty": (lambda c: c.set(1, captions=[""]), "captions[0]: has no words"),
    "caption of spaces": (lambda c: c.set(1, captions=["A man.", " \t"]), "captions[1]: has no words"),
    "caption of dots": (lambda c: c.set(1, captions=["..."]), "captions[0]: has no words"),
    "caption with control characters": (lambda c: c.set(1, captions=["A\x07 man."]), "have control characters"),
    "caption twice": (lambda c: c.set(1, captions=c.rows[0]["captions"]), "repeat another one"),
    "caption of two people": (two_people, "are given to several identities"),
    "caption with another script": (lambda c: c.set(1, captions=["A man with a \u0441oat."]), "of another script"),
    "caption with a tag": (lambda c: c.set(1, captions=["A man <br/> in black."]), "have pieces of code"),
    "caption with an escape": (lambda c: c.set(1, captions=["A caf\\u00e9 owner."]), "have pieces of code"),
    "caption over the context": (lambda c: c.set(1, captions=["man " * 90]), "have more than 77 tokens and are cut"),
    "split unknown": (lambda c: c.set(1, split="vall"), "record 1, split: is 'vall'"),
    "split without images": (lambda c: c.edit(lambda r: [x.update(split="train") for x in r]), "no image in split '"),
    "id a fraction": (lambda c: c.set(1, id=1.5), "record 1, id: is 1.5"),
    "id null": (lambda c: c.set(1, id=None), "record 1, id: is None"),
    "identity in two splits": (lambda c: c.set(-1, id=c.rows[0]["id"]), "is in train and in test"),
    "image listed in two splits": (lambda c: c.set(-1, path=c.rows[0][c.key]), "is in train and in test"),
    "image listed twice": (lambda c: c.set(1, path=c.rows[0][c.key]), "listed more than once"),
    "path absolute": (lambda c: c.set(1, path="/etc/passwd"), "leaves the folder"),
    "path to above": (lambda c: c.set(1, path="a/../../b.jpg"), "leaves the folder"),
    "path with backslashes": (lambda c: c.set(1, path="a\\b.jpg"), "leaves the folder"),
    "path of a drive": (lambda c: c.set(1, path="C:/b.jpg"), "leaves the folder"),
    "path empty": (lambda c: c.set(1, path=""), "the path of an image"),
    "names that differ in case": (clash, "differ in upper and lower case"),
    "link out of the folder": (link_out, "a link that leaves the data folder"),
    "loop of links": (link_loop, "a loop of links"),
    "image empty": (lambda c: c.image(0).write_bytes(b""), "empty file"),
    "image no picture": (lambda c: c.image(0).write_bytes(b"no picture"), "UnidentifiedImageError"),
    "image damaged": (lambda c: c.image(0).write_bytes(c.image(0).read_bytes()[:150] + b"\0" * 900), "cannot be read"),
    "image cut off": (lambda c: c.image(0).write_bytes(c.image(0).read_bytes()[:-300]), "the end is missing"),
    "image a bomb": (lambda c: c.image(0).write_bytes(bomb()), "DecompressionBombError"),
    "image of one pixel": (lambda c: c.image(0).write_bytes(drawn(1, 1)), "1 x 1 pixels"),
    "image a strip": (lambda c: c.image(0).write_bytes(drawn(8, 400)), "8 x 400 pixels"),
    "image of floats": (lambda c: c.save(0, "F", "TIFF"), "floating-point pixels"),
    "image turned by EXIF": (exif, "1 images need a conversion: orientation"),
    "image in CMYK": (lambda c: c.save(0, "CMYK", "JPEG"), "1 images need a conversion: CMYK"),
    **{
        f"image in mode {mode}": (lambda c, mode=mode: c.save(0, mode), f"1 images need a conversion: {name}")
        for mode, name in MODES.items()
    },
    "image of train in test": (
        lambda c: shutil.copy(c.image(0), c.image(c.of("test")[0])),
        "images are in two splits, byte for byte",
    ),
    "image of train in test, recompressed": (recompress, "images of different splits look alike"),
    "image under two identities": (twin, "images belong to two identities, byte for byte"),
    "image under two names": (
        lambda c: shutil.copy(c.image(0), c.image(1)),
        "images are there under two names, byte for byte",
    ),
}
# What is no fault: the data can be used, and identities are numbered anew.
REMAPPED = {
    "ids with gaps": lambda c: c.edit(lambda r: [x.update(id=7 * x["id"] + 3) for x in r]),
    "ids negative": lambda c: c.edit(lambda r: [x.update(id=-1 - x["id"]) for x in r]),
    "ids as text": lambda c: c.edit(lambda r: [x.update(id=f"p{x['id']}") for x in r]),
}
WARNED = ("caption with", "caption twice", "caption of two", "caption over", "image listed twice", "image in",
          "image turned", "image under", "image of train in test, re")  # fmt: skip


def usable(fault: str) -> bool:
    """Whether a data set with this fault can be used all the same."""
    return fault.startswith(WARNED)


def said(report: Report, words: str) -> str | None:
    """The first line of a report with these words."""
    lines = [" ".join(row) for row in report.rows()]
    return next((line for line in lines if words in line), None)


def main() -> int:
    silent = 0
    with tempfile.TemporaryDirectory() as folder:
        clean = {layout: made(layout, Path(folder)) for layout in LAYOUTS}
        print(f"{'fault':<40}" + "".join(f"{layout:<8}" for layout in LAYOUTS) + "what is said")
        for number, (fault, (plant, words)) in enumerate(FAULTS.items()):
            found = []
            for layout, source in clean.items():
                copy = Copy(source.dataset, Path(folder) / f"{layout}-{number}")
                shutil.copytree(source.root, copy.root)
                plant(copy)
                found.append(said(copy.check(), words))
            silent += found.count(None)
            marks = "".join(f"{'found' if line else 'SILENT':<8}" for line in found)
            line = next((line for line in found if line), "").replace(folder + os.sep, "")
            print(f"{fault:<40}{marks}{' '.join(line.split())[:100]}")
        print(f"{3 * len(FAULTS) - silent} of {3 * len(FAULTS)} found")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
