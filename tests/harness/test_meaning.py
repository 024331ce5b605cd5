"""What code computes, as a hash: meaning counts wherever it is reached, words and places do not."""

from __future__ import annotations

import pytest

from harness import meaning

PLAIN = '"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 1\n'
CACHED = (meaning._tree, meaning._text, meaning._imports, meaning._offered, meaning.file_of)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A project: `house({"harness/a.py": text, ...}, start)` is the digest from the file `start`."""

    def of(files: dict[str, str], start: str = "harness/a.py", exempt=()) -> str:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        monkeypatch.setattr(meaning, "ROOT", root)
        for cached in CACHED:
            cached.cache_clear()
        return meaning.digest([root / start], exempt)

    yield of
    monkeypatch.undo()
    for cached in CACHED:
        cached.cache_clear()


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ('"""Other."""\n# why\ndef f( x ):\n    return (x + 1)\n', True),
        ("def f(x: int) -> int:\n    return x + 1\n", True),
        ("from typing import TYPE_CHECKING\n" + PLAIN, False),
        ("if TYPE_CHECKING:\n    from a import b\n" + PLAIN.replace('"""Doc."""\n', "", 1), True),
        (PLAIN.replace("+ 1", "+ 2"), False),
        (PLAIN.replace("+ 1", "+ 1.0"), False),
        (PLAIN.replace("+ 1", "- 1"), False),
        (PLAIN.replace("x", "y"), False),
        (PLAIN + "Y: int = 1\n", False),
    ],
)
def test_what_counts_in_a_file(house, other, same):
    assert (house({"harness/a.py": PLAIN}) == house({"harness/a.py": other})) is same


USES = "from harness.b import f\n\n\ndef g():\n    return f(1)\n"


def test_whatever_is_reached_counts_and_nothing_else(house):
    base = {"harness/a.py": USES, "harness/b.py": PLAIN, "harness/c.py": PLAIN}
    own = house(base)
    assert house({**base, "harness/b.py": PLAIN.replace("+ 1", "+ 2")}) != own
    assert house({**base, "harness/c.py": PLAIN.replace("+ 1", "+ 2")}) == own
    deep = {**base, "harness/b.py": "from harness import c\n" + PLAIN}
    assert house(deep) != house({**deep, "harness/c.py": PLAIN.replace("+ 1", "+ 2")})
    lazy = {**base, "harness/a.py": "def g():\n    from harness.c import f\n    return f(1)\n"}
    assert house(lazy) != house({**lazy, "harness/c.py": PLAIN.replace("+ 1", "+ 2")})
    far = {**lazy, "harness/c.py": "from harness import d\n" + PLAIN, "harness/d.py": PLAIN}
    assert house(far) != house({**far, "harness/d.py": PLAIN.replace("+ 1", "+ 2")})
    assert house(deep, exempt=["harness.c"]) == house({**deep, "harness/c.py": PLAIN + "x = 1"}, exempt=["harness.c"])


def test_the_packages_around_a_file_run_too(house):
    base = {"harness/w/a.py": PLAIN, "harness/w/__init__.py": '"""Doc."""\n', "harness/__init__.py": ""}
    own = house(base, "harness/w/a.py")
    assert house({**base, "harness/w/__init__.py": '"""Other."""\n'}, "harness/w/a.py") == own
    assert house({**base, "harness/w/__init__.py": "import os\n"}, "harness/w/a.py") != own


def test_moving_a_file_changes_nothing(house):
    inits = {"harness/w/__init__.py": '"""Doc."""\n', "harness/__init__.py": ""}
    here = {"harness/a.py": USES, "harness/b.py": PLAIN}
    there = {"harness/w/b.py": PLAIN, "harness/a.py": USES.replace("harness.b", "harness.w.b")}
    assert house({**here, **inits}) == house({**there, **inits})


def test_functions_of_one_name_from_two_files_are_told_apart(house):
    other = PLAIN.replace("+ 1", "+ 2")
    both = "from harness import b, c\n"
    one = {"harness/a.py": both + USES, "harness/b.py": PLAIN, "harness/c.py": other}
    two = {**one, "harness/a.py": both + USES.replace("harness.b import", "harness.c import")}
    assert house(one) != house(two)


def test_what_comes_through_the_face_counts_and_the_rest_of_it_does_not(house):
    face = 'OFFERED: dict[str, str] = {"f": "harness.b", "h": "harness.c"}\n'
    base = {"methods/m.py": "from upbench import f\n\nx = f(1)\n", "upbench.py": face}
    base |= {"harness/b.py": PLAIN, "harness/c.py": PLAIN}
    own = house(base, "methods/m.py")
    assert house({**base, "harness/b.py": PLAIN.replace("+ 1", "+ 2")}, "methods/m.py") != own
    assert house({**base, "harness/c.py": PLAIN.replace("+ 1", "+ 2")}, "methods/m.py") == own
    assert house({**base, "upbench.py": face + "x = 1\n"}, "methods/m.py") == own
    whole = {**base, "methods/m.py": "import upbench\n\nx = upbench.f(1)\n"}
    changed = {**whole, "harness/b.py": PLAIN.replace("+ 1", "+ 2")}
    assert house(whole, "methods/m.py") != house(changed, "methods/m.py")
    seen = face + "if TYPE_CHECKING:\n    from harness.c import f\n"
    other = {"harness/c.py": PLAIN.replace("+ 1", "+ 2")}
    whole |= {"upbench.py": seen}
    assert house(whole, "methods/m.py") == house({**whole, **other}, "methods/m.py")


def test_a_module_that_the_face_offers_counts_as_if_it_were_imported(house):
    files = {"harness/b.py": PLAIN, "upbench.py": 'OFFERED: dict[str, str] = {"b": "harness"}\n'}
    through = {**files, "methods/m.py": "from upbench import b\n\nx = b.f(1)\n"}
    straight = {**files, "methods/m.py": "from harness import b\n\nx = b.f(1)\n"}
    assert house(through, "methods/m.py") == house(straight, "methods/m.py")
    changed = {**through, "harness/b.py": PLAIN.replace("+ 1", "+ 2")}
    assert house(through, "methods/m.py") != house(changed, "methods/m.py")
