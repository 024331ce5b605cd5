"""What a score was measured on: one split of a data set with its options. Its text is the identity that results keep.

    synth_cuhk                      the data set as it comes
    synth_cuhk {"size": "demo"}     with an option that was given
    synth_cuhk {"severity": 3, "shift": "motion_blur"}      with its test shifted

Options that cannot change what is measured are no part of it: where the files lie, what acts on train alone, and for
train and val what acts on test alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.labels import labels

PLACE = ("root", "check_files")  # where the files lie, and whether they are looked for
TRAIN = ("fraction", "identities", "subset_seed", "noise", "noise_seed", "noise_index")  # val and test stay as they are
SHIFT = ("shift", "severity", "shift_seed")  # train and val stay as they are
SEVERITIES = (1, 2, 3, 4, 5)  # of a shift
SEED = "shift_seed"  # 0 where it is not given


@dataclass(frozen=True)
class MeasuredOn:
    """One split of a data set with the options that were given for it.

    Attributes:
        name: Of the data set.
        options: (key, value as JSON), sorted by key.
        split: train, val or test; what acts on train alone counts for train only, a shift for test only.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    split: str = "test"

    @classmethod
    def of(cls, dataset: Mapping[str, Any], split: str = "test") -> MeasuredOn:
        """From `{dataset: name, options: {...}}`."""
        without = PLACE + (() if split == "train" else TRAIN) + (() if split == "test" else SHIFT)
        given = {key: value for key, value in (dataset.get("options") or {}).items() if key not in without}
        if given.get(SEED) == 0:
            del given[SEED]
        return cls(dataset["dataset"], _sorted(given), split)

    @classmethod
    def parse(cls, text: str, split: str = "test") -> MeasuredOn:
        """From `text`; what is no such text is a name."""
        name, brace, rest = text.partition(" {")
        try:
            options = json.loads("{" + rest) if brace else {}
        except ValueError:
            return cls(text, (), split)
        return cls(name, _sorted(options), split)

    @property
    def text(self) -> str:
        """The identity: the name, and as JSON the options that were given."""
        return f"{self.name} {json.dumps(self.given, sort_keys=True)}" if self.options else self.name

    @property
    def unshifted(self) -> MeasuredOn:
        """The same without a shift."""
        return replace(self, options=tuple((key, value) for key, value in self.options if key not in SHIFT))

    @property
    def given(self) -> dict[str, Any]:
        """The options as they were given."""
        return {key: json.loads(value) for key, value in self.options}


def of_trial(trial: Mapping[str, Any]) -> dict[MeasuredOn, Mapping[str, Any]]:
    """What a trial is measured on when it has been trained, each once: first the data set that it was trained on, then
    those of `evaluate_on`; with the data set as the trial has it."""
    found: dict[MeasuredOn, Mapping[str, Any]] = {}
    for dataset in (trial["dataset"], *trial["evaluate_on"]):
        found.setdefault(MeasuredOn.of(dataset), dataset)
    return found


def told(things: Iterable[MeasuredOn]) -> dict[MeasuredOn, str]:
    """The shortest labels that tell these apart; splits of one data set have one label."""
    each = list(dict.fromkeys(things))
    return dict(zip(each, labels([(on.name, on.given) for on in each]), strict=True))


def _sorted(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, json.dumps(options[key], sort_keys=True)) for key in sorted(options))
