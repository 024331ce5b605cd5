"""What each method can do, found by trying it; the table of `docs/methods.md`:

    python -m harness.benchmark.capabilities > docs/methods.md
    python -m harness.benchmark.capabilities --budgets > docs/budgets.md

Sizes and operations are those of ViT-B/16 at 384x128 with the method's default options; whether a start is the identity
and what can be merged is tried on a small backbone with random weights.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import fields
from types import ModuleType
from typing import Any

import torch

from harness.adaptation.budget import parse, solve
from harness.adaptation.method import Method, defaults, merge, sized, sizes, trainable
from harness.adaptation.probe import BASE, Case, attached, difference, disturb, on_meta, outputs, sizes_of, small
from harness.adaptation.spread import CLOSE, uneven
from harness.evaluation.cost import flops
from harness.model.clip import Backbone, Shape
from harness.registry import find, names, summary

ENDLESS = 0.5  # a trained share from which a method counts as without a limit
NONE = "–"
COLUMNS = {
    "method": "method",
    "towers": "towers",
    "trained": "trained",
    "share": "share",
    "turns": "budget turns",
    "smallest": "smallest",
    "largest": "largest",
    "identity": "identity",
    "mergeable": "merges",
    "flops": "FLOPs",
}
PAGE = """\
# Methods

One file in `methods/` is one method. This page is made by trying each of them
(`python -m harness.benchmark.capabilities > docs/methods.md`); nothing in the table is declared by hand.

{table}

- **towers**: the towers whose features training changes, with the default options.
- **trained**, **share**: trained parameters on ViT-B/16 at 384x128 and their share of backbone and method together, or
  of the backbone where a method trains the backbone's own parameters; default options.
- **budget turns**: the integer options that a budget scales, and the **smallest** and **largest** share they reach; "no
  limit" is {endless:.0%} or more. A method of fixed size has one share.
- **identity**: outputs right after attaching equal the backbone's (to 1e-10 in float64).
- **merges**: how much of what was trained folds into the backbone's own layers without changing outputs.
- **FLOPs**: operations of one forward pass of an image and a caption of 77 tokens beyond the backbone's, before
  merging; torch's counter sees matrix products and attention, not element-wise scaling.

{list}
"""


TARGETS = ("0.1%", "0.5%", "1%", "2%", "4.7%", "10%")
BUDGETS = """\
# Budgets

A budget is a target that a method's integer options are solved for: the largest setting that does not exceed it. This
page is made by `python -m harness.benchmark.capabilities --budgets > docs/budgets.md`.

| written                    | means                                                                             |
| -------------------------- | --------------------------------------------------------------------------------- |
| `1%`                       | trained parameters / (backbone + added), or / backbone where nothing is added     |
| `1% of backbone`           | trained parameters / backbone                                                     |
| `2M`, `300k`, `1966128`    | trained parameters                                                                |
| `flops 70%`, `flops 80G`   | training FLOPs per pair: share of full fine-tuning's, or a count                  |
| `memory 70%`, `memory 8G`  | bytes held in training one batch: share of full fine-tuning's, or a count         |

