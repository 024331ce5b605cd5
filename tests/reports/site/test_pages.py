"""The site is whole, loads nothing, repeats, escapes what users wrote, and needs no eyes, mouse or script."""

from __future__ import annotations

import ast
import dataclasses
import html
import re
from pathlib import Path

import pytest

from harness import registry
from harness.measured_on import MeasuredOn
from reports.site import site
from tests.reports.site.conftest import CLOSED, stub
from tests.reports.site.read import Page


@pytest.fixture(scope="module")
def pages(folder):
    return {path.relative_to(folder).as_posix(): Page(path) for path in sorted(folder.rglob("*.html"))}


def own(pages):
    """The pages but those of studies, which a stub wrote."""
    return {name: page for name, page in pages.items() if not name.startswith("studies/")}


def test_every_method_and_study_has_a_page(pages):
    assert set(pages) == {
        "index.html", "methods/index.html", "studies/first/index.html", "studies/second/index.html",
        *(f"methods/{name}.html" for name in registry.names("methods")),
    }  # fmt: skip


def test_every_link_is_a_page_of_the_site_or_a_paper(pages, folder):
    inside = 0
    for name, page in pages.items():
        for link in page.links:
            if link.startswith("https://"):
                continue
            address, _, part = link.partition("#")
            target = (folder / name).parent / address if address else folder / name
            assert target.is_file(), (name, link)
            if part:
                assert part in Page(target).ids, (name, link)
            inside += 1
    assert inside > 200


def test_every_page_can_be_reached(pages, folder):
    reached, waiting = set(), ["index.html"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        links = [link.partition("#")[0] for link in pages[name].links if not link.startswith("https://")]
        waiting += [
            ((folder / name).parent / link).resolve().relative_to(folder.resolve()).as_posix() for link in links if link
        ]
    assert reached == set(pages)


def test_nothing_is_loaded_from_anywhere(pages):
    for name, page in own(pages).items():
        assert page.loaded == [], name
        assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", page.source), name
        assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "embed", "img", "base")]
        for found in re.finditer(r"(?:https?:)?//[a-z]", page.source):
            before = page.source[: found.start()]
            assert before.endswith('<a href="') and found[0].startswith("https:"), (name, before[-40:])


def test_the_same_results_give_the_same_bytes(made, published, folder, tmp_path):
    again = site.write(made, tmp_path, CLOSED, published=published, draw=stub)
    for path in again:
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path
    assert {p.relative_to(tmp_path) for p in again} == {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}


EVIL = "<script>alert('1')</script>\"><b onmouseover=alert(2)>&amp;"


def test_what_users_wrote_is_no_markup(made, published, tmp_path):
    second = made["second"]
    told = [{**t, "label": EVIL if t["method"] == "lora" else t["label"]} for t in second.study["trials"]]
    trials = second.trials.assign(
        label=second.trials["label"].replace({"lora": EVIL}),
        method=second.trials["method"].replace({"adapter": "/home/someone/" + EVIL.replace("/", "") + ".py"}),
        backbone=EVIL, dataset=EVIL,
    )  # fmt: skip
    evil = dataclasses.replace(
        second, trials=trials, scores=second.scores.assign(dataset=EVIL), queries=second.queries.assign(dataset=EVIL),
        study={**second.study, "question": EVIL, "trials": told},
    )  # fmt: skip
    lines = published.assign(method=EVIL, source=EVIL, note=EVIL, backbone=EVIL)
    paths = site.write({"evil": evil}, tmp_path, CLOSED, published=lines, draw=stub)
    calm = Page(tmp_path / "index.html")
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert "alert('1')" not in text and "<b onmouseover" not in text and "someone" not in text
        page = Page(path)
        assert not [tag for tag, given in page.tags if (tag == "b" and given) or "onmouseover" in given]
    assert f"{EVIL} lora" in {row[0].text for row in calm.table(f"Measured here on {EVIL}").rows}
    assert sum(tag == "script" for tag, _ in calm.tags) == 2


