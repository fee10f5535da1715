"""Two diagrams of how the methods work, drawn from a scenario's own numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from frl.analysis.quantity import Array
from frl.analysis.waiting import round_seconds, task_seconds
from frl.report.figures import layout, style
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec

ROUNDS = 3  # synchronous rounds shown
_IDLE = "#d9d9d9"


def example(scenario: Scenario) -> RunSpec:
    """The run whose fleet is drawn: the first environment, a synchronous method if there is one, N nearest to 4."""
    arms = [scenario.arm(*cell) for cell in scenario.cells()]
    waiting = [spec for spec in arms if spec.algorithm == "fedpg"] or arms
    most = max((spec for spec in waiting if spec.environment == waiting[0].environment), key=lambda s: s.n_agents)
    own = [spec for spec in waiting if (spec.environment, spec.method) == (most.environment, most.method)]
    return min(own, key=lambda spec: abs(spec.n_agents - 4))


def timeline(spec: RunSpec, width: float) -> Figure:
    """Who works and who waits, over three synchronous rounds: the server that waits, and the one that does not.

    Bars are tasks of mean length (seconds), black marks are updates of the server. Call it inside `style.paper_style`.
    """
    seconds, length = task_seconds(spec), round_seconds(spec)
    figure = style.new_figure(width, 1.5 + (0.42 if width > style.NARROW else 0.36) * spec.n_agents)
    waiting, not_waiting = figure.subplots(2, 1, sharex=True)
    titles = _synchronous(waiting, seconds, length), _asynchronous(not_waiting, seconds, ROUNDS * length)
    for panel, title in zip((waiting, not_waiting), titles, strict=True):
        layout.panel_title(panel, title, 0.78 * width if width == style.NARROW else width)
        panel.set_yticks(range(spec.n_agents), [f"agent {i + 1}" for i in range(spec.n_agents)])
        panel.invert_yaxis()
        panel.set_xlim(0, ROUNDS * length * 1.01)
        panel.grid(visible=False)
    not_waiting.set_xlabel("time (s)")
    return figure


def _synchronous(panel: Axes, seconds: Array, length: float) -> str:
    """Draw the rounds; returns what they show."""
    for start in np.arange(ROUNDS) * length:
        for agent, own in enumerate(seconds):
            _bar(panel, agent, start, own, style.VERMILION)
            panel.barh(agent, length - own, left=start + own, height=0.6, color=_IDLE, hatch="////", edgecolor="white")
        panel.axvline(start + length, color="black", linewidth=1.8)
    idle = 1 - float(seconds.mean()) / length
    tasks = ROUNDS * len(seconds)
    return f"Synchronous: {ROUNDS} updates of the server from {tasks} tasks; agents wait {100 * idle:.0f} % of the time"


def _asynchronous(panel: Axes, seconds: Array, end: float) -> str:
    """Draw the tasks; returns what they show."""
    updates = 0
    for agent, own in enumerate(seconds):
        starts = np.arange(0, end - 1e-9, own)
        for start in starts:
            _bar(panel, agent, start, min(own, end - start), style.BLUE)
        ends = starts[starts + own <= end + 1e-9] + own
        panel.plot(ends, np.full(len(ends), agent), "|", color="black", markersize=11, markeredgewidth=1.8)
        updates += len(ends)
    return f"Asynchronous: {updates} updates of the server from {updates} tasks; nobody waits"


def _bar(panel: Axes, agent: int, start: float, length: float, colour: str) -> None:
    panel.barh(agent, length, left=start, height=0.6, color=colour, edgecolor="white", linewidth=0.6)


def messages(spec: RunSpec, width: float) -> Figure:
    """What crosses between the server and an agent, and what stays where it was made. Call inside `paper_style`.

    Side by side; in a narrow figure the server stands above the agents.
    """
    normalizer = spec.normalizer.mode == "federated"
    down = ["task: sampling point θ̃", *["observation sums"] * normalizer]
    up = ["update: gradient g at θ̃", *["sums of new\nobservations"] * normalizer]
    narrow = width == style.NARROW
    figure = style.new_figure(width, 4.1 if narrow else 2.5)
    panel = figure.add_subplot()
    panel.set(xlim=(0, 47) if narrow else (0, 100), ylim=(4, 63) if narrow else (4, 39))
    panel.axis("off")
    x, y, height = (11.5, 49.0, 13.0) if narrow else (2.0, 8.0, 24.0)
    _agents(panel, 7 if narrow else 66, 5, spec.n_agents)
    _box(panel, x, y, 24, height, "#f2f6fa", "black")
    middle, top = x + 12, y + (10 if narrow else 20)
    panel.text(middle, top, "server", ha="center", weight="bold")
    kept = (
        "parameters θ, momentum d\none step per update" if narrow else "parameters θ\nmomentum d\none step per update"
    )
    panel.text(middle, top - (5.5 if narrow else 11), kept, ha="center", va="center", linespacing=1.6)
    if narrow:
        _arrow(panel, (19, 48.5), (19, 38), style.ORANGE)
        _arrow(panel, (28, 38), (28, 48.5), style.BLUE)
        panel.text(18, 43.5, "\n".join(down), ha="right", va="center", fontsize=7)
        panel.text(29, 43.5, "\n".join(up), ha="left", va="center", fontsize=7)
    else:
        _arrow(panel, (27, 27), (65, 27), style.ORANGE)
        _arrow(panel, (65, 13), (27, 13), style.BLUE)
        for text, y in ((down, 27), (up, 13)):
            panel.text(46, y + 1.5, text[0], ha="center", va="bottom")
            panel.text(46, y - 1.5, "".join(text[1:]).replace("\n", " "), ha="center", va="top")
    return figure


def _agents(panel: Axes, x: float, y: float, count: int) -> None:
    """The agents, one before the others, with what stays there; its lower left corner is at (x, y)."""
    for i in (2, 1, 0):
        _box(panel, x + i, y + 1.6 * i, 30, 29, "white", style.BLUE)
    panel.text(x + 15, y + 25, f"agent 1 … {count}", ha="center", weight="bold")
    panel.text(x + 15, y + 19, "policy at θ̃, own environment", ha="center")
    _box(panel, x + 3, y + 2.5, 24, 12.5, "#f5f5f5", "#999999")
    panel.text(x + 15, y + 8.8, "observations, actions,\nrewards, trajectories\nstay here", ha="center", va="center")


def _box(panel: Axes, x: float, y: float, width: float, height: float, face: str, edge: str) -> None:
    panel.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=1.2", facecolor=face, edgecolor=edge)
    )


def _arrow(panel: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    panel.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=16, linewidth=2.2, color=colour))
