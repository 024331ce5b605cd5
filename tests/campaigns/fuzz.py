"""Every study of the project with things in it changed at random: each is refused in lines for people, or planned.

What is changed: values to extremes of their kind, keys, tags, anchors and merge keys, nesting, lines, characters. A
plan may never end in an unforeseen error, nor take more than 500 MB of address space or 2 s of a processor, and of a
sound study with thousands of trials 1.5 ms for each of them. The same seed gives the same changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.errors import UserError
from tests.campaigns.forty import ROOT
from tests.campaigns.toy import fork

T = TypeVar("T")
SEED, COUNT = 20, 5000
SECONDS, BYTES = 2.0, 500 * 2**20  # of one plan
EACH, MOST = 1.5e-3, 10_000  # s of a trial that is laid out, and how many there may be
LINES, LENGTH = 101, 2000  # of what is said
DRAWN = {"cuhk": "CUHK-PEDES", "icfg": "ICFG-PEDES", "rstp": "RSTPReid"}  # domain -> folder of its published set

VALUES = (
    *(".inf", "-.inf", ".nan", "1e999", "-1e999", "1e-999", "-0.0", "1e308", "5e-324", "0", "1", "-1", "2", "1024", "1025"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "9" * 400, "9" * 5000),
    *("0x10", "0o17", "1_000", "010", "1.5", "true", "no", "null", "~", "''", '""', "[]", "{}", "[[]]", "[{}]", "{a: {b: 1}}"),
    *("2026-01-31", "2026-01-31T10:00:00Z", "1:30", "=", "<<", "'<<'", "nothing", "lora", "tiny", "5%", "0%", "200%", "flops 1%"),
    *("memory 1k", "params 2M", "9300000000000G", "'\\ud800'", '"\\ud800"', '"\\0"', '"\\e[2J"', '"\\UFFFFFFFF"', "é", "x" * 3000),
    *("../../etc", "/dev/zero", "/", "./nothing.py", "x.py", "[1, 2, 3]", "[-16, -16]", "[4096, 4096]", "[0.9, 1.0]", "!!str 5"),
    *("!!int '5'", "!!int x", "!!float 1", "!!binary aGk=", "!!timestamp 2026-01-31", "!!set {a}", "!!omap [a: 1]", "!own 1"),
    *("!!python/object/apply:os.system [x]", "!!null ''", "!!map {}", "!!seq []", "! 5", "&a 5", "*a", "[*a, *a]", "&b [*b]"),
    *("{<<: *a}", "{<<: [*a, {b: 1}]}", "{<<: 5}", "{<<: {lr: 1}}", "? a", "[a]: b", "|", ">", "@", "`", "%", "# x", "\t", "- x"),
    *("[" * 50 + "]" * 50, "{a: " * 50 + "1" + "}" * 50, "[" * 5000, f"[{', '.join(['1'] * 3000)}]", "{rank: 8}", "[lora]"),
)  # fmt: skip
KEYS = (
    *("name", "backbone", "datasets", "methods", "budgets", "seeds", "recipe", "grid", "zip", "tune", "tuning", "rules", "note"),
    *("selection", "evaluate_on", "device", "threads", "extends", "label", "options", "method", "dataset", "union", "parts"),
    *("recipe.lr", "recipe.name", "options.rank", "options.a.b.c", "backbone.image", "dataset.options.root", "dataset", "seed"),
    *("budget", "keep", "image", "lr", "betas", "losses", "augmentation", "lr_factors", "sampler", "batch", "root", "size"),
    *("fraction", "identities", "when", "set", "drop", "per", "trials", "<<", "'<<'", "? [a]", "[a]", "{a: 1}", "!own a", "&k a"),
    *("1", "null", "''", '"\\0"', "x" * 2000, ".", "..", "recipe.", ".lr", "options" + ".a" * 2000, "self", "model_config", "*k"),
)  # fmt: skip


def changed(text: str, draw: np.random.Generator) -> str:
    """A text with one to three changes, more often fewer."""
    ways: tuple[Callable[[str, np.random.Generator], str], ...] = (
        *(_value,) * 6, *(_key,) * 3, _mark, _merge, _nest, _line, _line, _character, _grow, _count,
    )  # fmt: skip
    for _ in range(_pick((1, 1, 1, 2, 2, 3), draw)):
        text = ways[int(draw.integers(len(ways)))](text, draw)
    return text


def _pick(of: tuple[T, ...], draw: np.random.Generator) -> T:
    return of[int(draw.integers(len(of)))]


def _swap(text: str, pattern: str, new: str, draw: np.random.Generator) -> str:
    """One match of a pattern's first group replaced."""
    found = list(re.finditer(pattern, text, re.M))
    if not found:
        return text
    one = found[int(draw.integers(len(found)))]
    return text[: one.start(1)] + new + text[one.end(1) :]


