"""What every panel begins with: a cell's mean gap over every resample of its seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from frl.theory.cells.driver import Curves
from frl.theory.cells.problems import Array
from frl.theory.cells.spec import Cell, identity
from frl.theory.estimates import crossing, mean_gap, quantity

Runs = dict[Cell, Curves]
Row = dict[str, Any]


class Measured:
    """A cell's mean gap over every resample of its seeds."""

    def __init__(self, cell: Cell, curves: Curves):
        self.cell, self.curves = cell, curves
        self.mean_RP = mean_gap(curves)
        self.seeds = len(curves.gap_SP)

    def updates_to(self, epsilon: float) -> Array:
        """K_epsilon, gradients of all agents, (R,)."""
        return crossing(self.curves.uploads_P, self.mean_RP, epsilon)

    def seconds_to(self, epsilon: float) -> Array:
        """T_epsilon, simulated seconds, (R,); the fleets here take the same time with every seed."""
        return crossing(self.curves.time_SP[0], self.mean_RP, epsilon)

    def samples_to(self, epsilon: float) -> Array:
        """Gradients that agents computed until then, (R,): K_epsilon where an answer takes one."""
        return self.updates_to(epsilon) * self.cell.samples

    def bytes_to(self, epsilon: float) -> Array:
        """Bytes up and down, (R,), where the cell counts them; the mean over the seeds, which lazy methods alone need.

        Raises:
            ValueError: if it does not count them.
        """
        if self.curves.bytes_SP is None:
            raise ValueError(f"{self.cell.run_id} counts no bytes")
        return crossing(self.curves.bytes_SP.mean(axis=0), self.mean_RP, epsilon)

    def row(self, name: str, values_R: Array, censored_at: float = np.inf, **columns: Any) -> Row:
        """A row of estimates."""
        q = quantity(values_R, self.seeds, censored_at)
        numbers = {"value": q.value, "low": q.low, "high": q.high, "relation": q.relation, "seeds": self.seeds}
        return identity(self.cell) | {"quantity": name} | numbers | columns


def groups(measured: list[Measured], *but: str) -> Iterator[list[Measured]]:
    """Cells that differ in nothing but these columns."""
    found: dict[tuple[object, ...], list[Measured]] = {}
    for one in measured:
        found.setdefault(tuple(v for k, v in identity(one.cell).items() if k not in but), []).append(one)
    yield from found.values()
