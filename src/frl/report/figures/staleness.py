"""How old updates are when they arrive: server steps from dispatch to the step that uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from frl.analysis.curves import STEPS, rows_of
from frl.analysis.names import curve_name, shown
from frl.analysis.quantity import Array
from frl.report.figures import layout, style, ticks
from frl.report.figures.complexity import groups
from frl.report.figures.style import Drawing
from frl.scenario.scenario import Scenario

COLUMN = "staleness_counts"
"""Of a run's rows: the delays since the previous row, as `1:5/9:2` for five arrivals of delay 1 and two of 9."""


def staleness(scenario: Scenario, frame: pd.DataFrame, width: float) -> Drawing:
    """Histograms of the delays of the methods of sample complexity, one panel for each task and N above 1."""
    named: dict[str, Counter[int]] = {}
    for environment, by_n in groups(scenario, STEPS).items():
        for n_agents, cells in by_n.items():
            for cell in cells if n_agents > 1 else []:
                rows = rows_of(frame, cell)
                name = curve_name(shown(scenario, "sample_complexity")[cell[1]], n_agents)
                if COLUMN in rows and (counts := read(rows[COLUMN])):
                    named[f"{environment}: {name}" if len(scenario.environments) > 1 else name] = counts
    histograms = {
        name: (np.array(sorted(counts), dtype=float), np.array([counts[d] for d in sorted(counts)], dtype=float))
        for name, counts in named.items()
    }
    return draw(histograms, width)


def read(cells: pd.Series[str]) -> Counter[int]:
    """The delays of all rows with how often each occurred."""
    counts: Counter[int] = Counter()
    for text in cells.dropna():
        for one in str(text).split("/"):
            delay, count = one.split(":")
            counts[int(delay)] += int(count)
    return counts


def draw(histograms: Mapping[str, tuple[Array, Array]], width: float) -> Drawing:
    """One panel for each histogram, in common limits.

    Args:
        histograms: by their names: delays in server steps, ascending, and how often each occurred.
        width: of the figure, inches.
    """
    columns = min(max(len(histograms), 1), 4 if width > style.NARROW else 2)
    rows = max(-(-len(histograms) // columns), 1)
    figure, grid = layout.page(width, rows, columns, 1.45, _finding(histograms))
    panels = [panel for line in grid for panel in line]
    for panel in panels[max(len(histograms), 1) :]:
        panel.remove()
    if not histograms:
        layout.nothing_drawn(panels[0], "no delays were recorded")
    most = max((float(delays.max()) for delays, _ in histograms.values()), default=1.0)
    top = max((float((counts / counts.sum()).max()) for _, counts in histograms.values()), default=1.0)
    for place, (panel, (name, (delays, counts))) in enumerate(zip(panels, histograms.items(), strict=False)):
        _panel(panel, delays, counts)
        panel.set(xlim=(0, most + 0.8), ylim=(0, 1.08 * top))
        oldest = f"half at most {_median(delays, counts):g}, oldest {delays.max():g}"
        layout.panel_title(panel, layout.unbroken(f"{name}: {oldest}"), 0.9 * width / columns)
        panel.tick_params(labelleft=place % columns == 0)
        if place % columns == 0:
            panel.set_ylabel("updates")
        if place + columns >= len(histograms):
            panel.set_xlabel("delay (server steps)")
    return Drawing(figure, _data(histograms))


def _panel(panel: Axes, delays: Array, counts: Array) -> None:
    panel.bar(delays, counts / counts.sum(), width=0.85, color=style.SKY)
    panel.axvline(_median(delays, counts), color=style.BLACK, linewidth=1.0, linestyle=(0, (3, 1.5)))
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(4))
    panel.grid(visible=False, axis="x")
    ticks.per_cent(panel.yaxis)


def _median(delays: Array, counts: Array) -> float:
    return float(delays[np.searchsorted(np.cumsum(counts), counts.sum() / 2)])


def _finding(histograms: Mapping[str, tuple[Array, Array]]) -> str:
    if not histograms:
        return "No delays were recorded"
    name, (delays, counts) = max(histograms.items(), key=lambda one: _median(*one[1]))
    return layout.unbroken(
        f"Updates are oldest with {name}: half are {_median(delays, counts):g} server steps old or less, "
        f"the oldest {delays.max():g}"
    )


def _data(histograms: Mapping[str, tuple[Array, Array]]) -> pd.DataFrame:
    rows = [(name, int(d), int(c)) for name, (delays, counts) in histograms.items()
            for d, c in zip(delays, counts, strict=True)]  # fmt: skip
    return pd.DataFrame(rows, columns=["curve", "delay", "updates"])
