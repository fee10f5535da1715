"""A number with its interval, what it is where seeds were censored, and how readers see all that."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


Relation = Literal["=", ">", "<", "both", "neither", "?"]
"""What a number is of which parts may be censored: itself; a lower or an upper bound; "both": neither, because arms on
both sides are censored; "neither": nothing, because no seed got there; "?": unknown."""
NEITHER = "neither got there"
BOTH = "(both censored)"


@dataclass(frozen=True)
class Quantity:
    """A number with its interval: value, low and high in one unit; nan where unknown."""

    value: float
    low: float = float("nan")
    high: float = float("nan")
    relation: Relation = "="

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
    """The value as a reader sees it: the interval in brackets, a dash if unknown; of a bound "> 2.06 [0.45, 9.45]".

    Where the arms of both sides are censored, `BOTH` follows; where no seed got there, `NEITHER` is all.

    Args:
        value: of a table's cell.
        form: a key of `_FORMATS`.
    """
    if value is None:
        return NOTHING
    if not isinstance(value, Quantity):
        return value if isinstance(value, str) else _number(value, form)
    if value.relation == "neither":
        return NEITHER
    if math.isnan(value.value):
        return NOTHING
    text = f"{value.relation} " * (value.relation in ("<", ">")) + _number(value.value, form)
    text += f" [{_number(value.low, form)}, {_number(value.high, form)}]" * value.has_interval
    return f"{text} {BOTH}" if value.relation == "both" else text


def _number(value: float, form: str) -> str:
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _FORMATS[form](value)
