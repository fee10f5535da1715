"""The figures: return against samples of one agent, return against simulated time, and the effects of claims."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, StrMethodFormatter

from frl.analysis import effect_figures, lazy_figures, style
from frl.analysis.curves import STEPS, TIME, Cell, Curves, all_curves
from frl.analysis.draw import (
    EXPLAINED,
    Look,
    add_legend,
    draw_curve,
    draw_poster,
    explanations,
    fit,
    nothing_drawn,
    seeds_of,
)
from frl.analysis.load import read_curves
from frl.analysis.panels import FIGURE_OF, reference, shown
from frl.analysis.poster import ENVIRONMENT, STEPS_PER_TRAJECTORY
from frl.analysis.verdict import judge
from frl.products import figure_names
from frl.scenario import Scenario

CellStyle = Callable[[str, int], Look]


def draw(scenario: Scenario, base: Path) -> None:
    """Write the scenario's figures (:func:`frl.products.figure_names`) below `base`/figures, each as svg, pdf and png.

    Args:
        scenario: names the panels, the curves and their order, and the claims.
        base: folder that holds the collected curves.csv.
    """
    frame = read_curves(base)
    make: dict[str, Callable[[], Figure]] = {
        name: partial(of_runs, scenario, frame) for name, of_runs in _OF_RUNS.items()
    }
    names = figure_names(scenario)
    judged = judge(scenario, frame) if set(names) & set(_OF_CLAIMS) else []
    make |= {name: partial(of_claims, scenario, judged) for name, of_claims in _OF_CLAIMS.items()}
    with style.paper_style():
        for name in names:
            style.save(make[name](), base / "figures" / name)


def sample_complexity(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """AFedPG's return against environment steps per agent, one curve for each N (N = 1 is PG)."""
    return _figure(scenario, frame, STEPS)


def time_complexity(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """Return against simulated time, one curve for each method (colour) and N (shade and marker)."""
    return _figure(scenario, frame, TIME)


def _figure(scenario: Scenario, frame: pd.DataFrame, axis: str) -> Figure:
    """The methods that the figure shows; one alone on the axis of samples has a colour for each N."""
    names = shown(scenario, FIGURE_OF[axis])
    cells = [(key, n) for key in names for m in scenario.methods if m.key == key for n in sorted(m.n_agents)]
    counts = [n for _, n in cells]
    if axis == STEPS and len(names) == 1:
        of_n = style.agent_colours(counts)
        return _grid(scenario, frame, axis, cells, lambda _, n: Look(of_n[n]))
    colours, markers = style.method_colours(names.values()), style.agent_markers(counts)
    seeds = frame.groupby(["method", "n_agents"])["seed"].nunique()
    most = {n: max(seeds.get((key, n), 0) for key, m in cells if m == n) for n in dict.fromkeys(n for _, n in cells)}
    # the largest N first; in partial results those that have as many seeds as any before the others
    drawn = sorted((n for n in most if most[n]), key=lambda n: (most[n] == max(most.values()), n), reverse=True)

    def look(method: str, n_agents: int) -> Look:
        return Look(style.shade(colours[names[method]], n_agents, drawn), markers[n_agents])

    return _grid(scenario, frame, axis, cells, look)


def _grid(scenario: Scenario, frame: pd.DataFrame, axis: str, cells: list[tuple[str, int]], look: CellStyle) -> Figure:
    """One panel for each environment and one legend below them all, where it hides nothing."""
    columns = min(2, len(scenario.environments))
    rows = math.ceil(len(scenario.environments) / columns)
    figure = style.new_figure(7.0 if columns == 2 else 6.0, 0.9 + (2.9 if columns == 2 else 3.6) * rows)
    curves, names = all_curves(frame, axis), shown(scenario, FIGURE_OF[axis])
    called = {cell: _name(scenario, curves, names[cell[0]], cell) for cell in cells}
    handles: dict[str, Artist] = {}
    for i, environment in enumerate(scenario.environments):
        panel = figure.add_subplot(rows, columns, i + 1)
        drawn = [curves[(environment, m, n)] for m, n in cells if (environment, m, n) in curves]
        for one in drawn:
            name = called[one.method, one.n_agents]
            handles.setdefault(name, draw_curve(panel, one, look(one.method, one.n_agents)))
        poster = [draw_poster(panel, reference(scenario, one), look(one.method, one.n_agents)) for one in drawn]
        _label(panel, scenario, environment, axis, drawn)
        handles |= explanations(drawn, any(poster))
    # Curves first, in the order of the methods; what the thin lines and bands mean comes last.
    labels = [name for name in (*called.values(), *EXPLAINED) if name in handles]
    add_legend(figure, {name: handles[name] for name in labels}, 4 if columns == 2 else 3)
    return figure


def _name(scenario: Scenario, curves: dict[Cell, Curves], name: str, cell: tuple[str, int]) -> str:
    """The curve's name in the legend; where there is one panel, with its seeds if some of them are not there yet."""
    called, wanted = style.curve_name(name, cell[1]), len(scenario.seeds)
    one = curves.get((scenario.environments[0], *cell)) if len(scenario.environments) == 1 else None
    if one is None or len(one.runs) == wanted:
        return called
    return f"{called} ({len(one.runs)} of {wanted} seeds)"


def _label(panel: Axes, scenario: Scenario, environment: str, axis: str, drawn: list[Curves]) -> None:
    """Title, axes with units, and limits that follow the lines (a band of few seeds may leave the panel)."""
    if not drawn:
        nothing_drawn(panel)
        panel.set_title(environment)
        return
    method = scenario.methods[0]
    version = scenario.resolve(environment, method.key, method.n_agents[0], scenario.seeds[0]).env_version
    panel.set_title(f"{environment}-{version}  ({seeds_of(drawn)})")
    panel.set_ylabel("evaluation return")
    fit(panel)
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


_OF_RUNS: dict[str, Callable[[Scenario, pd.DataFrame], Figure]] = {
    "sample_complexity": sample_complexity,
    "time_complexity": time_complexity,
    "communication": lazy_figures.communication,
    "uploads": lazy_figures.uploads,
    "variance_multiplier": lazy_figures.variance_multiplier,
}
_OF_CLAIMS = {"lookahead": effect_figures.lookahead, "heterogeneity": effect_figures.heterogeneity}
