"""What a tuning scenario tried: one row a run, and the settings of each method from the best to the worst.

The measure is a run's mean return over its own simulated time. Only runs of one (environment, algorithm, N) are
compared, for which equal budgets of steps take about equal times.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from frl.analysis.curves import TIME, Run, all_curves, whole_runs
from frl.analysis.load import DataError
from frl.report.settings import flatten
from frl.runs.files import write_csv
from frl.runs.provenance import digest_of
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec

CELL = ["environment", "algorithm", "n_agents"]
MEASURED = ["status", "mean_return_over_sim_time", "returns_at_tenths"]
SHARED = "shared_settings"
_NO_SETTING = {"environment", "algorithm", "n_agents", "seed"}


def tried(scenario: Scenario, frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each finished run that is not set to stop at a return, all columns text.

    The settings are those that differ between runs of the scenario which have them; empty where a method has no such
    setting. ``shared_settings`` is a digest of all others. ``returns_at_tenths`` are the returns at 0.1, 0.2 ... 1 of
    the run's simulated time.

    Args:
        scenario: the tuning scenario.
        frame: its collected runs (:func:`frl.analysis.load.read_curves`).

    Raises:
        DataError: if all are set to stop at a return.
    """
    values = _values(scenario)
    names = [name for name, different in values.items() if len(different) > 1]
    shared = digest_of(f"{name} {one}" for name, (one, *more) in sorted(values.items()) if not more)[:8]
    rows = []
    if (frame := whole_runs(frame)).empty:
        told = "its runs stop at a return, so that their mean returns cannot be compared"
        raise DataError(f"{scenario.name}: {told}; `frl times` prints how long each took")
    for (environment, method, n_agents), curves in all_curves(frame, TIME).items():
        spec = scenario.arm(environment, method, n_agents)
        settings = settings_of(spec)
        for run in curves.runs:
            row = {"environment": environment, "algorithm": spec.algorithm, "n_agents": n_agents, "seed": run.seed}
            row |= {name: settings.get(name, "") for name in names} | {SHARED: shared}
            rows.append(row | dict(zip(MEASURED, _measured(run), strict=True)))
    return pd.DataFrame(rows).astype(str)


def _values(scenario: Scenario) -> dict[str, set[str]]:
    """Every setting with the values that it has in the scenario."""
    values: dict[str, set[str]] = {}
    for spec in scenario.runs():
        for name, value in settings_of(spec).items():
            values.setdefault(name, set()).add(value)
    return values


def settings_of(spec: RunSpec) -> dict[str, str]:
    """Every setting of a run but environment, algorithm, N and seed, as text; empty where it has none."""
    flat = flatten(spec.model_dump(mode="json", exclude=_NO_SETTING))
    return {name: "" if value == "–" else value for name, value in flat.items()}


def _measured(run: Run) -> tuple[str, str, str]:
    """Status, mean return and returns at tenths; a run that diverged counts as far as it came."""
    status = "ok" if np.isnan(run.diverged_at) else "diverged"
    mean = np.trapezoid(run.returns, run.x) / (run.x[-1] - run.x[0]) if len(run.x) > 1 else run.returns[0]
    tenths = np.interp(np.linspace(run.x[0], run.x[-1], 11)[1:], run.x, run.returns)
    return status, f"{mean:.1f}", " ".join(f"{value:.0f}" for value in tenths)


def kept(path: Path) -> pd.DataFrame:
    """The rows of the CSV at `path`.

    Raises:
        DataError: if it is none.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # no text, no columns, rows of different lengths
        raise DataError(f"{path}: not a CSV of trials: {error}; choose another") from None
    if absent := [name for name in (*CELL, "seed", *MEASURED) if name not in table]:
        raise DataError(f"{path}: not a CSV of trials: no column {', '.join(absent)}; choose another")
    return table


def keep(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Put the rows into the CSV at `path` and return all of it: a run that is there is replaced, others stay.

    Raises:
        DataError: if the file has other columns, so that its rows are of another scenario.
    """
    if path.exists():
        before = kept(path)
        if list(before.columns) != list(table.columns):
            other = sorted(set(before.columns) ^ set(table.columns)) or ["another order"]
            raise DataError(f"{path}: its columns are not those of this scenario ({', '.join(other)}): choose another")
        run = [name for name in table.columns if name not in MEASURED]
        table = pd.concat([before, table]).drop_duplicates(run, keep="last", ignore_index=True)
    write_csv(path, table)
    return table


def ranking(table: pd.DataFrame) -> list[str]:
    """The settings of each (environment, algorithm, N) in lines of text, the highest mean over seeds first.

    A setting of which a run diverged comes last. Only settings that differ within the group are named.
    """
    lines: list[str] = []
    for (environment, algorithm, n_agents), group in table.groupby(CELL, sort=False):
        names = [n for n in table.columns if n not in (*CELL, "seed", *MEASURED) and group[n].nunique() > 1]
        found = []
        for values, runs in group.groupby(names, sort=False) if names else [((), group)]:
            shown = (
                ", ".join(f"{name} {value or '–'}" for name, value in zip(names, values, strict=True))
                or "the only ones"
            )
            returns = runs[MEASURED[1]].astype(float)
            found.append(((runs["status"] == "diverged").any(), -returns.mean(), len(runs), shown))
        lines += [f"{environment}, {algorithm}, N = {n_agents}", "  return  seeds  settings"]
        for diverged, loss, seeds, shown in sorted(found):
            lines.append(f"{-loss:8.1f}{seeds:7}  {shown}{' (diverged)' if diverged else ''}")
    return lines
