"""An effect with its interval and what it is held against, and the collected data that it is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from frl.analysis import names
from frl.analysis.crossings import common_seeds, mean_height
from frl.analysis.curves import STEPS, TIME, Cell, Curves, all_curves, rows_of
from frl.analysis.intervals import p_above
from frl.analysis.names import curve_name, display_name
from frl.analysis.quantity import Array, Quantity
from frl.scenario.scenario import FigureName, Scenario
from frl.spec import RunSpec


@dataclass(frozen=True)
class Estimate:
    """An effect and what it is held against.

    Attributes:
        label: which comparison.
        effect: the effect in `unit`, with its 95 % interval.
        unit: "return", "ratio", "exponent", "return per doubling" or "of the gain".
        margin: smallest effect that matters, on the scale on which it is judged (the logarithm for ratios).
        number: the claimed number, if there is one; without, the claim is that the effect exceeds `none`.
        none: the effect if the method had none; None where that means nothing.
        at_least: what the effect has to exceed, if it is not `none`: less in a claim of non-inferiority, more in one
            of a saving by a factor.
        p: twice the one-sided p-value of the claim's null hypothesis, if not the one read from the interval.
        beside: what to know besides, in words.
        at: where the effect belongs in a figure: alpha, or t_max / t_min.
        theory: the closed form's value, for a figure.
        each: the effect in every seed, for a figure.
        flaw: why the comparison says nothing, in words; empty if it does.
    """

    label: str
    effect: Quantity
    unit: str
    margin: float
    number: float | None = None
    none: float | None = None
    at_least: float | None = None
    p: float | None = None
    beside: str = ""
    at: float = float("nan")
    theory: float = float("nan")
    each: tuple[float, ...] = ()
    flaw: str = ""

    @property
    def log(self) -> bool:
        """Whether it is judged on the logarithmic scale."""
        return self.unit == "ratio"

    def scaled(self, value: float | None) -> float:
        """A value on the scale on which the effect is judged; nan for none."""
        if value is None:
            return float("nan")
        with np.errstate(divide="ignore"):
            return float(np.log(value)) if self.log else value

    @property
    def bound(self) -> float | None:
        """What the effect has to exceed."""
        return self.none if self.at_least is None else self.at_least

    @property
    def judged(self) -> Quantity:
        """The effect on that scale."""
        e = self.effect
        return Quantity(self.scaled(e.value), self.scaled(e.low), self.scaled(e.high), e.relation)

    def p_value(self, n: int) -> float:
        """p of "the effect is not above its bound", or, with a number, of "it is at least a margin away from it"."""
        if self.p is not None:
            return self.p
        effect, mirrored = self.judged, _mirrored(self.judged)
        if self.number is None:
            return p_above(effect, self.scaled(self.bound), n)
        number = self.scaled(self.number)  # two one-sided tests (Schuirmann 1987)
        return max(p_above(effect, number - self.margin, n), p_above(mirrored, -number - self.margin, n))


def _mirrored(q: Quantity) -> Quantity:
    return Quantity(-q.value, -q.high, -q.low, q.relation)


@dataclass(frozen=True)
class Data:
    """The collected evaluation points of a scenario, aligned on either axis."""

    scenario: Scenario
    frame: pd.DataFrame

    @cached_property
    def steps(self) -> dict[Cell, Curves]:
        """Against environment steps per agent."""
        return all_curves(self.frame, STEPS)

    @cached_property
    def time(self) -> dict[Cell, Curves]:
        """Against simulated time."""
        return all_curves(self.frame, TIME)

    def spec(self, cell: Cell) -> RunSpec:
        """The settings of a cell, with the first seed."""
        return self.scenario.resolve(*cell, self.scenario.seeds[0])

    def name(self, method: str, figure: FigureName, n_agents: int | None = None) -> str:
        """What the figure calls the method, with its N if given."""
        key = names.shown(self.scenario, figure).get(method, method)
        return display_name(key) if n_agents is None else curve_name(key, n_agents)

    def rows(self, cell: Cell) -> pd.DataFrame:
        """The rows of a cell."""
        return rows_of(self.frame, cell)


def heights(end: float, *curves: Curves) -> Array:
    """Mean height up to `end` of the seeds that all have: (len(curves), S), in return."""
    seeds = common_seeds(*curves)
    return np.stack([mean_height(c, end)[[c.seeds.index(seed) for seed in seeds]] for c in curves])


def other_differences(a: RunSpec, b: RunSpec, but: tuple[str, ...] = ()) -> str:
    """Settings in which two runs differ, but for the algorithm, whose alpha builds the lookahead, and `but`."""
    first, second = (spec.model_dump(mode="json", exclude={"algorithm", "seed", *but}) for spec in (a, b))
    for settings in (first, second):
        settings.get("server", {}).pop("lookahead_alpha", None)
    keys = [key for key in first if first[key] != second[key]]
    return f"{a.method} and {b.method} differ in {', '.join(keys)} as well" if keys else ""
