"""What several commands share: options, finding a study, resolving its trials, tables, JSON and log files."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UserError, nearest

if TYPE_CHECKING:
    from harness.store.store import Store
    from harness.study.study import Study
    from harness.study.tuning import Laid


def _remember(ctx: click.Context, param: click.Parameter, value: str) -> str:
    # Where an unforeseen error may leave its log.
    if isinstance(ctx.obj, dict):
        ctx.obj[param.name] = value
    return value


store_option = click.option(
    "--store", envvar="UPBENCH_STORE", default="results/local", show_default=True, callback=_remember,
    help="folder of results, or s3://BUCKET/PREFIX",
)  # fmt: skip
data_option = click.option(
    "--data", envvar="UPBENCH_DATA", default="data", show_default=True, help="folder of data sets"
)
json_option = click.option("--json", "as_json", is_flag=True, help="print JSON")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="replace a value of the study, such as recipe.lr=1e-3"
)
seeds_option = click.option("--seeds", type=click.IntRange(min=1), help="this many seeds, counted from 0")


def find_study(text: str) -> Path:
    """The file of a study given by path or by name.

    Raises:
        UserError: no such study, with the nearest known name.
    """
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path  # reading it reports when it is not there
    known = study_files()
    # The name in its document, by which results are kept, has no slash.
    for name in (text, *(name for name in known if name.replace("/", "-") == text)):
        if name in known:
            return known[name]
    raise UserError(
        f"no study '{text}'", expected=f"a YAML file, or one of {', '.join(known)}", nearest=nearest(text, known)
    )


def study_files() -> dict[str, Path]:
    """Studies by name, as in `demo` and `up_person/main_table`: those in `studies/` here, then those that come with
    the package."""
    folders = [Path("studies")]
    if (spec := importlib.util.find_spec("studies")) and spec.submodule_search_locations:
        folders += [Path(place) for place in spec.submodule_search_locations]
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return dict(sorted(found.items()))


def assignments(settings: Sequence[str], seeds: int | None = None) -> dict[str, str]:
    """`KEY=VALUE` texts as a dict, `--seeds N` among them.

    Raises:
        UserError: no equals sign, or a key given twice.
    """
    values: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"'{text}' sets nothing", where="--set", expected="KEY=VALUE")
        if key in values:
            raise UserError(f"'{key}' is set twice", where="--set")
        values[key] = value
    if seeds is not None:
        values["seeds"] = json.dumps(list(range(seeds)))
    return values


def load(text: str, settings: dict[str, str], meanwhile: Callable[[Study], None] = lambda study: None) -> Study:
    """Read and check a study; `meanwhile` is called as soon as the file itself is known to be sound.

    Options of methods are checked last, because that imports torch; a faulty file has all its faults told at once.
    """

    from harness.study.reading import load as read

    path = find_study(text)
    try:
        study = read(path, settings)
    except UserError as error:
        if not path.is_file():
            raise
        from harness.trial.resolve import check

        read(path, settings, check)
        raise error from None
    meanwhile(study)
    from harness.trial.resolve import check

    return read(path, settings, check)


def lay_out(study: Study, data: str, results: Store) -> Laid:
    """The study's trials resolved, with what its searches chose as far as they are through."""
    from harness.study import tuning

    return tuning.lay_out(study, data, results)


def lacking(resolved: Iterable[dict]) -> list[UserError]:
    """What to say of backbones of trials whose weights are not on this machine, one fault for each backbone."""
    from harness.model import weights

    sources = {
        weights.Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in trial["trial"]["backbone"].items()})
        for trial in resolved
    }
    return [fault for source in sorted(sources, key=str) if (fault := weights.lacking(source))]


def declared(resolved: dict) -> dict:
    """A resolved trial as the store declares it."""
    trial = resolved["trial"]
    return {
        "id": resolved["id"],
        "label": trial["label"],
        "method": trial["method"],
        "budget": trial["budget"],
        "dataset": trial["dataset"]["dataset"],
        "seed": trial["seed"],
        "phase": "waiting" if resolved["status"] == "waiting" else trial.get("phase"),
        "tuned": trial.get("tuned"),
        "hashes": resolved.get("hashes", {}),
        "trial": trial,
    }


def say_json(value: object) -> None:
    """Print as JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def say_table(header: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print aligned columns, cut to the terminal's width; `right` names the columns set flush right."""
    cells = [["-" if value is None else str(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    width = shutil.get_terminal_size((80, 24)).columns
    for row in [list(header), *cells]:
        line = "  ".join(
            cell.rjust(size) if name in right else cell.ljust(size)
            for cell, size, name in zip(row, widths, header, strict=True)
        ).rstrip()
        click.echo(line if len(line) <= width else line[: width - 1] + "…")


def log(store: object, text: str | None = None) -> Path:
    """Write a log file below the store, or the temporary folder if that fails; default the traceback at hand."""
    here = Path(str(store)) / "logs" if store and "://" not in str(store) else None
    for folder in (here, Path(tempfile.gettempdir()) / "upbench-logs"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.log"
            with path.open("a", encoding="utf-8") as file:
                file.write((text or traceback.format_exc()).rstrip() + "\n")
            return path
        except (OSError, AttributeError):
            continue
    return Path(os.devnull)
