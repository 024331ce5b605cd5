"""The code hash: meaning counts, words do not, and the methods a method is built from count too."""

from __future__ import annotations

import pytest

from harness import provenance

PLAIN = '"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 1\n'


@pytest.fixture
def meaning(tmp_path):
    def of(text: str) -> str:
        (tmp_path / "m.py").write_text(text)
        return provenance._meaning(tmp_path / "m.py")

    return of


def test_comments_docstrings_and_layout_do_not_count(meaning):
    other = '"""Other."""\n# why\ndef f( x ):\n    return (x + 1)\n'
    assert meaning(PLAIN) == meaning(other)
    assert meaning(PLAIN) != meaning(PLAIN.replace("+ 1", "+ 2"))


def test_a_method_depends_on_its_siblings(monkeypatch):
    provenance.code.cache_clear()
    before = {name: provenance.code(name) for name in ("up_person", "s_prefix", "lora", "full")}
    real = provenance._meaning
    monkeypatch.setattr(provenance, "_meaning", lambda path: "other" if path.name == "prefix.py" else real(path))
    provenance.code.cache_clear()
    after = {name: provenance.code(name) for name in before}
    provenance.code.cache_clear()
    assert {name for name in before if before[name] != after[name]} == {"up_person", "s_prefix"}


def test_the_parts_of_a_union_count():
    assert provenance.code("union", ("lora",)) != provenance.code("union", ("prefix",))


def test_deciding_files_exist():
    assert all((provenance.ROOT / "harness" / f"{name}.py").is_file() for name in provenance.DECIDING)


def test_versions_name_what_results_depend_on():
    assert {"python", "torch", "numpy"} <= set(provenance.versions())
    assert provenance.hardware("cpu")
