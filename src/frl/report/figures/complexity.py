"""The figures: return against samples of one agent, return against simulated time, and the effects of claims."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from frl.analysis import names
from frl.analysis.curves import STEPS, TIME, Cell, Curves, all_curves
from frl.analysis.names import FIGURE_OF, shown
from frl.analysis.poster import ENVIRONMENT, STEPS_PER_TRAJECTORY, reference
from frl.report.figures import style
from frl.report.figures.curves import (
    EXPLAINED,
    Look,
    add_legend,
    draw_curve,
    draw_poster,
    explanations,
    fit,
    nothing_drawn,
    same_limits,
    seeds_of,
)
from frl.scenario.scenario import Scenario

CellStyle = Callable[[str, int], Look]


def sample_complexity(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """AFedPG's return against environment steps per agent, one curve for each N (N = 1 is PG)."""
    return _figure(scenario, frame, STEPS)


def time_complexity(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """Return against simulated time, one panel for each N that several methods have and one curve for each of them.

    Where there is no such N, one panel has all curves.
    """
    return _figure(scenario, frame, TIME)


def _figure(scenario: Scenario, frame: pd.DataFrame, axis: str) -> Figure:
    """The methods that the figure shows; one alone has a colour for each N."""
    names = shown(scenario, FIGURE_OF[axis])
    cells = [(key, n) for key in names for m in scenario.methods if m.key == key for n in sorted(m.n_agents)]
    counts = sorted(n for _, n in cells)
    if len(names) == 1:
        colour = style.agent_colours(counts)
        return _grid(scenario, frame, axis, [cells], lambda _, n: Look(colour[n]))
    colours = style.method_colours(names.values())
    if axis == TIME and (compared := dict.fromkeys(n for n in counts if counts.count(n) > 1)):
        of_method = style.markers(names)
        groups = [[cell for cell in cells if cell[1] == n] for n in compared]
        return _grid(scenario, frame, axis, groups, lambda m, _: Look(colours[names[m]], of_method[m]))
    shades, of_n = list(dict.fromkeys(reversed(counts))), style.markers(counts)  # the largest N in full colour

    def look(method: str, n: int) -> Look:
        return Look(style.shade(colours[names[method]], n, shades), of_n[n])

    return _grid(scenario, frame, axis, [cells], look)


def _grid(
    scenario: Scenario, frame: pd.DataFrame, axis: str, groups: list[list[tuple[str, int]]], look: CellStyle
) -> Figure:
    """One panel for each environment and group of (method, N), and one legend below them all, where it hides nothing.

    Several groups are one for each N. The panels of an environment have the same limits.
    """
    places = [(environment, cells) for environment in scenario.environments for cells in groups]
    columns = len(groups) if len(groups) > 1 < len(scenario.environments) else min(2, len(places))
    rows = math.ceil(len(places) / columns)
    figure = style.new_figure(max(6.0, 3.5 * columns), 0.9 + (2.9 if columns > 1 else 3.6) * rows)
    curves, names = all_curves(frame, axis), shown(scenario, FIGURE_OF[axis])
    called = {
        cell: _name(scenario, curves, names[cell[0]], cell, len(groups) > 1) for cells in groups for cell in cells
    }
    handles: dict[str, Artist] = {}
    of_environment: dict[str, list[Axes]] = {}
    for i, (environment, cells) in enumerate(places):
        panel = figure.add_subplot(rows, columns, i + 1)
        drawn = [curves[(environment, *cell)] for cell in cells if (environment, *cell) in curves]
        for one in drawn:
            name = called[one.method, one.n_agents]
            handles.setdefault(name, draw_curve(panel, one, look(one.method, one.n_agents)))
        poster = [draw_poster(panel, reference(scenario, one), look(one.method, one.n_agents)) for one in drawn]
        _label(panel, scenario, environment, axis, drawn, f", N = {cells[0][1]}" if len(groups) > 1 else "")
        handles |= explanations(drawn, any(poster))
        of_environment.setdefault(environment, []).extend([panel] if drawn else [])
    for panels in of_environment.values():
        same_limits(panels)
    # Curves first, in the order of the methods; what the thin lines and bands mean comes last.
    labels = dict.fromkeys(name for name in (*called.values(), *EXPLAINED) if name in handles)
    add_legend(figure, {name: handles[name] for name in labels}, 4 if columns > 1 else 3)
    return figure


def _name(scenario: Scenario, curves: dict[Cell, Curves], name: str, cell: tuple[str, int], panels_of_n: bool) -> str:
    """The curve's name in the legend; where there is one panel, with its seeds if some of them are not there yet."""
    if panels_of_n:
        return names.display_name(name)
    called, wanted = names.curve_name(name, cell[1]), len(scenario.seeds)
    one = curves.get((scenario.environments[0], *cell)) if len(scenario.environments) == 1 else None
    if one is None or len(one.runs) == wanted:
        return called
    return f"{called} ({len(one.runs)} of {wanted} seeds)"


def _label(panel: Axes, scenario: Scenario, environment: str, axis: str, drawn: list[Curves], of_n: str) -> None:
    """Title, axes with units, and limits that follow the lines (a band of few seeds may leave the panel)."""
    if not drawn:
        nothing_drawn(panel)
        panel.set_title(f"{environment}{of_n}")
        return
    method = scenario.methods[0]
    version = scenario.resolve(environment, method.key, method.n_agents[0], scenario.seeds[0]).env_version
    panel.set_title(f"{environment}-{version}{of_n}  ({seeds_of(drawn)})")
    panel.set_ylabel("evaluation return")
    fit(panel)
    panel.xaxis.set_major_locator(MaxNLocator(6))
    if axis == TIME:
        panel.set_xlabel("simulated time (s)")
        return
    panel.set_xlabel("environment steps per agent")
    if environment == ENVIRONMENT:
        scale = (lambda x: x / STEPS_PER_TRAJECTORY, lambda x: x * STEPS_PER_TRAJECTORY)
        panel.secondary_xaxis("top", functions=scale).set_xlabel("trajectories per agent (1,000 steps each)")