FLOPs are those of forward and backward for an image and a caption of full length, by torch's counter. Memory is, in
float32 and for the recipe's batch, the activations kept for the backward pass, each storage once, and 16 bytes per
trained parameter (itself, its gradient, AdamW's two moments); the frozen weights are left out, as every method has
them. Both are measured without weights on the meta device, so what a GPU allocates besides is not seen.
`budget_mode: flops` in a study gives its plain budgets that mode.

A union scales the options of all its parts, or of the one named in `spend`, by one factor. A target below the smallest
setting, or more than 10 % above the largest, is infeasible: such a trial is a row without numbers.

Where whole options miss a budget of parameters by more than 2 %, some blocks get the next size and the others keep
theirs: as far apart in their tower as they go, with like shares of both towers, and the same for every seed. What the
remainder pays for is the next setting of all options together, in those blocks, or else one option of one part more by
one. It is written out as the option `more`, in plans, rows, kept models and exports, and counted in closed form:

    {{rank: 2, alpha: 8.0, more: [{{towers: image, depth: [1, 6], rank: 3, alpha: 12.0}}]}}

An entry holds the options that differ in the blocks of its `towers` and `depth`. LoRA's `alpha` differs so that alpha /
rank (or alpha / sqrt rank) is that of the other blocks. A study may write `more` as well; with a budget it is solved
anew. FacT's matrices and CLIP-Adapter's heads differ by tower alone. A miss of more than 2 % remains, and is marked in
reports, where a block's step is more than what is left, at an option's limit, for CoOp, MaPLe and CSKT, whose blocks
depend on each other or whose depth is scaled, and for budgets of FLOPs and memory, which keep one size.

## Achieved against target on ViT-B/16 at 384x128

Error is (achieved - target) / target in parameters; "infeasible" stands beside the nearest setting, and what blocks of
other sizes have stands behind a semicolon. The other options have their defaults.

{table}
"""


def budgets() -> str:
    """The page of budgets: achieved against target for every method that a budget turns."""
    rows = [["method", "target", "options", "trained", "share", "error", ""]]
    for name in names("methods"):
        module = find("methods", name)
        if needed(module) or not module.Method.turns:
            continue
        for text in TARGETS:
            found = solve(module.Method(), sizes_of(BASE), parse(text))
            chosen = ", ".join(f"{option} {size}" for option, size in sizes(found.method, sizes_of(BASE)).items())
            chosen = "; ".join([chosen, *uneven(found.method, sizes_of(BASE))])
            state = "infeasible" if found.reason else "more than 2 % off" if (found.error or 0) < -CLOSE else ""
            rows.append([name, text, chosen, f"{found.trained:,}", f"{found.share:.3%}", f"{found.error:+.2%}", state])
    return BUDGETS.format(table=aligned(rows, [False, True, False, True, True, True, False]))


def probe(name: str, operations: bool = True) -> dict[str, Any]:
    """The row of a method; values are None where options without a default are needed, or `operations` is off."""
    module = find("methods", name)
    row: dict[str, Any] = {"method": name, **dict.fromkeys(list(COLUMNS)[1:])}
    if needed(module):
        return row
    case, shape = Case(name, module), sizes_of(BASE)
    method, tried = case.make(), attached(case.small())
    smallest, largest = reach(method, shape)
    off, start = difference(outputs(small()), outputs(tried)), outputs(tried)
    moved = outputs(disturb(tried)) if trainable(tried) else start
    return row | {
        "towers": [tower for tower in start if not torch.equal(start[tower], moved[tower])],
        "trained": method.parameters(shape),
        "share": share(method, shape),
        "turns": list(method.turns),
        "smallest": smallest,
        "largest": largest,
        "identity": off < 1e-10,
        "mergeable": mergeable(tried),
        "flops": forward(on_meta(method, shape)) / _bare(shape) - 1 if operations else None,
    }


def needed(module: ModuleType) -> list[str]:
    """Options without a default."""
    return [field.name for field in fields(module.Method) if field.name not in defaults(module.Method)]


def share(method: Method, shape: Shape) -> float:
    """Trained share of all parameters, a fraction."""
    trained = method.parameters(shape)
    return trained / (shape.parameters + (trained if method.adds else 0))


def reach(method: Method, shape: Shape) -> tuple[float, float | None]:
    """Smallest and largest trained share that a budget can reach; None is no limit."""
    if not method.turns:
        return share(method, shape), share(method, shape)
    smallest, factor = share(sized(method, shape, 0.0), shape), 1.0
    while share(sized(method, shape, factor), shape) < ENDLESS:
        if sized(method, shape, factor) == sized(method, shape, 2 * factor):
            return smallest, share(sized(method, shape, factor), shape)
        factor *= 2
    return smallest, None


def mergeable(backbone: Backbone) -> str:
    """`all`, `part` or `none` of what is trained folds into plain layers; the backbone is folded by that."""
    before, own = outputs(backbone), len(trainable(backbone))
    folded = merge(backbone)
    if not folded or difference(before, outputs(backbone)) > 1e-9:
        return "none"
    return "part" if len(trainable(backbone)) in range(1, own) else "all"


def forward(backbone: Backbone) -> float:
    """Operations of one forward pass of an image and a caption of full length."""
    image, text = backbone.shape.towers
    size = (side * image.patch for side in image.grid)
    images = torch.empty(1, 3, *size, device="meta")
    return flops(backbone.requires_grad_(False), images, torch.ones(1, text.tokens, dtype=torch.long, device="meta"))[0]


@functools.cache
def _bare(shape: Shape) -> float:
    with torch.device("meta"):
        return forward(Backbone(shape))


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of `probe` as a Markdown table."""
    cells = [list(COLUMNS.values()), *([_cell(key, row) for key in COLUMNS] for row in rows)]
    return aligned(cells, [key in ("trained", "share", "smallest", "largest", "flops") for key in COLUMNS])


def aligned(cells: list[list[str]], right: list[bool]) -> str:
    """A Markdown table of cells, the first row its header; `right` says which columns are set flush right."""
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(right))]
    rule = ["-" * (w - 1) + ":" if r else "-" * w for w, r in zip(widths, right, strict=True)]
    lines = [
        [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        for row in [cells[0], rule, *cells[1:]]
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(key: str, row: dict[str, Any]) -> str:
    value = row[key]
    if key == "largest" and value is None and row["smallest"] is not None:
        return "no limit"
    if value is None:
        return NONE
    if key in ("share", "smallest", "largest"):
        return f"{value:.3%}"
    if key == "flops":
        return f"{value:+.1%}"
    if key == "trained":
        return f"{value:,}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or NONE if isinstance(value, list) else str(value)


def page(operations: bool = True) -> str:
    """The whole page."""
    known = names("methods")
    lines = []
    for name in known:
        required = needed(find("methods", name))
        about = f" Needs `{'`, `'.join(required)}`." if required else ""
        lines.append(f"- [`{name}`]({find('methods', name).Method.reference}): {summary('methods', name)}{about}")
    rows = table([probe(name, operations) for name in known])
    return PAGE.format(table=rows, endless=ENDLESS, list="\n".join(lines))


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(budgets() if "--budgets" in sys.argv[1:] else page(), end="")
