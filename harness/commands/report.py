"""`upbench report`: a study's figures and tables."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands import shared
from harness.errors import DataError


@click.command("report")
@click.argument("study")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="folder to write; default out/STUDY")
@click.option("--preset", default="cvpr", show_default=True, help="cvpr, ieee, wide or slides: the size of the figures")
@shared.store_option
@shared.json_option
def command(study, out, preset, store, as_json) -> None:
    """Draw the figures and tables of STUDY from what is committed; gaps are shown as gaps."""
    from harness.store import Store
    from reports import page

    name = Path(study).stem if study.endswith((".yaml", ".yml")) else study
    results = Store(store).read(name)
    if not len(results.trials):
        raise DataError(f"no trial of study '{name}' is committed", where=store, expected=f"upbench run {study} first")
    out = out or Path("out") / name
    paths = [Path(path) for path in page.report(results, out, preset)]
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
