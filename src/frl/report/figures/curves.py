"""Curves of runs, and what explains them, in any panel of a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from frl.analysis.curves import Curves
from frl.analysis.intervals import LEVEL, MIN_SEEDS, mean_interval
from frl.analysis.quantity import Array
from frl.report.figures import style

GREY = "#777777"
LEGEND_HEIGHT = 1.5  # inches that a panel can spare


@dataclass(frozen=True)
class Look:
    """How one curve is drawn."""

    colour: str | tuple[float, float, float]
    marker: style.Marker | None = None


def add_legend(
    figure: Figure,
    handles: dict[str, Artist],
    columns: int,
    place: Literal["outside lower center", "outside upper center"] = "outside lower center",
) -> None:
    """In as many columns as fit; what it needs beyond a few rows is added to the figure's height."""
    for count in range(columns, 0, -1):
        legend = figure.legend(handles.values(), handles.keys(), loc=place, ncols=count)
        size = legend.get_window_extent()
        if size.width <= figure.bbox.width or count == 1:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + max(0.0, size.height / figure.dpi - LEGEND_HEIGHT))


def draw_curve(panel: Axes, curves: Curves, look: Look) -> Line2D:
    """Thin lines for the seeds, a band for the interval, a thick line for the mean; returns the latter."""
    for run in curves.runs:
        panel.plot(run.x, run.returns, color=look.colour, linewidth=0.6, alpha=0.35, zorder=1.5)
        if np.isfinite(run.diverged_at):
            panel.plot(run.diverged_at, run.returns[-1], "x", color=look.colour, zorder=4)
    mean, low, high = mean_interval(curves.returns_SG)
    if np.isfinite(low).all():
        panel.fill_between(curves.x, low, high, color=look.colour, alpha=0.15, linewidth=0, zorder=1)
    (line,) = panel.plot(
        curves.x, mean, color=look.colour, marker=look.marker, markevery=(12, 36), markeredgecolor="white",
        markeredgewidth=0.6, zorder=3, gid=f"mean {curves.method} {curves.n_agents}",
    )  # fmt: skip
    return line


def fit(panel: Axes) -> None:
    """Limits that follow the lines: a band of few seeds may leave the panel."""
    panel.set_xlim(0, 1.015 * reach(panel))  # room for half a marker
    values = np.concatenate([numbers(line.get_ydata()) for line in panel.get_lines()])
    margin = 0.05 * max(float(np.ptp(values)), 1e-9)
    panel.set_ylim(float(values.min()) - margin, float(values.max()) + margin)


def same_limits(panels: list[Axes]) -> None:
    """Give all panels the widest of their limits."""
    for kind in ("xlim", "ylim"):
        limits = [getattr(panel, f"get_{kind}")() for panel in panels]
        for panel in panels:
            getattr(panel, f"set_{kind}")(min(low for low, _ in limits), max(high for _, high in limits))


def nothing_drawn(panel: Axes) -> None:
    """Say so in a panel whose runs are not there."""
    panel.set(xticks=[], yticks=[])
    panel.text(0.5, 0.5, "no finished run to draw", transform=panel.transAxes, ha="center", color=GREY)


def seeds_of(drawn: list[Curves]) -> str:
    """How many seeds the curves have, in words."""
    counts = sorted({len(curves.runs) for curves in drawn})
    return f"{'–'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} seed{'s' * (counts != [1])}"


def draw_poster(panel: Axes, poster: Curves | None, look: Look) -> bool:
    """The poster's own mean curve, as far as ours goes; False where it has none."""
    if poster is None:
        return False
    seen = poster.x <= reach(panel)
    if seen.sum() < 2:  # ours ends before the poster's first points
        return False
    x, y = poster.x[seen], poster.returns_SG[0, seen]
    panel.plot(x, y, color=look.colour, linewidth=1.1, linestyle=(0, (4, 2)), alpha=0.9, zorder=2)
    return True


def reach(panel: Axes) -> float:
    """Largest x of our own curves in the panel."""
    return max(float(np.max(numbers(line.get_xdata()))) for line in panel.get_lines())


def numbers(data: object) -> Array:
    return np.asarray(data, dtype=np.float64)


_BAND = f"{LEVEL:.0%} CI of the mean".replace("%", " %")
_SEEDS = "single seeds"
_POSTER = "the poster's mean (digitised)"
_DIVERGED = "diverged (last value held)"
EXPLAINED = (_BAND, _SEEDS, _POSTER, _DIVERGED)


def explanations(drawn: list[Curves], reference: bool) -> dict[str, Artist]:
    """Legend entries for what is in this panel besides mean curves."""
    entries: dict[str, Artist] = {}
    if any(len(curves.runs) >= MIN_SEEDS for curves in drawn):
        entries[_BAND] = Patch(color=GREY, alpha=0.25, linewidth=0)
    if drawn:
        entries[_SEEDS] = Line2D([], [], color=GREY, linewidth=0.6)
    if reference:
        entries[_POSTER] = Line2D([], [], color=GREY, linewidth=1.1, linestyle=(0, (4, 2)))
    if any(curves.diverged.any() for curves in drawn):
        entries[_DIVERGED] = Line2D([], [], color=GREY, marker="x", linestyle="none")
    return entries
