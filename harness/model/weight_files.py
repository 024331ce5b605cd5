"""Files of weights: found where they are usually kept, told apart by their bytes, read without running code.

A tag is what open_clip knows of published weights: `url`, whose next to last part is the SHA-256 of the file where the
publisher gives one, and `hf_hub`, a repository and perhaps a file in it.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from harness.errors import EnvironmentFault
from harness.model.forms import Form, recognise

FOLDER = Path("~/.cache/clip")  # where OpenAI's package and open_clip put what they download by url
FOLDER_FILES = ("open_clip_model.safetensors", "model.safetensors", "pytorch_model.bin")
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def by_hand(tag: Mapping[str, str]) -> Path | None:
    """Where a file that was copied by hand is looked for; None for a tag without a url."""
    url = tag.get("url")
    return FOLDER.expanduser() / url.rsplit("/", 1)[-1] if url else None


def find(tag: Mapping[str, str]) -> Path | None:
    """The file of a tag on this machine, or None; nothing is fetched.

    Raises:
        EnvironmentFault: the file that was copied by hand is not the published one.
    """
    path = by_hand(tag)
    if path is not None and path.is_file():
        published = re.search(r"/([0-9a-f]{64})/", tag["url"])
        if published and digest(path) != published[1]:
            raise EnvironmentFault(
                f"not the published weights: SHA-256 {digest(path)[:12]}...", path, f"{published[1][:12]}..."
            )
        return path
    if tag.get("hf_hub"):
        from huggingface_hub import try_to_load_from_cache

        repository, name = os.path.split(tag["hf_hub"])
        for file in (name,) if name else HUB_FILES:
            if isinstance(found := try_to_load_from_cache(repository, file), str):
                return Path(found)
    return None


def digest(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits, of a folder's weights that of their digests; read again only when changed."""
    found = [_digest(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in parts(path)]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


@functools.lru_cache(maxsize=16)
def _digest(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def form(path: Path) -> Form:
    """What a file or folder of weights is; read again only when size or time of change differ.

    Raises:
        EnvironmentFault: as `read`.
    """
    return _form(str(path), *_state(path))


@functools.lru_cache(maxsize=2)  # a backbone's weights, kept while its trials are resolved and begun
def _form(path: str, size: int, changed: int) -> Form:
    return recognise(read(Path(path)), _config(Path(path)))


def _state(path: Path) -> tuple[int, int]:
    stats = [file.stat() for file in parts(path)]
    return sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)


def parts(path: Path) -> list[Path]:
    """The files that hold the weights of a file or folder: itself, or those of open_clip's or Hugging Face's layout.

    Raises:
        EnvironmentFault: a folder without any of them.
    """
    if not path.is_dir():
        return [path]
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        if (path / index).is_file():
            shards = json.loads((path / index).read_text(encoding="utf-8"))["weight_map"].values()
            return [path / name for name in sorted(set(shards))]
    for name in FOLDER_FILES:
        if (path / name).is_file():
            return [path / name]
    raise EnvironmentFault(f"no weights in {path}", "backbone.pretrained", f"one of {', '.join(FOLDER_FILES)}")


def _config(path: Path) -> dict[str, Any] | None:
    """Hugging Face's configuration in a folder, or beside a file."""
    file = (path if path.is_dir() else path.parent) / "config.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read(path: Path) -> dict[str, Any]:
    """Tensors, perhaps in plain containers, of a safetensors file, a checkpoint, a TorchScript archive or a folder.

    Raises:
        EnvironmentFault: anything else, a damaged file, or a pickle that holds more than tensors, plain containers and
            `argparse.Namespace`.
    """
    found: dict[str, Any] = {}
    for file in parts(path):
        found |= _read(file)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):
            try:
                return dict(torch.load(path, map_location="cpu", weights_only=True))
            except RuntimeError:  # a TorchScript archive says so by this error
                return torch.jit.load(path, map_location="cpu").state_dict()
    except Exception as error:
        said = " ".join(str(error).split())
        asked = re.search(r"GLOBAL ([\w.]+)", said)
        raise EnvironmentFault(
            f"cannot read {path}: {f'it asks for {asked[1]}' if asked else said[:120]}",
            "backbone.pretrained",
            "an undamaged file of tensors only",
        ) from error