def test_tables_say_what_they_are_and_how_they_are_sorted(pages):
    for name, page in own(pages).items():
        for table in page.tables:
            assert table.caption and table.scrolls, name
            assert all(head.tag == "th" and head.attributes["scope"] == "col" for head in table.heads)
            for row in table.rows:
                assert len(row) == len(table.heads)
                assert row[0].tag == "th" and row[0].attributes["scope"] == "row"
                for head, cell in zip(table.heads, row, strict=True):
                    assert ("data-plain" in head.attributes) == (cell.key is None), (name, head.text)


def test_a_column_that_is_said_to_be_sorted_is_sorted(pages):
    said = 0
    for name, page in own(pages).items():
        for table in page.tables:
            for column, head in enumerate(table.heads):
                if (order := head.attributes.get("aria-sort")) is None:
                    continue
                keys = [row[column].key for row in table.rows]
                known = [key for key in keys if key]
                assert keys == known + [""] * (len(keys) - len(known)), (name, head.text)
                numbers = all(re.fullmatch(r"[\d.e+-]+", key) for key in known)
                values = [float(key) for key in known] if numbers else known
                assert values == sorted(values, reverse=order == "descending"), (name, head.text)
                said += 1
    assert said >= 9


def test_a_key_is_the_number_that_is_shown(pages):
    """Sorting goes by keys, so a key that is another cell's would order the table by nothing."""
    for page in own(pages).values():
        for table in page.tables:
            for cell in (cell for row in table.rows for cell in row if cell.key):
                shown = re.match(r"-?[\d,]+(?:\.\d+)?(?= ±|[*†‡]*$)", cell.text)
                if shown and re.fullmatch(r"[\d.e+-]+", cell.key):
                    digits = len(shown[0].partition(".")[2])
                    assert float(shown[0].replace(",", "")) == pytest.approx(float(cell.key), abs=0.51 * 10**-digits)


def test_a_page_has_landmarks_a_way_past_the_head_and_names_for_what_can_be_used(pages):
    for name, page in own(pages).items():
        tags = [tag for tag, _ in page.tags]
        assert tags.count("main") == tags.count("h1") == 1 and {"header", "nav", "footer"} <= set(tags), name
        assert page.links[0] == "#content" and "content" in page.ids
        assert len(page.ids) == len(set(page.ids))
        navs = [given.get("aria-label") for tag, given in page.tags if tag == "nav"]
        assert all(navs) and len(set(navs)) == len(navs)
        labelled = {given.get("for") for tag, given in page.tags if tag == "label"}
        for tag, given in page.tags:
            if tag == "input":
                assert given["id"] in labelled, name
            if "aria-labelledby" in given:
                assert given["aria-labelledby"] in page.ids
            if given.get("class", "").split()[:1] == ["scroll"]:
                assert given["tabindex"] == "0" and given["role"] == "region" and given["aria-label"]


def test_the_composite_is_off_unless_it_is_asked_for(pages):
    page = pages["index.html"]
    (box,) = (given for tag, given in page.tags if tag == "input" and given.get("type") == "checkbox")
    assert "checked" not in box
    assert re.search(r"(?m)^\.composite \{ display: none; \}$", page.styles)
    heads = [head for table in page.tables for head in table.heads if head.text == "Composite"]
    assert heads and all(head.attributes["class"] == "composite" for head in heads)
    assert "(1 + p / P)" in page.source and "do not read them" in page.source


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_can_be_read_in_light_and_dark(pages):
    styles = pages["index.html"].styles
    light, *darks = (colours(block) for block in re.findall(r"--ink:.*?\}", styles))
    assert len(darks) == 2 and darks[0] == darks[1] != light
    for theme in (light, darks[0]):
        for text in ("ink", "soft", "link", "warn"):
            for ground in ("paper", "band"):
                one, two = sorted((luminance(theme[text]), luminance(theme[ground])))
                assert (two + 0.05) / (one + 0.05) >= 4.5, (text, ground)


