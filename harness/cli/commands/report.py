"""`upbench report`: a study's figures and tables."""

from __future__ import annotations

import time
from pathlib import Path

import click

from harness.api import reading
from harness.cli import shared


@click.command("report")
@click.argument("study")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="folder to write; default out/STUDY")
@click.option("--preset", default="cvpr", show_default=True, help="cvpr, ieee, wide or slides: the size of the figures")
@click.option("--only", multiple=True, metavar="NAMES", help="these figures and tables, such as budget_curve,main")
@click.option("--watch", is_flag=True, help="draw again whenever trials are committed, until the study is complete")
@click.option("--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True,
              help="with --watch: seconds between looks")  # fmt: skip
@click.option("--inspection", is_flag=True,
              help="show the newest `upbench inspect` too: the page then holds images of the data set")  # fmt: skip
@shared.store_option
@shared.json_option
def command(study, out, preset, only, watch, every, inspection, store, as_json) -> None:
    """Draw the figures and tables of STUDY from what is committed; gaps are shown as gaps."""
    from harness.store.store import Store
    from reports import page

    name = reading.name_of(study)
    names = [part.strip() for text in only for part in text.split(",") if part.strip()]
    page.check(names, preset)

    def draw(refresh: int | None = None):
        return reading.drawn(study, out, preset, names, inspection, store, refresh, partial=watch)

    results, paths = _follow(Store(store), name, draw, every, as_json) if watch else draw()
    if as_json:
        shared.say_json({"study": name, "missing": results.missing, "paths": [str(path) for path in paths]})
        return
    click.echo(page.summary(results))
    for trial in results.missing[:5]:
        click.echo(
            f"missing: {trial['id']} {trial['label']} {trial['budget'] or ''} seed {trial['seed']}: {trial['why']}"
        )
    if len(results.missing) > 5:
        click.echo(f"and {len(results.missing) - 5} more are missing; upbench status {name} lists them")
    click.echo("\nwritten:")
    click.echo(f"  {paths[0]}  the page, with everything on it")
    for folder in dict.fromkeys(path.parent for path in paths[1:]):
        inside = [path.suffix[1:].upper() for path in paths if path.parent == folder]
        click.echo(f"  {folder}  {len(inside)} files: {', '.join(sorted(set(inside)))}")


def _follow(store, name: str, draw, every: float, quiet: bool):
    """Draw whenever the committed trials of a study are others than before, until none is missing or may be added.

    The page reloads itself as long as the study goes on; the last one does not.
    """
    from harness.store import declared

    seen = None
    while True:
        study = store.declaration(name)
        trials = [trial["id"] for trial in study["trials"]]
        done = store.done(trials)
        complete = declared.partial(study, set(trials) - set(done)) is None
        if (state := (tuple(trials), frozenset(done), complete)) != seen:
            drawn = draw(None if complete else max(2, round(every)))
            seen = state
            if not quiet:
                click.echo(f"{time.strftime('%H:%M:%S')}  {len(done)} of {len(trials)} trials  {drawn[1][0]}")
        if complete:
            return drawn
        time.sleep(every)
