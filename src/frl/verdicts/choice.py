"""Which value of a swept setting is best, by rule, from the runs of a tuning scenario.

An arm is a sweep with one N in one environment. The score of a value is the mean over seeds of the logarithm of what
they take to the threshold, censored at a horizon, smoothed over the neighbours in the grid; the smallest is best. A
seed that does not get there may count as several horizons, as in PAR10 of algorithm configuration (Hutter et al. 2009).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd

from frl.analysis.curves import Cell, Curves, Run, all_curves
from frl.analysis.quantity import Array
from frl.analysis.thresholds import arm_of, common_horizon, seed_times
from frl.scenario.grid import decimal
from frl.scenario.scenario import Scenario
from frl.verdicts.estimate import AXES, other_differences
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
STEP, MOST = 100, 0.9
"""Of the rule for thresholds."""
_LOG = ("log_samples", "log_time")


def smoothed(scores_V: Array) -> Array:
    """Each score averaged with its neighbours, weights 1/4, 1/2, 1/4; at an edge of the grid 2/3, 1/3."""
    weights = np.array([1.0, 2.0, 1.0])
    total, weight = (np.convolve(one, weights)[1:-1] for one in (scores_V, np.ones(len(scores_V))))
    return np.asarray(total / weight)


def choices(scenario: Scenario, frame: pd.DataFrame, penalty: float = 1.0) -> pd.DataFrame:
    """Every arm's values, those that all N of a sweep share, and those of lookahead pairs, with `COLUMNS`.

    - An arm's best has the smallest score in simulated time.
    - The best for all N of a sweep has the smallest mean over N of the arms' scores in simulated time.
    - The best for AFedPG and Vanilla that differ in the lookahead alone has the smallest sum of the scores in samples.

    Nothing is best where no seed got there. Values without a finished run are left out.

    Args:
        scenario: with methods that sweep a setting.
        frame: its collected evaluation points.
        penalty: horizons that a seed counts as which does not get there, at least 1.
    """
    arms = _arms(scenario, frame, float(np.log(penalty)))
    if arms.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    tables = [*_each(arms), *_shared(arms), *_pairs(scenario, arms)]
    return pd.concat([_with_best(table) for table in tables], ignore_index=True)[list(COLUMNS)]


def _arms(scenario: Scenario, frame: pd.DataFrame, log_penalty: float) -> pd.DataFrame:
    """A row for each value of each arm that has a finished run.

    One horizon for all sweeps of an algorithm with one N and budget in one environment: their scores can be compared.
    """
    found = {per: all_curves(frame, AXES[per]) for per in PERS}
    methods = {cell: scenario.method(*cell) for cell in scenario.cells() if cell in found["time"]}
    alike: dict[tuple[str, str, int, int], list[Cell]] = {}
    for cell, method in methods.items():
        if method.swept:
            budget = scenario.arm(*cell).steps_per_agent
            alike.setdefault((cell[0], method.algorithm, cell[2], budget), []).append(cell)
    rows: dict[Cell, dict[str, object]] = {}
    for cells in alike.values():
        for per in PERS:
            level = scenario.threshold(cells[0][0])
            curves = {cell: found[per][cell] for cell in cells}
            horizon = common_horizon(curves.values(), level)
            for cell, one in curves.items():
                arm = arm_of(one, level, horizon)
                row = rows.setdefault(cell, {"seeds": len(one.runs), "reached": arm.share})
                row |= {per: arm.geometric_mean, f"log_{per}": float((arm.log_S + log_penalty * ~arm.reached_S).mean())}
                row[f"horizon_{per}"] = HORIZON_OVER_MEDIAN * _median(one, level)
    identities = {cell: (ARM, *cell, method.family, *(method.swept or ())) for cell, method in methods.items()}
    names = ("choice", "environment", "method", "n_agents", "sweep", "setting", "value")
    environments: list[str] = list(scenario.environments)
    sweeps = list(dict.fromkeys(method.family for method in methods.values()))
    in_order = sorted(rows, key=lambda c: (environments.index(c[0]), sweeps.index(methods[c].family), c[2]))
    return pd.DataFrame([dict(zip(names, identities[cell], strict=True)) | rows[cell] for cell in in_order])


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
        specs = [[scenario.arm(*cell) for cell in _cells(arm)] for arm in sweeps]
        for i, j in itertools.product(range(len(sweeps)), repeat=2):
            if (specs[i][0].algorithm, specs[j][0].algorithm) != ("afedpg", "async_pg"):
                continue
            alike = {a.method: b.method for a in specs[i] for b in specs[j] if not other_differences(a, b)}
            parts = [sweeps[i][sweeps[i]["method"].isin(alike)], sweeps[j][sweeps[j]["method"].isin(alike.values())]]
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


def lines(table: pd.DataFrame) -> list[str]:
    """The choices in lines of text; a star marks the best value."""
    told: list[str] = []
    for name, rows in _named(table):
        told.append(f"{name}: {rows['setting'].iloc[0]}")
        told.append(f"{'value':>12}{'seeds':>7}{'reached':>9}{'samples':>11}{'time (s)':>11}{'score':>8}")
        told += [
            f"{'*' if row.best else ' '}{decimal(row.value):>11}{row.seeds:>7}{row.reached:>9.0%}{row.samples:>11,.0f}"
            f"{row.time:>11,.1f}{row.score:>8.3f}"
            for row in rows.itertuples()
        ]
    return told


def horizons(table: pd.DataFrame) -> list[str]:
    """The horizons that the rule gives for each arm at its best value, the longest of each environment first."""
    best = table[table["best"] & (table["choice"] == ARM)].sort_values("horizon_samples", ascending=False)
    told = [
        f"Horizons by the rule: {HORIZON_OVER_MEDIAN} times an arm's median at its best value, where a seed that "
        "never got there counts as the end of its run. A claim has the longest horizon of its arms:"
    ]
    for environment in dict.fromkeys(table["environment"]):
        told += [environment, f"{'samples':>12}{'time (s)':>12}  arm"]
        told += [
            f"{row.horizon_samples:>12,.0f}{row.horizon_time:>12,.0f}  {row.sweep}, N = {row.n_agents}"
            for row in best[best["environment"] == environment].itertuples()
        ]
    return told


def thresholds(scenario: Scenario, frame: pd.DataFrame) -> dict[str, float | None]:
    """The highest multiple of `STEP` that `MOST` of AFedPG's runs get to and stay at, each N at its highest value.

    That is the value of the first sweep of AFedPG with the highest mean of the last returns. A run that was set to stop
    at a return tells nothing of what is above it.

    Returns:
        environment -> return; None where they do not get to the lowest.
    """
    found = all_curves(frame, AXES["samples"])
    methods = {cell: scenario.method(*cell) for cell in scenario.cells() if cell in found}
    told: dict[str, float | None] = {}
    for environment in dict.fromkeys(cell[0] for cell in methods):
        sweeps = {c: m for c, m in methods.items() if c[0] == environment and m.swept and m.algorithm == "afedpg"}
        first = next((method.family for method in sweeps.values()), None)
        highest: dict[int, Curves] = {}
        for cell in (cell for cell, method in sweeps.items() if method.family == first):
            if cell[2] not in highest or _last_return(found[cell]) > _last_return(highest[cell[2]]):
                highest[cell[2]] = found[cell]
        if highest:
            told[environment] = _highest([run for curves in highest.values() for run in curves.runs])
    return told


def _last_return(curves: Curves) -> float:
    return float(np.mean([run.returns[-1] for run in curves.runs]))


def _highest(runs: list[Run]) -> float | None:
    """The highest multiple of `STEP` that `MOST` of the runs get to at two successive evaluations."""
    pairs = [np.minimum(run.returns[:-1], run.returns[1:]).max(initial=-np.inf) for run in runs]
    reached = np.sort(pairs)[::-1][int(np.ceil(MOST * len(runs) - 1e-9)) - 1]
    return float(reached // STEP * STEP) if reached >= STEP else None


def heights(found: dict[str, float | None]) -> list[str]:
    """The thresholds by the rule, a line each."""
    told = [
        f"Thresholds by the rule, the highest multiple of {STEP} that {MOST:.0%} of AFedPG's runs get to, each N at "
        "its value of the highest last returns:"
    ]
    return told + [f"{'none' if level is None else f'{level:.0f}':>12}  {where}" for where, level in found.items()]


def warnings(scenario: Scenario, table: pd.DataFrame) -> list[str]:
    """What keeps a choice from being one: a best value at an edge of its grid, no seed there, unfinished runs."""
    told = []
    for name, rows in _named(table):
        place = np.flatnonzero(rows["best"])
        values = rows["value"].tolist()
        if not len(place):
            told.append(f"{name}: no seed got to the threshold with any value; none is best")
        elif place[0] in (0, len(values) - 1):
            told.append(f"{name}: the best value, {decimal(values[place[0]])}, is {_edge(rows, int(place[0]))}")
    finished: dict[tuple[str, str, int], int] = {}
    if len(arms := table[table["choice"] == ARM]):
        finished = arms.groupby(["environment", "sweep", "n_agents"])["seeds"].sum().to_dict()
    wanted: dict[tuple[str, str, int], int] = {}
    for cell in scenario.cells():
        if (method := scenario.method(*cell)).swept:
            arm = (cell[0], method.family, cell[2])
            wanted[arm] = wanted.get(arm, 0) + len(scenario.seeds_of(*cell))
    for (environment, sweep, n_agents), count in wanted.items():
        if (done := int(finished.get((environment, sweep, n_agents), 0))) < count:
            told.append(f"{environment}, {sweep}, N = {n_agents}: {count - done} of {count} runs are not finished")
    return told


def _edge(rows: pd.DataFrame, place: int) -> str:
    """Which edge of the grid, and what an arm should be tried with further out, a grid's step away."""
    values, extreme = rows["value"].tolist(), "lowest" if place == 0 else "highest"
    if rows["choice"].iloc[0] != ARM:
        return f"the {extreme} that all of them have; give each a further value"
    if len(values) == 1 or values[0] <= 0:
        return f"the {extreme} of its grid; give it a further value"
    beyond = values[place] ** 2 / values[1 if place == 0 else place - 1]
    return f"the {extreme} of its grid; give it a further value, {beyond:.4g}"


def _named(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for (choice, environment, sweep, n_agents), rows in table.groupby(
        ["choice", "environment", "sweep", "n_agents"], sort=False
    ):
        told = str(n_agents).replace(" ", ", ")
        yield f"{environment}, {sweep}, N = {told}{'' if choice == ARM else f' ({choice})'}", rows
