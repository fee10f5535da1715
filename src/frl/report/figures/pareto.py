"""What is saved and what is kept: bytes of a whole run against the gain over the initial policy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from frl.analysis.curves import STEPS, UPLINK, Cell, all_curves, mean_height, whole_runs
from frl.analysis.names import display_name, shown
from frl.analysis.quantity import Array, Quantity
from frl.analysis.thresholds import FAMILY_LEVEL, contrast
from frl.analysis.uploads import UNEQUAL, baseline, groups, runs_of
from frl.report.figures import layout, style, ticks
from frl.report.figures.style import Drawing, Look
from frl.scenario.scenario import Scenario

COLUMNS = [
    "environment", "agents", "method", "n_agents",
    "saving", "saving_low", "saving_high", "kept", "kept_low", "kept_high",
]  # fmt: skip
_ROUND = (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 10, 20, 50, 100)


def communication(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Each method's saving of uplink bytes against the share of the baseline's gain that it keeps.

    Args:
        scenario: names the methods (`figures.communication`); the first is the baseline.
        frame: the collected evaluation points.
        width: of the figure, inches.
    """
    data = measured(scenario, frame)
    called = shown(scenario, "communication")
    looks = style.method_looks(called.values())
    tasks = list(dict.fromkeys(group.environment for group in groups(scenario, "communication")))
    columns = min(len(tasks), 2) if width > style.NARROW else 1
    figure, grid = layout.page(width, -(-len(tasks) // columns), columns, 2.6, _finding(data, called))
    panels = [panel for line in grid for panel in line]
    for panel in panels[len(tasks) :]:
        panel.remove()
    drawn = []
    for place, (panel, environment) in enumerate(zip(panels, tasks, strict=False)):
        own = data[data["environment"] == environment]
        layout.panel_title(panel, f"{environment}: right saves more, up keeps more", 0.9 * width / columns)
        if own.empty:
            layout.nothing_drawn(panel)
            continue
        drawn.append((panel, _panel(panel, own, called, looks)))
        panel.set_xlabel("uplink bytes of the baseline / own")
        if place % columns == 0:
            panel.set_ylabel("of the baseline's gain kept")
    for panel, named in drawn:
        layout.label_curves(figure, panel, named)
    return Drawing(figure, data)


def measured(scenario: Scenario, frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each method, N and kind of agents that has a baseline with runs; columns as in `COLUMNS`."""
    frame = whole_runs(frame)
    curves, rows = all_curves(frame, STEPS), []
    for group, cells in groups(scenario, "communication").items():
        for cell in cells:
            other = baseline(scenario, cell)
            if other is None or other == cell or cell not in curves or other not in curves:
                continue
            saving = _ratio(np.log(_sent(frame, other)), np.log(_sent(frame, cell)))
            end = min(curves[cell].x[-1], curves[other].x[-1])
            start = float(curves[other].returns_SG[:, 0].mean())
            kept = _share(mean_height(curves[cell], end) - start, mean_height(curves[other], end) - start)
            rows.append((cell[0], group.agents, cell[1], cell[2], *saving, *kept))
    return pd.DataFrame(rows, columns=COLUMNS)


def _sent(frame: pd.DataFrame, cell: Cell) -> Array:
    """Uplink bytes of each seed's whole run."""
    return np.array([float(rows[UPLINK].max()) for rows in runs_of(frame, cell).values()])


def _ratio(much_S: Array, little_S: Array) -> tuple[float, float, float]:
    """Ratio of geometric means of these logs, with its interval."""
    return _three(contrast([much_S, little_S], [1, -1]).quantity(FAMILY_LEVEL, exponential=True))


def _share(own_S: Array, other_S: Array) -> tuple[float, float, float]:
    """Ratio of means with its interval, from the relative errors of both; nan where either is not above 0."""
    if own_S.mean() <= 0 or other_S.mean() <= 0:
        return (float("nan"),) * 3
    value = float(own_S.mean() / other_S.mean())
    relative = contrast([own_S / own_S.mean(), other_S / other_S.mean()], [1, -1])
    spread = relative.quantity(FAMILY_LEVEL, exponential=True)
    return value, value * spread.low, value * spread.high


def _three(q: Quantity) -> tuple[float, float, float]:
    return q.value, q.low, q.high


def _panel(
    panel: Axes, own: pd.DataFrame, called: dict[str, str], looks: dict[str, Look]
) -> list[tuple[str, Array, Array, str]]:
    """Points with their intervals, joined from N to N; hollow where agents are unequal. Returns their names."""
    panel.axhline(1, color=style.GREY, linewidth=0.7, linestyle=":")
    panel.axvline(1, color=style.GREY, linewidth=0.7, linestyle=":")
    panel.plot(1, 1, "+", color=style.BLACK, markersize=8, markeredgewidth=1.4)
    named = [(display_name(next(iter(called.values()))), np.array([1.0]), np.array([1.0]), style.BLACK)]
    for (method, agents), some in own.groupby(["method", "agents"], sort=False):
        label, one = called[str(method)], some.sort_values("n_agents")
        look, unequal = looks[label], agents == UNEQUAL
        x, y = (one[key].to_numpy(dtype=float) for key in ("saving", "kept"))
        panel.plot(
            x, y, color=look.colour, marker=look.marker, markersize=5, linewidth=0.8, zorder=3,
            linestyle="--" if unequal else "-", markerfacecolor="white" if unequal else look.colour,
        )  # fmt: skip
        panel.hlines(y, one["saving_low"], one["saving_high"], color=look.colour, linewidth=0.6, alpha=0.35)
        panel.vlines(x, one["kept_low"], one["kept_high"], color=look.colour, linewidth=0.6, alpha=0.35)
        name = display_name(label)
        if name not in [known for known, *_ in named]:
            named.append((name, x, y, look.colour))
        for n, xi, yi in zip(one["n_agents"], x, y, strict=True):
            panel.annotate(
                str(n), (xi, yi), (3.5, -8), textcoords="offset points", fontsize=7, color=look.colour, zorder=5
            ).set_path_effects([withStroke(linewidth=1.5, foreground="white")])
    x = own[["saving", "saving_low", "saving_high"]].to_numpy(dtype=float)
    low, high = min(0.9, float(np.nanmin(x)) / 1.1), max(1.2, float(np.nanmax(x)) * 1.15)
    panel.set_xlim(low, high)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator([t for t in _ROUND if low <= t <= high]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(MaxNLocator(5))
    ticks.per_cent(panel.yaxis)
    return named


def _finding(data: pd.DataFrame, called: dict[str, str]) -> str:
    """Over all of the second method's points: what it saves and keeps."""
    labels = list(dict.fromkeys(called.values()))
    own = data[[called[method] == labels[min(1, len(labels) - 1)] for method in data["method"]]]
    if own.empty:
        return "No finished run"
    save, keep = ([float(own[key].min()), float(own[key].max())] for key in ("saving", "kept"))
    return (
        f"{display_name(labels[1])} uploads {layout.number(save[0], 2)} to {layout.number(save[1], 2)} times fewer "
        f"bytes and keeps {100 * keep[0]:.0f} to {100 * keep[1]:.0f} % of the gain (hollow: unequal agents; numbers: N)"
    )
