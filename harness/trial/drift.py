"""What changed between stopping and going on: named, and never mixed into one result.

Code, data and backbone are hashed into a trial's id, so a change of them makes another trial, which starts anew. Thread
count and device are in the id too. Package versions and the machine are not, so a checkpoint names them and is
refused where they differ. Nor is a study continued unasked under another minor release of torch or Pillow: its rows
would be of two kinds of arithmetic, which every report then says.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch

from harness import provenance
from harness.errors import UserError
from harness.store import releases
from harness.store.store import Store
from harness.trial import checkpoint

PACKAGES = ("python", "torch", "open_clip_torch", "numpy", "pillow")  # whose arithmetic or decoding a training meets


class Drift(UserError):
    """A checkpoint that was made under other conditions than those here."""


def environment(device: str) -> dict[str, str]:
    """Versions and hardware that the bits of a training depend on; the accelerator only where there is one."""
    versions = provenance.versions()
    found = {"format": checkpoint.FORMAT, **{name: versions[name] for name in PACKAGES if name in versions}}
    with contextlib.suppress(RuntimeError, AssertionError):  # a cluster's head may have no GPU; the worker looks again
        found["hardware"] = provenance.hardware(device)
    if device == "cpu":
        found["instructions"] = torch.backends.cpu.get_cpu_capability()
    return found


def changed(before: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Fields that both name and that differ, each with both values."""
    return [f"{key} was {before[key]}, is {here[key]}" for key in before if key in here and before[key] != here[key]]


def refuse(about: Mapping[str, Any], device: str) -> None:
    """Raise `Drift` when a checkpoint's JSON values name another environment."""
    if fields := changed(about["environment"], environment(device)):
        raise _fault(about["id"], fields)


def report(resolved: Iterable[Mapping[str, Any]], results: Store, study: str, accept: bool = False) -> list[str]:
    """Lines for the user about what changed since these trials, or others that differ in hashes only, were left.

    Args:
        resolved: Trials as `Resolved.as_dict()` gives them, before they are declared.
        results: Where they will be run.
        study: The study they belong to.
        accept: Remove the checkpoints that would be refused.

    Raises:
        Drift: the checkpoint of a trial cannot be gone on from, naming what differs, or committed trials were measured
            under another release; only without `accept`.
    """
    resolved = [trial for trial in resolved if trial["status"] == "ready"]
    done, lines, refused = results.done(trial["id"] for trial in resolved), [], []
    for ident in results.done(checkpoint.unfinished(results.local)):
        checkpoint.Checkpoints(results.local, ident).remove()  # a process died between its commit and this
    left = [trial for trial in resolved if trial["id"] not in done]
    for trial in left:
        about = checkpoint.latest(results.local, trial["id"])
        if about and (fields := changed(about["environment"], environment(trial["trial"]["device"]))):
            refused.append((trial, fields))
    if refused and not accept:
        raise _fault(refused[0][0]["id"], refused[0][1], len(refused) - 1)
    lines += _releases(done, results, study, accept) if left and done else []
    for trial, fields in refused:
        checkpoint.Checkpoints(results.local, trial["id"]).remove()
        lines.append(f"trial {trial['id']} starts from its beginning: {'; '.join(fields)}")
    return lines + _hashes(left, results, study)


def _releases(done: Collection[str], results: Store, study: str, accept: bool) -> list[str]:
    """A line for each package under whose other minor release committed trials were measured.

    Raises:
        Drift: there is one, and it is not accepted.
    """
    here, rows = provenance.versions(), results.measured(done, ("trials",))["trials"]
    found = []
    for package, seen in releases.counts(rows).items():
        own = releases.minor(here[package]) if package in here else None
        others = {release: n for release, n in seen.items() if own and release != own}
        found += [(package, release, n) for release, n in sorted(others.items())]
    told = [
        f"{n} of the committed trials of {study} were measured with {package} {release}, here is {here[package]}"
        for package, release, n in found
    ]
    if told and not accept:
        raise Drift(
            told[0],
            expected=f"{found[0][0]} {found[0][1]}, or --accept-drift to go on, which reports then say",
            kept="all rows",
        )
    return told


def _hashes(left: list[Mapping[str, Any]], results: Store, study: str) -> list[str]:
    """One line for each checkpoint, and for each kind of change since the study was declared, that is left behind."""
    saved = {i: about for i in checkpoint.unfinished(results.local) if (about := checkpoint.latest(results.local, i))}
    by_checkpoint = {_same(about["trial"]): about for about in saved.values()}
    declared = results.declaration(study)["trials"] if study in results.studies() else ()
    by_declaration = {_same(entry["trial"]): entry for entry in declared}
    lines: list[str] = []
    kinds: dict[str, list[str]] = {}
    for trial in left:
        if trial["id"] in saved:
            continue
        key = _same(trial["trial"])
        about, entry = by_checkpoint.get(key), by_declaration.get(key)
        if about:
            what, how = _between(about["hashes"], trial["hashes"])
            place = results.local / checkpoint.FOLDER / about["id"]
            lines.append(
                f"{what} changed since the checkpoint of trial {about['id']} ({how}): "
                f"it starts anew as {trial['id']}; the checkpoint stays in {place}"
            )
        elif entry and entry["id"] != trial["id"]:
            what, how = _between(entry.get("hashes", {}), trial["hashes"])
            kinds.setdefault(what, []).append(how)
    for what, hows in kinds.items():
        trials = f"{len(hows)} trials start" if len(hows) > 1 else "1 trial starts"
        lines.append(f"{what} changed since study {study} was last run ({hows[0]}): {trials} anew, earlier rows stay")
    return lines


def _between(before: Mapping[str, str], here: Mapping[str, str]) -> tuple[str, str]:
    """Which hashes differ, and how."""
    names = [name for name in here if before.get(name) != here[name]]
    how = ", ".join(f"{name} {before[name][:8]} -> {here[name][:8]}" for name in names if name in before)
    if not before or not names:  # declared by a release that named them otherwise
        return "code, data or backbone", "of an earlier release"
    return " and ".join(names), how


def _same(trial: Mapping[str, Any]) -> str:
    """What is equal in two trials that differ in hashes only."""
    return json.dumps({key: value for key, value in trial.items() if key not in ("label", "keep")}, sort_keys=True)


def _fault(ident: str, fields: list[str], others: int = 0) -> Drift:
    more = f" (and {others} other trials)" if others else ""
    return Drift(
        f"the checkpoint of trial {ident} cannot be gone on from here: {'; '.join(fields)}{more}",
        expected="what it was made with, or --accept-drift to start from the beginning",
        kept="the checkpoint",
    )
