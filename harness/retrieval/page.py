"""The gallery page of a search: one file, with small copies of the images in it, that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from harness.data.pipeline import images

HEIGHT = 192  # pixels of the copies
MOST = 50  # sentences on one page

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; } .about { opacity: .7; margin: 0 0 1.5rem; }
section { border-top: 1px solid var(--line); padding: 1.1rem 0 1.5rem; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 0 0 .8rem; max-width: 60ch; }
ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .9rem; }
li { width: 8rem; font-size: .8rem; } li a { color: inherit; text-decoration: none; }
img { display: block; height: 12rem; width: 8rem; object-fit: contain; background: var(--line); border-radius: 4px; }
.score { display: flex; justify-content: space-between; margin-top: .3rem; font-variant-numeric: tabular-nums; }
.name { opacity: .7; overflow-wrap: anywhere; line-height: 1.25; }
"""


def write(
    path: Path,
    folder: Path,
    label: str,
    results: Sequence[tuple[str, Sequence[tuple[str, float]]]],
    indexed: int,
) -> None:
    """Write the page.

    Args:
        path: Of the page.
        folder: Of the images.
        label: Of the model.
        results: For each sentence its best images, path below the folder and score.
        indexed: Images searched.
    """
    parts = []
    for sentence, best in results[:MOST]:
        items = "".join(_item(folder, name, score, rank, path) for rank, (name, score) in enumerate(best, start=1))
        parts.append(f"<section><h2>{html.escape(sentence)}</h2><ol>{items}</ol></section>")
    more = f" The first {MOST} of {len(results):,} sentences are shown." if len(results) > MOST else ""
    about = f"{indexed:,} images of {html.escape(folder.name or str(folder))}, searched with {html.escape(label)};"
    about += f" scores are cosines.{more}"
    title = "Search" if len(results) != 1 else html.escape(results[0][0])
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style><h1>Search results</h1>"
        f'<p class="about">{about}</p>{"".join(parts)}</html>\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _item(folder: Path, name: str, score: float, rank: int, page: Path) -> str:
    image = folder / name
    link = html.escape(os.path.relpath(image.resolve(), page.resolve().parent).replace("#", "%23").replace("?", "%3F"))
    shown, told = _copy(image), html.escape(name)
    return (
        f'<li><a href="{link}"><img src="{shown}" alt="{told}" loading="lazy"></a>'
        f'<div class="score"><b>{rank}</b><span>{score:.3f}</span></div><div class="name">{told}</div></li>'
    )


def _copy(path: Path) -> str:
    """A small copy of an image, as a data URL."""
    with Image.open(path) as opened:
        small, _ = images.convert(opened)
    small.thumbnail((4 * HEIGHT, HEIGHT))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
