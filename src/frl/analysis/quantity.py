"""A number with its interval, and how readers see it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """A number with its interval: value, low and high in one unit; nan where unknown."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def has_interval(self) -> bool:
        """Whether an interval could be computed."""
        return not (np.isnan(self.low) or np.isnan(self.high))


Value = str | int | float | Quantity | None
NOTHING = "–"

_FORMATS: dict[str, Callable[[float], str]] = {
    "text": str,
    "name": str,
    "count": lambda v: f"{v:,.0f}",
    "return": lambda v: f"{v:.1f}",
    "ratio": lambda v: f"{v:.2f}",
    "number": lambda v: f"{v:.2f}" if abs(v) < 10 else f"{v:,.1f}",
    "p": lambda v: f"{v:.3f}" if v >= 0.001 else "< 0.001",
    "verdict": str,
    "seconds": lambda v: f"{v:,.0f}" if abs(v) >= 100 else f"{v:.1f}",
    "share": lambda v: f"{100 * v:.0f} %",
    "bytes": lambda v: _bytes(v),
}


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def shown(value: Value, form: str = "number") -> str:
    """The value as a reader sees it: the interval in brackets, a dash if unknown.

    Args:
        value: of a table's cell.
        form: a key of `_FORMATS`.
    """
    if value is None:
        return NOTHING
    if not isinstance(value, Quantity):
        return value if isinstance(value, str) else _number(value, form)
    if math.isnan(value.value):
        return NOTHING
    text = _number(value.value, form)
    return f"{text} [{_number(value.low, form)}, {_number(value.high, form)}]" if value.has_interval else text


def _number(value: float, form: str) -> str:
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _FORMATS[form](value)
