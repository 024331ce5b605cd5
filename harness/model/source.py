"""Where a backbone comes from and how it is read, as a study says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[1] / "backbones"
CONFIG = "open_clip_config.json"  # in a folder of open_clip's `local-dir` layout


@dataclass(frozen=True)
class Source:
    """Where a backbone comes from and how it is read.

    Attributes:
        name: A shipped folder (`tiny`), an open_clip model name (`ViT-B-16`), or the path of a folder in open_clip's
            `local-dir` layout or one that `upbench export` wrote.
        pretrained: open_clip's tag, the path of a checkpoint or folder in one of the forms of `forms.py`, or None for
            the folder's weights or a random start.
        image: (height, width) in pixels; None for the model's own size.
        resize: How the position embedding is brought to `image`: `bilinear` (UP-Person) or `bicubic` (open_clip,
            with antialiasing).
        activation: `auto`, `gelu` or `quick_gelu`; auto asks the model, the tag and the checkpoint, and refuses a file
            that does not tell: with the wrong one features differ and nothing else shows it.
        trained_at: (height, width) in pixels of the position table; None reads it off the table's length.
    """

    name: str = "ViT-B-16"
    pretrained: str | None = None
    image: tuple[int, int] | None = None
    resize: str = "bilinear"
    activation: str = "auto"
    trained_at: tuple[int, int] | None = None


def shipped() -> list[str]:
    """Names of the backbones that ship with the harness."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / CONFIG).is_file())


def folder_of(name: str) -> Path | None:
    for folder in (SHIPPED / name, Path(name)):
        if (folder / CONFIG).is_file():
            return folder
    return None


def from_json(values: Mapping[str, Any]) -> Source:
    """A source from plain values, lists for sizes."""
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return Source(**plain)
