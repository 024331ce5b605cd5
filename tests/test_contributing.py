"""CONTRIBUTING.md's own method is written to a file and held to every promise."""

from __future__ import annotations

import re
from pathlib import Path

from harness.cli.main import call

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_method_of_the_guide_keeps_every_promise(tmp_path, capsys):
    code = re.search(r"```python\n(.*?)```", TEXT, flags=re.DOTALL).group(1)
    (tmp_path / "output_bias.py").write_text(code, encoding="utf-8")
    assert call(["check-method", str(tmp_path / "output_bias.py")]) == 0
    assert re.search(r"^(\d+) of \1 promises kept", capsys.readouterr().out, flags=re.MULTILINE)
