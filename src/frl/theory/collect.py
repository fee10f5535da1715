"""From the cells' own files to four tables: cells.csv, estimates.csv, curves.csv and missing.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frl.analysis.load import DataError, facts_of
from frl.runs.files import write_csv
from frl.runs.lineage import Lineage
from frl.runs.paths import run_paths
from frl.runs.runner import restore
from frl.runs.store import Meta
from frl.runs.validity import Found, Unfit, read
from frl.scenario.products import CELLS, CURVES, ESTIMATES, MISSING
from frl.scenario.theory import TheoryScenario
from frl.theory.cells.execute import FORMAT, curves_of
from frl.theory.cells.spec import EXTENSIONS, Cell, identity
from frl.theory.estimates import crossing, mean_gap
from frl.theory.measured import Runs
from frl.theory.panels import COLUMNS, estimates

META_KEYS = (
    *("digest", "code_digest", "numerics_version", "wall_time_s", "cpu_time_s", "peak_memory_mb", "gradients_per_s"),
    *("started", "cpu", "cpu_capability", "platform", "git.commit", "git.dirty"),
    *("versions.frl", "versions.python", "versions.numpy", "versions.scipy"),
)


def collect(scenario: TheoryScenario, results: Path, base: Path, partial: bool) -> None:
    """Write the tables into `base`; a panel of which a cell is missing has no estimates.

    Args:
        scenario: the cells that are wanted.
        results: folder that holds ``<scenario>/runs``.
        base: folder for the tables.
        partial: accept absent cells and list them in missing.csv.

    Raises:
        DataError: if a file is damaged and not in the store, or if cells are missing and `partial` is false.
    """
    runs: Runs = {}
    metas: dict[str, Meta] = {}
    missing: list[tuple[str, str]] = []
    for cell in scenario.runs():
        try:
            found = _found(cell, results, scenario.name)
        except Unfit as unfit:
            missing.append((cell.run_id, str(unfit)))
            continue
        runs[cell] = curves_of(found.table)
        metas[cell.run_id] = found.meta
    if missing and not partial:
        shown = "".join(f"\n  {run_id} ({reason})" for run_id, reason in missing[:50])
        raise DataError(f"{scenario.name}: {len(missing)} cells are missing (--partial goes on without them):{shown}")
    if not runs:
        raise DataError(f"{scenario.name}: no finished cell below {results / scenario.name / 'runs'}")
    write_csv(base / CELLS, table_of_cells(scenario, runs, metas))
    write_csv(base / ESTIMATES, table_of_estimates(scenario, runs))
    write_csv(base / CURVES, table_of_curves(runs))
    write_csv(base / MISSING, pd.DataFrame(missing, columns=["run_id", "reason"]))
    Lineage(scenario, base, partial).collected(metas, [run_id for run_id, _ in missing])


def _found(cell: Cell, results: Path, scenario: str) -> Found:
    """The cell, written again from the store if its files are not what they should be.

    Raises:
        Unfit: if there is none.
        DataError: if there is one, it is damaged, and the store does not have it.
    """
    try:
        return read(cell, results, scenario)
    except Unfit as unfit:
        if restore(cell, results, scenario):
            return read(cell, results, scenario)
        if unfit.state != "damaged":
            raise
        path = run_paths(cell, results, scenario)[0]
        raise DataError(f"{path}: {unfit}; remove it, and it is run again") from None


def table_of_cells(scenario: TheoryScenario, runs: Runs, metas: dict[str, Meta]) -> pd.DataFrame:
    """One row a cell: settings, the mean gap at its end, K_epsilon for each target (empty: never reached), facts."""
    rows = []
    for cell, curves in runs.items():
        mean_RP = mean_gap(curves)[:1]
        row = identity(cell) | {"updates": cell.updates, "final_gap": float(FORMAT % mean_RP[0, -1])}
        for epsilon in scenario.targets[cell.problem]:
            updates = float(crossing(curves.uploads_P, mean_RP, epsilon)[0])
            row[f"updates_to_{epsilon:g}"] = round(updates, 1) if np.isfinite(updates) else None
        rows.append(row)
    facts = pd.DataFrame([{"run_id": cell.run_id} | facts_of(metas[cell.run_id], META_KEYS) for cell in runs])
    return pd.concat([pd.DataFrame(rows), facts], axis="columns")


def table_of_estimates(scenario: TheoryScenario, runs: Runs) -> pd.DataFrame:
    """One row an estimate, in the order of :data:`frl.theory.panels.COLUMNS`, then `EXTENSIONS` that some cell has."""
    found = estimates(scenario, runs)
    frame = pd.DataFrame(found, columns=[*COLUMNS, *(name for name in EXTENSIONS if any(name in row for row in found))])
    for column in ("value", "low", "high", "theory"):
        frame[column] = [float(f"{value:.6g}") for value in frame[column].astype(float)]
    return frame


def table_of_curves(runs: Runs) -> pd.DataFrame:
    """Every cell's mean gap over the seeds, in multiples of the first; the times are those of the first seed."""
    parts = []
    for cell, curves in runs.items():
        columns = {"uploads": curves.uploads_P, "server_step": curves.server_step_P, "sim_time_s": curves.time_SP[0]}
        gaps = [float(FORMAT % gap) for gap in mean_gap(curves)[0]]
        parts.append(pd.DataFrame({"run_id": cell.run_id, **columns, "gap": gaps}))
    return pd.concat(parts)


def read_estimates(base: Path) -> pd.DataFrame:
    """The collected estimates."""
    return _read(base / ESTIMATES)


def read_curves(scenario: TheoryScenario, base: Path) -> dict[Cell, pd.DataFrame]:
    """The collected mean curves by their cells."""
    curves = dict(list(_read(base / CURVES).groupby("run_id")))
    return {cell: curves[cell.run_id] for cell in scenario.runs() if cell.run_id in curves}


def read_cells(base: Path) -> pd.DataFrame:
    """The collected cells."""
    return _read(base / CELLS)


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise DataError(f"{path} is not there: run `frl collect` first")
    return pd.read_csv(path)
