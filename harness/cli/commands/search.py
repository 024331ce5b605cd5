"""`upbench search`: the images of a folder that a sentence describes."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import shared
from harness.errors import UserError


@click.command("search")
@click.argument("folder")
@click.argument("sentences", nargs=-1)
@click.option("--file", "file", metavar="FILE", help="sentences, one per line")
@shared.model_options
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="images for each sentence")
@click.option("--page", metavar="FILE.html", help="where the gallery page goes  [default: search.html]")
@click.option("--no-page", is_flag=True, help="write no page")
@click.option("--index", metavar="PLACE", help="folder of the index  [default: FOLDER/.upbench-index]")
@click.option("--precision", type=click.Choice(["float16", "float32"]), help="of an index that is made")
@shared.store_option
@shared.json_option
def command(folder, sentences, file, model, device, activation, top, page, no_page, index, precision, store, as_json):
    """Find the images of FOLDER that SENTENCES describe best.

    The folder is indexed once; later only new and changed files are encoded.
    """
    from harness.api import searching
    from harness.retrieval.model import refuse_empty

    texts = [*sentences, *(_lines(file) if file else [])]
    if not texts:
        raise UserError("no sentence to search for", expected='upbench search FOLDER "a woman in a red coat"')
    refuse_empty(texts)  # before a folder is indexed for it
    loaded = searching.load(model, store=store, device=device, activation=activation)

    def told(done: int, of: int) -> None:
        click.echo(f"indexed {done:,} of {of:,} new images", err=True)

    opened = searching.index(folder, loaded, place=index, precision=precision, told=told)
    by_query, damaged = list(zip(texts, opened.matches(texts, top), strict=True)), opened.damaged
    written = None if no_page else Path(page or "search.html")
    if written:
        from harness.retrieval import page as gallery

        gallery.write(written, Path(folder), loaded.label, by_query, len(opened.files))
    if as_json:
        results = [
            {"sentence": text, "best": [{"path": path, "score": score} for path, score in best]}
            for text, best in by_query
        ]
        about = {"model": loaded.label, "indexed": len(opened.files), "added": opened.added, "gone": opened.gone}
        shared.say_json({**about, "damaged": damaged, "page": written and str(written), "results": results})
        return
    for number, (text, best) in enumerate(by_query):
        if number:
            click.echo()
        click.echo(text)
        for rank, (path, score) in enumerate(best, start=1):
            click.echo(f"{rank:4d}  {score:.3f}  {path}")
    for path, fault in list(damaged.items())[:5]:
        click.echo(f"passed over: {path}: {fault}", err=True)
    if len(damaged) > 5:
        click.echo(f"passed over: {len(damaged) - 5} more", err=True)
    if written:
        click.echo(f"\n{len(opened.files):,} images searched; page: {written}")


def _lines(file: str) -> list[str]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "no UTF-8"
        raise UserError(f"cannot be read: {said}", where=file, expected="one sentence per line") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
