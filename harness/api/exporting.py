"""A kept model of a committed trial in a form that other libraries read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.api import asking


def export(
    trial: str, folder: str | Path, form: str, *, merge: bool = False, store: str | Path | None = None
) -> list[Path]:
    """Write the model of a committed trial to a new folder; returns the files.

    The backbone is computed in float32, also where the trial had half precision.

    Args:
        trial: Its id, or the first digits of one.
        folder: A new folder, or an empty one.
        form: `upbench`, `open_clip`, `huggingface` or `peft`.
        merge: Of `upbench`: fold into the weights what folds, in place of a reference to the backbone.
        store: Folder of results or `s3://BUCKET/PREFIX`; default UPBENCH_STORE, else `results/local`.

    Raises:
        UserError: no such trial, one whose model was not kept, a form that is not known or has no place for a part of
            the method, or a folder that is not empty.
        DataError: the kept model is damaged.
        EnvironmentFault: the backbone is not here or has changed, or the folder cannot be written.
    """
    from harness.export import export as exports
    from harness.retrieval import of_trial
    from harness.store.store import Store
    from harness.trial.kept import model

    results = Store(asking.places(store)[0])
    kept = model.read(results, model.whole(results, trial))
    recipe = {**kept.trial["recipe"], "precision": "float32"}
    kept = dataclasses.replace(kept, trial={**kept.trial, "recipe": recipe})
    return exports.export(of_trial.made(kept), folder, form, merge)
