"""`upbench site`: a static site over the published studies."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import shared


@click.command("site")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="site", show_default=True,
              help="folder to write")  # fmt: skip
@shared.store_option
@shared.json_option
def command(out, store, as_json) -> None:
    """Write a site of static pages: a leaderboard, every study and every method.

    It shows the studies that the store has published, or all that have results where none is. The pages need no server
    and nothing from elsewhere.
    """
    from harness.api import sites

    paths, official = sites.site(out, store=store)
    pages = [path for path in paths if path.suffix == ".html"]
    if as_json:
        shared.say_json({"published": official, "paths": [str(path) for path in paths]})
        return
    click.echo(f"{pages[0]}: the leaderboard; {len(pages)} pages and {len(paths) - len(pages)} other files")
    if not official:
        click.echo("no study of this store is published; shown are those with results")
