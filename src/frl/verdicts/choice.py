"""Which value of a swept setting is best, by rule, from the runs of a tuning scenario.

An arm is a sweep with one N in one environment. The score of a value is the mean over seeds of the logarithm of what
they take to the threshold, censored at a horizon, smoothed over the neighbours in the grid; the smallest is best.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd

from frl.analysis.curves import Cell, Curves
from frl.analysis.quantity import Array
from frl.analysis.thresholds import arm_of, common_horizon, seed_times
from frl.scenario.scenario import Scenario
from frl.verdicts.estimate import Data, curves_per, other_differences
from frl.verdicts.power import HORIZON_OVER_MEDIAN

Per = Literal["samples", "time"]
PERS: tuple[Per, Per] = ("samples", "time")
ARM, SHARED, PAIR = "arm", "shared by all N", "lookahead pair"
COLUMNS = (
    *("choice", "environment", "sweep", "n_agents", "setting", "value", "seeds", "reached"),
    *("samples", "time", "score", "best", "horizon_samples", "horizon_time"),
)
"""Of :func:`choices`: a row for each value of each choice. `reached`: share of the seeds that got there. `samples`,
`time`: restricted geometric means. `horizon_...`: what the rule for horizons gives if the value is chosen."""
_LOG = ("log_samples", "log_time")


def smoothed(scores_V: Array) -> Array:
    """Each score averaged with its neighbours, weights 1/4, 1/2, 1/4; at an edge of the grid 2/3, 1/3."""
    weights = np.array([1.0, 2.0, 1.0])
    total, weight = (np.convolve(one, weights)[1:-1] for one in (scores_V, np.ones(len(scores_V))))
    return np.asarray(total / weight)


def choices(scenario: Scenario, frame: pd.DataFrame) -> pd.DataFrame:
    """Every arm's values, those that all N of a sweep share, and those of lookahead pairs, with `COLUMNS`.

    - An arm's best has the smallest score in simulated time.
    - The best for all N of a sweep has the smallest mean over N of the arms' scores in simulated time.
    - The best for AFedPG and Vanilla that differ in the lookahead alone has the smallest sum of the scores in samples.

    Nothing is best where no seed got there. Values without a finished run are left out.

    Args:
        scenario: with methods that sweep a setting.
        frame: its collected evaluation points.
    """
    arms = _arms(scenario, frame)
    if arms.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    tables = [*_each(arms), *_shared(arms), *_pairs(scenario, arms)]
    return pd.concat([_with_best(table) for table in tables], ignore_index=True)[list(COLUMNS)]


def _arms(scenario: Scenario, frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each value of each arm that has a finished run."""
    data, rows = Data(scenario, frame), []
    swept = [cell for cell in scenario.cells() if scenario.method(*cell).swept and cell in data.seeds]
    curves = {per: {cell: curves_per(data.rows(cell), per) for cell in swept} for per in PERS}
    ends = {cell: [_horizon(scenario, curves[per], cell) for per in PERS] for cell in swept}
    for cell in swept:
        method = scenario.method(*cell)
        setting, value = method.swept or ("", 0.0)
        row = {"choice": ARM, "environment": cell[0], "method": cell[1], "sweep": method.family, "n_agents": cell[2]}
        row |= {"setting": setting, "value": value}
        for per, horizon in zip(PERS, ends[cell], strict=True):
            one = curves[per][cell]
            arm = arm_of(one, scenario.threshold(cell[0]), horizon)
            row |= {"seeds": len(one.runs), "reached": arm.share, per: arm.geometric_mean}
            row[f"log_{per}"] = float(arm.log_S.mean())
            row[f"horizon_{per}"] = HORIZON_OVER_MEDIAN * _median(one, scenario.threshold(cell[0]))
        rows.append(row)
    return pd.DataFrame(rows)


