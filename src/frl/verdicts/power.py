"""What the judge would say, simulated before the runs: the chance of each verdict on each primary claim.

An arm's seeds are drawn from a population: a share of them never gets to the threshold, the others' log times are
normal. Shares, means and standard deviations are those of tuning runs, which are few, so the chances are rough. A claim
is simulated with the rest of its family, whose truth is the tuning runs', since Holm's correction looks at all. Arms
are simulated as independent; where a claim pairs seeds that go together, its chances of a decision are better.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize, stats

from frl.analysis.curves import Cell
from frl.analysis.quantity import Array
from frl.analysis.thresholds import contrast, seed_times
from frl.errors import SpecError
from frl.scenario.claim_base import Per
from frl.scenario.scenario import Scenario
from frl.verdicts.estimate import AXES, Data, curves_per
from frl.verdicts.judge import parts_of
from frl.verdicts.rules import ALPHA, CONTRADICTED, ENOUGH, INCONCLUSIVE, REPLICATED, directions, holm

EXPERIMENTS = 4000
HORIZON_OVER_MEDIAN = 4
"""The rule for horizons: this times the largest median in tuning."""
TRUTHS = ("as tuned", "no effect", "margin")
COLUMNS = ("environment", "method", "n_agents", "seed", "per", "time", "end")
"""Of a file of tuning runs' times; `time` is empty where a seed never got to the threshold, `end` that of its run."""
OF_SWEEPS = ("sweep", "setting", "value")
"""More of its columns, empty for a method without a sweep: the sweep's name, what it sweeps, the method's value."""


@dataclass(frozen=True)
class Population:
    """Of which an arm's seeds are drawn: log times are normal, but for the share of seeds that never get there."""

    mean: float
    sd: float
    stuck: float = 0.0

    @classmethod
    def of(cls, times_S: Array) -> Population:
        """The population of these times, nan where a seed never got there.

        Raises:
            ValueError: if fewer than two seeds got there.
        """
        log_S = np.log(times_S[np.isfinite(times_S)])
        if len(log_S) < 2:
            raise ValueError("fewer than two seeds got to the threshold")
        return cls(float(log_S.mean()), float(log_S.std(ddof=1)), 1 - len(log_S) / len(times_S))

    def restricted(self, log_horizon: float) -> float:
        """Mean of the log time, censored at the horizon."""
        z = (log_horizon - self.mean) / self.sd
        inside = self.mean * stats.norm.cdf(z) - self.sd * stats.norm.pdf(z) + log_horizon * stats.norm.sf(z)
        return float((1 - self.stuck) * inside + self.stuck * log_horizon)

    def moved(self, target: float, log_horizon: float) -> Population:
        """The population with another mean of the log times, such that the restricted mean is `target`.

        Raises:
            ValueError: if none has it: the stuck seeds alone hold it above, or it lies beyond the horizon.
        """

        def miss(mean: float) -> float:
            return replace(self, mean=mean).restricted(log_horizon) - target

        lowest, highest = log_horizon - 1000, log_horizon + 6 * self.sd
        if not miss(lowest) < 0 < miss(highest):
            raise ValueError("no such arm has that restricted mean")
        return replace(self, mean=float(optimize.brentq(miss, lowest, highest)))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], log_horizon: float) -> Array:
        """Censored log times."""
        log = np.minimum(rng.normal(self.mean, self.sd, shape), log_horizon)
        return np.where(rng.random(shape) < self.stuck, log_horizon, log)


@dataclass(frozen=True)
class Hypothesis:
    """A claim of a direction with the populations of its arms, slower and faster, and their numbers of seeds."""

    name: str
    slower: Population
    faster: Population
    seeds: tuple[int, int]
    log_horizon: float
    log_margin: float

    @property
    def log_ratio(self) -> float:
        """The true logarithm of the ratio of restricted geometric means."""
        return self.slower.restricted(self.log_horizon) - self.faster.restricted(self.log_horizon)

    def with_ratio(self, log_ratio: float) -> Hypothesis:
        """The same but for the faster arm's mean, such that this is the true log ratio.

        Raises:
            ValueError: if no mean gives that.
        """
        target = self.slower.restricted(self.log_horizon) - log_ratio
        return replace(self, faster=self.faster.moved(target, self.log_horizon))

    def simulate(self, rng: np.random.Generator, experiments: int) -> tuple[Array, Array, Array]:
        """p of "no effect", p of "one that matters", and the smaller share that got there, of each experiment."""
        logs = [
            arm.draw(rng, (experiments, n), self.log_horizon)
            for arm, n in zip((self.slower, self.faster), self.seeds, strict=True)
        ]
        test = contrast(logs, [1.0, -1.0])
        shares = np.minimum(*((log < self.log_horizon).mean(axis=-1) for log in logs))
        return test.p_above(0.0), test.p_below(self.log_margin), np.asarray(shares)


def verdicts_of(family: Sequence[Hypothesis], rng: np.random.Generator, experiments: int = EXPERIMENTS) -> Array:
    """Verdicts on a family of primary claims in simulated experiments, (experiments, claims), as words."""
    above, below, share = (
        np.stack(each, -1) for each in zip(*(h.simulate(rng, experiments) for h in family), strict=True)
    )
    return np.asarray(directions(holm(above) <= ALPHA, holm(below) <= ALPHA, share >= ENOUGH))