def test_published_numbers_stand_beside_the_whole_data_set_alone(made, published, tmp_path):
    cut = MeasuredOn("synth_cuhk", (("size", '"demo"'),))
    part = dataclasses.replace(made["second"], measured_on={"synth_cuhk": cut})
    site.write({"part": part}, tmp_path / "part", CLOSED, published=published, draw=stub)
    site.write({"whole": made["second"], "part": part}, tmp_path / "both", CLOSED, published=published, draw=stub)

    def captions(name: str) -> list[str]:
        return [
            t.caption
            for t in Page(tmp_path / name / "index.html").tables
            if " on " in t.caption or "not measured" in t.caption
        ]

    elsewhere = "Published elsewhere, not measured here: S-CUHK (percent)"
    assert captions("part").index(elsewhere) > captions("part").index("Measured here on S-CUHK")
    text = (tmp_path / "part" / "index.html").read_text(encoding="utf-8")
    assert text.index('id="elsewhere"') < text.index(elsewhere)  # of a data set that nothing here was measured on
    assert captions("both")[:3] == ["Measured here on S-CUHK", elsewhere, "Measured here on S-CUHK (size demo)"]


def test_a_study_that_chose_on_test_is_marked(made, published, tmp_path):
    second = made["second"]
    scores = second.scores[second.scores["choice"] != "selected"]
    last = scores[scores["choice"] != "last"]
    site.write({"x": dataclasses.replace(second, scores=last)}, tmp_path, CLOSED, published=published, draw=stub)
    page = Page(tmp_path / "index.html")
    table = page.table("Measured here on S-CUHK")
    assert all(table.by_head(row)["Rank-1 (%)"].text.endswith("†") for row in table.rows)
    assert "oracle, optimistic" in page.source


def test_a_store_that_published_nothing_says_so(made, published, tmp_path, pages):
    paths = site.write({"x": made["second"]}, tmp_path, CLOSED, official=False, published=published, draw=stub)
    assert all("not published" in p.read_text(encoding="utf-8") for p in paths if "studies" not in p.parts)
    assert not any("These studies are not published" in page.source for page in pages.values())


def test_many_cells_of_one_budget_are_compared_among_the_best(made, published, tmp_path, monkeypatch):
    from reports.site import entries

    monkeypatch.setattr(entries, "MOST", 2)
    rows = entries.entries("x", made["second"], entries.domains({"x": made["second"]}))
    for budget in ("0.5%", "1%"):
        assert [bool(row.letters) for row in rows if row.cell.budget == budget] == [True, True, False]


def test_two_methods_never_share_a_page(made, published, tmp_path):
    second = made["second"]
    methods = {"adapter": "/one/lo ra.py", "up_person": "/two/lo-ra.py", "lora": "/three/lo_ra.py"}
    other = dataclasses.replace(second, trials=second.trials.assign(method=second.trials["method"].replace(methods)))
    paths = site.write({"x": other}, tmp_path, CLOSED, published=published, draw=stub)
    assert len(paths) == len(set(paths))
    page = Page(tmp_path / "index.html")
    links = {row[0].links[0] for row in page.table("Measured here on S-CUHK").rows}
    assert len(links) == 4 and all((Path(tmp_path) / link).is_file() for link in links)
    text = (tmp_path / "methods" / "lo-ra.html").read_text(encoding="utf-8")
    assert "not part of this installation" in text


def test_a_method_is_described_by_its_own_words(pages):
    titles = {}
    for name in registry.names("methods"):
        doc = ast.get_docstring(ast.parse(registry.source("methods", name).read_text(encoding="utf-8")))
        source = pages[f"methods/{name}.html"].source
        titles[name] = re.search(r"<h1>(.*?)</h1>", source)[1]
        part = source.partition("</h1>")[2].partition('id="sizes"')[0].replace('class="soft"', "")
        said = re.findall(r"<(p|pre tabindex=\"0\")>(.*?)</p(?:re)?>", part, flags=re.DOTALL)
        plain = [(tag, html.unescape(re.sub(r"<(/?)code>", "`", text))) for tag, text in said]
        whole = "\n\n".join(text for _, text in plain)
        assert whole.split() == doc.split(), name
        for line in doc.splitlines():
            if line.startswith("    "):  # an equation keeps its lines and what is between its words
                assert any(tag != "p" and line.strip() in text for tag, text in plain), name
    assert (titles["lora"], titles["convpass"], titles["zero_shot"]) == ("LoRA", "Convpass", "Zero-shot")
    assert (titles["full_image"], titles["layer_norm"]) == ("full_image", "LN-tuning")