def _value(text: str, draw: np.random.Generator) -> str:
    return _swap(text, r"(?<=[:\[,] )([^\s\[\]{},#:][^\[\]{},#:\n]*|\[[^\[\]\n]*\])", _pick(VALUES, draw), draw)


def _key(text: str, draw: np.random.Generator) -> str:
    return _swap(text, r"(?:^ *(?:- )?|[{,] ?)([\w.]+)(?=: )", _pick(KEYS, draw), draw)


def _mark(text: str, draw: np.random.Generator) -> str:
    """An anchor or a tag before a value."""
    mark = _pick(("&a ", "&b ", "*a ", "!!str ", "!!set ", "!own ", "!!float ", "!<x> ", "! "), draw)
    return _swap(text, r"(?<=: )()(?=\S)", mark, draw)


def _merge(text: str, draw: np.random.Generator) -> str:
    """What one mapping holds, merged into another."""
    text = _swap(text, r"(?<=: )()(?=\{)", "&a ", draw)
    return _swap(
        text, r"(?<=\{)()(?=\w)", _pick(("<<: *a, ", "<<: [*a, *a], ", "<<: *b, ", "<<: {epochs: 1}, "), draw), draw
    )


def _nest(text: str, draw: np.random.Generator) -> str:
    depth = int(draw.integers(1, 60))
    found = list(re.finditer(r"(?<=: )(\[[^\[\]\n]*\]|[\w.%]+)$", text, re.M))
    if not found:
        return text
    one = found[int(draw.integers(len(found)))]
    return text[: one.start(1)] + "[" * depth + one[1] + "]" * depth + text[one.end(1) :]


def _line(text: str, draw: np.random.Generator) -> str:
    """A line that is left out, doubled, moved, or set in."""
    lines = text.splitlines()
    at, to = (int(value) for value in draw.integers(len(lines), size=2))
    way = int(draw.integers(4))
    if way == 0:
        del lines[at]
    elif way == 3:
        lines[at] = " " * int(draw.integers(1, 5)) + lines[at]
    else:
        lines.insert(to, lines[at] if way == 1 else lines.pop(at))
    return "\n".join(lines) + "\n"


def _character(text: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(len(text) + 1))
    new = _pick(
        ("", ":", "{", "}", "[", "]", ",", "-", "\n", "\t", "'", '"', "&", "*", "!", "#", "%", "\x00", "\ufeff", "💡"),
        draw,
    )
    return text[:at] + new + text[at + int(draw.integers(2)) :]


def _grow(text: str, draw: np.random.Generator) -> str:
    """Aliases of aliases, or lists that span many trials."""
    if draw.integers(2):
        rows = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, int(draw.integers(2, 60)))]
        return "\n".join(["x0: &x0 [1]", *rows, text])
    keys = ("recipe.lr", "recipe.batch", "recipe.epochs", "recipe.eps", "recipe.temperature", "options.rank")
    values = ", ".join(map(str, range(1, int(draw.integers(2, 60)))))
    return text + f"{_pick(('grid', 'zip', 'tune'), draw)}: {{{', '.join(f'{key}: [{values}]' for key in keys)}}}\n"


