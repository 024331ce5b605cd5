"""`upbench weights`: say what a file of weights is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import shared
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.model.forms import Form


@click.command("weights")
@click.argument("what", metavar="FILE|FOLDER|NAME")
@shared.json_option
def command(what: str, as_json: bool) -> None:
    """Say whose form a file or folder of weights has, its sizes, its activation and what of it is used.

    NAME is a backbone that ships with the harness.
    """
    from harness.model import weight_files, weights

    path, folder = Path(what), weights.folder_of(what)
    if folder and not (path.is_dir() and path != folder):
        path = folder
    if not path.exists():
        known = ", ".join(sorted(p.name for p in weights.SHIPPED.iterdir() if (p / weights.FILE).is_file()))
        raise UserError(f"no file, folder or shipped backbone '{what}'", expected=f"a path, or one of {known}")
    about = _about(weight_files.form(path), path) | {"hash": weight_files.digest(path)[:16]}
    if folder and about["activation"] is None:
        quick = weights.shape(weights.Source(what)).quick_gelu
        about |= {"activation": "quick_gelu" if quick else "gelu", "known_by": "open_clip_config.json"}
    if as_json:
        shared.say_json(about)
        return
    left = ", ".join(f"{name} {count:,}" for name, count in about["left_out"].items())
    activation = "not told: say backbone.activation"
    if about["activation"]:
        activation = f"{about['activation']}, by {about['known_by']}"
    rows = [
        ("origin", about["origin"]),
        ("towers", f"image {_tower(about['image'])}; text {_tower(about['text'])}; embedding {about['embed']}"),
        ("position table", f"{about['positions']} patches" + (f", {about['grid']}" if about["grid"] else "")),
        ("activation", activation),
        ("used", f"{about['used']:,} parameters"),
        ("left out", left or "nothing"),
        ("hash", about["hash"]),
    ]
    shared.say_table(("weights", path.name), rows)


def _about(form: Form, path: Path) -> dict[str, Any]:
    state = form.state
    if "visual.positional_embedding" not in state or "positional_embedding" not in state:
        found = ", ".join(list(form.left_out)[:3]) or "nothing"
        raise UserError(f"{path} holds no two towers of a CLIP, but {found}", expected="weights of a ViT CLIP")
    count = len(state["visual.positional_embedding"]) - 1
    ratios = {1: "square", 2: "2:1 as 256x128", 3: "3:1 as 384x128"}
    quick = form.quick_gelu
    return {
        "origin": form.origin,
        "image": {"blocks": _blocks(state, "visual."), "width": state["visual.positional_embedding"].shape[1]},
        "text": {"blocks": _blocks(state, "transformer"), "width": state["positional_embedding"].shape[1]},
        "embed": state["visual.proj"].shape[1] if "visual.proj" in state else None,
        "positions": count,
        "grid": next((text for k, text in ratios.items() if round((count / k) ** 0.5) ** 2 * k == count), None),
        "activation": None if quick is None else "quick_gelu" if quick else "gelu",
        "known_by": form.known_by,
        "used": form.used,
        "left_out": form.left_out,
    }


def _blocks(state: dict[str, Any], start: str) -> int:
    blocks = [name.split("resblocks.")[1] for name in state if name.startswith(start) and "resblocks." in name]
    return len({name.split(".")[0] for name in blocks})


def _tower(about: dict[str, int]) -> str:
    return f"{about['blocks']} blocks of {about['width']}"
