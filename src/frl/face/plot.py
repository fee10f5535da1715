"""Curves of runs in a reader's own axes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from frl.analysis.curves import Curves
from frl.analysis.names import curve_name
from frl.report.figures.style import agent_colours, dashes, method_colours
from frl.scenario.claim_base import Per

LABELS: dict[Per, str] = {
    "samples": "environment steps per agent",
    "uploads": "uploads per agent",
    "uplink_bytes": "uploaded bytes per agent",
    "total_bytes": "bytes per agent, both directions",
}


def plot(cells: Sequence[Curves], by: Per, clock: str, ax: Axes | None) -> Axes:
    """Every seed's own evaluations as a thin line, the median over the whole runs as a thick one.

    A cross marks a divergence. Whole are the runs that were not set to stop at a return.
    """
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    dash, colours = dashes(sorted({curves.n_agents for curves in cells})), _colours(cells)
    for curves, colour in zip(cells, colours, strict=True):
        for run in curves.runs:
            ax.plot(run.x, run.returns, color=colour, linewidth=0.7, alpha=0.4)
            if np.isfinite(run.diverged_at):
                ax.plot(run.diverged_at, run.returns[-1], "x", color=colour)
        name = f"{curve_name(curves.method, curves.n_agents)}, {len(curves.runs)} seed{'s' * (len(curves.runs) != 1)}"
        if len(curves.whole) < len(curves.runs):
            name += f" (median of {len(curves.whole)})" if curves.whole else ", all stopped at a return"
        ax.plot(
            curves.x,
            np.median(curves.returns_SG, axis=0) if curves.whole else curves.x,
            color=colour,
            linestyle=dash[curves.n_agents],
            linewidth=2,
            label=name,
        )
    ax.set_xlabel(LABELS.get(by, f"{clock} (s)"))
    ax.set_ylabel("return")
    ax.set_title(cells[0].environment)
    ax.legend()
    return ax


def _colours(cells: Sequence[Curves]) -> list[str]:
    """One for each cell: by N where there is one method, by method where each has one N, else no two alike."""
    counts, methods = [one.n_agents for one in cells], [one.method for one in cells]
    if len(set(methods)) == 1:
        by_count = agent_colours(counts)
        return [by_count[n] for n in counts]
    if len(set(methods)) == len(cells):
        by_method = method_colours(methods)
        return [by_method[method] for method in methods]
    return list(agent_colours(range(len(cells))).values())
