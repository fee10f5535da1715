"""The share of seeds that have reached the threshold, against time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from frl.analysis.curves import TIME, Curves, all_curves
from frl.analysis.names import clock, display_name, shown
from frl.analysis.quantity import Array
from frl.analysis.thresholds import seed_times
from frl.report.figures import layout, style, ticks
from frl.report.figures.complexity import ends, groups, half_time
from frl.report.figures.style import Drawing, Look
from frl.scenario.scenario import Scenario

_Panels = dict[tuple[str, int], list[Curves]]
"""The curves of each panel by its task and N."""


def time_complexity(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Share of seeds at the threshold against time, one panel for each task and N, one step line a method.

    Args:
        scenario: names the methods (`figures.time_complexity`) and the thresholds.
        frame: the collected evaluation points.
        width: of the figure, inches.
    """
    curves, called, panels_of = all_curves(frame, TIME), shown(scenario, "time_complexity"), groups(scenario, TIME)
    found: _Panels = {
        (environment, n): [curves[cell] for cell in cells if cell in curves]
        for environment, by_n in panels_of.items() for n, cells in by_n.items()
    }  # fmt: skip
    most = max(len(by_n) for by_n in panels_of.values())
    columns = min(most, 4 if len(panels_of) > 1 else 2) if width > style.NARROW else 1
    rows = -(-len(found) // columns)
    figure, grid = layout.page(width, rows, columns, 1.75, _finding(scenario, found, called))
    panels = [panel for line in grid for panel in line]
    looks = style.method_looks(called.values())
    for panel in panels[len(found) :]:
        panel.remove()
    for place, (panel, ((environment, n), some)) in enumerate(zip(panels, found.items(), strict=False)):
        task = f"{environment}, " if len(scenario.environments) > 1 else ""
        title = f"{task}N = {n}: {_first(scenario, environment, some, called)}"
        layout.panel_title(panel, layout.unbroken(title), 0.92 * width / columns)
        _panel(scenario, panel, some, called, looks)
        panel.set_xlabel(f"{clock(scenario)} (s, log scale)" if place + columns >= len(found) else "")
        if place % columns == 0:
            panel.set_ylabel("seeds at the threshold")
    for panel, some in zip(panels, found.values(), strict=False):
        named = [(display_name(called[c.method]), *_stairs(scenario, c), looks[called[c.method]].colour) for c in some]
        layout.label_curves(figure, panel, named)
    return Drawing(figure, _data(scenario, found))


def _panel(scenario: Scenario, panel: Axes, some: list[Curves], called: dict[str, str], looks: dict[str, Look]) -> None:
    if not some:
        layout.nothing_drawn(panel)
        return
    lines = [_steps(scenario, c) for c in some]
    end = max(float(x[-1]) for x, _ in lines)
    crossed = [float(x[1]) for x, y in lines if y[-1] > 0]
    start = min(crossed, default=end / 100) / 1.5
    panel.set_xscale("log")
    panel.set(xlim=(start, end * 1.02), ylim=(-0.03, 1.05))
    for curves, (x, y) in zip(some, lines, strict=True):
        look = looks[called[curves.method]]
        panel.plot(
            x, y, color=look.colour, linestyle=look.dash, linewidth=1.7, drawstyle="steps-post",
            gid=f"share {curves.method} {curves.n_agents}",
        )  # fmt: skip
        panel.plot(x[-1], y[-1], "|", color=look.colour, markersize=6, markeredgewidth=1.2, clip_on=False)
    panel.axhline(0.5, color=style.PALE, linewidth=0.6, zorder=0.5)
    panel.xaxis.set_major_locator(FixedLocator(layout.round_places(start, end, 4)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ticks.per_cent(panel.yaxis)


def _steps(scenario: Scenario, curves: Curves) -> tuple[Array, Array]:
    """Times at which a seed reached the threshold, and the share that had, from before all to where the last run ends.

    A seed that is there before any training counts from the first evaluation after it.
    """
    own, (start, end) = seed_times(curves, scenario.threshold(curves.environment)), ends([curves])
    times = np.sort(np.where(own <= 0, start, own)[np.isfinite(own)])
    x = np.concatenate([[min([start, *times]) / 10], times, [end]])
    return x, np.append(np.arange(len(times) + 1), len(times)) / len(curves.runs)


def _stairs(scenario: Scenario, curves: Curves) -> tuple[Array, Array]:
    """The corners of the step line from its first step on, where its name may stand."""
    x, y = _steps(scenario, curves)
    return np.repeat(x, 2)[3:], np.repeat(y, 2)[2:-1]


def _halves(scenario: Scenario, environment: str, some: list[Curves]) -> dict[str, float]:
    """When half of the seeds of each method had reached the threshold, the first method first."""
    level = scenario.threshold(environment)
    halves = {c.method: half_time(c, level) for c in some}
    return dict(sorted(((m, t) for m, t in halves.items() if np.isfinite(t)), key=lambda one: one[1]))


def _first(scenario: Scenario, environment: str, some: list[Curves], called: dict[str, str]) -> str:
    halves = _halves(scenario, environment, some)
    if not some:
        return "no runs"
    if not halves:
        return "no method brings half of its seeds there"
    method, time = next(iter(halves.items()))
    seeds = next(len(c.runs) for c in some if c.method == method)
    return f"half of {display_name(called[method])}'s {seeds} seeds after {layout.number(time)} s"


def _finding(scenario: Scenario, found: _Panels, called: dict[str, str]) -> str:
    """Which method is first to bring half of its seeds to the threshold."""
    level = "the threshold" if len(scenario.environments) > 1 else f"{scenario.threshold(scenario.environments[0]):g}"
    firsts = {key: next(iter(_halves(scenario, key[0], some)), None) for key, some in found.items()}
    names = {key: display_name(called[method]) if method else "none" for key, method in firsts.items()}
    if len(found) <= 3:
        said = ", ".join(f"{name} with N = {n}" for (_, n), name in names.items())
    else:
        said = ", ".join(f"{name} in {count} of {len(found)} panels" for name, count in Counter(names.values()).items())
    return layout.unbroken(f"First to bring half of its seeds to {level}: {said}")


def _data(scenario: Scenario, found: _Panels) -> pd.DataFrame:
    """One row a seed: when it reached the threshold, empty if it never did, and where its run ends."""
    rows = [
        {"environment": c.environment, "method": c.method, "n_agents": c.n_agents, "seed": run.seed,
         "threshold": scenario.threshold(c.environment), "reached_at_s": time, "run_ends_at_s": run.x[-1]}
        for some in found.values() for c in some
        for run, time in zip(c.runs, seed_times(c, scenario.threshold(c.environment)), strict=True)
    ]  # fmt: skip
    columns = ["environment", "method", "n_agents", "seed", "threshold", "reached_at_s", "run_ends_at_s"]
    return pd.DataFrame(rows, columns=columns)
