"""Campaigns in full: `python -m tests.campaigns [NAME ...]`, one line each; exit code 1 when a case did not hold."""

from __future__ import annotations

import os
import sys
import time

from tests.campaigns import crash, flips, forty, full, fuzz, hammer, identities, kills, kinds, overhead, rayparts, sizes
from tests.campaigns.toy import scratch

WORKERS = int(os.environ.get("WORKERS", "0")) or None  # as many as there are cores

CAMPAIGNS = {
    "fuzz": (
        "a study with things in it changed at random is planned",
        lambda f: fuzz.campaign(f, workers=WORKERS),
    ),
    "crash": (
        "an operation on files fails or the process is killed there",
        lambda f: crash.campaign(f, workers=WORKERS),
    ),
    "flips": ("one bit is flipped", lambda folder: flips.flip(folder / "store", 1000)),
    "cuts": ("a record is cut off", lambda folder: flips.truncate(folder / "store")),
    "hammer": ("8 writers x 500 commits with kills, a compaction and a reader", lambda f: hammer.campaign(f / "store")),
    "full": ("the disk fills up", full.campaign),
    "kills": ("upbench run is killed", lambda folder: kills.campaign(folder, int(os.environ.get("KILLS", "200")))),
    "rayparts": ("a process of Ray is killed or frozen", rayparts.campaign),
    "sizes": ("a large store is read", sizes.campaign),
    "overhead": ("an executor runs trials that do nothing", overhead.campaign),
    "identity": ("a module below the trial computes something else: run again?", identities.campaign),
    "harmless": ("a module that identity leaves out is broken: same numbers?", identities.harmless),
    "kinds": ("a fault of a kind that was once not seen", kinds.campaign),
    "forty": ("what answers one of the forty faults is taken out of the code", forty.campaign),
}


def main(names: list[str]) -> int:
    """Run the named campaigns, or all."""
    failed = 0
    for name in names or CAMPAIGNS:
        words, campaign = CAMPAIGNS[name]
        began = time.monotonic()
        with scratch() as folder:
            passed, cases, faults = campaign(folder)
        print(f"{name}: {passed} of {cases} ({words}), {time.monotonic() - began:.0f} s", flush=True)
        for fault in faults[:20]:
            print(f"  {fault}")
        failed += passed < cases or bool(faults)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
