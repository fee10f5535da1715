"""Return against samples of one agent or time: a panel for each task and N, every seed and their median."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from frl.analysis.curves import STEPS, TIME, Cell, Curves, all_curves
from frl.analysis.names import FIGURE_OF, clock, display_name, shown
from frl.analysis.poster import ENVIRONMENT, STEPS_PER_TRAJECTORY, reference
from frl.analysis.quantity import Array
from frl.analysis.thresholds import seed_times
from frl.report.figures import layout, style
from frl.report.figures.style import Drawing, Look
from frl.scenario.scenario import Scenario

_POSTER: style.Dash = (0, (4, 2))
_STRIP = 0.16  # room for final returns at the right edge, in parts of the panel's axis


@dataclass(frozen=True)
class Median:
    """The median over the whole runs of a cell: x and returns (G,), and the final return of each; empty without any."""

    x: Array
    returns: Array
    final_S: Array


def median_of(curves: Curves) -> Median:
    """Median return over the whole runs, on all of their own points; the others were set to stop at a return."""
    if not (whole := curves.whole):
        return Median(*(np.empty(0),) * 3)
    end = float(curves.x[-1])
    x = np.unique(np.concatenate([run.x[run.x <= end] for run in whole] + [np.array([end])]))
    returns_SG = np.stack([np.interp(x, run.x, run.returns) for run in whole])
    tail = x >= 0.9 * end
    return Median(x, np.median(returns_SG, axis=0), np.asarray(returns_SG[:, tail].mean(axis=1)))


def sample_complexity(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Return against environment steps per agent, one panel for each task and N (N = 1 of AFedPG is PG).

    Args:
        scenario: names the methods (`figures.sample_complexity`), the thresholds and their order.
        frame: the collected evaluation points.
        width: of the figure, inches.
    """
    return _figure(scenario, frame, STEPS, width)


