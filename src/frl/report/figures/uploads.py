"""The figure of lazy uploads: who uploaded when."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frl.analysis.curves import Cell
from frl.analysis.names import curve_name, shown
from frl.analysis.uploads import answers, runs_of
from frl.report.figures import layout, style
from frl.report.figures.style import Drawing
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS

_Run = tuple[Cell, int, NDArray[np.bool_]]
"""The cell, its seed, and who uploaded in each round."""


def uploads(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Who uploaded when: a tick for every upload, a line for every agent, in the first seed of a lazy method.

    That is the first one that the figure of communication has, at its largest N, in each task.
    """
    names, found = shown(scenario, "communication"), _lazy_runs(scenario, frame)
    figure, grid = layout.page(width, max(len(found), 1), 1, 1.2, _quietest(found))
    if not found:
        layout.nothing_drawn(grid[0][0])
    for (panel,), (cell, seed, uploaded_NR) in zip(grid, found, strict=False):
        n_agents, rounds = uploaded_NR.shape
        panel.eventplot(
            [np.flatnonzero(own) + 1 for own in uploaded_NR], lineoffsets=list(range(1, n_agents + 1)), linelengths=0.8,
            linewidths=max(0.4, min(2.0, 40 * width / rounds)), colors=style.BLUE,
        )  # fmt: skip
        name = curve_name(names[cell[1]], n_agents)
        title = f"{cell[0]}: {name}, seed {seed}, {_percent(uploaded_NR.mean())} uploaded"
        layout.panel_title(panel, layout.unbroken(title), 0.92 * width)
        panel.set(xlim=(0.5, rounds + 0.5), ylim=(n_agents + 0.6, 0.4), ylabel="agent")
        panel.set_yticks(sorted({1, (n_agents + 1) // 2, n_agents}))
        panel.grid(visible=False)
    grid[-1][0].set_xlabel("round")
    rows = [
        (*cell, seed, agent, int(place) + 1)
        for cell, seed, uploaded_NR in found
        for agent, own in enumerate(uploaded_NR, start=1) for place in np.flatnonzero(own)
    ]  # fmt: skip
    columns = ["environment", "method", "n_agents", "seed", "agent", "round"]
    return Drawing(figure, pd.DataFrame(rows, columns=columns))


def _lazy_runs(scenario: Scenario, frame: pd.DataFrame) -> list[_Run]:
    """For each task the first run of the first lazy method at its largest N."""
    found: list[_Run] = []
    for environment in scenario.environments:
        cells = [c for key in shown(scenario, "communication") for c in scenario.cells() if c[:2] == (environment, key)]
        lazy = [cell for cell in cells if SERVERS[scenario.arm(*cell).algorithm].lazy]
        ran = [cell for cell in lazy if cell[1] == lazy[0][1] and runs_of(frame, cell)]
        for cell in ran[-1:]:
            seed, rows = next(iter(runs_of(frame, cell).items()))
            uploaded_NR = answers(rows)
            found += [(cell, seed, uploaded_NR)] if uploaded_NR.size else []
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
