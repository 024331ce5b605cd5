"""What a trial trained, kept as safetensors beside its row, and loaded into the backbone again.

A file holds the trained parameters of the chosen epoch by the names that the method gives them, and under `upbench` in
its metadata, as JSON, whose they are: trial, method, options, budget, backbone with its hash, chosen epoch, releases.
Heads that only a loss needs are not in it. What a method draws or computes from the backbone and does not train is not
in it either: it is made again from the trial's seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save
from torch import Tensor

from harness import provenance, registry
from harness.adaptation.method import make, restore
from harness.errors import DataError, EnvironmentFault, UserError
from harness.measured_on import MeasuredOn
from harness.model import weights
from harness.model.clip import Backbone
from harness.model.weights import Source
from harness.store.store import Store
from harness.trial.kept.attached import attached, source_of
from harness.trial.selection import Selected

METADATA, FORMAT = "upbench", 1
BYTES = 4  # of a parameter


def wanted(resolved: Mapping[str, Any]) -> bool:
    """Whether the model of a resolved trial is to be kept; those of a search, and what trains nothing, never are."""
    trial, keep = resolved["trial"], resolved["trial"].get("keep", "adapters")
    if keep == "none" or trial.get("phase") == "tuning" or not resolved["trained"] or resolved["status"] != "ready":
        return False
    return keep == "all" or make(registry.find("methods", trial["method"]), trial["options"]).adds


def size(resolved: Mapping[str, Any]) -> int:
    """Bytes that the kept model of a resolved trial takes: its method's trained parameters, 4 bytes each."""
    return BYTES * (resolved["trained"] - sum(resolved["trial"].get("heads", {}).values()))


def encode(resolved: Mapping[str, Any], chosen: Selected) -> bytes:
    """The file of a trial's chosen epoch; the same bytes for the same trial."""
    trial = resolved["trial"]
    about = {
        "format": FORMAT,
        "trial": resolved["id"],
        **{key: trial[key] for key in ("method", "options", "budget", "seed", "selection")},
        "dataset": MeasuredOn.of(trial["dataset"], "train").text,
        "backbone": trial["backbone"],
        "hashes": resolved["hashes"],
        "chosen_epoch": chosen.epoch,
        "parameters": sum(value.numel() for value in chosen.state.values()),
        "release": provenance.release(),
        "torch": torch.__version__,
    }
    # One key: safetensors writes several in an order that differs from process to process.
    return save(
        {name: value.contiguous() for name, value in chosen.state.items()},
        {METADATA: json.dumps(about, sort_keys=True)},
    )


@dataclass(frozen=True)
class Kept:
    """A committed trial with what it trained.

    Attributes:
        row: Of the table of trials.
        trial: The resolved trial's values.
        about: The metadata of its file; empty where the trial trains nothing.
        tensors: Trained parameters by name.
    """

    row: dict[str, Any]
    trial: dict[str, Any]
    about: dict[str, Any]
    tensors: dict[str, Tensor]


def whole(store: Store, given: str) -> str:
    """The id of the one trial that begins with these digits.

    Raises:
        UserError: none does, or several do.
    """
    found = sorted(known for known in store.ids() if given and known.startswith(given))
    if len(found) > 1:
        raise UserError(f"{len(found)} trials begin with '{given}': {', '.join(found[:3])}", store.root, "more digits")
    if not found:
        raise UserError(f"no trial '{given}'", store.root, "upbench status STUDY")
    return found[0]


def read(store: Store, ident: str) -> Kept:
    """The kept model of a committed trial, every byte checked.

    Raises:
        UserError: no such trial, one without numbers, or one whose model was not kept.
        DataError: the file is damaged, gone, or another trial's.
    """
    rows = store.measured([ident], ("trials",))["trials"]
    if not len(rows):
        raise UserError(f"trial {ident} is not committed", store.root, "the id of one that is: upbench status STUDY")
    row = {str(name): value for name, value in rows.iloc[0].items()}
    if row["status"] != "ok":
        raise UserError(f"trial {ident} has no model: it is {row['status']}", store.root, "a trial that is ok")
    trial = json.loads(row["spec"])
    if not row["trained"]:
        return Kept(row, trial, {}, {})
    if (blob := store.model(ident)) is None:
        raise UserError(
            f"the model of trial {ident} ({row['label']}) was not kept",
            store.root,
            "a trial that ran with keep: adapters, or keep: all where the backbone itself is trained; "
            "its study run into another --store trains and keeps it",
        )
    about, tensors = opened(blob, f"{store.root}: model of trial {ident}")
    if about.get("trial") != ident:
        raise DataError(f"model of trial {about.get('trial')}", f"{store.root}: {ident}", f"that of trial {ident}")
    return Kept(row, trial, about, tensors)


def opened(blob: bytes, where: object) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Metadata and tensors of a file.

    Raises:
        DataError: it is no file that `encode` wrote, or that of a newer release.
    """
    try:
        tensors = tensors_of(blob)
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
        about = json.loads(header["__metadata__"][METADATA])
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError("not a model that upbench kept", where) from error
    if about["format"] > FORMAT:
        raise DataError(f"a model of format {about['format']}", where, f"format {FORMAT}; a newer release reads it")
    return about, tensors


def load(store: Store, ident: str, source: Source | None = None, device: str | None = None) -> Backbone:
    """The backbone of a committed trial with its trained method applied, as it was when the trial was measured.

    It is in evaluation mode, and computes the same bits as the trial did on the same machine with as many threads.

    Args:
        store: Where the trial is.
        ident: The trial.
        source: Where its backbone is; default where the trial had it.
        device: Where to put it; default the trial's.

    Raises:
        UserError, DataError: as `read`.
        EnvironmentFault: the backbone is not on this machine, or is another one than the model was trained on.
    """
    return applied(read(store, ident), source, device)


def applied(kept: Kept, source: Source | None = None, device: str | None = None) -> Backbone:
    """As `load`, of what was read."""
    here = source or source_of(kept.trial)
    if kept.about and kept.about["hashes"]["backbone"] != kept.row["backbone_hash"]:
        raise DataError(
            f"the kept model of trial {kept.row['id']} is for another backbone: {kept.about['hashes']['backbone']}",
            expected=f"{kept.row['backbone_hash']}, which its row names",
        )
    check_backbone(kept.row, kept.trial, source)
    backbone = attached(kept.trial, here, device)
    restore(backbone, kept.tensors)
    return backbone.eval()


def check_backbone(row: Mapping[str, Any], trial: Mapping[str, Any], source: Source | None = None) -> None:
    """Refuse a backbone that is not the one that a committed trial was trained on.

    Args:
        row: Of the trial.
        trial: Its resolved values.
        source: Where its backbone is; default where the trial had it.

    Raises:
        EnvironmentFault: it is not on this machine, or another one.
    """
    here = source or source_of(trial)
    if fault := weights.lacking(here):
        raise fault
    if (found := weights.identity(here)) != row["backbone_hash"]:
        what = f"the model of trial {row['id']} is for another backbone" if source else (
            f"the backbone of trial {row['id']} has changed since"
        )  # fmt: skip
        raise EnvironmentFault(
            f"{what}: {here.pretrained or here.name} is {found}",
            "backbone.pretrained" if here.pretrained else "backbone.name",
            f"{row['backbone_hash']}, the weights that it was trained on, put back there",
            kept="the model and the row",
        )
