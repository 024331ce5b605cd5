"""Two of open_clip's files, used without importing the package, which takes seconds."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import EnvironmentFault

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer


def bpe() -> SimpleTokenizer:
    """CLIP's byte-pair tokenizer."""
    name = "open_clip.tokenizer"
    module = sys.modules.get(name)
    if module is None:
        # Under a name of its own: under the package's, Python would import the package first.
        spec = importlib.util.spec_from_file_location("_open_clip_tokenizer", _folder() / "tokenizer.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    made = getattr(module, "_tokenizer", None)  # the module makes one for itself, which takes a tenth of a second
    return made or module.SimpleTokenizer()


def config(model: str) -> dict[str, Any] | None:
    """The configuration of a model by its name; None for a name that is no file of open_clip's."""
    return json.loads((_configs() / f"{model}.json").read_text(encoding="utf-8")) if model in models() else None


def models() -> list[str]:
    """Names of open_clip's own models."""
    return sorted(file.stem for file in _configs().glob("*.json"))


def _configs() -> Path:
    return _folder() / "model_configs"


def _folder() -> Path:
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        raise EnvironmentFault("open_clip is not installed", expected="pip install open_clip_torch")
    return Path(spec.origin).parent
