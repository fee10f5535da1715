"""Two diagrams of how the methods work, drawn from a scenario's own numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from frl.analysis.quantity import Array
from frl.analysis.waiting import round_seconds, task_seconds
from frl.report.figures import style
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


def timeline(spec: RunSpec) -> Figure:
    """Who works and who waits, over three synchronous rounds: the server that waits, and the one that does not.

    Bars are tasks of mean length (simulated seconds), black marks are updates of the server. Call it inside
    `style.paper_style`.
    """
    seconds, length = task_seconds(spec), round_seconds(spec)
    figure = style.new_figure(7.0, 1.5 + 0.42 * spec.n_agents)
    waiting, not_waiting = figure.subplots(2, 1, sharex=True)
    _synchronous(waiting, seconds, length)
    _asynchronous(not_waiting, seconds, ROUNDS * length)
    for panel in (waiting, not_waiting):
        panel.set_yticks(range(spec.n_agents), [f"agent {i + 1}" for i in range(spec.n_agents)])
        panel.invert_yaxis()
        panel.set_xlim(0, ROUNDS * length * 1.01)
        panel.grid(visible=False)
    not_waiting.set_xlabel("time (s)")
    return figure


def _synchronous(panel: Axes, seconds: Array, length: float) -> None:
    for start in np.arange(ROUNDS) * length:
        for agent, own in enumerate(seconds):
            _bar(panel, agent, start, own, style.VERMILION)
            panel.barh(agent, length - own, left=start + own, height=0.6, color=_IDLE, hatch="////", edgecolor="white")
        panel.axvline(start + length, color="black", linewidth=1.8)
    idle = 1 - float(seconds.mean()) / length
    panel.set_title(
        f"Synchronous: {ROUNDS} updates of the server from {ROUNDS * len(seconds)} tasks; agents wait {idle:.0%} "
        "of the time".replace("%", " %")
    )


def _asynchronous(panel: Axes, seconds: Array, end: float) -> None:
    updates = 0
    for agent, own in enumerate(seconds):
        starts = np.arange(0, end - 1e-9, own)
        for start in starts:
            _bar(panel, agent, start, min(own, end - start), style.BLUE)
        ends = starts[starts + own <= end + 1e-9] + own
        panel.plot(ends, np.full(len(ends), agent), "|", color="black", markersize=11, markeredgewidth=1.8)
        updates += len(ends)
    panel.set_title(f"Asynchronous: {updates} updates of the server from {updates} tasks; nobody waits")


def _bar(panel: Axes, agent: int, start: float, length: float, colour: str) -> None:
    panel.barh(agent, length, left=start, height=0.6, color=colour, edgecolor="white", linewidth=0.6)


def messages(spec: RunSpec) -> Figure:
    """What crosses between the server and an agent, and what stays where it was made. Call inside `paper_style`."""
    normalizer = spec.normalizer.mode == "federated"
    down = ["sampling point θ̃", *["observation sums"] * normalizer]
    up = ["gradient g at θ̃", *["sums of new observations"] * normalizer]
    figure = style.new_figure(7.0, 2.5)
    panel = figure.add_subplot()
    panel.set(xlim=(0, 100), ylim=(4, 39))
    panel.axis("off")
    for i in (2, 1, 0):
        _box(panel, 66 + i, 5 + 1.6 * i, 30, 29, "white", style.BLUE)
    _box(panel, 2, 8, 24, 24, "#f2f6fa", "black")
    panel.text(14, 28, "server", ha="center", weight="bold")
    panel.text(14, 17, "parameters θ\nmomentum d\none step per update", ha="center", va="center", linespacing=1.6)
    panel.text(81, 30, f"agent 1 … {spec.n_agents}", ha="center", weight="bold")
    panel.text(81, 24, "policy at θ̃, own environment", ha="center")
    _box(panel, 69, 7.5, 24, 12.5, "#f5f5f5", "#999999")
    panel.text(81, 13.8, "observations, actions,\nrewards, trajectories\nstay here", ha="center", va="center")
    _arrow(panel, (27, 27), (65, 27), style.ORANGE)
    _arrow(panel, (65, 13), (27, 13), style.BLUE)
    panel.text(46, 28.5, "task: " + down[0], ha="center", va="bottom")
    panel.text(46, 25.5, ", ".join(down[1:]), ha="center", va="top")
    panel.text(46, 14.5, "update: " + up[0], ha="center", va="bottom")
    panel.text(46, 11.5, ",\n".join(up[1:]), ha="center", va="top")
    return figure


def _box(panel: Axes, x: float, y: float, width: float, height: float, face: str, edge: str) -> None:
    panel.add_patch(
        FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=1.2", facecolor=face, edgecolor=edge)
    )


def _arrow(panel: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    panel.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=16, linewidth=2.2, color=colour))
