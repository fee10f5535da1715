"""How figures show a number that is only a bound: a hollow marker, and an arrow to where the truth lies."""

from __future__ import annotations

from typing import Literal

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
    panel.plot(x, y, look.marker or "o", color=look.colour, markersize=size, zorder=3,
               markerfacecolor="white" if hollow else look.colour, markeredgewidth=1.2 if hollow else 0.7,
               markeredgecolor=look.colour if hollow else "white")  # fmt: skip
    for sign, end in zip((-1, 1), ENDS[relation], strict=True):
        if end and arrow:
            there = {arrow: sign * _LENGTH}
            tip = offset_copy(panel.transData, panel.figure, **there, units="points")  # type: ignore[arg-type]
            panel.annotate(
                "", (x, y), xycoords=tip, xytext=(x, y), textcoords="data", annotation_clip=False, zorder=2.5,
                arrowprops={"arrowstyle": "-|>", "color": look.colour, "linewidth": 1.2, "shrinkA": 3, "shrinkB": 0,
                            "mutation_scale": 7},
            )  # fmt: skip
