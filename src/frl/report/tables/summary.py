"""The tables of a scenario: returns, samples, time, time ratio, communication, throughput, and one of all that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from frl.analysis import thresholds, waiting
from frl.analysis.curves import STEPS, TIME, Cell, Curves, Run, all_curves
from frl.analysis.intervals import MIN_BOOTSTRAP, MIN_SEEDS, interquartile_mean, mean_quantity
from frl.analysis.load import instruction_sets, mixed, read_curves, read_runs
from frl.analysis.names import clock, display_name, method_called, shown
from frl.analysis.poster import poster_curve, reference
from frl.analysis.thresholds import FAMILY_LEVEL
from frl.report.tables import communication, results
from frl.report.tables.table import Column, Row, Table
from frl.scenario.claim_base import Per
from frl.scenario.scenario import Scenario
from frl.verdicts import words
from frl.verdicts.judge import horizon_of

_WHO = (Column("environment", "environment"), Column("method", "method", "name"), Column("n_agents", "N", "count"))
_SEEDS = (Column("seeds", "seeds", "count"), Column("diverged", "diverged", "count"))
_FINAL = "A final return is the mean of a run's evaluations over the last tenth of its budget."
_WHOLE = "Runs that are set to stop at a return are left out."
_INTERVAL = (
    f"In brackets: 95 % confidence interval over seeds, by Student's t with {MIN_SEEDS} to {MIN_BOOTSTRAP - 1} seeds "
    f"and by an expanded BCa bootstrap with more; fewer than {MIN_SEEDS} have none."
)
_TIMES = (
    "A seed reaches the threshold at the first of two successive evaluations at or above it, interpolated. A seed "
    "that takes longer than the horizon, or never gets there, counts as the horizon. The horizon is the end of the "
    "shortest run of the task that did not get there or, if all did, the longest time. Times are geometric means; in "
    f"brackets Welch's {100 * FAMILY_LEVEL:g} % interval. After > stands a lower bound: not all seeds got there."
)
_RATIOS = (
    "A ratio of two arms is taken at the horizon of the claim about them, as in its verdict, or if there is none up to "
    f"where it is known of both who got there. {words.BOUNDS}"
)


def write(scenario: Scenario, base: Path) -> None:
    """Write every table of :data:`frl.scenario.products.TABLES` below `base`/tables as CSV, Markdown and HTML.

    Args:
        scenario: order of the rows, thresholds and fleet.
        base: folder that holds the collected curves.csv and runs.csv.
    """
    for table in build(scenario, read_curves(base), read_runs(base)):
        table.write(base / "tables")


def build(scenario: Scenario, frame: pd.DataFrame, runs: pd.DataFrame) -> list[Table]:
    """The tables, in the order of `frl.scenario.products.TABLES`, of the collected curves and the facts of the runs."""
    steps, time = all_curves(frame, STEPS), all_curves(frame, TIME)
    tables = [
        final_return(scenario, steps),
        _to_threshold(scenario, steps, "samples_to_threshold"),
        _to_threshold(scenario, time, "time_to_threshold"),
        time_ratio(scenario, time),
        communication.table(scenario, frame),
        throughput(scenario, runs),
    ]
    tables.append(results.merged({table.name: table for table in tables}, clock(scenario)))
    warning = mixed(instruction_sets(runs))
    return [replace(one, note=f"{one.note} {warning}".strip()) for one in tables]


def _who(cell: Cell, runs: Sequence[Run] = ()) -> Row:
    """The row's identity, and the runs that it is about; without any it is a row of dashes with 0 seeds."""
    environment, method, n_agents = cell
    row: Row = {"environment": environment, "method": display_name(method), "n_agents": n_agents, "seeds": len(runs)}
    return row | {"diverged": sum(bool(np.isfinite(run.diverged_at)) for run in runs)}


def _where_known(columns: tuple[Column, ...], rows: list[Row]) -> tuple[Column, ...]:
    """The columns that have a value in some row: the poster has curves of one environment only."""
    return tuple(column for column in columns if any(row.get(column.key) is not None for row in rows))