def chances(family: Sequence[Hypothesis], experiments: int = EXPERIMENTS, seed: int = 0) -> pd.DataFrame:
    """Chance of each verdict on each claim of a family, by what is true of it; of the others is true what was tuned.

    Columns: claim, truth (of :data:`TRUTHS`), ratio, and the chance of each verdict; nan where the ratio is out of
    reach, since the faster arm's few seeds that get there would have to within a thousandth of the horizon.
    """
    rows = []
    for place, one in enumerate(family):
        for truth, log_ratio in zip(TRUTHS, (one.log_ratio, 0.0, one.log_margin), strict=True):
            row: dict[str, object] = {"claim": one.name, "truth": truth, "ratio": float(np.exp(log_ratio))}
            try:
                case = one.with_ratio(log_ratio)
            except ValueError:
                case = None
            words = np.array([])
            if case is not None and case.faster.mean > case.log_horizon - np.log(1000):
                whole = [*family[:place], case, *family[place + 1 :]]
                words = verdicts_of(whole, np.random.default_rng(seed), experiments)[:, place]
            for verdict in (REPLICATED, CONTRADICTED, INCONCLUSIVE):
                row[verdict] = float((words == verdict).mean()) if len(words) else float("nan")
            rows.append(row)
    return pd.DataFrame(rows)


def named_times(scenario: Scenario) -> pd.DataFrame:
    """The tuning times that the scenario names.

    Raises:
        SpecError: if it names none, or they lack a column.
    """
    if not scenario.tuning_times:
        raise SpecError(
            f"scenario {scenario.name!r} names no tuning times: give it a key, as in tuning_times: times.csv"
        )
    times = pd.read_csv(io.StringIO(scenario.tuning_times))
    if missing := [column for column in COLUMNS if column not in times]:
        raise SpecError(f"tuning times: no column {missing[0]!r}; needed are {', '.join(COLUMNS)}")
    return times


def power(scenario: Scenario, times: pd.DataFrame, experiments: int = EXPERIMENTS) -> pd.DataFrame:
    """Chances of the verdicts on all primary claims of a scenario, with its numbers of seeds (:func:`chances`).

    Args:
        scenario: whose claims and seeds.
        times: of tuning runs, with `COLUMNS`; methods have the names of the scenario.
        experiments: to simulate.

    Raises:
        SpecError: if the scenario has no primary claim, or the times lack one of its arms.
    """
    families: dict[tuple[str, str], list[Hypothesis]] = {}
    expected = Data(scenario, times).expected
    for claim, _, cells in parts_of(scenario):
        if claim.role == "primary" and cells:
            arms = [_population(times, cell, claim.per, claim.id) for cell in cells]
            seeds = (expected[cells[0]], expected[cells[1]])
            one = Hypothesis(
                claim.id, arms[0], arms[1], seeds, float(np.log(claim.horizon)), float(np.log(claim.margin))
            )
            families.setdefault((claim.environment, claim.family), []).append(one)
    if not families:
        raise SpecError(f"scenario {scenario.name!r} has no primary claim whose runs it has")
    return pd.concat([chances(family, experiments) for family in families.values()], ignore_index=True)


def _population(times: pd.DataFrame, cell: Cell, per: Per, claim: str) -> Population:
    found = _rows(times, cell, per)["time"].to_numpy(dtype=np.float64)
    name = f"{cell[0]}/{cell[1]}/n{cell[2]}"
    if not len(found):
        raise SpecError(f"tuning times: none of {name} per {per}, which claim {claim} needs")
    try:
        return Population.of(found)
    except ValueError as error:
        raise SpecError(f"tuning times: {name} per {per}: {error}") from None


def tuning_times(scenario: Scenario, frame: pd.DataFrame) -> pd.DataFrame:
    """What every collected seed took to the scenario's threshold, with `COLUMNS` and `OF_SWEEPS`."""
    data, rows = Data(scenario, frame), []
    for cell in data.seeds:
        method = scenario.method(*cell)
        sweep = (method.family, *method.swept) if method.swept else (None, None, None)
        for per in AXES:
            curves = curves_per(data.rows(cell), per)
            times_S = seed_times(curves, scenario.threshold(cell[0]))
            rows += [
                (*cell, run.seed, per, time, run.x[-1], *sweep) for run, time in zip(curves.runs, times_S, strict=True)
            ]
    return pd.DataFrame(rows, columns=[*COLUMNS, *OF_SWEEPS])


def horizons(scenario: Scenario, times: pd.DataFrame) -> pd.DataFrame:
    """The horizons of the primary claims beside what the rule gives, for each task and what is counted.

    The rule: 4 times the largest median of the primaries' arms in tuning, where a seed that never got there counts as
    the end of its run. A claim's horizon may be smaller, if the budget is.

    Columns: environment, per, claimed (the largest of the claims'), by_rule.
    """
    arms: dict[tuple[str, Per], list[float]] = {}
    claimed: dict[tuple[str, Per], float] = {}
    for claim, _, cells in parts_of(scenario):
        if claim.role == "primary" and cells:
            key = claim.environment, claim.per
            claimed[key] = max(claim.horizon, claimed.get(key, 0.0))
            rows = [_rows(times, cell, claim.per) for cell in cells]
            arms.setdefault(key, []).extend(float(one["time"].fillna(one["end"]).median()) for one in rows)
    data = [(*key, claimed[key], HORIZON_OVER_MEDIAN * max(medians)) for key, medians in arms.items()]
    return pd.DataFrame(data, columns=["environment", "per", "claimed", "by_rule"])


def _rows(times: pd.DataFrame, cell: Cell, per: Per) -> pd.DataFrame:
    keys = ("environment", "method", "n_agents")
    match = np.logical_and.reduce([times[key] == value for key, value in zip(keys, cell, strict=True)])
    return times[match & (times["per"] == per)]
