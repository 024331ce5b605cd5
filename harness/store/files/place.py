"""Where a store is: a folder, or an object store behind a URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.store.files.local import Local

if TYPE_CHECKING:
    from harness.store.files.objects import Remote


def at(root: object) -> Local | Remote:
    """What holds a store at a path or URL.

    Raises:
        UserError: a kind of URL that is not known.
        EnvironmentFault: a package for it is not installed.
    """
    text = str(root)
    if text.startswith("file://"):
        return Local(text.removeprefix("file://"))
    if "://" not in text:
        return Local(Path(text))
    from harness.store.files.objects import Remote

    return Remote(text)
