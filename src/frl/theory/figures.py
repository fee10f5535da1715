"""The figures of the theory lab, drawn from its table of estimates and, for panel (i), from the curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

from frl.report.figures import style
from frl.report.figures.style import GREY
from frl.scenario.products import figure_names
from frl.scenario.theory import TheoryScenario
from frl.theory import extensions, messages_figures
from frl.theory.cells.spec import Cell
from frl.theory.collect import read_curves, read_estimates
from frl.theory.estimates import KNEE
from frl.theory.maps import lookahead

PROBLEMS = {"quadratic": "Noisy quadratic", "garnet": "Garnet MDP, softmax", "lqr": "LQR, Gaussian policy"}


PANELS = {"rates": ["rates"], "speedup": ["speedup", "rates"], "time": ["time"], "lookahead": ["lookahead", "best"],
          "sampled": ["sampled"], "adversaries": ["adversaries"], "rennala": ["rennala"],
          "compression": ["compression"], "bandwidth": ["bandwidth"], "natural": ["natural"]}  # fmt: skip
"""The panels whose estimates a figure shows."""


def draw(scenario: TheoryScenario, base: Path) -> None:
    """Write the scenario's figures (:func:`figure_names`) below `base`/figures, each with its numbers as CSV.

    Args:
        scenario: names the panels.
        base: folder that holds the collected estimates.csv and curves.csv.
    """
    estimates, curves = read_estimates(base), read_curves(scenario, base)
    drawn: dict[str, Callable[[float], Figure]] = {
        "rates": lambda width: rates(estimates, curves, width),
        "speedup": lambda width: speedup(estimates, "speedup", "exact gradient plus noise", width),
        "time": lambda width: waiting(estimates, width),
        "lookahead": lambda width: lookahead(estimates, width),
        "sampled": lambda width: speedup(estimates, "sampled", "sampled trajectories", width),
        "compression": lambda width: messages_figures.compression(estimates, width),
        "bandwidth": lambda width: messages_figures.bandwidth(estimates, width),
        "natural": lambda width: messages_figures.natural(estimates, width),
        "adversaries": lambda width: extensions.adversaries(estimates, width),
        "rennala": lambda width: extensions.rennala(estimates, width),
    }
    with style.paper_style():
        for name in figure_names(scenario):
            panel = name.removeprefix("theory-")
            at = drawn[panel] if (estimates["panel"] == panel).any() else nothing
            numbers = estimates[estimates["panel"].isin(PANELS[panel])].dropna(axis="columns", how="all")
            wide, narrow = (style.Drawing(at(width), numbers) for width in (style.WIDE, style.NARROW))
            style.save(wide, narrow, base / "figures" / name)


def nothing(width: float) -> Figure:
    """What is drawn of a panel without estimates, in a width (inches) as all figures here."""
    figure = style.new_figure(width, 1.0)
    figure.text(
        0.5, 0.5, "no estimate: cells are missing,\nor no target is reached", ha="center", va="center", color=GREY
    )
    return figure


def shades(count: int) -> list[tuple[float, ...]]:
    """Colours of an ordered quantity, dark for the first."""
    viridis: Any = colormaps["viridis"]
    return [viridis(x) for x in np.linspace(0, 0.88, count)]


def rates(estimates: pd.DataFrame, curves: dict[Cell, pd.DataFrame], width: float) -> Figure:
    """Panel (i): the mean gap against the gradients of all agents, one line an N; below, the last gap against N."""
    cells = [cell for cell in curves if cell.panel == "rates"]
    problems = list(dict.fromkeys(cell.problem for cell in cells))
    across = 1 if width == style.NARROW else len(problems)
    down = -(-len(problems) // across)
    figure = style.new_figure(width, 0.7 + 3.9 * down)
    grid = figure.subplots(2 * down, across, squeeze=False, height_ratios=(1.7, 1) * down)
    panels = np.hstack([grid[2 * row : 2 * row + 2] for row in range(down)])
    agents = sorted({cell.n_agents for cell in cells})
    colour = dict(zip(agents, shades(len(agents)), strict=True))
    for column, problem in enumerate(problems):
        top, low = panels[:, column]
        for cell in sorted((c for c in cells if c.problem == problem), key=lambda c: c.n_agents):
            mean = curves[cell]
            top.plot(mean["uploads"][1:], mean["gap"][1:], color=colour[cell.n_agents], linewidth=1.2)
        _guide(top)
        top.set(xscale="log", yscale="log", title=PROBLEMS.get(problem, problem), xlabel="gradients of all agents, K")
        rows = _rows(estimates, panel="rates", quantity="gap_ratio", problem=problem)
        _bars(low, rows, style.BLUE, "")
        _agents_axis(low, agents)
        ends = [0.6, 1.6, *rows["low"], *rows["high"]]
        low.set(yscale="log", ylim=(0.95 * min(ends), 1.05 * max(ends)))
        _plain(low, [0.2, 0.5, 0.8, 1.25, 2, 5, 10, 20, 50])
    for first in range(0, len(problems), across):
        panels[0, first].set_ylabel("mean gap / first gap")
        panels[1, first].set_ylabel("last gap,\nN agents / one")
    handles = [panels[0, 0].plot([], [], color=colour[n], label=f"N = {n}")[0] for n in agents]
    guide = panels[0, 0].plot([], [], color=GREY, linestyle=(0, (4, 2)), label="K^−2/5, the theorem's bound")
    figure.legend(handles=[*handles, *guide], loc="outside lower center", ncols=5 if width > style.NARROW else 2)
    return figure


def _guide(panel: Axes) -> None:
    """A line of slope -2/5 over the last decades, below the curves."""
    x, y = (np.asarray(panel.get_lines()[0].get_data()[i], dtype=np.float64) for i in (0, 1))
    over = x >= x[-1] / 100
    panel.plot(x[over], 1.6 * y[over][0] * (x[over] / x[over][0]) ** -0.4, color=GREY, linestyle=(0, (4, 2)))


def speedup(estimates: pd.DataFrame, panel: str, words: str, width: float) -> Figure:
    """Panels (ii) and (v): K_epsilon(N) / K_epsilon(1) for each step size; and the knee against epsilon."""
    of_panel = _rows(estimates, panel=panel)
    if panel == "speedup":
        of_panel = pd.concat([of_panel, _rows(estimates, panel="rates", problem=of_panel["problem"].iloc[0])])
    ratios = of_panel[of_panel["quantity"] == "updates_ratio"]
    settings = list(ratios[["schedule", "step_size"]].drop_duplicates().sort_values(["schedule", "step_size"]).values)
    narrow, count = width == style.NARROW, len(settings)
    columns = 2 if narrow or count == 3 else 3
    rows = -(-count // columns) + 1 if narrow else -(-(count + 1) // columns)
    figure = style.new_figure(width, (1.9 if narrow else 2.35) * rows + 0.5)
    grid = figure.add_gridspec(rows, columns)
    axes = [figure.add_subplot(grid[divmod(i, columns)]) for i in range(count)]
    last = figure.add_subplot(grid[-1, :] if narrow else grid[divmod(count, columns)])
    epsilons = sorted(ratios["epsilon"].unique(), reverse=True)
    colour = dict(zip(epsilons, shades(len(epsilons)), strict=True))
    top = min(1.3 * float(ratios["value"].max()), 60)
    for axis, (schedule, step) in zip(axes, settings, strict=True):
        some = ratios[(ratios["schedule"] == schedule) & (ratios["step_size"] == step)]
        for epsilon in epsilons:
            _bars(axis, some[some["epsilon"] == epsilon], colour[epsilon], f"ε = {epsilon:g}")
        axis.axhline(KNEE, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)))
        _agents_axis(axis, sorted(ratios["n_agents"].unique()))
        axis.set(yscale="log", ylim=(0.6, max(top, 2)))
        _plain(axis, [0.7, 1, 1.25, 2, 3, 5, 10, 20, 50])
        axis.set_title(f"η = {step:g}" if schedule == "constant" else "theorem's schedule")
    for axis in axes[::columns]:
        axis.set_ylabel("updates to ε,\nN agents / one")
    _knees(last, of_panel, settings)
    handles = [axes[0].plot([], [], "o-", color=colour[e], label=f"ε = {e:g}")[0] for e in epsilons]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if width > style.NARROW else 3)
    figure.suptitle(f"{PROBLEMS[of_panel['problem'].iloc[0]]}: {words}", fontsize=9.5)
    return figure


def _knees(axis: Axes, rows: pd.DataFrame, settings: list[tuple[str, float]]) -> None:
    """The knee against epsilon for each step size, with the two readings of the theory."""
    knees = rows[(rows["quantity"] == "knee") & (rows["relation"] == "=")]
    for (schedule, step), tone in zip(settings, _METHODS, strict=False):
        some = knees[(knees["schedule"] == schedule) & (knees["step_size"] == step)].sort_values("epsilon")
        label = f"η = {step:g}" if schedule == "constant" else "schedule"
        error = [np.maximum(some["value"] - some["low"], 0), np.maximum(_finite(some["high"]) - some["value"], 0)]
        axis.errorbar(
            some["epsilon"], some["value"], yerr=error, fmt="o-", color=tone, label=label, linewidth=1.1, markersize=3.5
        )
    axis.set(xscale="log", yscale="log", xlabel="ε", title=f"N at a ratio of {KNEE}")
    axis.set_ylabel("N")
    axis.set_ylim(0.6, 2000)
    _plain(axis, [1, 2, 5, 10, 20, 50, 100, 200, 500])
    axis.xaxis.set_major_locator(FixedLocator(sorted(rows["epsilon"].dropna().unique())))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.tick_params(axis="x", labelrotation=60)
    axis.legend(fontsize=6.5, loc="lower center", handlelength=1.2, ncols=2, columnspacing=1)


_METHODS = (style.BLACK, style.ORANGE, style.SKY, style.BLUE, style.VERMILION, style.GREEN)


def waiting(estimates: pd.DataFrame, width: float) -> Figure:
    """Panel (iii), against slowest / fastest: closed forms of time, gain of not waiting, price of a straggler."""
    narrow = width == style.NARROW
    figure = style.new_figure(width, 7.5 if narrow else 2.9)
    left, middle, right = figure.subplots(*((3, 1) if narrow else (1, 3)))
    rows = _rows(estimates, panel="time")
    epsilons = sorted(rows["epsilon"].dropna().unique(), reverse=True)
    colour = dict(zip(epsilons, shades(len(epsilons)), strict=True))
    for epsilon in epsilons:
        some = rows[rows["epsilon"] == epsilon]
        for panel, quantity, marker in (
            (left, "time_per_update", "o"), (left, "time_per_round", "s"), (middle, "time_ratio", "o"),
            (right, "updates_ratio", "o"),
        ):  # fmt: skip
            _bars(panel, some[some["quantity"] == quantity], colour[epsilon], "", x="slowest", marker=marker)
    gain = rows[rows["quantity"] == "time_ratio"].drop_duplicates("slowest").sort_values("slowest")
    middle.plot(gain["slowest"], gain["theory"], color=GREY, linestyle=(0, (4, 2)), label="waiting alone")
    left.set(title="Time to ε", ylim=(0.8, 1.25), ylabel="measured / closed form")
    middle.set(title="FedPG / AFedPG", yscale="log", ylabel="time to ε")
    right.set(title="AFedPG's updates to ε", ylim=(0.5, 1.5), ylabel="one slow agent of eight / none")
    right.axhline(1, color=GREY, linewidth=0.9)
    _plain(middle, [1, 2, 5, 10, 20, 50, 100, 200])
    for panel in (left, middle, right):
        panel.set(xscale="log", xlabel="slowest / fastest")
        panel.xaxis.set_major_locator(FixedLocator(sorted(rows["slowest"].unique())))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    left.plot([], [], "o", color=GREY, label="AFedPG: 1 / Σ 1/t")
    left.plot([], [], "s", color=GREY, label="FedPG: t_max a round")
    left.legend(loc="lower left")
    middle.legend(loc="lower right")
    handles = [left.plot([], [], "o-", color=colour[e], label=f"ε = {e:g}")[0] for e in epsilons]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) if width > style.NARROW else 3)
    return figure


def _rows(estimates: pd.DataFrame, **where: object) -> pd.DataFrame:
    for column, value in where.items():
        estimates = estimates[estimates[column] == value]
    return estimates


def _finite(values: pd.Series) -> pd.Series:
    return values.replace(np.inf, 1e4)


def _bars(panel: Axes, rows: pd.DataFrame, colour: object, label: str, x: str = "n_agents", marker: str = "o") -> None:
    """Values with their intervals along x; a triangle where the truth is only known to be larger."""
    rows = rows.sort_values(x)
    known = rows[rows["relation"] == "="]
    error = [np.maximum(known["value"] - known["low"], 0), np.maximum(_finite(known["high"]) - known["value"], 0)]
    panel.errorbar(
        known[x], known["value"], yerr=error, fmt=f"{marker}-", color=colour, linewidth=1.1, markersize=3.5, label=label
    )
    beyond = rows[rows["relation"] == ">"]
    panel.plot(beyond[x], beyond["value"], "^", color=colour, markersize=4, markerfacecolor="white")


def _agents_axis(panel: Axes, agents: list[int]) -> None:
    panel.set(xscale="log", xlabel="agents, N")
    panel.xaxis.set_major_locator(FixedLocator([n for i, n in enumerate(agents) if i % 2 == 0]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.axhline(1, color=GREY, linewidth=0.9, zorder=0.5)


def _plain(panel: Axes, ticks: list[float]) -> None:
    panel.yaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_minor_formatter(NullFormatter())
