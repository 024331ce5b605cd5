"""Faults in the site: another study's numbers, budgets mixed up, published numbers among measured ones, dead links."""

from __future__ import annotations

BOARD, PAGES, COMMAND = (f"tests/reports/site/test_{name}.py" for name in ("leaderboard", "pages", "site_command"))
LETTERS = "tests/reports/test_statistics_letters.py"
S, E, C, P, M = (f"reports/site/{name}.py" for name in ("site", "entries", "composite", "elsewhere", "methods"))
INDEX, PARTS, METHOD, BASE, LOOK = (f"reports/site/{n}.html.j2" for n in ("index", "parts", "method", "base", "look"))
L, API = "reports/statistics/letters.py", "harness/api/sites.py"
ONE = '<td data-key="{{ c.score if c.values else "" }}">{{ score(c, r.mark) | trim }}</td>'

ROWS: list[tuple[str, str, str, str]] = [
    # Numbers of another study, data set, budget or metric
    (BOARD, S, "in entries(name, results, named)]", "in entries(min(studies), results, {**named, **{(min(studies), at): told for (_, at), told in named.items()}})]"),
    (BOARD, E, "return cell.label, cell.method, cell.budget, cell.dataset, cell.variant", "return cell.label, cell.method, cell.budget, cell.variant"),
    (BOARD, E, "return cell.label, cell.method, cell.budget, cell.dataset, cell.variant", "return cell.label, cell.method, cell.dataset, cell.variant"),
    (BOARD, E, "{_key(c): c.interval for c in further}", "{_key(c): c.interval for c in found}"),
    (BOARD, E, "groups.setdefault((c.dataset, c.budget, c.part), [])", "groups.setdefault((c.dataset, bool(c.budget), c.part), [])"),
    (BOARD, INDEX, '{{ c.budget or "–" }}', '{{ "1%" if c.budget == "0.5%" else c.budget or "–" }}'),
    (BOARD, INDEX, '<td data-key="{{ "" if c.target is none else c.target }}">', '<td data-key="{{ "" if c.trained is none else c.trained }}">'),
    (BOARD, INDEX, ONE, ONE.replace("c.score if", "c.values[0] if")),
    (BOARD, PARTS, '<small>± {{ "%.2f" | format(c.known.half) }}</small>', '<small>± {{ "%.2f" | format(c.known.half / 2) }}</small>'),
    (BOARD, PARTS, '"%.3f %%" | format(100 * value)', '"%.3f %%" | format(value)'),
    (BOARD, PARTS, 'x2="{{ "%.1f" | format(2 + 100 * (two - low) / wide) }}"', 'x2="{{ "%.1f" | format(2 + 100 * (two - one) / wide) }}"'),
    (BOARD, S, "row.cell.known.ends or (row.cell.score,)", "(row.cell.score,)"),
    (BOARD, E, '"*" * (self.cell.status in ("partial", "single"))', '"*" * (self.cell.status == "single")'),
    # Groups and ranks
    (BOARD, E, "if p <= LEVEL]", "if p > LEVEL]"),
    (BOARD, E, "adjusted = holm(np.array(", "adjusted = abs(np.array("),
    (BOARD, E, "records.difference(some[a], some[b], METRIC)", "records.difference(some[0], some[b], METRIC)"),
    (BOARD, E, "for c, text in zip(some, letters(", "for c, text in zip(some[::-1], letters("),
    (BOARD, E, "if budget else {}", "if True else {}"),
    (BOARD, E, "1 + sum(other.score > c.score for other in scored)", "1 + sum(other.score >= c.score for other in scored)"),
    (BOARD, E, "rank, len(scored),", "rank, len(group),"),
    (PAGES, E, "some = scored[:MOST]", "some = scored"),
    (LETTERS, L, "[group - {one}, group - {two}]", "[group - {one}]"),
    (LETTERS, L, "if not any(group < other for other in unique)", "if unique"),
    (LETTERS, L, "groups.sort(key=sorted)", "groups.sort(key=len)"),
    # The composite
    (BOARD, C, "score /= 1 + penalty", "score *= 1 - penalty / 2"),
    (BOARD, C, "image + text, memory)", "image, memory)"),
    (BOARD, C, "micro < batch", "micro > batch"),
    (BOARD, C, "full.ids)}) != 1", "full.ids)}) < 1"),
    (BOARD, C, '"latency_text_ms"], costs["peak_memory_train"]', '"latency_text_ms"], costs["peak_memory_evaluate"]'),
    (BOARD, INDEX, '{{ "" if r.composite is none else "%.2f" | format(r.composite) }}', '{{ "%.2f" | format(r.composite or 0) }}'),
    (BOARD, INDEX, '"%.1f" | format(whole.memory / 1048576)', '"%.1f" | format(whole.memory / 1000000)'),
    (PAGES, LOOK, ".composite { display: none; }", ".composite { display: table-cell; }"),
    # Published numbers of others
    (BOARD, PARTS, "<caption>Published elsewhere, not measured here: {{ name }}", "<caption>Measured here on {{ name }}"),
    (BOARD, PARTS, "{{ r.method }} <small>published</small>", "{{ r.method }}"),
    (BOARD, P, 'TABLES = ("main", "state of the art")', 'TABLES = ("main", "state of the art", "transfer")'),
    (BOARD, PARTS, '{{ "" if r.certainty == "paper" else "‡" }}', '{{ "‡" if r.certainty == "paper" else "" }}'),
    (BOARD, P, 'line["dataset"], line["method"], _known(line["backbone"]), *scores.values()', 'line["dataset"], line["method"]'),
    (BOARD, P, 'line["certainty"] != "paper"', 'line["certainty"] == "paper"'),
    (BOARD, S, "if place not in beside", "if place"),
    (PAGES, S, "if on is None or not on.options:", "if label:"),
    (PAGES, P, "else score, reverse=True)", "else score)"),
    # Links, and pages that two would share
    (PAGES, INDEX, '<td class="l" data-key="{{ r.study }}"><a href="studies/{{ r.study }}/index.html">', '<td class="l" data-key="{{ r.study }}"><a href="studies/{{ r.study }}.html">'),
    (PAGES, INDEX, 'href="methods/{{ methods[r.method].address }}"', 'href="methods/{{ r.method }}.html"'),
    (PAGES, METHOD, 'href="../studies/{{ r.study }}/index.html"', 'href="studies/{{ r.study }}/index.html"'),
    (PAGES, BASE, 'href="{{ root }}methods/index.html"', 'href="methods/index.html"'),
    (PAGES, S, 'back="../../index.html"', 'back="../index.html"'),
    (PAGES, M, "while any(page.address", "while 0 and any(page.address"),
    (PAGES, BASE, 'href="#content"', 'href="#main"'),
    (COMMAND, "reports/page.html.j2", '<a href="{{ back }}">', '<a href="{{ back }}/">'),
    # What users wrote, and what a page would load
    (PAGES, "reports/site/templates.py", "autoescape=True", "autoescape=False"),
    (PAGES, E, 'Path(method).stem if method.endswith(".py") else method', "method"),
    (PAGES, LOOK, "* { box-sizing: border-box; }", '@import "//example.org/x.css"; * { box-sizing: border-box; }'),
    (PAGES, LOOK, "footer { max-width", "footer { background: url(x.png); max-width"),
    (PAGES, BASE, "<footer>", '<footer><img src="https://example.org/x.png">'),
    (PAGES, BASE, '<script>\n"use strict";', '<script src="//example.org/x.js"></script><script>\n"use strict";'),
    # How a table is sorted, and what it says of itself
    (PAGES, INDEX, '<th scope="col" aria-sort="ascending">Budget', '<th scope="col" aria-sort="descending">Budget'),
    (PAGES, E, "c.target is None, c.target or 0", "c.target is None, -(c.target or 0)"),
    (PAGES, E, "c.target is None, c.target or 0", "c.target is not None, c.target or 0"),
    (PAGES, METHOD, '<td data-key="{{ s.trained }}">{{ trained(s.trained) }}', '<td data-key="{{ s.share }}">{{ trained(s.trained) }}'),
    (PAGES, INDEX, '<th class="l" scope="row" data-key="{{ c.series }}">', '<th class="l" data-key="{{ c.series }}">'),
    (PAGES, INDEX, "<caption>Measured here on {{ p.name }}</caption>", ""),
    # What can be read by all
    (PAGES, LOOK, "--soft: #5c5f66", "--soft: #8c8f96"),
    (PAGES, LOOK, "--link: #7bbcf5", "--link: #2f6fb0"),
    (PAGES, BASE, '<main id="content">', '<div id="content">'),
    (PAGES, INDEX, '<label for="composite">', "<label>"),
    (PAGES, E, '"†" * (self.cell.choice == "oracle")', '"†" * (self.cell.choice == "last")'),
    (PAGES, M, "return True, [(False, textwrap.dedent(text))]", 'return True, [(False, " ".join(text.split()))]'),
    (PAGES, M, "place % 2 == 1, part", "place % 2 == 0, part"),
    # Which studies, and the sizes that code tells
    (PAGES, BASE, "{% if not official %}", "{% if official %}"),
    (COMMAND, API, "for name in names or store.studies()", "for name in store.studies()"),
    (COMMAND, API, "if not found:", "if found is None:"),
    (COMMAND, API, "except OSError as error:", "except KeyError as error:"),
    (COMMAND, API, '"ViT-L/14, 378x126": LARGE', '"ViT-L/14, 378x126": BASE'),
    (COMMAND, API, "share(method, shape)", "method.parameters(shape) / shape.parameters"),
]  # fmt: skip
PLANTED: list[tuple[str, str, str, str, str]] = [("site", *row) for row in ROWS]
