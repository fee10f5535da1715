"""The arms of the tables: every cell's times to its task's threshold."""

from __future__ import annotations

from frl.analysis import thresholds
from frl.analysis.curves import Cell, Curves
from frl.scenario.scenario import Scenario


def arms_of(scenario: Scenario, curves: dict[Cell, Curves]) -> dict[Cell, thresholds.Arm]:
    """Every cell's times to its task's threshold, censored at one horizon in each task."""
    found: dict[Cell, thresholds.Arm] = {}
    for environment in scenario.environments:
        level, of_task = scenario.threshold(environment), {c: one for c, one in curves.items() if c[0] == environment}
        if of_task:
            horizon = thresholds.common_horizon(of_task.values(), level)
            found |= {cell: thresholds.arm_of(one, level, horizon) for cell, one in of_task.items()}
    return found
