"""Where a result came from: commit, package versions, hardware, and the hash of the code that decides it."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from harness import registry

ROOT = Path(__file__).parent.parent
PACKAGES = ("torch", "open_clip_torch", "numpy", "ray", "pyarrow", "pillow")
# The files whose code decides a trial's numbers, besides its method.
DECIDING = (
    *("clip", "token_wise", "method", "optimizer", "train", "step", "half", "view", "evaluate", "ranking", "losses"),
    *("trip", "pick"),
    *("data/augment", "data/batches", "data/draws", "data/images", "data/tokens"),
)


@functools.cache
def release() -> str:
    try:
        return version("upbench")
    except PackageNotFoundError:
        return "unknown"


@functools.cache
def commit() -> tuple[str | None, bool | None]:
    """Commit of the checkout and whether tracked files differ from it; (None, None) outside a checkout."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@functools.cache
def hardware(device: str) -> str:
    """Model of the accelerator or the processor."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@functools.cache
def code(method: str, parts: tuple[str, ...] = (), further: tuple[str, ...] = ()) -> str:
    """Hash of the code behind a trial: the method, the methods it is built from, the deciding files and `further` ones.

    Comments, docstrings and layout do not count.
    """
    files = {f"harness/{name}": ROOT / "harness" / f"{name}.py" for name in (*DECIDING, *further)}
    waiting = [method, *parts]
    while waiting:
        name = waiting.pop()
        key = f"methods/{Path(name).stem}"
        if key not in files:
            # What methods share lies beside them under a name with an underscore, which no study can name.
            shared = ROOT / "methods" / f"{name}.py"
            files[key] = shared if name.startswith("_") else registry.source("methods", name)
            waiting += _siblings(files[key])
    meanings = {key: _meaning(path) for key, path in sorted(files.items())}
    return hashlib.sha256(json.dumps(meanings).encode()).hexdigest()[:16]


def _siblings(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "methods":
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("methods."):
            found.append(node.module.removeprefix("methods."))
    return found


def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