def _horizon(scenario: Scenario, curves: dict[Cell, Curves], cell: Cell) -> float:
    """One for all sweeps of an algorithm with one N, so that their scores can be compared."""
    algorithm = scenario.method(*cell).algorithm
    alike = (
        one
        for other, one in curves.items()
        if (other[0], other[2]) == (cell[0], cell[2]) and scenario.method(*other).algorithm == algorithm
    )
    return common_horizon(alike, scenario.threshold(cell[0]))


def _median(curves: Curves, threshold: float) -> float:
    """Of the seeds' times; one that never got there counts as the end of its run."""
    ends_S = np.array([run.x[-1] for run in curves.runs])
    times_S = seed_times(curves, threshold)
    return float(np.median(np.where(np.isnan(times_S), ends_S, times_S)))


def _each(arms: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Every arm with its smoothed scores, in order of value."""
    for _, arm in arms.groupby(["environment", "sweep", "n_agents"], sort=False):
        yield _smooth(arm).assign(score=lambda table: table["log_time"])


def _smooth(arm: pd.DataFrame) -> pd.DataFrame:
    arm = arm.sort_values("value", ignore_index=True)
    return arm.assign(**{name: smoothed(arm[name].to_numpy(dtype=np.float64)) for name in _LOG})


def _shared(arms: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The values that all N of a sweep have."""
    for _, sweep in arms.groupby(["environment", "sweep"], sort=False):
        parts = [_smooth(arm) for _, arm in sweep.groupby("n_agents")]
        if len(parts) > 1 and len(table := _joined(parts)):
            yield table.assign(choice=SHARED, score=table["log_time"])


def _pairs(scenario: Scenario, arms: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The values that AFedPG and Vanilla have, if these differ in the lookahead alone."""
    for _, there in arms.groupby(["environment", "n_agents"], sort=False):
        sweeps = [_smooth(arm) for _, arm in there.groupby("sweep", sort=False)]
        for first in sweeps:
            for second in sweeps:
                specs = [[scenario.arm(*cell) for cell in _cells(arm)] for arm in (first, second)]
                if (specs[0][0].algorithm, specs[1][0].algorithm) != ("afedpg", "async_pg"):
                    continue
                alike = {a.method: b.method for a in specs[0] for b in specs[1] if not other_differences(a, b)}
                parts = [first[first["method"].isin(alike)], second[second["method"].isin(alike.values())]]
                if alike:
                    both = _joined(parts)
                    name = " and ".join(str(part["sweep"].iloc[0]) for part in parts)
                    yield both.assign(choice=PAIR, sweep=name, n_agents=parts[0]["n_agents"].iloc[0],
                                      score=2 * both["log_samples"])  # fmt: skip


def _cells(arm: pd.DataFrame) -> list[Cell]:
    return [(str(e), str(m), int(n)) for e, m, n in arm[["environment", "method", "n_agents"]].itertuples(index=False)]


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Arms side by side at the values that all have: seeds in sum, shares, logs in mean, horizons of the longest."""
    whole = pd.concat(parts)
    counts = whole["value"].map(whole["value"].value_counts())
    rows = []
    for value, some in whole[counts == len(parts)].groupby("value"):
        row = some.iloc[0].to_dict() | {"n_agents": " ".join(map(str, some["n_agents"])), "value": value}
        row |= {"seeds": some["seeds"].sum(), "reached": some["reached"].mean()}
        row |= {per: float(np.exp(np.log(some[per]).mean())) for per in PERS}
        row |= {name: some[name].mean() for name in _LOG}
        row |= {f"horizon_{per}": some[f"horizon_{per}"].max() for per in PERS}
        rows.append(row)
    return pd.DataFrame(rows)


def _with_best(table: pd.DataFrame) -> pd.DataFrame:
    """With the mark of the smallest score, the first of equal ones; none where no seed got there."""
    best = table["score"].to_numpy().argmin() if table["reached"].any() else -1
    return table.assign(best=np.arange(len(table)) == best)
