"""What a study may do to a training split: cut it (`subset`), and give captions to wrong images (`noise`)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from harness.data.noise import noisy
from harness.data.split import Split
from harness.data.subset import subset

OPTIONS = tuple(name for f in (subset, noisy) for name in inspect.signature(f).parameters if name != "split")
HINTS: dict[str, Any] = {**get_type_hints(subset), **get_type_hints(noisy)}


def changed(split: Split, options: Mapping[str, Any]) -> Split:
    """The training split as those of `options` say that are in `OPTIONS`.

    Raises:
        UserError, DataError: as `subset` and `noisy`.
    """
    cut, noise = ({k: options[k] for k in inspect.signature(f).parameters if k in options} for f in (subset, noisy))
    return noisy(subset(split, **cut) if cut else split, **noise)


def taken(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of a data set as those of its loader and those of `changed`."""
    return (
        {k: v for k, v in options.items() if k not in OPTIONS},
        {k: v for k, v in options.items() if k in OPTIONS},
    )
