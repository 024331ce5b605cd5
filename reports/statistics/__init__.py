"""Statistics of the reports: numbers in, numbers out; no files, no pictures, no global random state.

Read `intervals.py` first. Figures, tables and the page import from here.
"""

from reports.statistics.intervals import Interval, over_both, over_identities, over_seeds, strays
from reports.statistics.letters import letters
from reports.statistics.optimism import Optimism, optimism
from reports.statistics.paired import (
    Difference,
    McNemar,
    by_seed,
    difference,
    holm,
    mcnemar,
    paired_bootstrap,
    wilcoxon,
)
from reports.statistics.power import detectable, power, seeds_needed
from reports.statistics.ranks import Ranking, critical_difference, rank
from reports.statistics.robustness import Sample, apart, drop, mean_of, sample, share
from reports.statistics.saturation import Law, saturation
from reports.statistics.stein import Design, asked, pilot, two_stage, two_stage_difference
from reports.statistics.variance import Components, components

__all__ = [
    "Components",
    "Design",
    "Difference",
    "Interval",
    "Law",
    "McNemar",
    "Optimism",
    "Ranking",
    "Sample",
    "apart",
    "asked",
    "by_seed",
    "components",
    "critical_difference",
    "detectable",
    "difference",
    "drop",
    "holm",
    "letters",
    "mcnemar",
    "mean_of",
    "optimism",
    "over_both",
    "over_identities",
    "over_seeds",
    "paired_bootstrap",
    "pilot",
    "power",
    "rank",
    "sample",
    "saturation",
    "seeds_needed",
    "share",
    "strays",
    "two_stage",
    "two_stage_difference",
    "wilcoxon",
]
