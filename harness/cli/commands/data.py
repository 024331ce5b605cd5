"""`upbench data`: check, make, pack, map or shift a data set."""

from __future__ import annotations

import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harness import registry
from harness.cli import shared
from harness.errors import DataError, UserError

root_option = click.option("--root", help="folder of the data set; default its own name below the data folder")


@click.group("data")
def command() -> None:
    """Check, make, pack or map a data set."""


@command.command("make")
@click.argument("name")
@shared.data_option
@shared.set_option
def make(name, data, settings) -> None:
    """Draw the synthetic data set NAME below the data folder; what is there already stays."""
    module = registry.find("datasets", name)
    if not hasattr(module, "ladder"):
        drawn = [other for other in registry.names("datasets") if other.startswith("synth")]
        raise UserError(
            f"{name} cannot be made: {registry.summary('datasets', name)}", expected=f"one of {', '.join(drawn)}"
        )
    began = time.perf_counter()
    root, options = _place(module, data, settings)
    try:
        splits = module.load(root, **options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UserError(f"data set {name}: {error}", where="--set") from error
    shared.say_table(
        ("split", "identities", "images", "captions"),
        (
            (split, f"{len(part.persons):,}", f"{len(part.images):,}", f"{len(part.captions):,}")
            for split, part in splits.items()
        ),
        right=("identities", "images", "captions"),
    )
    click.echo(f"{name} is in {root} ({time.perf_counter() - began:.1f} s)")


@command.command("check")
@click.argument("name")
@root_option
@click.option("--decode", is_flag=True, help="decode every picture, not only its header and its end")
@click.option("--against", multiple=True, metavar="NAME[=DIR]", help="look for the same images in this data set too")
@click.option(
    "--near",
    type=click.IntRange(0, 15),
    default=6,
    show_default=True,
    help="of 128 bits in which images that look alike may differ",
)
@shared.data_option
@shared.set_option
@shared.json_option
def check(name, root, decode, against, near, data, settings, as_json) -> None:
    """Check the data set NAME: counts, files, captions, duplicates; for drawn ones also what perfect eyes reach.

    Ends with 4 when it cannot be used. With --json every pair of images that are one is listed.
    """
    from harness.data.quality import check as checking
    from harness.model.tokenizer import Tokenizer

    words = Tokenizer(checking.CONTEXT)

    found, options = _place(registry.find("datasets", name), data, settings)
    root = Path(root) if root else found
    others = dict(_other(text, data) for text in against)
    report = checking.check(name, root, options, lambda text: len(words.encode(text)), decode, others, near, _bar)
    if as_json:
        shared.say_json(report.json())
    else:
        for section, what, value in report.rows():
            head = f"{section:<8} {what:<13} "
            form: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}  # of paths
            click.echo(textwrap.fill(value, 80, initial_indent=head, subsequent_indent=" " * len(head), **form))
    if not report.usable:
        first = next(finding for finding in report.findings if finding.level == "error")
        raise DataError(f"data set {name} cannot be used: {first.what}", where=root)


@command.command("pack")
@click.argument("name")
@root_option
@click.option("--backbone", default="ViT-B-16", show_default=True, help="whose image size, unless --image is given")
@click.option("--image", metavar="HxW", help="height and width in pixels, such as 384x128")
@click.option("--workers", type=click.IntRange(min=1), help="decoding threads; default one per core")
@shared.data_option
@shared.set_option
@shared.json_option
def pack(name, root, backbone, image, workers, data, settings, as_json) -> None:
    """Decode every image of the data set NAME once, for all trials to read.

    Trials do the same on first use. What is packed already is checked and kept, and what an interrupted run has
    finished is not done again.
    """
    from harness.data.pipeline import pack as packing
    from harness.trial import splits as data_splits

    size = _size(image, backbone)
    found, options = _place(registry.find("datasets", name), data, settings)
    place = Path(root) if root else found
    splits = data_splits.splits({"dataset": name, "options": {**options, "root": str(place)}}, data)
    cache = Path(data) / ".cache" / "images"
    rows: list[dict[str, Any]] = []
    for part, split in splits.items():
        began, decoded = time.perf_counter(), packing.Decoded()
        with _bar(part) as step:
            array = packing.pack(split, size, cache, workers, step, decoded)
        seconds = time.perf_counter() - began
        changed = dict(sorted(packing.converted(cache, packing.key(split, size)).items()))
        began = time.perf_counter()
        packing.through(array)
        rows.append({
            "split": part, "images": len(array), "bytes": array.nbytes, "seconds": seconds, "decoded": decoded.images,
            "seconds_decoding": decoded.seconds, "seconds_reading": time.perf_counter() - began, "converted": changed,
        })  # fmt: skip
    if as_json:
        shared.say_json({"dataset": name, "root": str(place), "size": size, "cache": str(cache), "splits": rows})
        return
    shared.say_table(
        ("split", "images", "MB", "seconds", "images/s", "conversions"),
        [
            (
                row["split"],
                f"{row['images']:,}",
                f"{row['bytes'] / 1e6:,.1f}",
                f"{row['seconds']:.1f}",
                f"{row['decoded'] / row['seconds_decoding']:,.0f}" if row["decoded"] else "there",
                ", ".join(f"{kind} {count:,}" for kind, count in row["converted"].items()) or "none",
            )
            for row in rows
        ],
        right=("images", "MB", "seconds", "images/s"),
    )
    total = sum(row["bytes"] for row in rows)
    click.echo(f"{name} at {size[0]}x{size[1]} is in {cache} ({total:,} bytes)")
    click.echo(_gain(rows))


