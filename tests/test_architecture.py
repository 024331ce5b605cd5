"""Who may import whom: downwards only, and the heavy libraries only where they belong."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [p for room in ("harness", "methods", "reports", "studies") for p in sorted((ROOT / room).rglob("*.py"))]

# Rooms from the ground up; a file may import from lower floors only. Files that are not named stand on the floor of
# their folder.
FLOORS = [
    {"harness.errors", "harness.memory", "harness.parallel", "harness.token_wise"},
    {
        "harness.registry",
        "harness.clip",
        "harness.weight_files",
        "harness.document",
        "harness.naming",
        "harness.recipe",
        "harness.live",
        "harness.pace",
        "harness.schema",
    },
    {"harness.losses", "harness.storage", "harness.spec", "harness.method", "harness.weights", "harness.data"},
    {
        "harness.tokenizer",
        "harness.store",
        "harness.datasets",
        "harness.optimizer",
        "harness.half",
        "harness.ranking",
        "harness.budget",
        "harness.interaction",
    },
    {
        "methods",
        "harness.metrics",
        "harness.material",
        "harness.cost",
        "harness.provenance",
        "harness.probe",
        "harness.heads",
    },
    {"harness.evaluate", "harness.step", "harness.fits", "harness.checkpoint", "reports"},
    {
        "harness.view",
        "harness.train",
        "harness.promises",
        "harness.rows",
        "harness.pick",
        "harness.choice",
        "harness.drift",
    },
    {"harness.trip", "harness.pilot"},
    {"harness.trial", "harness.pretrain", "harness.capability", "harness.check_method", "harness.inspection"},
    {"harness.tune", "harness.tuning", "harness.estimate", "harness.editor", "harness.bench", "harness.progress"},
    {"harness.scaling"},
    {"harness.commands"},
    {"harness.cli"},
]


def name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, lazy: bool = True) -> set[str]:
    """Modules that a file imports; without `lazy` only at its top."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if lazy else tree.body:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def floor(module: str) -> int | None:
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        for number, rooms in enumerate(FLOORS):
            if ".".join(parts[:end]) in rooms:
                return number
    return None


def room(module: str) -> str:
    """The entry of FLOORS that a module belongs to."""
    parts = module.split(".")
    known = set().union(*FLOORS)
    return next((".".join(parts[:end]) for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in known), "")


def modules_of(names: set[str]) -> set[str]:
    return {n for n in names if n.split(".")[0] in ("harness", "methods", "reports", "studies")}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_downwards(path):
    own = name(path)
    here = floor(own)
    if own in ("harness", "studies"):
        return
    assert here is not None, f"{own} has no floor: name it in FLOORS"
    for module in modules_of(imports(path)):
        there = floor(module)
        neighbours = here == there and room(module) == room(own)
        assert there is None or there < here or neighbours, f"{own} imports {module} from above"


OWNERS = {
    "ray": {"harness.tune"},
    "open_clip": {"harness.weights", "harness.tokenizer"},
    "matplotlib": {"reports"},
    "seaborn": {"reports"},
}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_one_room(library):
    for path in FILES:
        if any(module.split(".")[0] == library for module in imports(path)):
            own = name(path)
            inside = any(own == owner or own.startswith(f"{owner}.") for owner in OWNERS[library])
            assert inside, f"{own} imports {library}"


@pytest.mark.parametrize("room", ["harness.spec", "harness.registry", "harness.store", "reports.page", "harness.cli"])
def test_a_light_room_loads_neither_torch_nor_ray(room):
    code = f"import sys, {room}; print([m for m in ('torch', 'ray', 'open_clip') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_reports_never_import_torch_or_ray():
    for path in (p for p in FILES if name(p).startswith("reports")):
        assert not {m.split(".")[0] for m in imports(path)} & {"torch", "ray", "methods"}, path


def test_no_file_grows_past_its_purpose():
    long = {name(p): n for p in FILES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long


def test_the_map_names_every_file_of_the_harness_once():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Where what is")[1].split("\n## ")[0]
    named = re.findall(r"`([a-z_]+/?)`", text.split("|---|---|")[1])
    there = [p.stem for p in (ROOT / "harness").glob("*.py") if p.stem != "__init__"]
    there += [f"{p.name}/" for p in (ROOT / "harness").iterdir() if p.is_dir() and not p.name.startswith("__")]
    assert sorted(named) == sorted(there)
