"""The kept model of a trial, to be used."""

from __future__ import annotations

import math

from harness.errors import UserError
from harness.export import model as exporting
from harness.retrieval.model import Model
from harness.store.store import Store
from harness.trial.kept.attached import source_of
from harness.trial.kept.model import applied, read


def model(place: str, ident: str, device: str = "auto") -> Model:
    """A trial's model.

    Args:
        place: Of the store.
        ident: The trial's id, or its first digits.
        device: "cpu", "cuda" or "auto".

    Raises:
        UserError: no such trial, several, one without a model, or one whose model was not kept.
        EnvironmentFault: the backbone is not here, or is another one.
        DataError: the kept model is damaged.
    """
    store = Store(place)
    found = sorted(known for known in store.ids() if known.startswith(ident))
    if len(found) != 1:
        many = f"{len(found)} trials begin with '{ident}': {', '.join(found[:3])}"
        raise UserError(
            many if found else f"no trial '{ident}'", store.root, "more digits" if found else "upbench status STUDY"
        )
    of = read(store, found[0])
    at = f" at {of.row['budget']}" if isinstance(of.row["budget"], str) else ""
    label = f"{of.row['label']}{at}, trained on {of.row['dataset']}, trial {found[0][:8]}"
    scale = -math.log(of.trial["recipe"]["temperature"]) if of.tensors else exporting.SCALE
    what = (applied(of, device="cpu"), source_of(of.trial), of.trial["method"], of.trial["options"])
    return Model(exporting.of(*what, logit_scale=scale, trial=found[0]), label, found[0], device)
