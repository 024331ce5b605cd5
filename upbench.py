"""What others may rely on: `import upbench`. Inner modules may move; these names stay. `docs/python.md` shows them.

Nothing is loaded before it is asked for, so that `import upbench` costs milliseconds.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.adaptation.method import Depth as Depth
    from harness.adaptation.method import Towers as Towers
    from harness.adaptation.method import blocks as blocks
    from harness.adaptation.method import full_precision as full_precision
    from harness.adaptation.method import layers as layers
    from harness.adaptation.method import options as options
    from harness.adaptation.method import scaled_width as scaled_width
    from harness.adaptation.method import towers as towers
    from harness.adaptation.starts import FAN_IN as FAN_IN
    from harness.adaptation.starts import XAVIER as XAVIER
    from harness.adaptation.starts import Constant as Constant
    from harness.adaptation.starts import Normal as Normal
    from harness.adaptation.starts import Sized as Sized
    from harness.adaptation.starts import Uniform as Uniform
    from harness.api.exporting import export as export
    from harness.api.measuring import Evaluated as Evaluated
    from harness.api.measuring import evaluate as evaluate
    from harness.api.planning import Plan as Plan
    from harness.api.planning import plan as plan
    from harness.api.reading import report as report
    from harness.api.reading import results as results
    from harness.api.running import Ran as Ran
    from harness.api.running import run as run
    from harness.api.searching import index as index
    from harness.api.searching import load as load
    from harness.api.searching import search as search
    from harness.data import annotations as annotations
    from harness.data import karpathy as karpathy
    from harness.data.split import Split as Split
    from harness.errors import DataError as DataError
    from harness.errors import EnvironmentFault as EnvironmentFault
    from harness.errors import NothingMeasured as NothingMeasured
    from harness.errors import Preempted as Preempted
    from harness.errors import RunFailed as RunFailed
    from harness.errors import UserError as UserError
    from harness.model.clip import Backbone as Backbone
    from harness.model.clip import Block as Block
    from harness.model.clip import Shape as Shape
    from harness.model.clip import Tower as Tower
    from harness.model.clip import TowerShape as TowerShape
    from harness.ranks import Ranks as Ranks
    from harness.retrieval.index import Index as Index
    from harness.retrieval.model import Model as Model
    from harness.shifts._draws import Draws as Draws
    from harness.store.store import Results as Results
    from harness.training.losses._similarity import cosine as cosine
    from harness.training.losses._similarity import divergence as divergence
    from harness.training.losses._similarity import same as same
    from reports.cells import Cell as Cell
    from reports.cells import cells as cells
    from reports.cells import home as home
    from reports.cells import leading as leading
    from reports.cells import places as places
    from reports.drawing import artists as artists
    from reports.drawing import palette as palette
    from reports.drawing import style as style
    from reports.table import Column as Column
    from reports.table import Table as Table
    from reports.table import Value as Value
    from reports.words.sentences import gaps as gaps
    from reports.words.sentences import protocol as protocol

# Name -> the module that it comes from, or the package that it is a module of; read as text where code is hashed.
OFFERED: dict[str, str] = {
    # to plan, run, read and report a study
    "Plan": "harness.api.planning",
    "Ran": "harness.api.running",
    "Results": "harness.store.store",
    "plan": "harness.api.planning",
    "report": "harness.api.reading",
    "results": "harness.api.reading",
    "run": "harness.api.running",
    # to use models
    "export": "harness.api.exporting",
    "Evaluated": "harness.api.measuring",
    "evaluate": "harness.api.measuring",
    "Index": "harness.retrieval.index",
    "Model": "harness.retrieval.model",
    "index": "harness.api.searching",
    "load": "harness.api.searching",
    "search": "harness.api.searching",
    # for authors of methods
    "Backbone": "harness.model.clip",
    "Block": "harness.model.clip",
    "Shape": "harness.model.clip",
    "Tower": "harness.model.clip",
    "TowerShape": "harness.model.clip",
    "Depth": "harness.adaptation.method",
    "Towers": "harness.adaptation.method",
    "blocks": "harness.adaptation.method",
    "full_precision": "harness.adaptation.method",
    "layers": "harness.adaptation.method",
    "options": "harness.adaptation.method",
    "scaled_width": "harness.adaptation.method",
    "towers": "harness.adaptation.method",
    "Constant": "harness.adaptation.starts",
    "FAN_IN": "harness.adaptation.starts",
    "Normal": "harness.adaptation.starts",
    "Sized": "harness.adaptation.starts",
    "Uniform": "harness.adaptation.starts",
    "XAVIER": "harness.adaptation.starts",
    # for authors of data sets
    "Split": "harness.data.split",
    "annotations": "harness.data",
    "karpathy": "harness.data",
    # for authors of shifts
    "Draws": "harness.shifts._draws",
    # for authors of metrics
    "Ranks": "harness.ranks",
    # for authors of losses
    "cosine": "harness.training.losses._similarity",
    "divergence": "harness.training.losses._similarity",
    "same": "harness.training.losses._similarity",
    # for authors of figures and tables
    "Cell": "reports.cells",
    "cells": "reports.cells",
    "gaps": "reports.words.sentences",
    "home": "reports.cells",
    "leading": "reports.cells",
    "places": "reports.cells",
    "protocol": "reports.words.sentences",
    "artists": "reports.drawing",
    "palette": "reports.drawing",
    "style": "reports.drawing",
    "Column": "reports.table",
    "Table": "reports.table",
    "Value": "reports.table",
    # errors, each one line for the user
    "DataError": "harness.errors",
    "EnvironmentFault": "harness.errors",
    "NothingMeasured": "harness.errors",
    "Preempted": "harness.errors",
    "RunFailed": "harness.errors",
    "UserError": "harness.errors",
}

__all__ = sorted(OFFERED)


def __getattr__(name: str) -> Any:
    if name not in OFFERED:
        raise AttributeError(f"module 'upbench' has no attribute '{name}'")
    home = OFFERED[name]
    found = getattr(importlib.import_module(home), name, None)
    value = globals()[name] = importlib.import_module(f"{home}.{name}") if found is None else found
    return value


def __dir__() -> list[str]:
    return sorted(OFFERED)
