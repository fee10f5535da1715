"""Three figures of communication: what a message buys, who uploaded when, and what the variance multiplier trades."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

from frl.analysis.curves import STEPS, UPLINK, UPLOADS, Cell, Curves, mean_height
from frl.analysis.intervals import mean_interval
from frl.analysis.names import curve_name, display_name, shown
from frl.analysis.quantity import Array
from frl.analysis.uploads import Group, answers, baseline, by_n_agents, curves_of, groups, longest_skips, runs_of
from frl.analysis.uploads import upload_shares as shares_of
from frl.report.figures import style
from frl.report.figures.curves import (
    EXPLAINED,
    GREY,
    Look,
    add_legend,
    draw_curve,
    explanations,
    fit,
    nothing_drawn,
    seeds_of,
)
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS

_AXES = {UPLOADS: "uploads of all agents", UPLINK: "uplink of all agents (bytes)", "server_step": "rounds"}


def communication(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """Return against uploads, uplink bytes and rounds; a row of panels for each group of runs to compare and each N.

    Args:
        scenario: names the methods (`figures.communication`).
        frame: the collected evaluation points.
    """
    names = shown(scenario, "communication")
    rows = by_n_agents(groups(scenario, "communication"))
    colours = style.method_colours(names.values())
    figure = style.new_figure(7.0, 0.8 + 1.75 * len(rows))
    handles: dict[str, Artist] = {}
    panels = figure.subplots(len(rows), len(_AXES), squeeze=False)
    for line, ((group, n_agents), cells) in zip(panels, rows.items(), strict=True):
        for panel, (axis, label) in zip(line, _AXES.items(), strict=True):
            drawn = curves_of(frame, cells, axis)
            for one in drawn:
                name = names[one.method]
                handles.setdefault(display_name(name), draw_curve(panel, one, Look(colours[name])))
            handles |= explanations(drawn, reference=False)
            _label(panel, drawn, label, first=axis == UPLOADS)
        seeds = f"  ({seeds_of(drawn)})" if drawn else ""
        line[0].set_title(f"{group.title(scenario)}, N = {n_agents}{seeds}")
    methods = dict.fromkeys(display_name(name) for name in names.values())
    add_legend(
        figure,
        {name: handles[name] for name in (*methods, *EXPLAINED) if name in handles},
        4,
        place="outside upper center",
    )
    return figure


def _label(panel: Axes, drawn: list[Curves], label: str, first: bool) -> None:
    if not drawn:
        nothing_drawn(panel)
        return
    fit(panel)
    panel.set_xlabel(label)
    panel.xaxis.set_major_locator(MaxNLocator(4))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    if first:
        panel.set_ylabel("evaluation return")
    else:
        panel.tick_params(labelleft=False)


def uploads(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """Who uploaded when: a tick for every upload, a line for every agent, in the first seed of a lazy method.

    That is the first one that the figure of communication has for each of its rows, at its largest N.
    """
    names = shown(scenario, "communication")
    picked: list[tuple[Group, Cell]] = []
    for group, cells in groups(scenario, "communication").items():
        lazy = [cell for cell in cells if SERVERS[scenario.resolve(*cell, scenario.seeds[0]).algorithm].lazy]
        there = [cell for cell in lazy if cell[1] == lazy[0][1] and runs_of(frame, cell)]
        picked += [(group, there[-1])] if there else []
    heights = [0.5 + 0.09 * cell[2] for _, cell in picked] or [1.0]
    figure = style.new_figure(7.0, 0.3 + sum(heights) + 0.35 * len(heights))
    panels = figure.subplots(max(len(picked), 1), 1, squeeze=False, height_ratios=heights)[:, 0]
    if not picked:
        nothing_drawn(panels[0])
    for panel, (group, cell) in zip(panels, picked, strict=False):
        seed, rows = next(iter(runs_of(frame, cell).items()))
        uploaded_NR = answers(rows)
        n_agents, rounds = uploaded_NR.shape
        if not rounds:
            nothing_drawn(panel)
            continue
        panel.eventplot(
            [np.flatnonzero(own) + 1 for own in uploaded_NR], lineoffsets=np.arange(1, n_agents + 1), linelengths=0.8,
            linewidths=max(0.4, min(2.0, 300 / rounds)), colors=style.BLUE,
        )  # fmt: skip
        share = f"{uploaded_NR.mean():.0%}".replace("%", " %")
        name = curve_name(names[cell[1]], n_agents)
        panel.set_title(f"{group.title(scenario)}: {name}, seed {seed}")
        panel.set_title(f"{share} uploaded", loc="right", fontsize="medium")
        panel.set(xlim=(0.5, rounds + 0.5), ylim=(n_agents + 0.6, 0.4), ylabel="agent")
        panel.set_yticks([1, *range(2, n_agents + 1, 2)])
        panel.grid(visible=False)
    panels[-1].set_xlabel("round")
    return figure


def variance_multiplier(scenario: Scenario, frame: pd.DataFrame) -> Figure:
    """Share of answers uploaded, longest skip and mean return against the variance multiplier; dots: single seeds.

    A row of panels for each group of runs to compare and each N.
    """
    rows = by_n_agents(groups(scenario, "variance_multiplier"))
    rows = {key: cells for key, cells in rows.items() if len(cells) > 1}  # one alone is no sweep
    figure = style.new_figure(7.0, 0.5 + 2.3 * len(rows))
    panels = figure.subplots(len(rows), 3, squeeze=False)
    for line, ((group, n_agents), cells) in zip(panels, rows.items(), strict=True):
        ordered = sorted(cells, key=lambda cell: _multiplier(scenario, cell))
        there = [cell for cell in ordered if runs_of(frame, cell)]
        if not there:
            for panel in line:
                nothing_drawn(panel)
            continue
        curves = curves_of(frame, there, STEPS)
        line[0].set_title(f"{group.title(scenario)}, N = {n_agents}  ({seeds_of(curves)})")
        _sweep(line[0], [np.array(shares_of(frame, cell)) for cell in there], "share of answers uploaded")
        line[0].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        line[0].set_ylim(0, 1.05)
        _sweep(line[1], [np.array(longest_skips(frame, cell), dtype=float) for cell in there], "longest skip (rounds)")
        other = baseline(scenario, there[0])
        plain = curves_of(frame, [other], STEPS) if other else []
        end = min(c.x[-1] for c in (*curves, *plain))
        _sweep(line[2], [mean_height(c, end) for c in curves], "mean return over the budget")
        for one in plain:
            label = display_name(shown(scenario, "communication")[one.method])
            line[2].axhline(mean_height(one, end).mean(), color=GREY, linewidth=1.2, linestyle=(0, (4, 2)), label=label)
            line[2].legend(loc="best")
        for panel in line:
            panel.set_xticks(range(len(there)), [f"{_multiplier(scenario, cell):g}" for cell in there])
            panel.set_xlim(-0.5, len(there) - 0.5)
            panel.set_xlabel("variance multiplier")
            panel.grid(visible=False, axis="x")
    return figure


def _sweep(panel: Axes, values: list[Array], label: str) -> None:
    """Mean with its interval at every place, the single seeds beside it."""
    rng = np.random.default_rng(0)
    for place, value_S in enumerate(values):
        mean, low, high = (float(v[0]) for v in mean_interval(value_S[:, None]))
        error = [[mean - low], [high - mean]] if np.isfinite(low) else None
        panel.errorbar(place - 0.1, mean, yerr=error, fmt="o", color=style.BLUE, markersize=5, linewidth=1.5, zorder=3)
        x = place + 0.18 + 0.14 * (rng.random(len(value_S)) - 0.5)
        panel.plot(x, value_S, "o", color=style.BLUE, alpha=0.4, markersize=3, markeredgewidth=0)
    panel.set_ylabel(label)


def _multiplier(scenario: Scenario, cell: Cell) -> float:
    return float(getattr(scenario.resolve(*cell, scenario.seeds[0]).server, "variance_multiplier", np.nan))
