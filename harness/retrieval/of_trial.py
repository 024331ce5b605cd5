"""The kept model of a trial, to be used."""

from __future__ import annotations

import math

from harness.export import model as exporting
from harness.retrieval.model import Model
from harness.store.store import Store
from harness.trial.kept.attached import source_of
from harness.trial.kept.model import Kept, applied, read, whole


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
    ident = whole(store, ident)
    of = read(store, ident)
    at = f" at {of.row['budget']}" if isinstance(of.row["budget"], str) else ""
    label = f"{of.row['label']}{at}, trained on {of.row['dataset']}, trial {ident[:8]}"
    return Model(made(of), label, ident, device)


def made(of: Kept) -> exporting.Model:
    """What a kept model is made of, on the CPU; its logit scale is that of its training.

    Raises:
        EnvironmentFault, DataError: as `applied`.
    """
    scale = -math.log(of.trial["recipe"]["temperature"]) if of.tensors else exporting.SCALE
    what = (applied(of, device="cpu"), source_of(of.trial), of.trial["method"], of.trial["options"])
    return exporting.of(*what, logit_scale=scale, trial=of.row["id"])
