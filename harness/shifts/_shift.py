"""A shift of a test split as the options of a data set ask for it: `{shift: motion_blur, severity: 3}`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from harness import meaning, registry
from harness.data.split import Split
from harness.errors import DataError, brief, nearest
from harness.measured_on import SEVERITIES, SHIFT
from harness.shifts._draws import Draws

OPTIONS = SHIFT  # of every data set; they act on test alone
KINDS = ("images", "texts", "content")


@dataclass(frozen=True)
class Shift:
    """One shift at one severity.

    Attributes:
        name: A file of this folder, or another package's.
        severity: 1 to 5.
        seed: Of what it draws.
    """

    name: str
    severity: int
    seed: int = 0

    @property
    def module(self) -> ModuleType:
        """Where it is written."""
        return registry.find("shifts", self.name)

    @property
    def pictures(self) -> bool:
        """Whether it acts on images, else on captions."""
        return self.module.KIND == "images"

    @property
    def key(self) -> str:
        """All that decides what it does: itself and its code."""
        return f"{self.name} {self.severity} {self.seed} {_code(self.name)}"

    def split(self, split: Split) -> Split:
        """The split with its captions shifted; where the shift is of images, as it is."""
        if self.pictures:
            return split
        apply, draws = self.module.apply, (Draws(self.name, self.seed, i) for i in range(len(split.captions)))
        shifted = tuple(apply(c, self.severity, draw) for c, draw in zip(split.captions, draws, strict=True))
        return replace(split, captions=shifted)

    def images(self, images: np.ndarray, person: np.ndarray) -> Pictures:
        """Images of a split, uint8 [I, 3, H, W], shifted as they are read; `person` int64 [I] are their identities."""
        return Pictures(images, person, self)


class Pictures:
    """Images that are shifted when some of them are read, so that no disk holds every severity of every shift.

    Args:
        base: uint8 [I, 3, H, W].
        person: int64 [I].
        shift: Of images.
    """

    def __init__(self, base: np.ndarray, person: np.ndarray, shift: Shift) -> None:
        self.base, self.person, self.shift = base, person, shift
        self.shape, self.dtype = base.shape, base.dtype

    @property
    def key(self) -> str:
        """All beside `base` that decides their pixels."""
        return f"{self.shift.key} {hashlib.sha256(np.ascontiguousarray(self.person).data).hexdigest()}"

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """uint8 [rows, 3, H, W]."""
        apply, severity = self.shift.module.apply, self.shift.severity
        chosen = np.arange(len(self.base))[rows].tolist()
        found = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for place, index in enumerate(chosen):
            image = np.ascontiguousarray(self.base[index].transpose(1, 2, 0))
            draw = Draws(self.shift.name, self.shift.seed, index, functools.partial(self._other, index))
            found[place] = apply(image, severity, draw).transpose(2, 0, 1)
        return found

    def _other(self, index: int, chance: float) -> np.ndarray:
        """An image [H, W, 3] of another identity than that of image `index`, chosen by a number in [0, 1)."""
        others = np.flatnonzero(self.person != self.person[index])
        if not len(others):
            raise DataError(f"{self.shift.name} needs another identity's image", expected="a test split of two or more")
        return np.asarray(self.base[others[int(chance * len(others))]]).transpose(1, 2, 0)


@functools.cache
def _code(name: str) -> str:
    return meaning.digest([registry.source("shifts", name)])


def taken(options: Mapping[str, Any]) -> tuple[dict[str, Any], Shift | None]:
    """Options of a data set without those of its shift, and the shift.

    Raises:
        DataError: no such shift, severity or seed.
    """
    rest = {key: value for key, value in options.items() if key not in OPTIONS}
    given = {key: options[key] for key in OPTIONS if key in options}
    if not given:
        return rest, None
    for key, value in given.items():
        check(key, value)
    if lacking := [key for key in ("shift", "severity") if key not in given]:
        raise DataError(f"a shift without its {lacking[0]}", "dataset options", "shift and severity, such as 3")
    return rest, Shift(given["shift"], given["severity"], given.get("shift_seed", 0))


def check(key: str, value: object) -> None:
    """Raise DataError for a value that one of `OPTIONS` cannot have."""
    if key == "shift" and value not in (known := registry.names("shifts")):
        near = nearest(value, known) if isinstance(value, str) else None
        raise DataError(f"unknown shift '{brief(str(value))}'", None, f"one of {', '.join(known)}", near)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if key == "severity" and not (whole and value in SEVERITIES):
        raise DataError(f"severity: got {brief(repr(value))}", None, "a whole number from 1 to 5")
    if key == "shift_seed" and not (isinstance(value, int) and whole and 0 <= value < 2**63):
        raise DataError(f"shift_seed: got {brief(repr(value))}", None, "a whole number from 0 to 2^63 - 1")
