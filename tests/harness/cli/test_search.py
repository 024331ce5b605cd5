"""`upbench search` and `upbench encode`, as they are called."""

from __future__ import annotations

import html.parser
import json
import shutil

import pytest
from PIL import Image

from harness.cli.main import call
from harness.datasets.synthetic import write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    drawn = write.ensure("cuhk", tmp_path_factory.mktemp("drawn"), "tiny")
    for path in sorted(drawn.rglob("*.jpg"))[:6]:
        shutil.copy2(path, root / path.name)
    with Image.open(path) as image:
        image.save(root / "#1 <b>?.png")
    return root


class Page(html.parser.HTMLParser):
    """Elements of a page in turn, and what its sections say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data.strip())


def test_results_are_printed_and_drawn(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.txt").write_text("a woman & <i>a bag</i>\n\n", encoding="utf-8")
    given = ["search", str(folder), "a man in red", "--file", "more.txt", "--model", "tiny", "--top", "7"]
    assert call(given) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == "a man in red" and lines[9] == "a woman & <i>a bag</i>"
    assert lines[-1] == "7 images searched; page: search.html"
    assert shown.err == "indexed 7 of 7 new images\n"
    assert call([*given, "--json", "--page", "other/page.html"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["indexed"], about["added"], about["page"]) == (7, 0, "other/page.html")
    for number, result in enumerate(about["results"]):
        printed = [line.split(maxsplit=2) for line in lines[1 + 9 * number : 8 + 9 * number]]
        assert [(p, f"{s:.3f}") for _, s, p in ((r, float(s), p) for r, s, p in printed)] == [
            (one["path"], f"{one['score']:.3f}") for one in result["best"]
        ]
    page = Page((tmp_path / "other/page.html").read_text(encoding="utf-8"))
    links = [given["href"] for tag, given in page.tags if tag == "a"]
    pictures = [given for tag, given in page.tags if tag == "img"]
    assert len(links) == len(pictures) == 14 and "i" not in {tag for tag, _ in page.tags}
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in pictures)
    assert {one["alt"] for one in pictures} == {path.name for path in folder.iterdir() if path.is_file()}
    assert not [link for link in links if "#" in link or "?" in link], "which a browser would cut off"
    assert all((tmp_path / "other" / link.replace("%23", "#").replace("%3F", "?")).exists() for link in links)
    assert "a woman & <i>a bag</i>" in page.words


@pytest.mark.parametrize(
    "given, words",
    [
        (["x", "--model", "tinny"], "no model 'tinny'"),
        (["--model", "tiny"], "no sentence to search for"),
        (["--model", "tiny", "--file", "gone.txt"], "gone.txt: cannot be read"),
        (["x", "--model", "abcdef", "--store", "nowhere"], "no trial 'abcdef'"),
        ([" ", "--model", "tiny"], "sentence 1 is empty"),
    ],
)
def test_faults_are_one_line(folder, given, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(["search", str(folder), *given]) == 2
    err = capsys.readouterr().err
    assert words in err and len(err.splitlines()) == 1


def test_encode_says_what_it_wrote(folder, tmp_path, capsys):
    out = str(tmp_path / "out.parquet")
    assert call(["encode", str(folder), out, "--model", "tiny"]) == 0
    assert capsys.readouterr().out == f"7 images and 0 captions, 96 numbers each; {out}\n"
