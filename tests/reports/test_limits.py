"""Limits are read as people write them, and refused with the words that would have been right."""

from __future__ import annotations

import pytest

from harness.errors import UserError
from reports.limits import Limit, parse, size


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("parameters", "1%", Limit("share", 0.01)),
        ("parameters", " 0.5 % ", Limit("share", 0.005)),
        ("parameters", "2M", Limit("parameters", 2e6)),
        ("parameters", "300k", Limit("parameters", 3e5)),
        ("parameters", "1966128", Limit("parameters", 1966128)),
        ("memory", "2GB", Limit("memory", 2e9)),
        ("memory", "512MiB", Limit("memory", 512 * 2**20)),
        ("memory", "2000", Limit("memory", 2000)),
        ("seconds", "60", Limit("seconds", 60)),
        ("seconds", "1.5h", Limit("seconds", 5400)),
        ("seconds", "5min", Limit("seconds", 300)),
    ],
)
def test_read(kind, text, expected):
    found = parse(kind, text)
    assert (found.kind, found.most) == (expected.kind, pytest.approx(expected.most))


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("parameters", "many", "--parameters: cannot read 'many'; expected a share like 1%"),
        ("memory", "2%", "--memory: unknown unit '%'"),
        ("memory", "2GP", "unknown unit 'GP'; expected an amount like 2GB"),
        ("seconds", "3d", "unknown unit 'd'"),
        ("parameters", "0%", "leaves nothing"),
    ],
)
def test_refused(kind, text, words):
    with pytest.raises(UserError, match=words.replace("(", r"\(")):
        parse(kind, text)


@pytest.mark.parametrize(("value", "text"), [(512, "512 B"), (2000, "2.0 KiB"), (2e9, "1.9 GiB"), (5e8, "477 MiB")])
def test_sizes(value, text):
    assert size(value) == text