def _gain(rows: list[dict]) -> str:
    """What packing saves: reading every image once from the pack against decoding it, by times of this run."""
    made = [row for row in rows if row["decoded"] == row["images"]]
    decoding, reading = (sum(row[f"seconds_{what}"] for row in made) for what in ("decoding", "reading"))
    if not made:
        return "nothing was decoded"
    images = sum(row["images"] for row in made)
    return f"a pass over {images:,} images: {decoding / reading:,.0f} times the speed of decoding them, in this run"


@command.command("map")
@click.argument("name")
@root_option
@shared.data_option
@shared.set_option
def maps(name, root, data, settings) -> None:
    """Say which identity, image and caption each number of the data set NAME in the results is: CSV files.

    Identities are numbered from 0 in every split. Trials write the same files when they first read the data set.
    """
    from harness.trial import splits as data_splits

    found, options = _place(registry.find("datasets", name), data, settings)
    place = str(Path(root) if root else found)
    click.echo(str(data_splits.maps({"dataset": name, "options": {**options, "root": place}}, data)))


@command.command("shifts")
@click.argument("name")
@root_option
@click.option("--out", required=True, type=click.Path(dir_okay=False), metavar="FILE.png", help="where to draw it")
@click.option("--query", type=click.IntRange(min=0), default=0, show_default=True, help="which caption of test")
@click.option("--image", default="192x64", show_default=True, metavar="HxW", help="height and width in pixels")
@shared.data_option
@shared.set_option
def shifts(name, root, out, query, image, data, settings) -> None:
    """Draw what every shift does to an image of the data set NAME; what becomes of its caption is in FILE.txt."""
    from harness.data.pipeline import pack as packing
    from harness.shifts import _sheet
    from harness.trial import splits as data_splits

    found, options = _place(registry.find("datasets", name), data, settings)
    place = str(Path(root) if root else found)
    test = data_splits.splits({"dataset": name, "options": {**options, "root": place}}, data)["test"]
    if query >= len(test.captions):
        raise UserError(f"test has no caption {query}", "--query", f"at most {len(test.captions) - 1}")
    path, index = Path(out), int(test.caption_image[query])
    if path.suffix != ".png":
        raise UserError(f"cannot draw into '{path.name}'", "--out", "a name that ends in .png")
    images = packing.pack(test, _size(image, ""), Path(data) / ".cache" / "images")
    try:
        _sheet.sheet(images, test.image_person, index).save(path)
        text = "\n".join(_sheet.lines(test.captions[query], query)) + "\n"
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", path) from error
    click.echo(
        f"{path} and {path.with_suffix('.txt').name}: caption {query} of test with its image {test.images[index]}"
    )


def _size(image: str | None, backbone: str) -> tuple[int, int]:
    """Height and width in pixels."""
    if image is None:
        from harness.model.weights import Source, pixels

        return tuple(pixels(Source(backbone))["size"])
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", image)
    if not match:
        raise UserError(f"cannot read image size '{image}'", "--image", "height x width in pixels, such as 384x128")
    return int(match[1]), int(match[2])


@contextmanager
def _bar(part: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error where that is a terminal; gives what counts the images done."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{part:<5}", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _other(text: str, data: str) -> tuple[str, Path]:
    """`NAME` or `NAME=DIR` as the name of a data set and its folder."""
    name, _, root = text.partition("=")
    module = registry.find("datasets", name)
    return name, Path(root) if root else Path(data) / module.FOLDER


def _place(module, data: str, settings) -> tuple[Path, dict]:
    from harness.study.yaml import value

    options = {key: value(text, f"--set {key}") for key, text in shared.assignments(settings).items()}
    return Path(str(options.pop("root", Path(data) / module.FOLDER))), options
