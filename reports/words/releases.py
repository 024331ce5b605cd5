"""Which releases a study's rows were measured under, and which of them are measured anew when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.store.releases import counts

if TYPE_CHECKING:
    from harness.store.store import Results


def mixed(results: Results) -> list[str]:
    """One line for each package with trials of more than one minor release; numbers of trials in brackets."""
    found = []
    for package, seen in counts(results.trials).items():
        if len(seen) > 1:
            parts = ", ".join(f"{release} ({n} trials)" for release, n in sorted(seen.items()))
            found.append(f"measured under several releases of {package}: {parts}")
    return found


MOST = 4  # trials that are named


def unranked(results: Results) -> list[str]:
    """A line for the trials that kept no ranks, so that a metric that was mended or came later does not reach them."""
    scores, queries = results.scores, results.queries
    measured = scores.loc[(scores["split"] == "test") & (scores["direction"] == "t2i"), "id"].unique()
    kept = set(queries.loc[queries["ranks"].notna().to_numpy(bool), "id"].unique())
    without = set(measured) - kept
    if not without:
        return []
    words = "kept no ranks; shown as measured then"
    if not kept:
        return [f"all {len(without)} trials {words}"]
    rows = results.trials[results.trials["id"].isin(without)]
    named = [
        f"{r.label}{f' at {r.budget}' if isinstance(r.budget, str) else ''} seed {r.seed}" for r in rows.itertuples()
    ]
    more = f" and {len(named) - MOST} more" if len(named) > MOST else ""
    return [f"{len(without)} of {len(measured)} trials {words}: {', '.join(named[:MOST])}{more}"]
