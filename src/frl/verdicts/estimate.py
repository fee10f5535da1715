"""An effect with its uncertainty and what it is held against, and the collected data that it is computed from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from frl.analysis import names
from frl.analysis.curves import (
    STEPS,
    TIME,
    TOTAL_BYTES,
    UPLINK,
    UPLOADS,
    Cell,
    Curves,
    align,
    rows_of,
    with_total_bytes,
)
from frl.analysis.names import curve_name, display_name
from frl.analysis.quantity import Array, Quantity
from frl.analysis.thresholds import Arm, Contrast, arm_of, capped_area, contrast, seed_times, unreached
from frl.scenario.claim_base import Per
from frl.scenario.scenario import FigureName, Scenario
from frl.spec import RunSpec
from frl.verdicts.record import Notes, Reason

AXES: dict[Per, str] = {
    "samples": STEPS,
    "time": TIME,
    "uploads": UPLOADS,
    "uplink_bytes": UPLINK,
    "total_bytes": TOTAL_BYTES,
}


@dataclass(frozen=True)
class ArmEstimate:
    """One arm: the times of its seeds to the threshold, and what to know of its runs.

    Attributes:
        cell: environment, method and N.
        label: what readers call it.
        seeds: in the order of `arm`.
        arm: its censored times.
        capped_S: mean of min(return, threshold) up to the horizon, of each whole run, in return.
        diverged: runs that diverged; they hold their last return.
        early: runs that ended before the horizon without getting to the threshold.
        at_start: runs that are at the threshold before any training.
    """

    cell: Cell
    label: str
    seeds: tuple[int, ...]
    arm: Arm
    capped_S: Array
    diverged: int
    early: int
    at_start: int

    @property
    def capped(self) -> Quantity | None:
        """The mean of the capped area, with Student's t interval; None without a whole run."""
        return contrast([self.capped_S], [1.0]).quantity() if len(self.capped_S) else None


@dataclass(frozen=True)
class Estimate:
    """An effect and what it is held against.

    Attributes:
        label: which comparison.
        unit: of the effect; a ratio is judged by its logarithm.
        contrast: the effect on the scale on which it is judged, where no effect is 0.
        margin: smallest effect that matters, or distance from a claimed number that counts as it, on that scale.
        arms: what is compared, in the order of the claim's test.
        number: the claimed number in `unit`; None where only a direction is claimed.
        notes: what to know besides.
        flaw: why the comparison says nothing; None if it does.
    """

    label: str
    unit: Literal["ratio", "exponent"]
    contrast: Contrast
    margin: float
    arms: tuple[ArmEstimate, ...]
    number: float | None = None
    notes: Notes = field(default_factory=Notes)
    flaw: Reason | None = None

    def scaled(self, value: float) -> float:
        """A value in `unit` on the scale on which the effect is judged."""
        return float(np.log(value)) if self.unit == "ratio" else value

    @property
    def effect(self) -> Quantity:
        """The effect in `unit`, with its interval."""
        return self.contrast.quantity(exponential=self.unit == "ratio")


@dataclass(frozen=True)
class Data:
    """The collected evaluation points of a scenario."""

    scenario: Scenario
    frame: pd.DataFrame

    @cached_property
    def expected(self) -> Counter[Cell]:
        """Seeds that the scenario has of each cell."""
        return Counter((spec.environment, spec.method, spec.n_agents) for spec in self.scenario.runs())

    @cached_property
    def seeds(self) -> Counter[Cell]:
        """Seeds that were collected of each cell."""
        runs = self.frame[["environment", "method", "n_agents", "seed"]].drop_duplicates()
        return Counter((str(e), str(m), int(n)) for e, m, n, _ in runs.itertuples(index=False))

    def spec(self, cell: Cell) -> RunSpec:
        """The settings of a cell, with its first seed."""
        return self.scenario.arm(*cell)

    def name(self, cell: Cell, per: Per, with_n: bool = True) -> str:
        """What readers call the cell's method, with its N: as in the figure of what is counted, else in any other."""
        first: FigureName = names.FIGURE_OF.get(AXES[per], "communication")
        shown = [names.shown(self.scenario, figure) for figure in (first, *self.scenario.figures)]
        key = next((labels[cell[1]] for labels in shown if cell[1] in labels), cell[1])
        return curve_name(key, cell[2]) if with_n else display_name(key)

    def rows(self, cell: Cell) -> pd.DataFrame:
        """The rows of a cell."""
        return rows_of(self.frame, cell)

    def arm(
        self, cell: Cell, per: Per, threshold: float, horizon: float, rows: pd.DataFrame | None = None
    ) -> ArmEstimate:
        """One arm's times to the threshold; `rows` are those of the cell if they are not as collected."""
        curves = curves_per(self.rows(cell) if rows is None else rows, per)
        early = int((unreached(curves, threshold) < horizon * (1 - 1e-9)).sum())
        at_start = int((seed_times(curves, threshold) <= 0).sum())
        return ArmEstimate(
            cell, self.name(cell, per), tuple(run.seed for run in curves.runs),
            arm_of(curves, threshold, horizon), capped_area(curves, threshold, horizon),
            int(curves.diverged.sum()), early, at_start,
        )  # fmt: skip


def curves_per(rows: pd.DataFrame, per: Per) -> Curves:
    """A cell's runs against what is counted; messages and bytes per agent, as samples are."""
    axis = AXES[per]
    rows = with_total_bytes(rows) if per == "total_bytes" else rows
    if per not in ("samples", "time"):
        rows = rows.assign(**{axis: rows[axis] / rows["n_agents"]})
    return align(rows, axis)


def flaw_of(arms: tuple[ArmEstimate, ...]) -> Reason | None:
    """What keeps the arms from being compared."""
    if at_start := sum(one.at_start for one in arms):
        return Reason(code="at_start", details={"runs": at_start})
    if early := sum(one.early for one in arms):
        return Reason(code="ended_early", details={"runs": early})
    return None


def other_differences(a: RunSpec, b: RunSpec) -> list[str]:
    """Settings in which two runs differ, but for the algorithm and its alpha that builds the lookahead."""
    first, second = (spec.model_dump(mode="json", exclude={"algorithm", "seed"}) for spec in (a, b))
    for settings in (first, second):
        settings.get("server", {}).pop("lookahead_alpha", None)
    return [key for key in first if first[key] != second[key]]
