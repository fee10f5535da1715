"""The steps of the theory lab as functions of files: cells, their curves, the table of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frl.files import write_csv
from frl.theory.driver import Curves, run
from frl.theory.estimates import crossing, mean_gap, quantity
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


def table_of_cells(scenario: TheoryScenario, folder: Path) -> pd.DataFrame:
    """One row a cell: its settings, the gap at its end, and K_epsilon for each target (empty: never reached)."""
    rows = []
    for cell in scenario.cells():
        curves = read_cell(cell_path(folder, cell))
        mean_RP = mean_gap(curves)
        row = identity(cell) | {"updates": cell.updates, "final_gap": mean_RP[0, -1]}
        for epsilon in scenario.targets[cell.problem]:
            q = quantity(crossing(curves.uploads_P, mean_RP, epsilon), len(scenario.seeds), cell.updates)
            row[f"updates_to_{epsilon:g}"] = q.value if q.relation == "=" else None
        rows.append(row)
    return pd.DataFrame(rows)
