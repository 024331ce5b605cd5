"""Files of weights: found where they are usually kept, told apart by their bytes, read without running code.

A tag is what open_clip knows of published weights: `url`, whose next to last part is the SHA-256 of the file where the
publisher gives one, and `hf_hub`, a repository and perhaps a file in it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from harness.errors import EnvironmentFault

FOLDER = Path("~/.cache/clip")  # where OpenAI's package and open_clip put what they download by url
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
    """SHA-256 of a file, 64 hex digits; read again only when size or time of change differ."""
    stat = path.stat()
    return _digest(str(path), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _digest(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names(path: Path) -> frozenset[str]:
    """Names of the tensors of a file; looked up again only when size or time of change differ.

    Raises:
        EnvironmentFault: as `read`.
    """
    stat = path.stat()
    return _names(str(path), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _names(path: str, size: int, changed: int) -> frozenset[str]:
    return frozenset(read(Path(path)))


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, a state dict or a TorchScript archive.

    Raises:
        EnvironmentFault: anything else, a damaged file, or a pickle that holds more than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            return torch.jit.load(path, map_location="cpu").state_dict()
        return state.get("state_dict", state)
    except Exception as error:
        said = " ".join(str(error).split())[:120]
        raise EnvironmentFault(
            f"cannot read {path}: {said}", "backbone.pretrained", "an undamaged file of tensors only"
        ) from error
