"""Paths that were given by people."""

from __future__ import annotations

from pathlib import Path

from harness import paths


def test_what_no_file_system_takes_is_a_path_of_nothing(tmp_path):
    (tmp_path / "file").touch()
    assert paths.is_file(tmp_path / "file") and paths.is_folder(tmp_path) and not paths.is_file(tmp_path)
    for name in ("x" * 5000, "a\0b", "/".join(["x" * 200] * 50), ""):
        assert not paths.is_file(tmp_path / name) and not (name and paths.is_folder(tmp_path / name))
        assert isinstance(paths.resolved(tmp_path / name), Path)
