"""`upbench bench`: how much faster the harness is than the straightforward way, measured here."""

from __future__ import annotations

import click

from harness.commands import shared


@click.command("bench")
@click.option("--quick", is_flag=True, help="small sizes and one run; ratios are rough")
@click.option("--full", is_flag=True, help="also the metric at ICFG-PEDES's size")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--backbone", default="tiny", show_default=True, help="of the training step, random weights")
@click.option("--batch", type=click.IntRange(min=2), default=16, show_default=True, help="of the training step")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="of each way, interleaved")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@shared.json_option
def command(quick, full, device, backbone, batch, runs, threads, as_json) -> None:
    """Print ratios of this run against naive baselines, which are part of the project's tests."""
    import torch

    from harness import bench
    from harness.errors import EnvironmentFault

    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("no CUDA device is available", "--device", "cpu")
    torch.set_num_threads(threads)
    place, rows = torch.device(device), []
    for case in bench.cases(place, backbone, batch, quick, full):
        rows.append(bench.measure(case, 1 if quick else runs, place))
        if not as_json:
            row = rows[-1]
            click.echo(f"{row.case}\n  naive {row.naive:.3g} s, fast {row.fast:.3g} s, ratio {row.ratio:.2f}")
    if as_json:
        shared.say_json([vars(row) for row in rows])
    else:
        kind = "wall" if device == "cuda" else "CPU"
        click.echo(
            f"{kind} seconds, medians of {rows[0].runs} interleaved runs, threads: {threads}; ratio naive / fast"
        )
