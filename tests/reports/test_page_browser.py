"""The page in a real headless Chromium: sorting, filtering, hovering and the keyboard, on a desk and on a phone.

Runs where a Chromium is on the path or named by UPBENCH_CHROMIUM. A script added to the page acts as a reader would and
writes what it finds into the title, which the browser prints with the page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest

from reports.page import report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("UPBENCH_CHROMIUM") or next((found for n in NAMES if (found := shutil.which(n))), None)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BROWSER, reason="no Chromium here; set UPBENCH_CHROMIUM")]

SCRIPT = """
<script>
{
const seen = {errors: []};
addEventListener("error", e => seen.errors.push(e.message));
const table = document.querySelector('[data-table="budget"]'), body = table.tBodies[0];
const column = name => [...table.tHead.rows[0].cells].findIndex(c => c.textContent.trim() === name);
const values = name => [...body.rows].filter(r => !r.hidden).map(r => r.cells[column(name)].textContent);
const head = name => table.tHead.rows[0].cells[column(name)];
head("Rank-1").querySelector("button").click();
seen.rising = values("Rank-1"); seen.sort = head("Rank-1").getAttribute("aria-sort");
head("Rank-1").querySelector("button").click();
seen.falling = values("Rank-1");
head("Trained").querySelector("button").click();
seen.trained = values("Trained");
const filter = document.querySelector('[data-filter="budget"]');
filter.value = "lora s-cuhk"; filter.dispatchEvent(new Event("input"));
seen.filtered = values("Method"); seen.places = values("Dataset");
const marks = [...document.querySelectorAll('[data-figure="budget_curve"] [tabindex]')];
seen.marks = marks.length;
marks[0].focus();
const box = document.getElementById("tip");
seen.focus = box.hidden ? null : box.textContent; seen.label = marks[0].getAttribute("aria-label");
dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
seen.escaped = box.hidden;
const r = marks[3].getBoundingClientRect();
const at = {bubbles: true, clientX: r.x + r.width / 2, clientY: r.y + r.height / 2};
marks[3].dispatchEvent(new PointerEvent("pointermove", at));
const t = box.getBoundingClientRect();
seen.hover = box.hidden ? null : box.textContent; seen.expected = tips[marks[3].id];
seen.inside = t.left >= 0 && t.right <= innerWidth && t.top >= 0;
seen.wide = document.documentElement.scrollWidth - innerWidth; seen.inner = innerWidth;
document.title = JSON.stringify(seen);
}
</script></body>
"""


@pytest.mark.parametrize("size", ["1200,900", "500,800"])
def test_reader(results, size, tmp_path):
    page = report(results, tmp_path, only=("budget_curve", "budget", "main"))[0]
    acted = tmp_path / "acted.html"
    acted.write_text(page.read_text(encoding="utf-8").replace("</body>", SCRIPT), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={size}"]
    command = [BROWSER, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", acted.as_uri()]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=240).stdout
    title = re.search(r"<title>(.*?)</title>", printed, re.DOTALL)[1]
    seen = json.loads(title.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert seen["errors"] == []
    numbers = [float(v.split()[0].rstrip("*")) for v in seen["rising"] if v != "–"]
    assert numbers == sorted(numbers) and len(numbers) == 51 and seen["rising"][-1] == "–"
    assert seen["falling"][0] == [v for v in seen["rising"] if v != "–"][-1]
    assert seen["falling"][-1] == "–" and seen["sort"] == "ascending"
    assert seen["trained"][0] == "0" and [v for v in seen["trained"] if v != "–"][-1] == "150M"
    assert set(seen["filtered"]) == {"LoRA"} and set(seen["places"]) == {"S-CUHK"} and len(seen["places"]) == 4
    assert seen["marks"] == 51
    assert seen["focus"] and seen["label"] == seen["focus"].replace("\n", ", ") and seen["escaped"]
    assert seen["hover"] == seen["expected"]
    assert seen["inside"] and seen["wide"] <= 0
