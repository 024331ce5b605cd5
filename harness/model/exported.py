"""A folder that `upbench export --as upbench` wrote: a trained method beside the sizes of its backbone.

open_clip_config.json   sizes, image and activation of the backbone, as in open_clip's `local-dir` layout
vocabulary.json         where the backbone has a vocabulary of its own
upbench.json            method and options; where the frozen backbone comes from and its hash, unless merged
method.safetensors      the trained parameters in our names, or
merged.safetensors      all parameters in our names, after everything that folds was folded
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.errors import EnvironmentFault
from harness.model import weight_files
from harness.model.source import from_json
from harness.model.trained import Trained

ABOUT, METHOD, MERGED = "upbench.json", "method.safetensors", "merged.safetensors"


def about(folder: Path | None) -> dict[str, Any] | None:
    """What `upbench.json` says; None for a folder without it.

    Raises:
        EnvironmentFault: it is damaged.
    """
    if folder is None or not (folder / ABOUT).is_file():
        return None
    return _about(folder / ABOUT, (folder / ABOUT).stat().st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _about(path: Path, changed: int) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if "backbone" in found:
            from_json(found["backbone"])
        return {**found, "method": str(found["method"]), "options": dict(found["options"])}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        said = " ".join(str(error).split())
        raise EnvironmentFault(f"cannot read {path}: {said}", "backbone.name", "a folder as it was exported") from error


def merged(folder: Path) -> bool:
    return (folder / MERGED).is_file()


def trained(folder: Path) -> Trained | None:
    """The method in a folder and its parameters, those of the whole model where it was merged."""
    if (found := about(folder)) is None:
        return None
    file = folder / (MERGED if merged(folder) else METHOD)
    try:
        changed = file.stat().st_mtime_ns
    except OSError as error:
        raise EnvironmentFault(f"weights are missing: {file}", "backbone.name") from error
    return Trained(found["method"], found["options"], _state(file, changed))


@functools.lru_cache(maxsize=2)  # kept while the trials of a backbone are resolved and begun
def _state(file: Path, changed: int) -> dict[str, Tensor]:
    return weight_files.read(file)


def digest(folder: Path) -> str:
    """SHA-256 of what decides the features, 64 hex digits."""
    files = [folder / name for name in (ABOUT, METHOD, MERGED) if (folder / name).is_file()]
    return hashlib.sha256("".join(map(weight_files.digest, files)).encode()).hexdigest()
