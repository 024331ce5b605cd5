"""From what is asked to resolved trials: finding and reading a study, laying its trials out, what they lack."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import paths
from harness.errors import UserError, brief, nearest

if TYPE_CHECKING:
    from harness.store.store import Store
    from harness.study.study import Study
    from harness.study.tuning import Laid

SEEDS = 10_000  # that are asked for by their number
STORE, DATA = "results/local", "data"  # where results and data sets are, unless told otherwise
STORE_VARIABLE, DATA_VARIABLE = "UPBENCH_STORE", "UPBENCH_DATA"


def places(store: str | Path | None, data: str | Path | None = None) -> tuple[str, str]:
    """Places of results and of data sets: as given, else by the environment, else the folders of the command line."""
    store = os.environ.get(STORE_VARIABLE, STORE) if store is None else store
    return str(store), str(os.environ.get(DATA_VARIABLE, DATA) if data is None else data)


def texts(settings: Mapping[str, Any] | None, seeds: int | None = None) -> dict[str, str]:
    """Settings with their values as YAML, as the command line has them; `seeds` is how many, counted from 0.

    A text stands for what YAML reads in it, as after `--set`.

    Raises:
        UserError: more seeds than a study may have trials.
    """
    if seeds is not None and not 1 <= seeds <= SEEDS:
        raise UserError(f"{seeds:,} seeds", "seeds", f"1 to {SEEDS:,}")
    found = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (settings or {}).items()}
    return found if seeds is None else {**found, "seeds": json.dumps(list(range(seeds)))}


def find_study(text: str | Path) -> Path:
    """The file of a study given by path or by name.

    Raises:
        UserError: no such study, with the nearest known name.
    """
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or paths.is_file(path):
        return path  # reading it reports when it is not there
    known = study_files()
    # The name in its document, by which results are kept, has no slash.
    for name in (str(text), *(name for name in known if name.replace("/", "-") == text)):
        if name in known:
            return known[name]
    raise UserError(
        f"no study '{brief(str(text))}'",
        expected=f"a YAML file, or one of {', '.join(known)}",
        nearest=nearest(str(text), known),
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


def load(
    text: str | Path,
    settings: Mapping[str, str],
    meanwhile: Callable[[Study], None] = lambda study: None,
    many: bool = False,
) -> Study:
    """Read and check a study; `meanwhile` is called as soon as the file itself is known to be sound.

    A study of more than 10,000 trials is refused unless `many`.

    Options of methods are checked last, because that imports torch; a faulty file has all its faults told at once.
    """

    from harness.study.reading import load as read

    path = find_study(text)
    try:
        study = read(path, settings, many=many)
    except UserError as error:
        if not paths.is_file(path):
            raise
        from harness.trial.resolve import check

        read(path, settings, check, many)
        raise error from None
    meanwhile(study)
    from harness.trial.resolve import check

    return read(path, settings, check, many)


def lay_out(study: Study, data: str, results: Store) -> Laid:
    """The study's trials resolved, with what its searches chose and its pilots ask for as far as they are through."""
    from harness.study.precision import further

    return further.lay_out(study, data, results)


def lacking(resolved: Iterable[dict]) -> list[UserError]:
    """What to say of backbones of trials whose weights are not on this machine, one fault for each backbone."""
    from harness.model import weights
    from harness.trial.kept.attached import source_of

    sources = {source_of(trial["trial"]) for trial in resolved}
    return [fault for source in sorted(sources, key=str) if (fault := weights.lacking(source))]


def declared(resolved: dict, growing: Container[str] = ()) -> dict:
    """A resolved trial as the store declares it; `growing` are trials of pilots that may ask for further seeds."""
    trial = resolved["trial"]
    phase = "pilot" if resolved["id"] in growing else trial.get("phase")
    return {
        "id": resolved["id"],
        "label": trial["label"],
        "method": trial["method"],
        "budget": trial["budget"],
        "dataset": trial["dataset"]["dataset"],
        "seed": trial["seed"],
        "phase": "waiting" if resolved["status"] == "waiting" else phase,
        "tuned": trial.get("tuned"),
        "hashes": resolved.get("hashes", {}),
        "trial": trial,
    }


def log(store: object, text: str | None = None) -> Path:
    """Write a log file below the store, or the temporary folder if that fails; default the traceback at hand."""
    here = Path(str(store)) / "logs" if store and "://" not in str(store) else None
    for folder in filter(None, (here, Path(tempfile.gettempdir()) / "upbench-logs")):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.log"
            with path.open("a", encoding="utf-8") as file:
                file.write((text or traceback.format_exc()).rstrip() + "\n")
            return path
        except OSError:
            continue
    return Path(os.devnull)
