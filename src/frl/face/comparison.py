"""How long cells take to a return, and how many times as long one takes as another: the judge's estimand.

Every number comes from :mod:`frl.analysis.thresholds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from frl.analysis.curves import Curves
from frl.analysis.quantity import NEITHER, Quantity, Relation, shown
from frl.analysis.thresholds import Arm, censor, common_horizon, ratio, seed_times, unreached
from frl.face.facts import UNIT, RunsError, check_seeds, name_of, warn
from frl.scenario.claim_base import Per

_COUNTED: dict[Per, str] = {
    "samples": "samples per agent",
    "uploads": "uploads per agent",
    "uplink_bytes": "uploaded bytes per agent",
    "total_bytes": "bytes per agent",
}
_WHAT: dict[Relation, str] = {
    ">": "the ratio is a lower bound",
    "<": "the ratio is an upper bound",
    "both": "the ratio is no bound on either side",
}


@dataclass(frozen=True)
class Comparison:
    """How many times as long `a` takes as `b`: above 1, `b` is faster.

    Attributes:
        a, b: what is compared.
        by: "samples", "time" or another axis; its unit is that of `horizon`.
        clock: what time is: "simulated time", "wall time", or "time" where that is not known of every run.
        level: the return to reach.
        horizon: a seed that took longer, or never got there, counts as if it had got there now.
        ratio: geometric mean over a's seeds, divided by that over b's.
        low, high: its interval (Welch), at confidence `confidence`; nan after a warning if a seed stands alone or all
            seeds of both took equally long.
        relation: "=", ">" (a lower bound) where seeds of a alone did not get there, "<" (an upper bound) where those of
            b alone did not, "both" (neither bound) where seeds of both did not.
        seeds: number of seeds of a and of b.
        reached: how many of them got there within the horizon.
    """

    a: str
    b: str
    by: Per
    clock: str
    level: float
    horizon: float
    ratio: float
    low: float
    high: float
    confidence: float
    relation: Relation
    seeds: tuple[int, int]
    reached: tuple[int, int]

    def __str__(self) -> str:
        found = shown(Quantity(self.ratio, self.low, self.high, self.relation), "ratio")
        reached = " and ".join(f"{n} of {of} seeds" for n, of in zip(self.reached, self.seeds, strict=True))
        return (
            f"{self.a} takes {found} times the "
            f"{_COUNTED.get(self.by, self.clock)} of {self.b} to a return of {self.level:g} "
            f"({100 * self.confidence:g} % interval; {reached} got there within {self.horizon:,.0f} {UNIT[self.by]})"
        )


def compare(
    a: Curves, b: Curves, by: Per, level: float, horizon: float | None, confidence: float, clock: str
) -> Comparison:
    """The ratio of a's times to b's; see :meth:`frl.Runs.compare`."""
    names = [name_of(curves.cell) for curves in (a, b)]
    slower, faster = arms([a, b], level, horizon)
    reached = (int(slower.reached_S.sum()), int(faster.reached_S.sum()))
    within = f"within {slower.horizon:,.0f} {UNIT[by]}"
    found = ratio(slower, faster, confidence)
    if found.relation == "neither":
        raise RunsError(f"level = {level:g}: {NEITHER}: no seed of {names[0]} or {names[1]} {within}")
    if found.relation != "=":
        stuck = [f"{n} of {len(c.runs)} seeds of {name}" for name, n, c in zip(names, reached, (a, b), strict=True)]
        warn(f"{' and '.join(stuck)} get to {level:g} {within}: {_WHAT[found.relation]}")
    check_seeds({name: len(c.runs) for name, c in zip(names, (a, b), strict=True)})
    if not found.has_interval and min(len(a.runs), len(b.runs)) > 1:
        warn(f"all seeds of {names[0]} and of {names[1]} took equally long: there is no interval")
    return Comparison(
        names[0], names[1], by, clock, level, slower.horizon, found.value, found.low, found.high, confidence,
        found.relation, (len(a.runs), len(b.runs)), reached,
    )  # fmt: skip


def table(cells: Sequence[Curves], by: Per, level: float, horizon: float | None, confidence: float) -> pd.DataFrame:
    """One row a cell; see :meth:`frl.Runs.time_to`."""
    rows = []
    for curves, arm in zip(cells, arms(cells, level, horizon), strict=True):
        mean = arm.mean(confidence)
        cell = {"environment": curves.environment, "method": curves.method, "n_agents": curves.n_agents}
        found = {by: mean.value, "low": mean.low, "high": mean.high, "relation": mean.relation, "horizon": arm.horizon}
        rows.append({**cell, "seeds": len(curves.runs), "reached": int(arm.reached_S.sum()), **found})
        if not arm.reached_S.any():
            warn(f"no seed of {name_of(curves.cell)} gets to {level:g}: its {by} is the horizon, and no measurement")
    check_seeds({name_of(curves.cell): len(curves.runs) for curves in cells})
    return pd.DataFrame(rows)


def arms(cells: Sequence[Curves], level: float, horizon: float | None) -> list[Arm]:
    """Each cell's times, censored at one horizon; without one at the last x up to which it is known of every seed
    whether it got there.

    Raises:
        RunsError: if the horizon is not positive or lies beyond that x, or a seed is at the level at its first
            evaluation.
    """
    times = [seed_times(curves, level) for curves in cells]
    for curves, times_S in zip(cells, times, strict=True):
        if any(time <= run.x[0] for run, time in zip(curves.runs, times_S, strict=True)):
            name = name_of(curves.cell)
            raise RunsError(f"level = {level:g}: {name} is there at its first evaluation; choose a higher one")
    last = min(float(unreached(curves, level).min(initial=np.inf)) for curves in cells)
    horizon = common_horizon(cells, level) if horizon is None else horizon
    if not 0 < horizon <= last * (1 + 1e-9):
        raise RunsError(f"horizon = {horizon:g}: must be above 0 and at most {last:g}, where a run ends")
    return [censor(times_S, horizon) for times_S in times]
