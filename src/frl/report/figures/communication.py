"""Two figures of lazy uploads: who uploaded when, and what the variance multiplier trades."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from frl.analysis.curves import STEPS, Cell, Curves, mean_height, whole_runs
from frl.analysis.intervals import mean_interval
from frl.analysis.names import curve_name, display_name, shown
from frl.analysis.quantity import Array
from frl.analysis.uploads import Group, answers, baseline, by_n_agents, curves_of, groups, longest_skips, runs_of
from frl.analysis.uploads import upload_shares as shares_of
from frl.report.figures import layout, style, ticks
from frl.report.figures.style import Drawing
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS

_Run = tuple[Group, Cell, int, NDArray[np.bool_]]
"""Which runs, the cell, its seed, and who uploaded in each round."""


def uploads(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Who uploaded when: a tick for every upload, a line for every agent, in the first seed of a lazy method.

    That is the one that the figure of communication has for each task and kind of agents, at its largest N.
    """
    names, found = shown(scenario, "communication"), _lazy_runs(scenario, frame)
    figure, grid = layout.page(width, max(len(found), 1), 1, 1.2, _quietest(found))
    if not found:
        layout.nothing_drawn(grid[0][0])
    for (panel,), (group, cell, seed, uploaded_NR) in zip(grid, found, strict=False):
        n_agents, rounds = uploaded_NR.shape
        panel.eventplot(
            [np.flatnonzero(own) + 1 for own in uploaded_NR], lineoffsets=list(range(1, n_agents + 1)), linelengths=0.8,
            linewidths=max(0.4, min(2.0, 40 * width / rounds)), colors=style.BLUE,
        )  # fmt: skip
        name = curve_name(names[cell[1]], n_agents)
        title = f"{group.title(scenario)}: {name}, seed {seed}, {_percent(uploaded_NR.mean())} uploaded"
        layout.panel_title(panel, layout.unbroken(title), 0.92 * width)
        panel.set(xlim=(0.5, rounds + 0.5), ylim=(n_agents + 0.6, 0.4), ylabel="agent")
        panel.set_yticks(sorted({1, (n_agents + 1) // 2, n_agents}))
        panel.grid(visible=False)
    grid[-1][0].set_xlabel("round")
    rows = [
        (cell[0], cell[1], cell[2], group.agents, seed, agent, int(place) + 1)
        for group, cell, seed, uploaded_NR in found
        for agent, own in enumerate(uploaded_NR, start=1) for place in np.flatnonzero(own)
    ]  # fmt: skip
    columns = ["environment", "method", "n_agents", "agents", "seed", "agent", "round"]
    return Drawing(figure, pd.DataFrame(rows, columns=columns))


def _lazy_runs(scenario: Scenario, frame: pd.DataFrame) -> list[_Run]:
    """For each task and kind of agents the first run of a lazy method at its largest N."""
    found: list[_Run] = []
    for group, cells in groups(scenario, "communication").items():
        lazy = [cell for cell in cells if SERVERS[scenario.arm(*cell).algorithm].lazy]
        ran = [cell for cell in lazy if cell[1] == lazy[0][1] and runs_of(frame, cell)]
        for cell in ran[-1:]:
            seed, rows = next(iter(runs_of(frame, cell).items()))
            uploaded_NR = answers(rows)
            found += [(group, cell, seed, uploaded_NR)] if uploaded_NR.size else []
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _range(shares: list[float]) -> str:
    low, high = _percent(min(shares)), _percent(max(shares))
    return low if low == high else f"{low} to {high}"


def _quietest(found: list[_Run]) -> str:
    if not found:
        return "Who uploaded when"
    shares = [float(uploaded_NR.mean()) for *_, uploaded_NR in found]
    return f"Agents upload {_range(shares)} of their answers; each mark is an upload"


def variance_multiplier(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Share of answers uploaded, longest skip and mean return against the variance multiplier; dots: single seeds."""
    frame, found = whole_runs(frame), by_n_agents(groups(scenario, "variance_multiplier"))
    rows = {key: cells for key, cells in found.items() if len(cells) > 1}  # one alone is no sweep
    columns = 3 if width > style.NARROW else 1
    title = _trade(scenario, frame, [cell for cells in rows.values() for cell in cells])
    figure, grid = layout.page(width, max(len(rows), 1) * 3 // columns, columns, 1.7, title)
    panels = [panel for line in grid for panel in line]
    data: list[pd.DataFrame] = []
    for i, ((group, n_agents), cells) in enumerate(rows.items()):
        own = panels[3 * i : 3 * i + 3]
        ran = [cell for cell in sorted(cells, key=lambda cell: _multiplier(scenario, cell)) if runs_of(frame, cell)]
        if ran:
            data.append(_sweep(scenario, frame, ran, own))
        else:
            for panel in own:
                layout.nothing_drawn(panel)
        title = layout.unbroken(f"{group.title(scenario)}, N = {n_agents}")
        layout.panel_title(own[0], title, 0.9 * width / columns)
    names = ["environment", "n_agents", "agents", "variance_multiplier", "seed", *_MEASURED]
    return Drawing(figure, pd.concat(data, ignore_index=True) if data else pd.DataFrame(columns=names))


_MEASURED = {
    "upload_share": "answers uploaded",
    "longest_skip": "longest skip (rounds)",
    "mean_return": "mean return",
}


def _sweep(scenario: Scenario, frame: pd.DataFrame, ran: list[Cell], panels: list[Axes]) -> pd.DataFrame:
    """The three panels of one row, and their numbers."""
    curves, other = curves_of(frame, ran, STEPS), baseline(scenario, ran[0])
    plain = curves_of(frame, [other], STEPS) if other else []
    end = min(c.x[-1] for c in (*curves, *plain))
    each = [
        (np.array(shares_of(frame, cell)), np.array(longest_skips(frame, cell)), mean_height(c, end))
        for cell, c in zip(ran, curves, strict=True)
    ]
    for panel, values, label in zip(panels, zip(*each, strict=True), _MEASURED.values(), strict=True):
        _places(panel, values, label)
        panel.set_xticks(range(len(ran)), [f"{_multiplier(scenario, cell):g}" for cell in ran])
        panel.set_xlim(-0.5, len(ran) - 0.5)
        panel.set_xlabel("variance multiplier c")
        panel.yaxis.set_major_locator(MaxNLocator(4))
        panel.grid(visible=False, axis="x")
    ticks.per_cent(panels[0].yaxis)
    panels[0].set_ylim(0, 1.05)
    for one in plain:
        level, label = float(mean_height(one, end).mean()), display_name(shown(scenario, "communication")[one.method])
        panels[2].axhline(level, color=style.GREY, linewidth=1.2, linestyle=(0, (4, 2)))
        panels[2].annotate(label, (1, level), (-2, 2), xycoords=("axes fraction", "data"),
                           textcoords="offset points", ha="right", color=style.GREY)  # fmt: skip
    return pd.concat([_numbers(scenario, c, values) for c, values in zip(curves, each, strict=True)])


def _numbers(scenario: Scenario, curves: Curves, values: tuple[Array, ...]) -> pd.DataFrame:
    cell = (curves.environment, curves.method, curves.n_agents)
    group = Group(cell[0], scenario.arm(*cell).heterogeneity)
    columns = {"environment": cell[0], "n_agents": cell[2], "agents": group.agents}
    columns |= {"variance_multiplier": _multiplier(scenario, cell), "seed": curves.seeds}
    return pd.DataFrame(columns | dict(zip(_MEASURED, values, strict=True)))


def _trade(scenario: Scenario, frame: pd.DataFrame, cells: list[Cell]) -> str:
    """How much less is uploaded at the largest multiplier than at the smallest."""
    ran = [cell for cell in cells if runs_of(frame, cell)]
    said = []
    for end in (min, max) if ran else ():
        c = end(_multiplier(scenario, cell) for cell in ran)
        shares = [float(np.nanmean(shares_of(frame, cell))) for cell in ran if _multiplier(scenario, cell) == c]
        said.append(f"{_range(shares)} of the answers are uploaded with c = {c:g}")
    return layout.unbroken(", ".join(said)) or "The variance multiplier"


def _places(panel: Axes, values: tuple[Array, ...], label: str) -> None:
    """Mean with its interval at every place, the single seeds beside it."""
    for place, every_S in enumerate(values):
        value_S = every_S[np.isfinite(every_S)]
        if not len(value_S):
            continue
        mean, low, high = (float(v[0]) for v in mean_interval(value_S[:, None]))
        if np.isfinite(low):
            panel.plot([place - 0.12] * 2, [low, high], color=style.BLUE, linewidth=1.5)
        panel.plot(place - 0.12, mean, "o", color=style.BLUE, markersize=5, markeredgecolor="white", zorder=3)
        x = place + 0.05 + 0.2 * np.linspace(0, 1, len(value_S))
        panel.plot(x, np.sort(value_S), "o", color=style.BLUE, alpha=0.5, markersize=2.4, markeredgewidth=0)
    panel.set_ylabel(label)


def _multiplier(scenario: Scenario, cell: Cell) -> float:
    return float(getattr(scenario.arm(*cell).server, "variance_multiplier", np.nan))