def time_curves(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Return against time, one panel for each task and N that several methods have; arguments as above."""
    return _figure(scenario, frame, TIME, width)


def groups(scenario: Scenario, axis: str) -> dict[str, dict[int, list[Cell]]]:
    """The arms of each panel by task and N; on the axis of time only those N that several methods have, if any."""
    keys, found = list(shown(scenario, FIGURE_OF[axis])), {}
    for environment in scenario.environments:
        cells = [cell for cell in scenario.cells() if cell[0] == environment and cell[1] in keys]
        cells.sort(key=lambda cell: (cell[2], keys.index(cell[1])))
        by_n = {n: [cell for cell in cells if cell[2] == n] for n in dict.fromkeys(cell[2] for cell in cells)}
        several = {n: some for n, some in by_n.items() if len(some) > 1}
        found[environment] = several or by_n if axis == TIME else by_n
    return {environment: by_n for environment, by_n in found.items() if by_n}


def _figure(scenario: Scenario, frame: pd.DataFrame, axis: str, width: float) -> Drawing:
    curves, called, panels_of = all_curves(frame, axis), shown(scenario, FIGURE_OF[axis]), groups(scenario, axis)
    most = max(len(by_n) for by_n in panels_of.values())
    columns = min(most, 4 if width > style.NARROW else 2 if axis == STEPS else 1)
    lines = {environment: -(-len(by_n) // columns) for environment, by_n in panels_of.items()}
    figure, grid = layout.page(width, sum(lines.values()), columns, 1.55, _finding(scenario, curves, axis))
    looks = style.method_looks(called.values())
    drawn: list[tuple[Axes, list[Curves]]] = []
    left = iter(grid)
    for environment, by_n in panels_of.items():
        places = [panel for line in itertools.islice(left, lines[environment]) for panel in line]
        used: list[Axes] = []
        for panel, (n_agents, cells) in zip(places, by_n.items(), strict=False):
            found = [curves[cell] for cell in cells if cell in curves]
            one = {called[c.method]: c for c in found}
            _panel(scenario, panel, one, looks if len(cells) > 1 else {}, axis)
            layout.panel_title(panel, _panel_title(scenario, environment, n_agents, found), 0.92 * width / columns)
            drawn.append((panel, found))
            used += [panel] if found else []
        for panel in places[len(by_n) :]:
            panel.remove()
        _share_limits(scenario, used, environment, axis, columns, places)
    clearest = max(drawn, key=lambda one: _apart(scenario, one[1]))[0]
    for panel, found in drawn:
        _label(scenario, panel, found, called, looks, panel is clearest)
    return Drawing(figure, _data(scenario, [c for _, found in drawn for c in found], axis))


def ends(cells: Iterable[Curves]) -> tuple[float, float]:
    """First x above 0 and last x of any run; apart even where there is but one, or none."""
    x = np.concatenate([run.x for one in cells for run in one.runs])
    end = float(x.max()) or 1.0
    return min(float(x[x > 0].min(initial=end)), 0.5 * end), end


def _panel(scenario: Scenario, panel: Axes, found: dict[str, Curves], looks: dict[str, Look], axis: str) -> None:
    """Seeds thin, medians thick, the poster dashed, final returns as dots beyond the end."""
    if not found:
        layout.nothing_drawn(panel)
        return
    start, end = ends(found.values())
    if axis == TIME:
        panel.set_xscale("log")
        panel.set_xlim(start, end)
    for place, (name, curves) in enumerate(found.items()):
        look = looks.get(name, Look(style.BLUE))
        for run in curves.runs:
            panel.plot(run.x, run.returns, color=look.colour if looks else style.PALE, linewidth=0.5,
                       alpha=0.3 if looks else 1, zorder=1.5)  # fmt: skip
            if np.isfinite(run.diverged_at):
                panel.plot(run.diverged_at, run.returns[-1], "x", color=style.BLACK, markersize=4, zorder=4)
        middle = median_of(curves)
        panel.plot(
            middle.x, middle.returns, color=look.colour, marker=look.marker, markevery=max(1, len(middle.x) // 6),
            markeredgecolor="white", markeredgewidth=0.5, linewidth=1.9, zorder=3,
            gid=f"median {curves.method} {curves.n_agents}",
        )  # fmt: skip
        spread = np.linspace(0.1, 0.9, len(middle.final_S))
        x = _beyond(panel, end, 0.03 + (_STRIP - 0.03) * (place + spread) / len(found))
        panel.plot(x, np.sort(middle.final_S), "o", color=look.colour, markersize=2.2, alpha=0.7, markeredgewidth=0)
        poster = reference(scenario, curves)
        if poster is not None and (poster.x <= end).sum() > 1:
            seen = poster.x <= end
            panel.plot(
                poster.x[seen], poster.returns_SG[0, seen], color=look.colour if looks else style.VERMILION,
                linestyle=_POSTER, linewidth=1.2, zorder=2.5, gid=f"poster {curves.method} {curves.n_agents}",
                marker=look.marker, markevery=0.15, markerfacecolor="white", markersize=3,
            )  # fmt: skip
    panel.axhline(scenario.threshold(curves.environment), color=style.GREY, linewidth=0.7, linestyle=":", zorder=1)


def _beyond(panel: Axes, end: float, part: Array | float) -> Array:
    """Places to the right of the end of all curves, in parts of the axis up to there."""
    if panel.get_xscale() == "log":
        return np.asarray(end * (end / panel.get_xlim()[0]) ** np.asarray(part))
    return np.asarray(end * (1 + np.asarray(part)))


def _share_limits(
    scenario: Scenario, panels: list[Axes], environment: str, axis: str, columns: int, places: list[Axes]
) -> None:
    """One x and one y for all panels of a task, whose labels stand at the left and below alone."""
    if not panels:
        return
    spec = next(spec for spec in scenario.runs() if spec.environment == environment)
    lasts = [max(float(np.max(line.get_xdata())) for line in p.get_lines() if line.get_linewidth() < 1) for p in panels]
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for p in panels for line in p.get_lines()])
    margin = 0.06 * max(float(np.ptp(values)), 1e-9)
    end, start = max(lasts) or 1.0, min(panel.get_xlim()[0] for panel in panels) if axis == TIME else 0.0
    for panel in panels:
        place = places.index(panel)
        panel.set_xlim(start, float(_beyond(panel, end, _STRIP + 0.02)))
        panel.set_ylim(float(values.min()) - margin, float(values.max()) + margin)
        panel.xaxis.set_major_locator(FixedLocator(layout.round_places(start, end, 3)))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_locator(MaxNLocator(4))
        panel.axvline(float(_beyond(panel, end, 0.015)), color=style.PALE, linewidth=0.6, zorder=0.5)
        panel.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= len(panels))
        if place % columns == 0:
            panel.set_ylabel(f"{environment}-{spec.env_version} return")
        if place + columns >= len(panels):
            panel.set_xlabel(_x_label(scenario, environment, axis, columns))


def _x_label(scenario: Scenario, environment: str, axis: str, columns: int) -> str:
    if axis == TIME:
        return f"{clock(scenario)} (s, log scale)"
    if environment == ENVIRONMENT and columns == 1:
        return f"environment steps per agent ({STEPS_PER_TRAJECTORY:,} a trajectory)"
    return "steps per agent"


def _panel_title(scenario: Scenario, environment: str, n_agents: int, found: list[Curves]) -> str:
    if len(found) != 1:
        counts = [len(curves.whole) for curves in found] or [0]
        few = f"{min(counts)} to " if min(counts) < max(counts) else ""
        return f"N = {n_agents}, medians of {few}{max(counts)} seeds" if found else f"N = {n_agents}"
    level, curves = scenario.threshold(environment), found[0]
    there = int(np.isfinite(seed_times(curves, level)).sum())
    return f"N = {n_agents}: {there} of {len(curves.runs)} reach {level:g}"


def _label(
    scenario: Scenario, panel: Axes, found: list[Curves], called: dict[str, str], looks: dict[str, Look], clearest: bool
) -> None:
    """Names beside the curves: of each method where there are several, else in the clearest panel of what is what."""
    named = []
    for curves in found:
        middle, look = median_of(curves), looks[called[curves.method]]
        if len(found) > 1:
            named.append((display_name(called[curves.method]), middle.x, middle.returns, look.colour))
        elif clearest:
            named.append(("median seed", middle.x, middle.returns, style.BLUE))
            if (poster := reference(scenario, curves)) is not None:
                named.append(("poster's mean", poster.x, poster.returns_SG[0], style.VERMILION))
    if named:
        layout.label_curves(panel.figure, panel, named)  # type: ignore[arg-type]


def _apart(scenario: Scenario, found: list[Curves]) -> float:
    """How far the poster's curve lies from the median, in return; where there is none, any panel is as clear."""
    poster = reference(scenario, found[0]) if found else None
    if poster is None or not found[0].whole:
        return float(len(found) > 0)
    middle = median_of(found[0])
    return 1 + float(np.abs(middle.returns - np.interp(middle.x, poster.x, poster.returns_SG[0])).mean())


def half_time(curves: Curves, level: float) -> float:
    """When half of the seeds had reached the level and stayed, in units of the axis; nan if fewer ever did."""
    times = np.sort(np.where(np.isnan(own := seed_times(curves, level)), np.inf, own))
    value = float(times[(len(times) - 1) // 2])
    return value if np.isfinite(value) else float("nan")


def _finding(scenario: Scenario, curves: dict[Cell, Curves], axis: str) -> str:
    """For each task what half of the seeds need at the fewest and the most agents."""
    called, found = shown(scenario, FIGURE_OF[axis]), groups(scenario, axis)
    if axis == TIME or len(called) != 1:
        return _best(scenario, curves, axis)
    said = []
    for environment, by_n in found.items():
        level = scenario.threshold(environment)
        parts = [_need(curves[cells[0]], level) for n, cells in by_n.items()
                 if n in (min(by_n), max(by_n)) and cells[0] in curves]  # fmt: skip
        said += [f"{level:g} on {environment} after {', '.join(parts)}"] if parts else []
    name = display_name(next(iter(called.values())))
    return f"{name}, steps per agent: half of the seeds reach {'; '.join(said)}" if said else name


def _best(scenario: Scenario, curves: dict[Cell, Curves], axis: str) -> str:
    """Whose median is highest in each panel, where the first of its methods ends."""
    called, said = shown(scenario, FIGURE_OF[axis]), []
    for environment, by_n in groups(scenario, axis).items():
        for n, cells in by_n.items():
            middles = {c[1]: median_of(curves[c]) for c in cells if c in curves and curves[c].whole}
            end = min((middle.x[-1] for middle in middles.values()), default=0.0)
            ends = {method: float(np.interp(end, m.x, m.returns)) for method, m in middles.items()}
            if ends:
                best = max(ends, key=lambda method: ends[method])
                said.append(f"{display_name(called[best])} on {environment} with N = {n} ({layout.number(ends[best])})")
    return (
        layout.unbroken(f"Highest median where the first method ends: {', '.join(said)}")
        if said
        else "No run to the end"
    )


def _need(curves: Curves, level: float) -> str:
    value = half_time(curves, level)
    need = "more than the budget" if np.isnan(value) else layout.number(value)
    return layout.unbroken(f"{need} with N = {curves.n_agents}")


def _data(scenario: Scenario, drawn: list[Curves], axis: str) -> pd.DataFrame:
    """Every point of every curve: of single seeds, the median and the poster."""
    rows = []
    for c in drawn:
        middle, poster = median_of(c), reference(scenario, c)
        lines = [(f"seed {run.seed}", run.x, run.returns) for run in c.runs]
        lines += [("median", middle.x, middle.returns)]
        lines += [("poster", poster.x, poster.returns_SG[0])] if poster is not None else []
        rows += [pd.DataFrame({"environment": c.environment, "method": c.method, "n_agents": c.n_agents, "curve": name,
                               axis: x, "return": y}) for name, x, y in lines]  # fmt: skip
    columns = ["environment", "method", "n_agents", "curve", axis, "return"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)
