"""JSON that carries its own checksum, and the check of schema versions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.store import schema

# How a sealed text ends: what stands before the mark, and the end, is what the checksum is of.
MARK, END = b',\n "sha256": "', b"\n}"


class NewerSchema(DataError):
    """Written by a release that this one cannot read; never passed over as merely damaged."""


def seal(body: dict) -> bytes:
    """JSON text with a checksum of the rest in its last key."""
    checksum = hashlib.sha256(_json(body)).hexdigest()
    return _json({**body, "sha256": checksum})


def unseal(path: Path | str, files: Any = None) -> dict:
    """Read what `seal` wrote, a file or a path in `files`; the whole text must be the one sealed.

    Raises:
        DataError: absent, damaged, or of a newer schema.
    """
    where = files.where(path) if files else path
    try:
        text = files.read(path) if files else Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=where) from error
    return opened(text, where)


def opened(text: bytes, where: object) -> dict:
    """As `unseal`, of bytes at hand."""
    head, mark, tail = text.rpartition(MARK)
    whole = mark and tail == hashlib.sha256(head + END).hexdigest().encode() + b'"' + END
    try:
        body = json.loads(text)
        body.pop("sha256")
        version = body["schema"]
    except (ValueError, KeyError, AttributeError, TypeError, UnicodeError, RecursionError) as error:
        raise DataError("damaged: not the JSON that was written", where=where) from error
    if not whole:
        raise DataError("damaged: its checksum differs from what was written", where=where)
    check_version(version, where)
    return body


def check_version(version: object, where: object) -> None:
    """Refuse what a newer release wrote, and what no release wrote.

    Raises:
        NewerSchema, DataError
    """
    if not isinstance(version, int) or version < 1:
        raise DataError(f"damaged: schema {version!r}", where=where)
    if version > schema.VERSION:
        raise NewerSchema(
            f"written by a newer release of upbench (schema {version})",
            where=where,
            expected=f"schema {schema.VERSION} or older; install the newer release to read it",
        )


def _json(body: dict) -> bytes:
    return json.dumps(body, indent=1, ensure_ascii=False).encode()
