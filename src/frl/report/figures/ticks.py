"""What a tick reads is where it is: the labels of every numeric axis of every figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, Formatter, FuncFormatter, NullFormatter

from frl.analysis.quantity import Array

_SUFFIX = {0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_PLAIN = (1e-3, 1e5)  # between these the labels of an axis need no suffix
_ALONE = 1e-5  # and from here a label that stands alone, as on a logarithmic axis
_MINUS = "\N{MINUS SIGN}"
_TOLERANCE = 1e-3  # of the distance between two ticks
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Exact(Formatter):
    """Labels with as many decimals as it takes, in one unit for the whole axis: 2.5, 5.0; 250k, 500k; 2×10⁻⁵.

    On a logarithmic axis each label has a unit of its own: 500, 1k, 2k.

    Args:
        scale: what the values are multiplied by: 100 where they are shares and the labels are in per cent.
        unit: what every label ends with.
    """

    def __init__(self, scale: float = 1, unit: str = "") -> None:
        self.scale, self.unit = scale, unit
        self.places: list[float] = []

    def set_locs(self, locs: Sequence[float]) -> None:
        """The places of all ticks, which decide the unit and the decimals."""
        self.places = [float(place) for place in locs]

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of the tick at x."""
        alone = isinstance(self.axis, Axis) and self.axis.get_scale() == "log"
        others = [] if alone else self.places
        return labels([*others, x], self.scale)[-1] + self.unit


def labels(places: Sequence[float], scale: float = 1) -> list[str]:
    """The places, times `scale`, as text: in one unit, exact to a thousandth of the smallest distance."""
    values: Array = np.asarray(places, dtype=np.float64) * scale
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0:
        return ["0"] * len(values)
    steps = np.diff(np.unique(values))
    steps = steps[steps > 1e-12 * largest]  # not the last bit of one place
    plain = (_PLAIN[0] if len(steps) else _ALONE) <= largest < _PLAIN[1]
    exponent = 0 if plain else min(3 * math.floor(math.log10(largest) / 3 + 1e-9), 12)
    values = values / 10.0**exponent
    tolerance = _TOLERANCE * (float(steps.min()) if len(steps) else largest) / 10.0**exponent
    decimals = next((d for d in range(16) if np.all(np.abs(values - np.round(values, d)) <= tolerance)), 16)
    return [_text(float(value), decimals, exponent) for value in values]


def _text(value: float, decimals: int, exponent: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    if not text.strip("0,."):
        return "0"
    end = _SUFFIX[exponent] if exponent in _SUFFIX else f"×10{str(exponent).translate(_SUPERSCRIPTS)}"
    return (_MINUS if value < 0 else "") + text + end


def per_cent(axis: Axis) -> None:
    """The axis shows shares: its labels are in per cent."""
    axis.set_major_formatter(Exact(100, " %"))


def make_exact(figure: Figure) -> None:
    """Give every numeric axis of the figure exact labels; names of categories and hidden labels stay."""
    for axis in axes_of(figure):
        if not isinstance(axis.get_major_formatter(), (Exact, FixedFormatter, FuncFormatter, NullFormatter)):
            axis.set_major_formatter(Exact())
        axis.set_minor_formatter(NullFormatter())


def axes_of(figure: Figure) -> Iterator[Axis]:
    """Every axis of every panel, those at its other edge included."""
    for panel in figure.axes:
        for one in (panel, *panel.child_axes):
            yield from (one.xaxis, one.yaxis)
