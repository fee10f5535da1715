"""Runs that one can choose from, join, draw and compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import pandas as pd

from frl.analysis.curves import TOTAL_BYTES, UPLINK, Cell, Curves, rows_of
from frl.analysis.thresholds import FAMILY_LEVEL
from frl.face import comparison
from frl.face.comparison import Comparison
from frl.face.facts import (
    Facts,
    RunsError,
    check_axis,
    check_cells,
    check_comparable,
    check_twins,
    clock_of,
    going_on,
    listed,
    name_of,
)
from frl.scenario.claim_base import Per
from frl.verdicts.estimate import AXES, curves_per

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEYS = ("environment", "method", "n_agents")


@dataclass(frozen=True, repr=False)
class Runs:
    """Evaluated training runs. They form cells: the seeds of one method with one number of agents N in one environment.

    Made by :func:`frl.published`, :func:`frl.runs`, :func:`frl.from_csv` and :func:`frl.train`; never changed.

    Attributes:
        frame: one row for each evaluation, the columns of curves.csv: `environment`, `method`, `n_agents`, `seed`,
            `env_steps_per_agent` (environment steps), `sim_time_s` (simulated seconds), `eval_return_mean` and others.
        facts: what else is known of each run.

    Raises:
        RunsError: if a run occurs twice, or a cell's seeds were made with different settings.
    """

    frame: pd.DataFrame
    facts: tuple[Facts, ...]

    def __post_init__(self) -> None:
        check_cells(self.facts)

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.facts)

    def __repr__(self) -> str:
        lines = [f"  {name_of(cell)}: seeds {listed(self._seeds(cell))}" for cell in self.cells]
        return "\n".join([f"{len(self)} runs", *lines])

    @property
    def cells(self) -> tuple[Cell, ...]:
        """(environment, method, N) of each cell, in order."""
        return tuple(dict.fromkeys(one.cell for one in self.facts))

    def select(
        self,
        *,
        method: str | Iterable[str] | None = None,
        n_agents: int | Iterable[int] | None = None,
        environment: str | Iterable[str] | None = None,
        seeds: int | Iterable[int] | None = None,
    ) -> Runs:
        """The runs that have, for each key that is given, one of the given values.

        Raises:
            RunsError: if none of these runs has a value, or no run matches all keys.
        """
        wanted = {"environment": environment, "method": method, "n_agents": n_agents, "seeds": seeds}
        kept = list(self.facts)
        for key, given in wanted.items():
            if given is None:
                continue
            values = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
            there = list(dict.fromkeys(_VALUE[key](one) for one in self.facts))
            if unknown := [value for value in values if value not in there]:
                raise RunsError(f"{key} = {unknown[0]!r}: there are {', '.join(map(str, there))}")
            kept = [one for one in kept if _VALUE[key](one) in values]
        if not kept:
            raise RunsError(f"no run matches all of these: there are {', '.join(map(name_of, self.cells))}")
        return self._only(kept)

    def rename(self, names: Mapping[str, str]) -> Runs:
        """The same runs with other names of methods, as in `.rename({"afedpg": "mine"})`.

        Raises:
            RunsError: if there is no such method, or two runs become one.
        """
        methods = {cell[1] for cell in self.cells}
        if unknown := [name for name in names if name not in methods]:
            raise RunsError(f"method = {unknown[0]!r}: there are {', '.join(sorted(methods))}")
        facts = tuple(one.renamed(names.get(one.cell[1], one.cell[1])) for one in self.facts)
        return Runs(self.frame.assign(method=self.frame["method"].map(lambda name: names.get(name, name))), facts)

    def __add__(self, other: Runs) -> Runs:
        """Both together.

        Raises:
            RunsError: if a run is in both, or one name stands for different settings; :meth:`rename` tells them apart.
        """
        facts = self.facts + other.facts
        check_cells(facts)
        return Runs(pd.concat([self.frame, other.frame], ignore_index=True), facts)

    def plot(self, by: Per = "samples", *, ax: Axes | None = None) -> Axes:
        """Draw return against an axis: each seed thin, each cell's median thick.

        Args:
            by: "samples" (environment steps), "uploads", "uplink_bytes" or "total_bytes", each per agent, or "time"
                (simulated seconds).
            ax: matplotlib axes to draw into; new ones if not given.

        Returns:
            The axes.

        Raises:
            RunsError: if there are several environments, or no such axis.
        """
        cells = self._curves(by, refuse=False)
        from frl.face.plot import plot

        return plot(cells, by, clock_of(self.facts), ax)

    def time_to(self, level: float, *, horizon: float | None = None, confidence: float = FAMILY_LEVEL) -> pd.DataFrame:
        """Simulated seconds until each cell reaches a return at two evaluations in a row.

        Args:
            level: the return. Runs that were set to stop at a lower one do not count; a warning says how many.
            horizon: a seed that takes longer, or never gets there, counts as this time. Default: the longest time for
                which it is known of every run whether it got there.
            confidence: of the intervals, between 0 and 1.

        Returns:
            A row for each cell: `seeds`, `reached` (how many got there within the horizon), `time` (the geometric mean
            over seeds), `low` and `high` (its interval, from Student's t on the logarithm), `relation` (">" where it
            is a lower bound, as some seeds did not get there, else "="), `horizon`.

        Raises:
            RunsError: if there are several environments, all runs of a cell were set to stop at a lower return, or a
                seed is at the level when it is first evaluated.
        """
        return self._to("time", level, horizon, confidence)

    def samples_to(
        self, level: float, *, horizon: float | None = None, confidence: float = FAMILY_LEVEL
    ) -> pd.DataFrame:
        """Environment steps per agent until each cell gets to a return; else as :meth:`time_to`, column `samples`."""
        return self._to("samples", level, horizon, confidence)

    def compare(
        self,
        a: str | tuple[str, int] | Runs,
        b: str | tuple[str, int] | Runs,
        *,
        level: float,
        by: Per = "samples",
        horizon: float | None = None,
        confidence: float = FAMILY_LEVEL,
    ) -> Comparison:
        """How many times as long `a` takes to a return as `b`, with its interval: above 1, `b` is faster.

        Args:
            a, b: each a method's name, (name, N), or runs of one cell, which need not be among these.
            level: the return to reach, as in :meth:`time_to`.
            by: what to count, as in :meth:`plot`.
            horizon: as in :meth:`time_to`; with the one of a claim the ratio is that of its verdict.
            confidence: of the interval, between 0 and 1.

        Raises:
            RunsError: if `a` or `b` is not one cell, if both are the same, if no seed gets there, if all runs of one
                were set to stop at a lower return, or if they differ in the task, its version or, by time, the clock.

        Warns:
            ComparabilityWarning: names everything else that differs; also if seeds are too few, the ratio is a bound,
                or both have the same settings.
        """
        first, second = self._side(a, "a"), self._side(b, "b")
        if first.cells == second.cells:
            raise RunsError(f"a and b are both {name_of(first.cells[0])}: nothing to compare")
        level, horizon, confidence = _asked(level, horizon, confidence)
        check_axis(by)
        both = first + second
        both = both._only(going_on(both.facts, level))
        curves = both._curves(by, refuse=True)
        check_twins(*([one for one in both.facts if one.cell == cell] for cell in both.cells))
        return comparison.compare(curves[0], curves[1], by, level, horizon, confidence, clock_of(both.facts))

    def _to(self, by: Per, level: float, horizon: float | None, confidence: float) -> pd.DataFrame:
        level, horizon, confidence = _asked(level, horizon, confidence)
        some = self._only(going_on(self.facts, level))
        return comparison.table(some._curves(by, refuse=False), by, level, horizon, confidence)

    def _side(self, given: str | tuple[str, int] | Runs, what: str) -> Runs:
        """The one cell that is meant."""
        if isinstance(given, Runs):
            found = given
        elif isinstance(given, tuple):
            if len(given) != 2:
                raise RunsError(f"{what} = {given!r}: must be a method's name, (name, N), or runs of one cell")
            found = self.select(method=given[0], n_agents=given[1])
        else:
            found = self.select(method=given)
        if len(found.cells) > 1:
            raise RunsError(
                f"{what} must be one method and N, not {', '.join(map(name_of, found.cells))}; use .select(...)"
            )
        return found

    def _curves(self, by: Per, refuse: bool) -> list[Curves]:
        """Each cell's curves against this axis, once it is checked that they can be shown together."""
        check_axis(by)
        column = AXES[by]
        environments = list(dict.fromkeys(cell[0] for cell in self.cells))
        if len(environments) > 1:
            allowed = ", ".join(environments)
            raise RunsError(f"one environment at a time; .select(environment=...) with one of {allowed}")
        check_comparable(self.facts, by, refuse)
        needed = [UPLINK, "downlink_bytes"] if column == TOTAL_BYTES else [column]
        found = []
        for cell in self.cells:
            rows = rows_of(self.frame, cell)
            if any(key not in rows or rows[key].isna().any() for key in needed):
                raise RunsError(f"by = {by!r}: the runs of {name_of(cell)} have no column {' and '.join(needed)}")
            found.append(curves_per(rows, by))
        return found

    def _only(self, facts: list[Facts]) -> Runs:
        keys = pd.MultiIndex.from_tuples([(*one.cell, one.seed) for one in facts])
        mask = pd.MultiIndex.from_frame(self.frame[[*KEYS, "seed"]]).isin(keys)
        return Runs(self.frame[mask].reset_index(drop=True), tuple(facts))

    def _seeds(self, cell: Cell) -> list[int]:
        return [one.seed for one in self.facts if one.cell == cell]


_VALUE: dict[str, Callable[[Facts], object]] = {
    "environment": lambda one: one.cell[0],
    "method": lambda one: one.cell[1],
    "n_agents": lambda one: one.cell[2],
    "seeds": lambda one: one.seed,
}


def _number(name: str, given: Any, what: str, above: float = -math.inf, below: float = math.inf) -> float:
    """A number strictly between two; others are refused, and told what it is."""
    if isinstance(given, bool) or not isinstance(given, Real) or not above < float(given) < below:
        raise RunsError(f"{name} = {given!r}: must be {what}")
    return float(given)


def _asked(level: Any, horizon: Any, confidence: Any) -> tuple[float, float | None, float]:
    """Level, horizon and confidence as numbers that they can be."""
    return (
        _number("level", level, "a number, the return to reach"),
        None if horizon is None else _number("horizon", horizon, "a number above 0", above=0),
        _number("confidence", confidence, "a number between 0 and 1, as 0.95", above=0, below=1),
    )
