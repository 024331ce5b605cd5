"""`upbench weights`: say what a file of weights is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import shared
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.model.forms import Form
    from harness.model.trained import Trained


@click.command("weights")
@click.argument("what", metavar="FILE|FOLDER|NAME")
@shared.json_option
def command(what: str, as_json: bool) -> None:
    """Say whose form a file or folder of weights has, its sizes, its activation and what of it is used.

    NAME is a backbone that ships with the harness.
    """
    from harness.model import exported, weight_files, weights
    from harness.model.source import Source, shipped

    path, folder = Path(what), weights.folder_of(what)
    if folder and not (path.is_dir() and path != folder):
        path = folder
    if not path.exists():
        known = ", ".join(shipped())
        raise UserError(f"no file, folder or shipped backbone '{what}'", expected=f"a path, or one of {known}")
    if folder and exported.about(folder):
        about = _exported(folder) | {"hash": weights.identity(Source(what))}
    else:
        about = _about(weight_files.form(path), path) | {"hash": weight_files.digest(path)[:16]}
    if folder and about["activation"] is None:
        quick = weights.shape(Source(what)).quick_gelu
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
        *(_method(about["method"]) if about["method"] else []),
        ("used", f"{about['used']:,} parameters"),
        ("left out", left or "nothing"),
        ("hash", about["hash"]),
    ]
    shared.say_table(("weights", path.name), rows)


def _about(form: Form, path: Path) -> dict[str, Any]:
    from harness.model.state_dict import blocks, ratio

    state = form.state
    if "visual.positional_embedding" not in state or "positional_embedding" not in state:
        found = ", ".join(list(form.left_out)[:3]) or "nothing"
        raise UserError(f"{path} holds no two towers of a CLIP, but {found}", expected="weights of a ViT CLIP")
    count = len(state["visual.positional_embedding"]) - 1
    quick = form.quick_gelu
    return {
        "origin": form.origin,
        **{
            tower: {
                "blocks": blocks(state, f"{start}transformer."),
                "width": state[f"{start}positional_embedding"].shape[1],
            }
            for tower, start in (("image", "visual."), ("text", ""))
        },
        "embed": state["visual.proj"].shape[1] if "visual.proj" in state else None,
        "positions": count,
        "grid": {1: "square", 2: "2:1 as 256x128", 3: "3:1 as 384x128"}.get(ratio(count) or 0),
        "activation": None if quick is None else "quick_gelu" if quick else "gelu",
        "known_by": form.known_by,
        "method": _plain(form.method, form.method.parameters) if form.method else None,
        "used": form.used,
        "left_out": form.left_out,
    }


def _exported(folder: Path) -> dict[str, Any]:
    """What is known of a folder that `upbench export` wrote."""
    from harness.adaptation import carried
    from harness.model import exported, weights
    from harness.model.source import Source

    source = Source(str(folder))
    sizes, trained, own = weights.shape(source), exported.trained(folder), weights.frozen(source)
    assert trained is not None  # `upbench.json` is there
    used = trained.parameters if own is None else sizes.parameters + carried.added(trained, sizes)
    rows, columns = sizes.image.grid
    backbone = None if own is None else own.name + (f" with {own.pretrained}" if own.pretrained else "")
    return {
        "origin": "upbench, " + (f"a method on {backbone}" if backbone else "a method merged as far as it folds"),
        "image": {"blocks": sizes.image.layers, "width": sizes.image.width},
        "text": {"blocks": sizes.text.layers, "width": sizes.text.width},
        "embed": sizes.image.embed,
        "positions": rows * columns,
        "grid": f"{rows}x{columns}",
        "activation": "quick_gelu" if sizes.quick_gelu else "gelu",
        "known_by": "open_clip_config.json",
        "method": _plain(trained, carried.method_of(trained).parameters(sizes)),
        "used": used,
        "left_out": {},
    }


def _plain(trained: Trained, parameters: int) -> dict[str, Any]:
    return {"name": trained.method, "options": trained.options, "parameters": parameters}


def _method(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows that say a method's name and options, those of a union's parts below each other."""
    options, size = about["options"], f"{about['parameters']:,} parameters"
    if "parts" not in options:
        return [("method", f"{about['name']}: {_options(options)}"), ("", size)]
    parts = [{part: {}} if isinstance(part, str) else part for part in options["parts"]]
    rows = [("", f"{name}: {_options(given)}") for part in parts for name, given in part.items()]
    return [("method", f"{about['name']} of {len(rows)} parts, {size}"), *rows]


def _options(options: dict[str, Any]) -> str:
    """Options that say more than everywhere."""
    said = {name: value for name, value in options.items() if value not in (None, "both")}
    return ", ".join(f"{name} {' '.join(v) if name == 'targets' else v}" for name, v in said.items()) or "no options"


def _tower(about: dict[str, int]) -> str:
    return f"{about['blocks']} blocks of {about['width']}"
