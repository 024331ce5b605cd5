"""`upbench doctor`: examine whether the harness is right on this machine, and how fast it is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from harness.cli import shared


@click.command("doctor")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--small", is_flag=True, help="small sizes, for a CPU in seconds")
@click.option("--only", metavar="NAME", help="one check (upbench list checks)")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="also write the lines as JSON")
@shared.json_option
def command(device, small, only, out, as_json) -> None:
    """Compare this machine's results with independent ones; needs no data and no weights.

    The exit code is 0 when no line is bad, and 5 otherwise.
    """
    import torch

    from harness import provenance, registry
    from harness.benchmark.doctor import _line
    from harness.errors import RunFailed, UserError

    on = shared.device(device)
    if only:
        registry.source("checks", only)
    if out and not out.parent.is_dir():
        raise UserError(f"no folder {out.parent}", "--out")
    names = [only] if only else registry.names("checks")
    setting = _line.Setting(on, small)
    lines = [{"check": name, **vars(line)} for name in names for line in _line.examine(name, setting)]
    place = torch.cuda.get_device_name() if on.type == "cuda" else "CPU"
    result = {
        "device": place,
        "hardware": provenance.hardware(on.type),
        "torch": torch.__version__,
        "small": small,
        "lines": lines,
    }
    if out:
        out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        shared.say_json(result)
    else:
        header = ("check", "what", "measured", "expected", "verdict")
        shared.say_table(header, [[line[key] for key in header] for line in lines])
        counts = Counter(line["verdict"] for line in lines)
        click.echo(f"{place}, torch {torch.__version__}: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
    if bad := sum(line["verdict"] == _line.BAD for line in lines):
        raise RunFailed(f"{bad} of {len(lines)} lines are bad", "doctor")
