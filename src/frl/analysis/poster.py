"""The poster's two figures, which are the AFedPG paper's, digitised: the reference that ours are drawn over."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd

from frl.analysis.curves import Curves, Run
from frl.analysis.names import FIGURE_OF, shown
from frl.analysis.quantity import Array
from frl.scenario.scenario import Scenario

ENVIRONMENT = "Swimmer"
STEPS_PER_TRAJECTORY = 1000  # Swimmer never terminates early: every trajectory has 1,000 steps


def poster_curves() -> pd.DataFrame:
    """Every digitised point: panel, algorithm, n_agents, x_unit, x, mean_return (source: data/README.md)."""
    with resources.files("frl.data").joinpath("poster_curves.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def poster_curve(environment: str, method: str, n_agents: int, axis: str) -> Curves | None:
    """The poster's mean curve, in the units of our own axis, as if it were one seed; None where it has no such curve.

    Its points are the digitised ones, unevenly spaced.
    """
    if environment != ENVIRONMENT or axis not in FIGURE_OF:
        return None
    panel = FIGURE_OF[axis]
    key = "pg" if panel == "sample_complexity" and (method, n_agents) == ("afedpg", 1) else method
    frame = poster_curves()
    rows = (frame["panel"] == panel) & (frame["algorithm"] == key) & (frame["n_agents"] == n_agents)
    if not rows.any():
        return None
    x: Array = frame.loc[rows, "x"].to_numpy(dtype=np.float64)
    x = x * (STEPS_PER_TRAJECTORY if panel == "sample_complexity" else 1)
    returns: Array = frame.loc[rows, "mean_return"].to_numpy(dtype=np.float64)
    run = Run(0, x, returns, float("nan"))
    return Curves(environment, method, n_agents, axis, (run,), x, returns[None])


def reference(scenario: Scenario, curves: Curves) -> Curves | None:
    """The poster's mean curve of what the figure calls these curves; None where it has none."""
    if curves.axis not in FIGURE_OF:
        return None
    name = shown(scenario, FIGURE_OF[curves.axis]).get(curves.method)
    return None if name is None else poster_curve(curves.environment, name, curves.n_agents, curves.axis)
