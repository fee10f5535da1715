"""The figures: return against samples of one agent, return against simulated time, and the effects of claims."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator, StrMethodFormatter

from frl.analysis import effects, style
from frl.analysis.curves import STEPS, TIME, Curves, all_curves
from frl.analysis.load import read_curves
from frl.analysis.panels import reference, shown
from frl.analysis.poster import ENVIRONMENT, STEPS_PER_TRAJECTORY
from frl.analysis.stats import LEVEL, MIN_SEEDS, Array, mean_interval
from frl.analysis.verdict import judge
from frl.claims import figure_names
from frl.spec import Scenario

CellStyle = Callable[[str, int], "Look"]
_GREY = "#777777"
_LEGEND_HEIGHT = 1.5  # inches that a panel can spare


@dataclass(frozen=True)
class Look:
    """How one curve is drawn."""

    colour: str | tuple[float, float, float]
    marker: str | None = None


def draw(scenario: Scenario, base: Path) -> None:
    """Write the scenario's figures (:func:`frl.claims.figure_names`) below `base`/figures, each as svg, pdf and png.

    Args:
        scenario: names the panels, the curves and their order, and the claims.
        base: folder that holds the collected curves.csv.
    """
    frame = read_curves(base)
    names = figure_names(scenario)
    of_claims = {"lookahead": effects.lookahead, "heterogeneity": effects.heterogeneity}
    judged = judge(scenario, frame) if set(names) & set(of_claims) else []
    with style.paper_style():
        drawn = {"sample_complexity": sample_complexity(scenario, frame)}
        drawn["time_complexity"] = time_complexity(scenario, frame)
        drawn |= {name: of_claims[name](scenario, judged) for name in names if name in of_claims}
        for name in names:
            style.save(drawn[name], base / "figures" / name)


def sample_complexity(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """AFedPG's return against environment steps per agent, one curve for each N (N = 1 is PG)."""
    return _figure(scenario, frame, STEPS)


def time_complexity(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """Return against simulated time, one curve for each method (colour) and N (shade and marker)."""
    return _figure(scenario, frame, TIME)


def _figure(scenario: Scenario, frame: pd.DataFrame, axis: str) -> Figure:
    """The methods that the figure shows; one alone on the axis of samples has a colour for each N."""
    names = shown(scenario, axis)
    cells = [(key, n) for key in names for m in scenario.methods if m.key == key for n in sorted(m.n_agents)]
    counts = [n for _, n in cells]
    if axis == STEPS and len(names) == 1:
        of_n = style.agent_colours(counts)
        return _grid(scenario, frame, axis, cells, lambda _, n: Look(of_n[n]))
    colours = style.method_colours(names.values())
    markers = style.agent_markers(counts)

    def look(method: str, n_agents: int) -> Look:
        return Look(style.shade(colours[names[method]], n_agents, counts), markers[n_agents])

    return _grid(scenario, frame, axis, cells, look)


def _grid(scenario: Scenario, frame: pd.DataFrame, axis: str, cells: list[tuple[str, int]], look: CellStyle) -> Figure:
    """One panel for each environment and one legend below them all, where it hides nothing."""
    columns = min(2, len(scenario.environments))
    rows = math.ceil(len(scenario.environments) / columns)
    figure = style.new_figure(7.0 if columns == 2 else 6.0, 0.9 + (2.9 if columns == 2 else 3.6) * rows)
    curves, names = all_curves(frame, axis), shown(scenario, axis)
    handles: dict[str, Artist] = {}
    for i, environment in enumerate(scenario.environments):
        panel = figure.add_subplot(rows, columns, i + 1)
        drawn = [curves[(environment, m, n)] for m, n in cells if (environment, m, n) in curves]
        for one in drawn:
            name = style.curve_name(names[one.method], one.n_agents)
            handles.setdefault(name, _draw_curve(panel, one, look(one.method, one.n_agents)))
        poster = [_draw_poster(panel, reference(scenario, one), look(one.method, one.n_agents)) for one in drawn]
        _label(panel, scenario, environment, axis, drawn)
        handles |= _explanations(drawn, any(poster))
    # Curves first, in the order of the methods; what the thin lines and bands mean comes last.
    labels = [name for name in (*(style.curve_name(names[m], n) for m, n in cells), *_EXPLAINED) if name in handles]
    _add_legend(figure, {name: handles[name] for name in labels}, 4 if columns == 2 else 3)
    return figure


def _add_legend(figure: Figure, handles: dict[str, Artist], columns: int) -> None:
    """In as many columns as fit; what it needs beyond a few rows is added to the figure's height."""
    for count in range(columns, 0, -1):
        legend = figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=count)
        size = legend.get_window_extent()
        if size.width <= figure.bbox.width or count == 1:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + max(0.0, size.height / figure.dpi - _LEGEND_HEIGHT))


