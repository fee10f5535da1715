"""The steps of the theory lab: a cell's curves to and from its file, and the tables of cells and of estimates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frl.runs.files import write_csv
from frl.theory.driver import Curves, run
from frl.theory.estimates import crossing, mean_gap
from frl.theory.panels import COLUMNS, Runs, estimates
from frl.theory.spec import Cell, TheoryScenario, identity

FORMAT = "%.8g"


def cell_path(folder: Path, cell: Cell) -> Path:
    """Where a cell's curves lie."""
    return folder / "cells" / f"{cell.cell_id}.csv"


def run_cell(cell: Cell, seeds: tuple[int, ...], path: Path) -> None:
    """Run a cell and write its curves: one row a seed and point."""
    curves = run(cell, seeds)
    points = len(curves.uploads_P)
    frame = pd.DataFrame(
        {
            "seed": np.repeat(seeds, points),
            "uploads": np.tile(curves.uploads_P, len(seeds)),
            "server_step": np.tile(curves.server_step_P, len(seeds)),
            "sim_time_s": curves.time_SP.ravel(),
            "gap": curves.gap_SP.ravel(),
            "gradient_norm": curves.gradient_norm_SP.ravel(),
        }
    )
    for column in ("sim_time_s", "gap", "gradient_norm"):
        frame[column] = [float(FORMAT % value) for value in frame[column]]
    write_csv(path, frame)


def read_cell(path: Path) -> Curves:
    """The curves that :func:`run_cell` wrote."""
    frame = pd.read_csv(path)
    seeds = frame["seed"].nunique()
    first = frame.iloc[: len(frame) // seeds]
    time, gap, norm = (frame[name].to_numpy().reshape(seeds, -1) for name in ("sim_time_s", "gap", "gradient_norm"))
    return Curves(first["uploads"].to_numpy(), first["server_step"].to_numpy(), time, gap, norm)


def table_of_cells(scenario: TheoryScenario, runs: Runs) -> pd.DataFrame:
    """One row a cell: its settings, the gap at its end, and K_epsilon for each target (empty: never reached)."""
    rows = []
    for cell, curves in runs.items():
        mean_RP = mean_gap(curves)[:1]
        row = identity(cell) | {"updates": cell.updates, "final_gap": float(FORMAT % mean_RP[0, -1])}
        for epsilon in scenario.targets[cell.problem]:
            updates = float(crossing(curves.uploads_P, mean_RP, epsilon)[0])
            row[f"updates_to_{epsilon:g}"] = round(updates, 1) if np.isfinite(updates) else None
        rows.append(row)
    return pd.DataFrame(rows)


def table_of_estimates(scenario: TheoryScenario, runs: Runs) -> pd.DataFrame:
    """One row an estimate, in the order of :data:`frl.theory.panels.COLUMNS`; numbers with six digits."""
    frame = pd.DataFrame(estimates(scenario, runs), columns=list(COLUMNS))
    for column in ("value", "low", "high", "theory"):
        frame[column] = [float(f"{value:.6g}") for value in frame[column].astype(float)]
    return frame
