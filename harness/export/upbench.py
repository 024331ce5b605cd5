"""A folder that `upbench` loads again, `backbone: FOLDER`, with every method.

It holds what was trained and names the backbone below, or with `merge` the whole model after everything that folds was
folded; where that is all of it, the folder is open_clip's. `harness/model/exported.py` has the files.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from harness import provenance
from harness.export import open_clip
from harness.export.model import Model, folded, leftover
from harness.model import exported, weights
from harness.model.exported import ABOUT, MERGED, METHOD
from harness.model.source import Source, folder_of


def write(model: Model, folder: Path, merge: bool = False) -> None:
    """Write the method beside a reference to its backbone or, with `merge`, the whole model."""
    about: dict[str, Any] = {"method": model.method, "options": model.options, "trial": model.trial}
    about["release"] = provenance.release()
    inside = folder_of(model.source.name)
    if merge or (inside is not None and exported.merged(inside)):  # the backbone below is there no more
        backbone = folded(model)
        if not any(leftover(backbone)):
            open_clip.write(model, folder)
            return
        state, name = backbone.state_dict(), MERGED
    else:
        state, name = dict(model.trained()), METHOD
        about |= {"backbone": asdict(_absolute(model)), "hash": weights.identity(model.source)}
    # A copy of each: towers may share prompts, which a file of safetensors may not.
    save_file({key: value.detach().cpu().contiguous().clone() for key, value in state.items()}, folder / name)
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    open_clip.config(model, folder)


def _absolute(model: Model) -> Source:
    """The source with whole paths and the size of its images."""
    source = model.source
    changes: dict[str, Any] = {"image": weights.pixels(source)["size"]}
    if source.pretrained and Path(source.pretrained).exists():
        changes["pretrained"] = str(Path(source.pretrained).resolve())
    if (folder := folder_of(source.name)) and folder == Path(source.name):
        changes["name"] = str(folder.resolve())
    return dataclasses.replace(source, **changes)
