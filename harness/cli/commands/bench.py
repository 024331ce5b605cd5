"""`upbench bench`: how much faster the harness is than the straightforward way, and what a step costs here."""

from __future__ import annotations

import os

import click

from harness.cli import shared


@click.command("bench")
@click.option("--quick", is_flag=True, help="small sizes and one run; ratios are rough")
@click.option("--full", is_flag=True, help="also the metric at ICFG-PEDES's size and the step of ViT-B/16 (minutes)")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--backbone", default="tiny", show_default=True, help="of the training step, random weights")
@click.option("--batch", type=click.IntRange(min=2), multiple=True, default=[16], show_default=True, help="of the step")
@click.option("--only", help="cases whose name has this in it")
@click.option("--scaling", is_flag=True, help="instead: time, share of the device's rate, memory of whole steps")
@click.option(
    "--method", multiple=True, default=["full", "lora", "up_person"], show_default=True, help="with --scaling"
)
@click.option("--precision", default="auto", show_default=True, help="for --scaling")
@click.option("--checkpointing", is_flag=True, help="with --scaling: recompute activations")
@click.option("--micro", type=click.IntRange(min=1), help="with --scaling: pairs per forward pass")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="of each way, interleaved")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@shared.json_option
def command(
    quick, full, device, backbone, batch, only, scaling, method, precision, checkpointing, micro, runs, threads, as_json
) -> None:
    """Print ratios of this run against naive baselines, which are part of the project's tests."""
    import torch

    from harness.benchmark import ratios
    from harness.benchmark import scaling as steps
    from harness.trial.spec import recipe

    place = shared.device(device)
    torch.set_num_threads(threads)
    say = (lambda text: None) if as_json else click.echo
    rows: list[steps.Row | ratios.Row] = []
    say(f"load {_load()}, {os.cpu_count()} cores, {threads} threads, torch {torch.__version__}")
    if scaling:
        asked = {"precision": precision, "checkpointing": checkpointing, "micro_batch": micro, "eps": 1e-3}
        source = ratios.source(backbone)
        say(f"{'method':12} {'batch':>6} {'micro':>6} {'s/step':>8} {'GFLOP':>9} {'of rate':>8} {'memory':>9}")
        for step in steps.steps(source, method, batch, recipe(asked), place, 1 if quick else runs):
            rows.append(step)
            size = "-" if step.memory is None else f"{step.memory / 2**20:,.0f} MiB"
            numbers = f"{step.seconds:8.3g} {step.flops / 1e9:9.1f} {step.share:8.0%} {size:>9}"
            say(f"{step.method:12} {step.batch:6} {step.micro:6} {numbers}")
    else:
        for case in ratios.cases(place, backbone, batch[0], quick, full):
            if only and only not in case.name:
                continue
            rows.append(row := ratios.measure(case, 1 if quick else runs, place))
            numbers = f"naive {row.naive:.3g} s, fast {row.fast:.3g} s, ratio {row.ratio:.2f}"
            say(f"{row.case}\n  {numbers}{_wall(row, device)}{_memory(row)}")
    if as_json:
        shared.say_json([vars(each) for each in rows])
        return
    kind = "wall" if device == "cuda" else "CPU"
    what = "" if scaling else "; ratio naive / fast"
    say(f"{kind} seconds, medians of {1 if quick else runs} interleaved runs{what}; load {_load()} at the end")


def _load() -> str:
    """Runnable processes over 1 and 5 minutes, where the system tells."""
    try:
        return "{:.1f} {:.1f}".format(*os.getloadavg())
    except (AttributeError, OSError):
        return "unknown"


def _wall(row, device: str) -> str:
    """The ratio of wall times, where it is not the first number already."""
    return "" if device == "cuda" else f" (wall {row.wall:.2f})"


def _memory(row) -> str:
    if row.naive_memory is None or row.fast_memory is None:
        return ""
    return f"; peak {row.naive_memory / 2**20:,.0f} and {row.fast_memory / 2**20:,.0f} MiB"
