"""`upbench encode`: features of a data set or a folder of images, as Parquet."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import shared


@click.command("encode")
@click.argument("what", metavar="FOLDER|DATASET")
@click.argument("out", metavar="OUT.parquet")
@shared.model_options
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True,
              help="of a data set")  # fmt: skip
@shared.data_option
@shared.store_option
@shared.json_option
def command(what, out, model, device, activation, split, data, store, as_json) -> None:
    """Write the features of images, and of a data set's captions, to a Parquet file.

    One row per image or caption: kind, index, path or caption, person (of a data set), feature (float32, length 1).
    """
    from harness.api import searching

    loaded = searching.load(model, store=store, device=device, activation=activation)
    told = searching.encode(what, Path(out), loaded, split=split, data=data)
    if as_json:
        shared.say_json({"out": out, "model": loaded.label, **told})
        return
    click.echo(f"{told['images']:,} images and {told['captions']:,} captions, {loaded.embed} numbers each; {out}")
    for path, fault in list(told["damaged"].items())[:5]:
        click.echo(f"passed over: {path}: {fault}", err=True)
