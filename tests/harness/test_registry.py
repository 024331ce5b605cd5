"""The file is the registration; unknown names are answered."""

from __future__ import annotations

import pytest

from harness import errors, registry


def test_files_are_names():
    assert {"lora", "prefix", "up_person", "zero_shot"} <= set(registry.names("methods"))
    assert not any(name.startswith("_") for kind in registry.PACKAGES for name in registry.names(kind))
    assert registry.find("methods", "lora").__name__ == "methods.lora"


@pytest.mark.parametrize("kind", registry.PACKAGES)
def test_every_file_says_what_it_is(kind):
    for name in registry.names(kind):
        assert len(registry.summary(kind, name)) > 10, name


def test_a_file_is_a_name_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""Mine."""\nvalue = 3\n')
    assert registry.find("methods", str(path)).value == 3
    assert registry.summary("methods", str(path)) == "Mine."


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(errors.UserError, match=r"unknown method 'lor'; expected one of .*; did you mean lora\?"):
        registry.find("methods", "lor")


def test_an_error_is_one_line_with_its_parts():
    error = errors.DataError("3 images missing", "root/x.json", "a complete folder", "imgs", "2 trials")
    assert str(error) == (
        "root/x.json: 3 images missing; expected a complete folder; did you mean imgs?; kept: 2 trials"
    )
    assert (error.exit_code, errors.UserError("x").exit_code, errors.Preempted("x").exit_code) == (4, 2, 75)


def test_nearest():
    known = ["lora", "prefix", "adapter"]
    assert errors.nearest("lorra", known) == "lora"
    assert errors.nearest("up", [*known, "up_person"]) == "up_person"
    assert errors.nearest("zzz", known) is None