def _draw_curve(panel: Axes, curves: Curves, look: Look) -> Line2D:
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


def _draw_poster(panel: Axes, poster: Curves | None, look: Look) -> bool:
    """The poster's own mean curve, as far as ours goes; False where it has none."""
    if poster is None:
        return False
    seen = poster.x <= _reach(panel)
    if seen.sum() < 2:  # ours ends before the poster's first points
        return False
    x, y = poster.x[seen], poster.returns_SG[0, seen]
    panel.plot(x, y, color=look.colour, linewidth=1.1, linestyle=(0, (4, 2)), alpha=0.9, zorder=2)
    return True


def _reach(panel: Axes) -> float:
    """Largest x of our own curves in the panel."""
    return max(float(np.max(_numbers(line.get_xdata()))) for line in panel.get_lines())


def _numbers(data: object) -> Array:
    return np.asarray(data, dtype=np.float64)


def _label(panel: Axes, scenario: Scenario, environment: str, axis: str, drawn: list[Curves]) -> None:
    """Title, axes with units, and limits that follow the lines (a band of few seeds may leave the panel)."""
    if not drawn:
        panel.set(xticks=[], yticks=[])
        panel.text(0.5, 0.5, "no finished run to draw", transform=panel.transAxes, ha="center", color=_GREY)
        panel.set_title(environment)
        return
    method = scenario.methods[0]
    version = scenario.resolve(environment, method.key, method.n_agents[0], scenario.seeds[0]).env_version
    seeds = sorted({len(curves.runs) for curves in drawn})
    plural = "seed" if seeds == [1] else "seeds"
    panel.set_title(f"{environment}-{version}  ({'–'.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} {plural})")
    panel.set_ylabel("evaluation return")
    panel.set_xlim(0, 1.015 * _reach(panel))  # room for half a marker
    values = np.concatenate([_numbers(line.get_ydata()) for line in panel.get_lines()])
    margin = 0.05 * max(float(np.ptp(values)), 1e-9)
    panel.set_ylim(float(values.min()) - margin, float(values.max()) + margin)
    panel.xaxis.set_major_locator(MaxNLocator(6))
    if axis == TIME:
        panel.set_xlabel("simulated time (s)")
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        return
    panel.set_xlabel("environment steps per agent")
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    if environment == ENVIRONMENT:
        scale = (lambda x: x / STEPS_PER_TRAJECTORY, lambda x: x * STEPS_PER_TRAJECTORY)
        panel.secondary_xaxis("top", functions=scale).set_xlabel("trajectories per agent (1,000 steps each)")


_BAND = f"{LEVEL:.0%} CI of the mean".replace("%", " %")
_SEEDS = "single seeds"
_POSTER = "the poster's mean (digitised)"
_DIVERGED = "diverged (last value held)"
_EXPLAINED = (_BAND, _SEEDS, _POSTER, _DIVERGED)


def _explanations(drawn: list[Curves], reference: bool) -> dict[str, Artist]:
    """Legend entries for what is in this panel besides mean curves."""
    entries: dict[str, Artist] = {}
    if any(len(curves.runs) >= MIN_SEEDS for curves in drawn):
        entries[_BAND] = Patch(color=_GREY, alpha=0.25, linewidth=0)
    if drawn:
        entries[_SEEDS] = Line2D([], [], color=_GREY, linewidth=0.6)
    if reference:
        entries[_POSTER] = Line2D([], [], color=_GREY, linewidth=1.1, linestyle=(0, (4, 2)))
    if any(curves.diverged.any() for curves in drawn):
        entries[_DIVERGED] = Line2D([], [], color=_GREY, marker="x", linestyle="none")
    return entries
