"""mAP against trained parameters."""

from __future__ import annotations

from tests.reports.slow.drawn import Mark
from tests.reports.slow.figures import budget_curve
from tests.reports.slow.study import Study


def wanted(study: Study) -> list[Mark]:
    return budget_curve.wanted(study, "mAP")
