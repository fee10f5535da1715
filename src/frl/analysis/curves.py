"""Runs of one (environment, method, N) aligned on a common grid of one axis.

Two seeds never log at exactly the same x (a synchronous method jumps by whole rounds), so every run is interpolated
linearly between its own evaluations. Nothing is extrapolated: a grid ends where the shortest run ends. Uploads and
their bytes are the exception: where agents may skip, equal budgets of steps make unequal numbers of them, and a run
that has spent its budget holds its last return, up to where the seed with the most uploads ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frl.analysis.quantity import Array

STEPS = "env_steps_per_agent"
TIME = "sim_time_s"
UPLOADS = "uploads"
UPLINK = "uplink_bytes"
TOTAL_BYTES = "total_bytes"
"""Uplink and downlink together: no column of a run, :func:`with_total_bytes` adds it."""
STOP_AT = "stop_at"
"""Return at which a run was set to end, empty if at none; a table without this column has whole runs alone."""
GRID_POINTS = 201  # some times as many as there are evaluations
FINAL_SHARE = 0.1  # "final return" is the mean over the last tenth of the axis

Cell = tuple[str, str, int]
"""environment, method, N."""


@dataclass(frozen=True)
class Run:
    """One seed's own evaluations: x and returns of shape (P,), `diverged_at` in units of x or nan.

    `stops`: whether it was set to end at a return (:data:`STOP_AT`), wherever it then ended.
    """

    seed: int
    x: Array
    returns: Array
    diverged_at: float
    stops: bool = False


@dataclass(frozen=True)
class Curves:
    """All seeds of one cell of the grid.

    Attributes:
        axis: column of x, as `env_steps_per_agent` (environment steps) or `sim_time_s` (simulated seconds).
        runs: the seeds' own evaluations, in order of seed.
        x: common grid of the whole runs, (G,); empty if there are none.
        returns_SG: evaluation return of every whole run on the grid.

    Whole are the runs that were not set to stop at a return. They alone have a part in curves and final returns: of the
    others, those that never got there went on to the end, and would stand for all. How long it takes to a return is
    known of all runs.

    A run that diverged is kept: from the divergence on, its value is its last finite evaluation. That is kind to
    the method, which is why every table and figure also says how many runs diverged.
    """

    environment: str
    method: str
    n_agents: int
    axis: str
    runs: tuple[Run, ...]
    x: Array
    returns_SG: Array

    @property
    def cell(self) -> Cell:
        """Environment, method and N."""
        return self.environment, self.method, self.n_agents

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds in the order of `runs`."""
        return tuple(run.seed for run in self.runs)

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Which runs diverged: (S,)."""
        return np.array([np.isfinite(run.diverged_at) for run in self.runs])

    @property
    def whole(self) -> tuple[Run, ...]:
        """The runs that were not set to stop at a return, in the order of the rows of `returns_SG`."""
        return tuple(run for run in self.runs if not run.stops)

    @property
    def final_S(self) -> Array:
        """Final return of every whole run: mean over the last `FINAL_SHARE` of the axis, (S,)."""
        if not self.whole:
            return np.empty(0)
        tail = self.x >= self.x[-1] - FINAL_SHARE * (self.x[-1] - self.x[0])
        return np.asarray(self.returns_SG[:, tail].mean(axis=1))


def rows_of(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """The rows of one cell in a table of collected runs."""
    return frame[(frame["environment"] == cell[0]) & (frame["method"] == cell[1]) & (frame["n_agents"] == cell[2])]


def whole_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the runs that were not set to stop at a return."""
    return frame[frame[STOP_AT].isna()] if STOP_AT in frame else frame


def with_total_bytes(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with the bytes that went either way."""
    return frame.assign(**{TOTAL_BYTES: frame[UPLINK] + frame["downlink_bytes"]})


def all_curves(frame: pd.DataFrame, axis: str) -> dict[Cell, Curves]:
    """The aligned curves of every (environment, method, N) in a table of collected runs."""
    cells = {}
    for key, group in frame.groupby(["environment", "method", "n_agents"], sort=False):
        cell = (str(key[0]), str(key[1]), int(key[2]))
        cells[cell] = align(group, axis)
    return cells


def align(group: pd.DataFrame, axis: str, points: int = GRID_POINTS) -> Curves:
    """Put the runs of one cell on a common grid.

    Args:
        group: rows of curves.csv of one (environment, method, N).
        axis: column to use as x.
        points: size of the grid, evenly spaced over what every whole run reached. On the axes of messages, where seeds
            have points of their own, the grid is all of these, up to where the last seed ends; of evaluations at one
            count, with no message between them, the last counts.
    """
    runs = tuple(_run(rows, axis) for _, rows in group.groupby("seed", sort=True))
    whole = [run for run in runs if not run.stops]
    x = _grid(whole, axis, points) if whole else np.empty(0)
    # np.interp holds the last value beyond a run's end: but for uploads and bytes only a diverged run has such an x.
    returns_SG = np.array([np.interp(x, run.x, run.returns) for run in whole]).reshape(len(whole), len(x))
    first = group.iloc[0]
    identity = (str(first["environment"]), str(first["method"]), int(first["n_agents"]))
    return Curves(*identity, axis, runs, x, returns_SG)


def _grid(runs: list[Run], axis: str, points: int) -> Array:
    start = max(run.x[0] for run in runs)
    if axis in (UPLOADS, UPLINK, TOTAL_BYTES):
        x = np.unique(np.concatenate([run.x for run in runs]))
        return np.asarray(x[x >= start])
    # A diverged run holds its last value, so it doesn't shorten the others; where all diverged, the longest counts.
    ends = [run.x[-1] for run in runs if np.isnan(run.diverged_at)]
    return np.linspace(start, min(ends) if ends else max(run.diverged_at for run in runs), points)


def _run(rows: pd.DataFrame, axis: str) -> Run:
    rows = rows.sort_values("point", kind="stable")  # a run that diverged ends with a point it had reached
    diverged = rows["status"].iloc[-1] == "diverged"
    diverged_at = float(rows[axis].iloc[-1]) if diverged else float("nan")
    returns = rows["eval_return_mean"].to_numpy(dtype=np.float64)
    finite = np.isfinite(returns)
    x = rows[axis].to_numpy(dtype=np.float64)[finite]
    return Run(int(rows["seed"].iloc[0]), x, returns[finite], diverged_at, whole_runs(rows).empty)


def mean_height(curves: Curves, end: float) -> Array:
    """Area under each whole run's curve from its start to `end`, divided by that length: (S,), in units of return.

    Raises:
        ValueError: if `end` lies beyond the curve (nothing is extrapolated).
    """
    if not curves.x[0] < end <= curves.x[-1] * (1 + 1e-12):
        raise ValueError(f"end = {end}: the curve covers {curves.x[0]} to {curves.x[-1]} {curves.axis}")
    inside = curves.x < end
    x = np.append(curves.x[inside], end)
    at_end = [np.interp(end, curves.x, row) for row in curves.returns_SG]
    y_SG = np.column_stack([curves.returns_SG[:, inside], at_end])
    return np.asarray(np.trapezoid(y_SG, x, axis=1) / (end - x[0]))
