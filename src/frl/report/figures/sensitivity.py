"""What a threshold costs against the step size, or what else is swept: one curve for each N, or for each method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import FixedLocator, NullLocator

from frl.analysis.curves import STEPS, TIME, all_curves
from frl.analysis.names import clock, display_name, key_of, shown
from frl.analysis.quantity import Array
from frl.analysis.thresholds import arm_of, common_horizon
from frl.report.figures import layout, style
from frl.report.figures.style import Drawing, Look
from frl.scenario import methods
from frl.scenario.scenario import Scenario

COLUMNS = ["panel", "curve", "setting", "value", "low", "high", "share"]


def sensitivity(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Samples to the threshold for each N of the first label, and time for each label at the largest N that all have.

    Args:
        scenario: `figures.sensitivity` gives methods that differ in one setting alone one label: those of a sweep, or
            of step sizes of their own.
        frame: the collected evaluation points.
        width: of the figure, inches.
    """
    called = shown(scenario, "sensitivity")
    first = next(iter(called.values()))
    rows: list[pd.DataFrame] = []
    for environment in scenario.environments:
        counts = {(key, n) for where, key, n in scenario.cells() if where == environment and key in called}
        of_label = [{n for key, n in counts if called[key] == label} for label in {called[key] for key, _ in counts}]
        largest = max(set.intersection(*of_label), default=0) if of_label else 0
        samples = {cell: f"N = {cell[1]}" for cell in sorted(counts, key=lambda c: c[1]) if called[cell[0]] == first}
        title = f"{environment}: steps per agent of {display_name(first)}"
        rows.append(_points(scenario, frame, environment, STEPS, samples, title))
        time = {(key, largest): display_name(label) for key, label in called.items() if (key, largest) in counts}
        if len(set(time.values())) > 1:
            title = f"{environment}: {clock(scenario)} (s) with N = {largest}"
            rows.append(_points(scenario, frame, environment, TIME, time, title))
    what = methods.swept_setting(scenario.methods, called)
    return draw(pd.concat(rows, ignore_index=True), width, what)


def _points(
    scenario: Scenario, frame: pd.DataFrame, environment: str, axis: str, cells: dict[tuple[str, int], str], title: str
) -> pd.DataFrame:
    """The restricted geometric mean of what the seeds of each cell need, up to where all runs were watched."""
    curves, level = all_curves(frame, axis), scenario.threshold(environment)
    found = {cell: curves[environment, *cell] for cell in cells if (environment, *cell) in curves}
    horizon = common_horizon(found.values(), level) if found else 0.0
    rows = []
    for cell, one in found.items():
        arm = arm_of(one, level, horizon)
        mean = arm.mean()
        sweep, server = scenario.method(environment, *cell).swept, scenario.arm(environment, *cell).server
        setting = sweep[1] if sweep else getattr(server, "step_size", getattr(server, "learning_rate", np.nan))
        rows.append((title, cells[cell], float(setting), mean.value, mean.low, mean.high, arm.share))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(points: pd.DataFrame, width: float, what: str = methods.STEP_SIZE) -> Drawing:
    """A panel for each name of `panel`, a line for each of its `curve`s.

    Args:
        points: columns as in `COLUMNS`; low and high may be nan, `share` is that of the seeds that got there.
        width: of the figure, inches.
        what: the name of the column `setting` for readers.
    """
    panels = list(dict.fromkeys(points["panel"]))
    columns = min(max(len(panels), 1), 2) if width > style.NARROW else 1
    rows = max(-(-len(panels) // columns), 1)
    figure, grid = layout.page(width, rows, columns, 1.95, _finding(points, what))
    places = [panel for line in grid for panel in line]
    for place in places[max(len(panels), 1) :]:
        place.remove()
    if not panels:
        layout.nothing_drawn(places[0])
    looks, drawn = _looks(list(dict.fromkeys(points["curve"]))), []
    for place, name in zip(places, panels, strict=False):
        own = points[points["panel"] == name]
        drawn.append((place, _panel(place, own, looks, what)))
        layout.panel_title(place, layout.unbroken(name), 0.92 * width / columns)
    if drawn:
        places[0].set_ylabel("to the threshold")
    for place, named in drawn:
        layout.label_curves(figure, place, named)
    return Drawing(figure, points)


def _panel(panel: Axes, own: pd.DataFrame, looks: dict[str, Look], what: str) -> list[tuple[str, Array, Array, str]]:
    """Draw the curves; returns what to call them."""
    panel.set(xscale="log", yscale="log", xlabel=f"{what} (filled: all seeds got there)")
    names = list(dict.fromkeys(own["curve"]))
    named: list[tuple[str, Array, Array, str]] = []
    for i, name in enumerate(names):
        one, look = own[own["curve"] == name].sort_values("setting"), looks[name]
        x, y = (one[key].to_numpy(dtype=float) for key in ("setting", "value"))
        aside = x * 1.02 ** (i - (len(names) - 1) / 2)  # intervals beside, not upon each other
        panel.plot(x, y, color=look.colour, linestyle=look.dash, linewidth=1.2, gid=f"curve {name}")
        panel.vlines(aside, one["low"], one["high"], color=look.colour, linewidth=0.8, alpha=0.6)
        for xi, yi, share in zip(x, y, one["share"], strict=True):
            panel.plot(xi, yi, marker=look.marker, markersize=5, markeredgecolor=look.colour, markeredgewidth=0.9,
                       markerfacecolor=_filled(look.colour, float(share)), zorder=3)  # fmt: skip
        named.append((name, x, y, look.colour))
    low, high = own[["low", "value"]].min(axis=None), own[["high", "value"]].max(axis=None)
    panel.set_ylim(low / 1.25, high * 1.25)
    steps = sorted(set(own["setting"]))
    panel.set_xlim(steps[0] / 1.3, steps[-1] * 1.3)
    panel.xaxis.set_major_locator(
        FixedLocator(steps if len(steps) < 7 else layout.round_places(steps[0], steps[-1], 4))
    )
    panel.yaxis.set_major_locator(FixedLocator(layout.round_places(low / 1.25, high * 1.25, 5)))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
    return named


def _looks(names: list[str]) -> dict[str, Look]:
    """One look for each N and each method, whichever of them a panel has."""
    counts = sorted(int(name[4:]) for name in names if name.startswith("N = "))
    methods = [name for name in names if not name.startswith("N = ")]
    by_n, by_method = style.agent_looks(counts), style.method_looks(key_of(name) for name in methods)
    return {f"N = {n}": by_n[n] for n in counts} | {name: by_method[key_of(name)] for name in methods}


def _filled(colour: str, share: float) -> tuple[float, float, float]:
    """White where no seed got there, the colour where all did."""
    red, green, blue = to_rgb(colour)
    return tuple(1 - share * (1 - part) for part in (red, green, blue))  # type: ignore[return-value]


def _finding(points: pd.DataFrame, what: str) -> str:
    """Where the best values are, of the first panel's first and last curve."""
    if points.empty:
        return "No finished run"
    own = points[points["panel"] == points["panel"].iloc[0]]
    names = list(dict.fromkeys(own["curve"]))
    best = [own.loc[own[own["curve"] == name]["value"].idxmin()] for name in dict.fromkeys((names[0], names[-1]))]
    said = [f"{'' if row['share'] == 1 else '> '}{layout.number(row['value'])} with {row['curve']} "
            f"({what} {layout.number(row['setting'])})" for row in best]  # fmt: skip
    return layout.unbroken(f"{own['panel'].iloc[0]}, at its best {', '.join(said)}")
