"""The site in a real headless Chromium, on a desk and on a phone: sorting, search, the switches and the width.

Runs where a Chromium is on the path or named by UPBENCH_CHROMIUM. A script added to the page acts as a reader would and
tells the page around it, which holds it in a frame of the wanted width, as windows have a least one.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("UPBENCH_CHROMIUM") or next((found for n in NAMES if (found := shutil.which(n))), None)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BROWSER, reason="no Chromium here; set UPBENCH_CHROMIUM")]

ACT = """
<script>
{
const seen = {errors: []};
addEventListener("error", e => seen.errors.push(e.message));
seen.before = document.documentElement.dataset.theme || "";
const table = document.querySelector('[data-table="place-1"]'), body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const head = name => heads.find(c => c.textContent.trim() === name);
const shown = () => [...body.rows].filter(r => !r.hidden);
const values = name => shown().map(r => r.cells[heads.indexOf(head(name))].textContent);
const order = c => [c.textContent, c.getAttribute("aria-sort")];
const sorted = () => heads.filter(c => c.hasAttribute("aria-sort")).map(order);
seen.start = [sorted(), values("Budget")];
head("Rank-1 (%)").querySelector("button").click();
seen.falling = [sorted(), values("Rank-1 (%)")];
head("Rank-1 (%)").querySelector("button").click();
seen.rising = [sorted(), values("Rank-1 (%)")];
head("Method").querySelector("button").click();
seen.methods = [sorted(), values("Method")];
seen.plain = head("95 % interval").querySelector("button") === null;
const search = document.getElementById("search");
search.value = "LoRA second"; search.dispatchEvent(new Event("input"));
seen.found = [values("Method"), values("Study"), document.querySelector("output").textContent];
search.value = ""; search.dispatchEvent(new Event("input"));
seen.all = body.rows.length === [...body.rows].filter(r => r.offsetParent !== null || r.offsetHeight > 0).length;
const composite = document.getElementById("composite"), note = document.querySelector("div.composite");
const shows = () => [getComputedStyle(head("Composite")).display, getComputedStyle(note).display];
seen.off = shows(); composite.click(); seen.on = shows();
const theme = document.getElementById("theme"), ground = () => getComputedStyle(document.body).backgroundColor;
const choose = value => { theme.value = value; theme.dispatchEvent(new Event("change")); return ground(); };
seen.auto = ground(); seen.light = choose("light"); seen.dark = choose("dark");
seen.wide = document.documentElement.scrollWidth - innerWidth; seen.inner = innerWidth;
document.querySelector(".skip").focus();
const skip = document.querySelector(".skip").getBoundingClientRect();
seen.skip = skip.left >= 0 && skip.top >= 0;
head("Budget").querySelector("button").focus({focusVisible: true});
seen.outline = getComputedStyle(document.activeElement).outlineStyle;
parent.postMessage(JSON.stringify(seen), "*");
}
</script></body>
"""

STILL = """
const display = [...document.querySelectorAll(".by-script")].map(e => getComputedStyle(e).display);
const counts = ["button", "tbody tr"].map(what => document.querySelectorAll(what).length);
document.title = JSON.stringify([...display, ...counts]);
"""


def acted(folder, tmp_path, width: int) -> dict:
    """What the script saw in a frame of this width."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    (tmp_path / "inner.html").write_text(text.replace("</body>", ACT), encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(
        "<!doctype html><title>none</title><script>onmessage = e => { document.title = e.data; }</script>"
        f'<iframe src="inner.html" style="width: {width}px; height: 800px; border: 0"></iframe>',
        encoding="utf-8",
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,900"]
    flags += ["--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}", "--allow-file-access-from-files"]
    run = subprocess.run([BROWSER, *flags, "--dump-dom", outer.as_uri()], capture_output=True, text=True, timeout=240)
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", run.stdout, re.DOTALL)[1]))


def test_a_reader_on_a_desk_and_on_a_phone(folder, tmp_path):
    for width in (1280, 400):
        seen = acted(folder, tmp_path, width)
        assert seen["errors"] == [] and seen["inner"] == width and seen["wide"] <= 0
        assert seen["start"][0] == [["Budget", "ascending"]]
        numbers = [float(text.split(" ")[0].rstrip("*")) for text in seen["falling"][1] if text != "–"]
        assert len(numbers) > 15 and numbers == sorted(numbers, reverse=True)
        assert seen["falling"][0] == [["Rank-1 (%)", "descending"]] and seen["falling"][1][-1] == "–"
        known = [text for text in seen["rising"][1] if text != "–"]
        assert known == [text for text in seen["falling"][1] if text != "–"][::-1]
        assert seen["rising"][0] == [["Rank-1 (%)", "ascending"]] and seen["rising"][1][-1] == "–"
        assert seen["methods"] == [[["Method", "ascending"]], sorted(seen["methods"][1])]
        assert seen["plain"]
        methods, studies, told = seen["found"]
        assert methods == ["LoRA", "LoRA"] and set(studies) == {"second"}
        assert re.fullmatch(r"2 of \d+ rows", told) and seen["all"]
        assert seen["off"] == ["none", "none"] and seen["on"] == ["table-cell", "block"]
        assert seen["light"] == "rgb(255, 255, 255)" and seen["dark"] == "rgb(22, 24, 28)"
        assert seen["skip"] and seen["outline"] == "solid"
        # The second time the choice of the first is there before anything is painted.
        assert seen["before"] == ("" if width == 1280 else "dark")
        assert seen["auto"] == (seen["light"] if width == 1280 else seen["dark"])


def test_without_a_script_nothing_is_offered_that_would_do_nothing(folder, tmp_path):
    text = (folder / "index.html").read_text(encoding="utf-8")
    still = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    (tmp_path / "still.html").write_text(still.replace("</body>", f"<script>{STILL}</script></body>"), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'p'}",
    ]
    command = [BROWSER, *flags, "--dump-dom", (tmp_path / "still.html").as_uri()]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=240).stdout
    *hidden, buttons, rows = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", printed, re.DOTALL)[1]))
    assert hidden == ["none", "none"] and buttons == 0 and rows > 40
