"""`import upbench`: light, whole, and known to type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import upbench

ROOT = Path(__file__).parent.parent


def test_importing_it_loads_nothing_else():
    code = "import sys, upbench; print([m for m in sys.modules if m.split('.')[0] in HEAVY])"
    heavy = {"torch", "ray", "pandas", "numpy", "pydantic", "click", "matplotlib", "harness", "reports"}
    run = [sys.executable, "-c", f"HEAVY = {heavy}; {code}"]
    assert subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(upbench.OFFERED))
def test_every_name_is_there(name):
    assert getattr(upbench, name) is not None and name in dir(upbench)
    assert getattr(upbench, name).__doc__ or name in ("Depth", "Towers")


def test_type_checkers_see_what_is_offered():
    block = next(node for node in ast.parse((ROOT / "upbench.py").read_text()).body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == upbench.OFFERED


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = upbench.nothing