def _count(text: str, draw: np.random.Generator) -> str:
    values = ", ".join(map(str, range(int(draw.integers(500)))))
    return text + f"{_pick(('seeds', 'budgets', 'threads'), draw)}: [{values}]\n"


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Within, more of a processor than any plan may take, or `BYTES` more address space, raise."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS + EACH * MOST:g} s of a processor")

    before, limits = signal.signal(signal.SIGPROF, late), resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS + EACH * MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def wrong(path: Path, look: Callable[[Path], int]) -> str | None:
    """What is wrong with how a study is answered; None where it is refused as it should be, or goes through."""
    began = time.process_time()
    try:
        with held():
            trials = look(path)
        allowed, took = SECONDS + EACH * trials, time.process_time() - began
        return f"{took:.1f} s of a processor for {trials} trials" if took > allowed else None
    except UserError as error:
        if (took := time.process_time() - began) > SECONDS:
            return f"refused after {took:.1f} s of a processor"
        rows = str(error).splitlines()
        fine = 0 < len(rows) <= LINES and all(0 < len(row) <= LENGTH and row.isprintable() for row in rows)
        longest = max(map(len, rows), default=0)
        return None if fine else f"{len(rows)} lines, the longest of {longest}: {str(rows[:1])[:300]}"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"


def plan(folder: Path) -> Callable[[Path], int]:
    """Plans a study as the command line does and counts its trials: no probe, small drawn data under every name."""
    from harness.api import planning
    from harness.datasets.synthetic import write
    from harness.datasets.synthetic.domains import DOMAINS

    drawn = {name: write.ensure(name, folder / "drawn", "tiny") for name in DOMAINS}
    for name, published in DRAWN.items():
        shutil.copytree(drawn[name] / published, folder / "data" / published, dirs_exist_ok=True)
    # Another seed or size draws nothing: what a picture shows changes no plan.
    write._write = lambda domain, size, seed, to: shutil.copytree(drawn[domain.name], to)  # type: ignore[assignment]
    return lambda path: len(planning.plan(path, store=folder / "store", data=folder / "data", probe=False).trials)


def texts() -> list[tuple[str, str]]:
    """Name and text of every study, with batches that the small data fills."""
    files = sorted((ROOT / "studies").rglob("*.yaml"))
    small = [re.sub(r"\bbatch: \d+", "batch: 8", path.read_text(encoding="utf-8")) for path in files]
    small = [text.replace("recipe: {name: up_person", "recipe: {batch: 8, name: up_person") for text in small]
    return [(path.relative_to(ROOT).as_posix(), text) for path, text in zip(files, small, strict=True)]


def tried(folder: Path, look: Callable[[Path], int], numbers: range) -> list[str]:
    """Faults of these changes."""
    found, known = [], texts()
    for number in numbers:
        draw = np.random.default_rng([SEED, number])
        name, text = known[number % len(known)]
        path = folder / f"{number}.yaml"
        path.write_text(changed(text, draw), encoding="utf-8", errors="surrogatepass")
        if fault := wrong(path, look):
            found.append(f"{number} of {name}: {fault}")
        else:
            path.unlink()
    return found


def campaign(folder: Path, count: int = COUNT, workers: int | None = None) -> tuple[int, int, list[str]]:
    """Changed studies that were refused or planned as they should be, all of them, and what went wrong."""
    look, workers = plan(folder), workers or os.cpu_count() or 1
    for number, (_, text) in enumerate(texts()):  # what is kept of backbones and data costs the first one alone
        path = folder / f"sound-{number}.yaml"
        path.write_text(text, encoding="utf-8")
        with contextlib.suppress(UserError):  # a hundredth of the small data fills no batch
            look(path)

    def work(me: int) -> int:
        (folder / f"{me}.json").write_text(json.dumps(tried(folder, look, range(me, count, workers))))
        return 0

    children = [fork(lambda me=me: work(me)) for me in range(workers)]  # type: ignore[misc]
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    faults = [f"worker {me} ended with {end}" for me, end in enumerate(ends) if end]
    if not faults:
        faults = [fault for me in range(workers) for fault in json.loads((folder / f"{me}.json").read_text())]
    return (0 if any(ends) else count - len(faults)), count, faults
