"""`docs/python.md` as it is written: its files are added to a copy of the project, and its study is run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.datasets.synthetic import write

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, flags=re.DOTALL)
FILES = re.findall(r"^An? [a-z ]+, `([a-z_/]+\.(?:py|yaml))`", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The project with one file of each kind added, and a data set of the user's own beside the study."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("harness", "methods", "reports", "studies"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    (root / "results").mkdir()
    for name in ("upbench.py", "results/literature.csv"):
        shutil.copy2(ROOT / name, root / name)
    assert len(BLOCKS) == 2 + len(FILES), "a block for the study's calls, one for the model's, and one for each file"
    for file, text in zip(FILES, BLOCKS[2:], strict=True):
        assert not (root / file).exists(), f"{file} is there already"
        (root / file).write_text(text, encoding="utf-8")
    drawn = write.ensure("cuhk", root / "drawn", "tiny") / "CUHK-PEDES"
    shutil.copytree(drawn, root / "MINE")
    (root / "MINE" / "reid_raw.json").rename(root / "MINE" / "mine.json")
    shutil.copy2(root / "studies" / "mine.yaml", root / "mine.yaml")
    return root


def call(root: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_one_file_of_each_kind_is_found_and_used(copy):
    """Method, data set, shift, metric, loss, recipe, figure, table and study, by the page's own calls."""
    kinds = {Path(file).parts[-2] for file in FILES}
    assert kinds == {"methods", "datasets", "shifts", "metrics", "losses", "recipes", "figures", "tables", "studies"}
    script = BLOCKS[0] + BLOCKS[1] + "\nprint(sorted(test['metric'].unique()))\n"
    script += "print('under', sorted(upbench.results('mine', store='results/local').scores['dataset'].unique()))\n"
    script += "print(results.trials[['label', 'recipe', 'dataset']].values.tolist())\nprint(*map(str, pages))\n"
    script += "print([str(page) for page in upbench.report('mine', 'out/own', only=['spread', 'best'],\n"
    script += "                                            store='results/local')])\n"
    script += "from harness.cli import main\nprint('promises', main.call(['check-method', 'methods/gain.py']))\n"
    out = call(copy, "-c", script)
    assert f"('gain', 'to run', {4 * 128 + 3 * 96})" in out, "a gain for each block of the tiny backbone"
    assert "'MRR'" in out and '"losses": ["sdm", "cosine_gap"]' in out and "'mine'" in out
    assert re.search(r"^under .*hesitation", out, flags=re.MULTILINE), out
    assert re.search(r"^gain.*trained on mine, trial \w+ \(96, 32\) 96$", out, flags=re.MULTILINE), out
    assert re.search(r"^2 +3 +\S+\.jpg +-?0\.\d+$", out, flags=re.MULTILINE), "the third image found"
    assert re.search(r"^measured later: [1-9]\d* \[\]$", out, flags=re.MULTILINE), out
    assert "figures/spread.pdf" in out and "tables/best.tex" in out and "index.html" in out
    assert "13 of 13 promises kept" in out and out.endswith("promises 0\n"), out


def test_lists_name_them(copy):
    for kind, file in ((Path(file).parts[-2], file) for file in FILES):
        lines = call(copy, "-c", f"from harness.cli.main import main; main(['list', '{kind}'])")
        assert re.search(rf"^{Path(file).stem}\s", lines, flags=re.MULTILINE), (kind, lines)
