"""How figures show a number that is only a bound: a hollow marker, and an arrow to where the truth lies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from frl.analysis.quantity import Relation
from frl.report.figures.style import Look

ENDS: dict[Relation, tuple[bool, bool]] = {
    ">": (False, True), "<": (True, False), "both": (True, True),
    "=": (False, False), "neither": (False, False), "?": (False, False),
}  # fmt: skip
"""Whether the truth may lie anywhere below, and anywhere above."""
_LENGTH = 13.0


def is_bound(relation: Relation) -> bool:
    """Whether a number with this relation is drawn hollow."""
    return any(ENDS[relation])


def mark(
    panel: Axes, x: float, y: float, relation: Relation, look: Look, size: float, arrow: Literal["x", "y"] | None = "y"
) -> None:
    """The marker of a measured number: filled where it is the number itself.

    Args:
        panel: where.
        x, y: its place.
        relation: what it is.
        look: its colour and marker.
        size: of the marker, points.
        arrow: along which axis the arrow of a bound points, a few points long whatever the scale; None for no arrow.
    """
    hollow = is_bound(relation)
    panel.plot(x, y, linestyle="", marker=look.marker or "o", color=look.colour, markersize=size, zorder=3,
               markerfacecolor="white" if hollow else look.colour, markeredgewidth=1.2 if hollow else 0.7)  # fmt: skip
    for sign, end in zip((-1, 1), ENDS[relation], strict=True):
        if end and arrow:
            point(panel, x, y, look.colour, arrow, sign)


def point(panel: Axes, x: float, y: float, colour: str, along: Literal["x", "y"], sign: int = 1) -> None:
    """An arrow from a place up or to the right, or down or to the left, a few points long whatever the scale."""
    tip = offset_copy(panel.transData, panel.figure, **{along: sign * _LENGTH}, units="points")  # type: ignore[arg-type]
    panel.annotate(
        "", (x, y), xycoords=tip, xytext=(x, y), textcoords="data", annotation_clip=False, zorder=2.5,
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.2, "shrinkA": 3, "shrinkB": 0,
                    "mutation_scale": 7},
    )  # fmt: skip


def estimate(panel: Axes, x: float, row: Mapping[str, Any], look: Look, size: float, along: Literal["x", "y"]) -> None:
    """A row of the theory lab's estimates: its interval, with an arrow where that has no end, and its marker.

    Args:
        panel: where.
        x: its place on the other axis.
        row: `value`, `low`, `high` and `relation` of the estimate.
        look: its colour and marker.
        size: of the marker, points.
        along: the axis of the estimate.
    """
    value, high = float(row["value"]), float(row["high"])
    ends = [float(row["low"]), high if math.isfinite(high) else value]
    across = [x, x]
    panel.plot(*((ends, across) if along == "x" else (across, ends)), color=look.colour, linewidth=1.1)
    place = (value, x) if along == "x" else (x, value)
    mark(panel, *place, row["relation"], look, size, along)
    if math.isinf(high) and not is_bound(row["relation"]):
        point(panel, *place, look.colour, along)
