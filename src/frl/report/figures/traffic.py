"""What a return costs: bytes, of both directions or of uploads alone, against samples, both to the threshold."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from frl.analysis.curves import STEPS, TOTAL_BYTES, UPLINK, Cell, Curves, all_curves, with_total_bytes
from frl.analysis.names import display_name, shown
from frl.analysis.thresholds import Arm, arm_of, common_horizon
from frl.report.figures import layout, style
from frl.report.figures.style import Drawing, Look
from frl.scenario.scenario import FigureName, Scenario

COLUMNS = [
    "environment", "method", "n_agents", "share",
    "samples", "samples_low", "samples_high", "bytes", "bytes_low", "bytes_high",
]  # fmt: skip
GOAL = 8
"""A line stands where a method sends so many times fewer bytes than the first."""


def traffic(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Bytes of both directions against samples, for the methods of `figures.traffic`; dashed: the goal.

    Args:
        scenario: names the methods; the first is the baseline.
        frame: the collected evaluation points.
        width: of the figure, inches.
    """
    return _draw(scenario, "traffic", measured(scenario, "traffic", with_total_bytes(frame), TOTAL_BYTES), width)


def communication(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """The same of uploaded bytes alone, for the methods of `figures.communication`."""
    return _draw(scenario, "communication", measured(scenario, "communication", frame, UPLINK), width)


def _draw(scenario: Scenario, figure_name: FigureName, data: pd.DataFrame, width: float) -> Drawing:
    """Geometric means with their intervals, a panel for each environment; hollow where not all seeds got there."""
    called, both = shown(scenario, figure_name), figure_name == "traffic"
    looks = style.method_looks(called.values())
    columns = min(len(scenario.environments), 2) if width > style.NARROW else 1
    rows = -(-len(scenario.environments) // columns)
    figure, grid = layout.page(width, rows, columns, 3.0, _finding(data, called, "" if both else "uploaded "))
    panels = [panel for line in grid for panel in line]
    for panel in panels[len(scenario.environments) :]:
        panel.remove()
    for place, (panel, environment) in enumerate(zip(panels, scenario.environments, strict=False)):
        own = data[data["environment"] == environment]
        goal = layout.number(scenario.threshold(environment))
        title = f"{environment}: to a return of {goal}, down and left is better"
        layout.panel_title(panel, title, 0.8 * width / columns)
        if own.empty:
            layout.nothing_drawn(panel)
            continue
        _points(panel, own, called, looks, GOAL if both else None)
        panel.set_xlabel("samples per agent")
        if place % columns == 0:
            panel.set_ylabel("bytes per agent, up and down" if both else "uploaded bytes per agent")
    handles = [
        panels[0].plot([], [], linestyle="", marker=look.marker, color=look.colour, label=display_name(label))[0]
        for label, look in looks.items()
        if label in {called[method] for method in data["method"]}
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=4 if width > style.NARROW else 2)
    return Drawing(figure, data)


def measured(scenario: Scenario, figure_name: FigureName, frame: pd.DataFrame, axis: str) -> pd.DataFrame:
    """One row for each method and N of the figure that has runs; columns as in `COLUMNS`, bytes per agent."""
    keys, rows = list(shown(scenario, figure_name)), []
    axes = all_curves(frame, STEPS), all_curves(frame, axis)
    for environment in scenario.environments:
        cells = [c for key in keys for c in scenario.cells() if c[:2] == (environment, key) and c in axes[0]]
        if not cells:
            continue
        arms = [_arms(curves, cells, scenario.threshold(environment)) for curves in axes]
        for cell, samples, sent in zip(cells, *arms, strict=True):
            s, b, n = samples.mean(), sent.mean(), cell[2]
            per_agent = (b.value / n, b.low / n, b.high / n)
            rows.append((*cell, samples.share, s.value, s.low, s.high, *per_agent))
    return pd.DataFrame(rows, columns=COLUMNS)


def _arms(curves: dict[Cell, Curves], cells: list[Cell], threshold: float) -> list[Arm]:
    horizon = common_horizon([curves[cell] for cell in cells], threshold)
    return [arm_of(curves[cell], threshold, horizon) for cell in cells]


def _points(panel: Axes, own: pd.DataFrame, called: dict[str, str], looks: dict[str, Look], goal: float | None) -> None:
    for row in own.to_dict("records"):
        look = looks[called[row["method"]]]
        face = look.colour if row["share"] == 1 else "white"
        at = row["samples"], row["bytes"]
        panel.plot(*at, linestyle="", marker=look.marker, color=look.colour, markerfacecolor=face, zorder=3)
        panel.hlines(row["bytes"], row["samples_low"], row["samples_high"], color=look.colour, linewidth=0.7)
        panel.vlines(row["samples"], row["bytes_low"], row["bytes_high"], color=look.colour, linewidth=0.7)
    first = own[own["method"] == next(iter(called))]
    if goal and len(first):
        level = float(first["bytes"].iloc[0]) / goal
        panel.axhline(level, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 2)))
        panel.annotate(f"1/{goal:g}", (1, level), (-2, 2), xycoords=("axes fraction", "data"),
                       textcoords="offset points", ha="right", color=style.GREY)  # fmt: skip
    panel.set(xscale="log", yscale="log")
    panel.xaxis.set_major_locator(FixedLocator(layout.round_places(*panel.get_xlim(), 3)))
    panel.yaxis.set_major_locator(FixedLocator(layout.round_places(*panel.get_ylim(), 5)))


def _finding(data: pd.DataFrame, called: dict[str, str], what: str) -> str:
    """What the methods that every seed got there with save, from the least to the most, in each environment."""
    said, first = [], next(iter(called), "")
    for environment, own in data.groupby("environment", sort=False):
        base = own[own["method"] == first]
        rest = own[(own["method"] != first) & (own["share"] == 1)]
        if len(base) and len(rest):
            savings = sorted(float(base["bytes"].iloc[0]) / rest["bytes"])
            low, high = (layout.number(saving, 2) for saving in (savings[0], savings[-1]))
            times = low if len(rest) == 1 else f"{low} to {high}"
            bound = "more than " if base["share"].iloc[0] < 1 else ""
            said.append(f"{environment}: {bound}{times} times fewer {what}bytes than {display_name(called[first])}")
    return layout.unbroken("; ".join(said)) or "Bytes and samples to the threshold"
