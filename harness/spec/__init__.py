"""Studies and trials: YAML in, frozen values out.

A study names methods, budgets, data sets and seeds; `Study.trials` is their product. Reading is strict: unknown keys,
duplicate keys, wrong types and unknown names are all reported in one pass, with line numbers. Nothing here imports
torch or ray. `docs/studies.md` describes the language.
"""

from harness.spec.reading import load
from harness.spec.study import Study
from harness.spec.values import Backbone, Data, Entry, Rule, Trial, Tuning, recipe

__all__ = ["Backbone", "Data", "Entry", "Rule", "Study", "Trial", "Tuning", "load", "recipe"]
