"""One model to one folder in one form, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from harness.errors import EnvironmentFault, UserError, nearest
from harness.export import huggingface, open_clip, peft, upbench
from harness.export.model import Model

FORMS = ("upbench", "open_clip", "huggingface", "peft")


def export(model: Model, folder: str | Path, form: str, merge: bool = False) -> list[Path]:
    """Write a model; returns its files.

    Args:
        model: What is written.
        folder: A new folder, or an empty one.
        form: One of `FORMS`.
        merge: Of `upbench`: fold into the weights what folds, in place of a reference to the backbone. The models of
            open_clip and huggingface are merged always, the adapters of peft never.

    Raises:
        UserError: an unknown form, a folder that is not empty, or a part of the method that the form has no place for.
        EnvironmentFault: the folder cannot be written.
    """
    if form not in FORMS:
        raise UserError(f"no form '{form}'", "--as", f"one of {', '.join(FORMS)}", nearest(form, FORMS))
    if merge and form == "peft":
        raise UserError("a peft folder holds an adapter, which is not merged", "--merge", "--as huggingface")
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UserError("is there and not empty", place, "a new folder")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror}", place.parent, "a writable folder") from error
    try:
        if form == "upbench":
            upbench.write(model, beside, merge)
        else:
            {"open_clip": open_clip, "huggingface": huggingface, "peft": peft}[form].write(model, beside)
        beside.chmod(0o755)
        if place.exists():
            place.rmdir()
        os.replace(beside, place)
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror}", place, "a writable folder") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return sorted(path for path in place.rglob("*") if path.is_file())