def final_return(scenario: Scenario, curves: dict[Cell, Curves]) -> Table:
    """Return at the end of the budget, with its spread over seeds."""
    rows = []
    for cell in scenario.cells():
        one = curves.get(cell)
        row = _who(cell, one.whole if one else ())
        if one and one.whole:
            final_S = one.final_S
            row["final_return"] = mean_quantity(final_S)
            row["interquartile_mean"] = float(interquartile_mean(final_S[:, None])[0])
            row["lowest"], row["highest"] = float(final_S.min()), float(final_S.max())
            row["threshold"] = scenario.threshold(cell[0])
            row["share_above"] = float((final_S >= scenario.threshold(cell[0])).mean())
        rows.append(row)
    columns = (
        *_WHO,
        Column("final_return", "final return", "return", quantity=True),
        Column("interquartile_mean", "interquartile mean", "return"),
        Column("lowest", "lowest seed", "return"),
        Column("highest", "highest seed", "return"),
        Column("threshold", "threshold", "return"),
        Column("share_above", "seeds above it", "share"),
        *_SEEDS,
    )
    note = f"{_FINAL} {_WHOLE} {_INTERVAL} A run that diverged holds its last finite evaluation."
    return Table("final_return", "Return at the end of the budget", note, columns, rows)


def _arms(scenario: Scenario, curves: dict[Cell, Curves]) -> dict[Cell, thresholds.Arm]:
    """Every cell's times to its task's threshold, censored at one horizon in each task."""
    found: dict[Cell, thresholds.Arm] = {}
    for environment in scenario.environments:
        level, of_task = scenario.threshold(environment), {c: one for c, one in curves.items() if c[0] == environment}
        if of_task:
            horizon = thresholds.common_horizon(of_task.values(), level)
            found |= {cell: thresholds.arm_of(one, level, horizon) for cell, one in of_task.items()}
    return found


def _to_threshold(scenario: Scenario, curves: dict[Cell, Curves], name: str) -> Table:
    """What it takes the seeds to reach the threshold, on the axis of `curves`."""
    samples = name == "samples_to_threshold"
    timed = _arms(scenario, curves)
    rows = [_threshold_row(scenario, curves, timed, cell, speedup=samples) for cell in scenario.cells()]
    what, format_ = ("steps per agent", "count") if samples else (f"{clock(scenario)} (s)", "seconds")
    columns = (
        *_WHO,
        Column("threshold", "threshold (return)", "return"),
        Column("time", what, format_, quantity=True, censored=True),
        *([Column("speedup", "speed-up over N = 1", "ratio", quantity=True, censored=True)] if samples else []),
        Column("reached", "seeds that got there", "share"),
        Column("horizon", "horizon", format_),
        Column("capped_area", "mean of min(return, threshold)", "return", quantity=True),
        *_where_known((Column("poster", "poster", format_),), rows),
        *_SEEDS,
    )
    note = (
        f"{_TIMES} {_RATIOS if samples else ''} All seeds count. The mean of min(return, threshold) is taken up to the "
        "horizon, over the runs that are not set to stop at a return."
    )
    if any(row.get("poster") for row in rows):
        note += " Poster: where its digitised mean curve crosses the threshold."
    title = (
        "Environment steps per agent to the threshold"
        if samples
        else f"{clock(scenario).capitalize()} to the threshold"
    )
    return Table(name, title, note, columns, rows)


def _threshold_row(
    scenario: Scenario, curves: dict[Cell, Curves], timed: dict[Cell, thresholds.Arm], cell: Cell, speedup: bool
) -> Row:
    environment, method, n_agents = cell
    level, one = scenario.threshold(environment), curves.get(cell)
    row = _who(cell, one.runs if one else ()) | {"threshold": level}
    if one is None:
        return row
    arm = timed[cell]
    row |= {"time": arm.mean(), "reached": arm.share, "horizon": arm.horizon}
    if one.whole:
        area_S = thresholds.capped_area(one, level, arm.horizon)
        row["capped_area"] = thresholds.contrast([area_S], [1.0]).quantity()
    if (poster := reference(scenario, one)) is not None:
        row["poster"] = float(thresholds.seed_times(poster, level)[0])
    alone = curves.get((environment, method, 1))
    if speedup and alone and n_agents > 1:
        row["speedup"] = thresholds.ratio(*_pair(scenario, "samples", alone, one))
    return row


