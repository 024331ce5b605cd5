"""What a YAML text may hold, and how much: plain values, aliases and merge keys, each with the line it is at."""

from __future__ import annotations

import time

import pytest

from harness.errors import UserError
from harness.study import nodes, yaml

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def read(text: str):
    return nodes.read(text, lambda line: f"s.yaml:{line}")


def test_merge_keys_bring_what_is_not_written_with_its_own_line():
    tree, lines = read(
        "one: &one\n  a: 1\n  b: 2\ntwo: &two {b: 3,\n  c: 4}\n"
        "both:\n  <<: [*one, *two]\n  d: 5\nown: {<<: *two, b: 6}\n"
    )
    assert tree["both"] == {"d": 5, "a": 1, "b": 2, "c": 4} and tree["own"] == {"b": 6, "c": 4}
    wanted = {("both", "a"): 2, ("both", "b"): 3, ("both", "c"): 5, ("both", "d"): 8, ("own", "b"): 9, ("own", "c"): 5}
    assert {place: line for place, line in lines.items() if place in wanted} == wanted
    assert read("a: &a {x: [1]}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n")[0]["c"] == {"x": [1], "y": 2}
    assert read("'<<': 5")[0] == {"<<": 5}


def test_an_alias_is_what_it_stands_for():
    tree, lines = read("a: &a [1, {b: 2}]\nc: *a\n")
    assert tree["c"] == [1, {"b": 2}] and tree["c"][1] is not tree["a"][1] and lines[("c", 1, "b")] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "s.yaml:2: key given twice: a"),
        ("a: {<<: {b: 1},\n  <<: {c: 1}}", "s.yaml:2: key given twice: <<"),
        ("1: a\n'1': b", "s.yaml:2: key given twice: 1"),
        ("\na: {<<: 5}", "s.yaml:2: a: '<<' merges no mapping; expected an alias of a mapping, or a list"),
        ("a: {<<: [{b: 1}, 5]}", "s.yaml:1: a: '<<' merges no mapping"),
        ("a: !!python/object/apply:os.system [x]", "s.yaml:1: a: tag !!python/object/apply:os.system is not read"),
        ("a:\n  - !own 5", "s.yaml:2: a.0: tag !own is not read"),
        ("a: !!binary aGk=", "tag !!binary is not read; expected plain values"),
        ("a: !!timestamp 2001-01-01", "tag !!timestamp is not read"),
        ("a: !!set {b}", "tag !!set is not read"),
        ("a: !!omap [b: 1]", "tag !!omap is not read"),
        ("!own a: 1", "tag !own is not read"),
        ("a: !!map [b]", "tag !!map is not read"),
        ("a: !!str [b]", "tag !!str is not read"),
        ("\n[a]: b", "s.yaml:2: a list or mapping as a key; expected text as keys"),
        ("x: {{a: 1}: b}", "s.yaml:1: x: a list or mapping as a key"),
        ("a: !!int five", "a: cannot read 'five' as a number"),
        ("a: !!int ''", "a: cannot read '' as a number"),
        ("a: !!bool maybe", "a: cannot read 'maybe' as a truth value"),
        ("a: " + "9" * 5000, "as a number"),
        ("a: &a [*a]", "s.yaml:1: alias *a stands within what it stands for"),
        ("a: *a", "no YAML: found undefined alias"),
        ("a: [", "s.yaml:1: no YAML: "),
        ("--- {a: 1}\n--- {b: 1}", "s.yaml:2: no YAML: but found another document"),
        ('a: "\\UFFFFFFFF"', "no YAML: "),
        ('a: "\\ud800"', "s.yaml:1: a: text with the character U+D800"),
        ('a: "\\0"', "s.yaml:1: a: text with the character U+0000"),
        ("a: {b\u200dc: 1}", "s.yaml:1: a: a key 'b\\u200dc'; expected plain text as keys"),
        ("a: 'b\ufeff'", "s.yaml:1: a: text with the character U+FEFF"),
        ("a: x\u202ey", "s.yaml:1: a: text with the character U+202E"),
        ("x: 1\na: " + "[" * 41 + "]" * 41, "s.yaml:2: lists and mappings too deep in each other; expected at most 40"),
        ("[" * 90_000, "too deep in each other"),
        ("- " * 50_000, "too deep in each other"),
        ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60)), "s.yaml:41: lists and mappin"),
        (LAUGHS, "s.yaml:5: a value of 111,111 parts, all aliases written out; expected at most 50,000"),
    ],
)  # fmt: skip
def test_what_is_no_plain_value_is_refused_with_its_line(text, words):
    with pytest.raises(UserError) as caught:
        read(text)
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1, caught.value
    assert len(str(caught.value)) < 400


def test_plain_values_may_say_their_tag_and_dates_are_text():
    text = "a: !!str 5\nb: !!int '5'\nc: ! 5\nd: 2001-01-01\ne: !!seq []\nf: !!null ''\ng: no\nh: 1e-3\ni: ="
    assert read(text)[0] == {
        "a": "5", "b": 5, "c": 5, "d": "2001-01-01", "e": [], "f": None, "g": "no", "h": 1e-3, "i": "=",
    }  # fmt: skip
    assert read("[" * 40 + "]" * 40)[0] and read("~: 1\n2: 3")[0] == {"~": 1, "2": 3} and read("")[0] is None


def test_aliases_are_counted_without_writing_them_out(monkeypatch):
    monkeypatch.setattr(nodes, "DEPTH", 1000)
    monkeypatch.setattr(nodes, "NODES", 10**100)
    text = LAUGHS.replace("a8:", "b8:") + "".join(f"a{n}: &a{n} [*a{n - 1},*a{n - 1}]\n" for n in range(8, 60))
    monkeypatch.setattr(nodes._Reading, "value", lambda *given: None)
    began = time.perf_counter()
    assert read(text)[0] is None and time.perf_counter() - began < 5  # 10^25 values


def test_a_large_or_foreign_file_is_refused_unread(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1 #" + b"x" * yaml.SIZE)
    with pytest.raises(UserError, match=r"s\.yaml: a study of 100,006 bytes; expected at most 100,000"):
        yaml.read(path)
    path.write_bytes("a: é".encode("latin-1"))
    with pytest.raises(UserError, match=r"s\.yaml: no YAML: byte 3 is not UTF-8; expected text in UTF-8"):
        yaml.read(path)
    for text, words in [
        ("extends: 5", "s.yaml:1: extends: 5 is no file"),
        ("a: 1\nextends: " + "x" * 5000, "s.yaml:2: extends: no such study as xxx"),
        ("extends: s.yaml", "s.yaml:1: extends itself through s.yaml"),
        ("[a]", "s.yaml: a study is a mapping of keys"),
    ]:
        path.write_text(text)
        with pytest.raises(UserError) as caught:
            yaml.read(path)
        assert words in str(caught.value)


def test_a_value_of_the_command_line_names_its_key():
    assert yaml.value("[1, 2]", "--set a") == [1, 2]
    for text in ("[", "!x 1", "[" * 60, "x" * 100_001):
        with pytest.raises(UserError, match=r"^--set a: "):
            yaml.value(text, "--set a")