def _pair(scenario: Scenario, per: Per, slower: Curves, faster: Curves) -> tuple[thresholds.Arm, thresholds.Arm]:
    """Two arms up to one horizon: that of the claim about them, if there is one."""
    level, horizon = scenario.threshold(slower.environment), horizon_of(scenario, per, (slower, faster))
    return thresholds.arm_of(slower, level, horizon), thresholds.arm_of(faster, level, horizon)


def time_ratio(scenario: Scenario, curves: dict[Cell, Curves]) -> Table:
    """Time that FedPG needs over what AFedPG needs, at the same N, as the figure calls them."""
    rows = []
    for environment, method, n_agents in scenario.cells():
        slower = method_called(scenario, "time_complexity", "fedpg", environment, n_agents)
        if shown(scenario, "time_complexity").get(method) != "afedpg" or slower is None:
            continue
        row: Row = {"environment": environment, "n_agents": n_agents, "threshold": scenario.threshold(environment)}
        row["method"] = display_name(method)
        row["waiting_gain"] = waiting.waiting_gain(scenario.arm(environment, slower, n_agents))
        slow, fast = (curves.get((environment, m, n_agents)) for m in (slower, method))
        if slow and fast:
            arms = _pair(scenario, "time", slow, fast)
            shares = [(int(arm.reached_S.sum()), len(arm.reached_S)) for arm in arms]
            row |= {"ratio": thresholds.ratio(*arms), "reached": words.reached(shares), "horizon": arms[0].horizon}
        poster = [poster_curve(environment, m, n_agents, TIME) for m in ("fedpg", "afedpg")]
        if poster[0] and poster[1]:
            times = [float(thresholds.seed_times(one, scenario.threshold(environment))[0]) for one in poster if one]
            row["poster"] = times[0] / times[1]
        rows.append(row)
    columns = (
        _WHO[0],
        _WHO[2],
        Column("ratio", "to the threshold", "ratio", quantity=True, censored=True),
        Column("reached", "seeds there by the horizon"),
        Column("threshold", "threshold (return)", "return"),
        Column("horizon", "horizon", "seconds"),
        Column("waiting_gain", "from waiting alone", "ratio"),
        *_where_known((Column("poster", "poster", "ratio"),), rows),
    )
    note = (
        "Above 1: AFedPG is faster. From waiting alone: t_max / N times the sum of 1 / t_i over the fleet. Not waiting "
        f"for the slowest agent would give this ratio if all updates had the same effect. {_RATIOS}"
    )
    return Table("time_ratio", f"{clock(scenario).capitalize()} of FedPG over AFedPG", note, columns, rows)


def throughput(scenario: Scenario, runs: pd.DataFrame) -> Table:
    """Real time, not simulated: how fast the runs trained on the machine that made them."""
    rows = []
    for cell in scenario.cells():
        match = (runs["environment"] == cell[0]) & (runs["method"] == cell[1]) & (runs["n_agents"] == cell[2])
        group = runs[match]
        row = _who(cell) | {"seeds": len(group), "diverged": int((group["status"] == "diverged").sum())}
        if len(group):
            row["env_steps_per_s"] = float(group["env_steps_per_s"].mean())
            row["wall_time_s"] = float(group["wall_time_s"].mean())
            row["cpu_time_s"] = float(group["cpu_time_s"].mean())
            row["peak_memory_mb"] = float(np.max(group["peak_memory_mb"]))
        rows.append(row)
    columns = (
        *_WHO,
        Column("env_steps_per_s", "environment steps/s", "count"),
        Column("wall_time_s", "wall time of a run (s)", "seconds"),
        Column("cpu_time_s", "CPU time of a run (s)", "seconds"),
        Column("peak_memory_mb", "peak memory (MB)", "count"),
        *_SEEDS,
    )
    note = (
        "Real time of training, mean over seeds (memory: the largest). Runs may have shared the machine with others, "
        "and those that stopped at a return took less time."
    )
    return Table("throughput", "Speed of training", note, columns, rows)
