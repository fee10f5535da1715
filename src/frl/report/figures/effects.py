"""Two figures of effects: what the lookahead saves, and what asynchrony saves on more and less equal fleets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from frl.analysis import waiting
from frl.analysis.names import display_name
from frl.analysis.quantity import Array, Relation, shown
from frl.analysis.thresholds import arm_of
from frl.report.figures import bounds, layout, style
from frl.report.figures.style import Drawing
from frl.scenario.scenario import Scenario
from frl.settings import ConstantFleet, StragglerFleet
from frl.verdicts.estimate import Data, curves_per
from frl.verdicts.record import Judgement, Verdicts

_WITHOUT, _WITH = -0.17, 0.17  # where the two of a pair stand beside their alpha


def lookahead(scenario: Scenario, frame: pd.DataFrame, verdicts: Verdicts, width: float) -> Drawing:
    """What every seed needs to the threshold without the lookahead and with it, paired at each alpha.

    Args:
        scenario: the grid.
        frame: the collected evaluation points.
        verdicts: its judged claims.
        width: of the figure, inches.
    """
    pairs = sorted(verdicts.of("lookahead"), key=lambda one: one.notes.alpha or 0)
    tasks = list(dict.fromkeys(one.environment for one in pairs))
    figure, grid = layout.page(width, max(len(tasks), 1), 1, 2.1, _saved(pairs))
    data: list[pd.DataFrame] = []
    if not pairs:
        layout.nothing_drawn(grid[0][0])
    for (panel,), environment in zip(grid, tasks, strict=False):
        own = [one for one in pairs if one.environment == environment]
        pairs_of_task = [_pair(Data(scenario, frame), panel, place, one) for place, one in enumerate(own)]
        _finish(panel, own, min(float(some["steps_per_agent"].min()) for some in pairs_of_task))
        data += pairs_of_task
    columns = ["environment", "alpha", "n_agents", "lookahead", "seed", "steps_per_agent", "reached"]
    return Drawing(figure, pd.concat(data, ignore_index=True) if data else pd.DataFrame(columns=columns))


def _pair(data: Data, panel: Axes, place: int, one: Judgement) -> pd.DataFrame:
    """Dots for seeds, hollow at the horizon for those that never got there, joined by seed; bars for the means."""
    found, there = [], []
    for (cell, at), has in zip(zip(one.cells, (_WITHOUT, _WITH), strict=True), (False, True), strict=True):
        curves = curves_per(data.rows(cell), one.per)
        arm, colour = arm_of(curves, one.threshold, one.horizon), style.BLUE if has else style.VERMILION
        times = np.exp(arm.log_S)
        found.append(dict(zip(curves.seeds, times, strict=True)))
        there.append(dict(zip(curves.seeds, arm.reached_S, strict=True)))
        stuck = int((~arm.reached_S).sum())
        aside = iter(np.linspace(-0.02, 0.02, stuck) * min(stuck - 1, 3) if stuck > 1 else [0.0])
        for time, reached in zip(times, arm.reached_S, strict=True):
            panel.plot(place + at + (0 if reached else next(aside)), time, "os"[has], color=colour, markersize=3.5,
                       markerfacecolor=colour if reached else "white", markeredgewidth=0.8, zorder=3)  # fmt: skip
        mean, outward = arm.geometric_mean, place + at * 1.5
        panel.plot([outward - 0.06, outward + 0.06], [mean, mean], color=style.BLACK, linewidth=2.2, zorder=4)
    for seed in found[0].keys() & found[1].keys():
        panel.plot([place + _WITHOUT, place + _WITH], [found[0][seed], found[1][seed]], color=style.PALE,
                   linewidth=0.6, zorder=1)  # fmt: skip
    rows = [
        (one.environment, one.notes.alpha, cell[2], has, seed, time, bool(there[has][seed]))
        for cell, has, own in zip(one.cells, (False, True), found, strict=True) for seed, time in own.items()
    ]  # fmt: skip
    columns = ["environment", "alpha", "n_agents", "lookahead", "seed", "steps_per_agent", "reached"]
    return pd.DataFrame(rows, columns=columns)


def _finish(panel: Axes, own: list[Judgement], least: float) -> None:
    """Axes of one task, from a little below the least that a seed needs to a little above the horizon."""
    low, high = least / 1.4, own[0].horizon * 1.15
    panel.set(ylim=(low, high), xlim=(-0.6, len(own) - 0.4), xlabel="momentum weight α (bar: geometric mean)")
    panel.set_yscale("log")
    panel.axhline(own[0].horizon, color=style.GREY, linewidth=0.7, linestyle=":")
    panel.set_xticks(range(len(own)), [f"{one.notes.alpha:g}" for one in own])
    panel.yaxis.set_major_locator(FixedLocator(layout.round_places(low, high, 4)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.set_ylabel(f"steps per agent to {own[0].threshold:g}\non {own[0].environment}")
    panel.grid(visible=False, axis="x")
    for at, name, colour in ((_WITHOUT, "without", style.VERMILION), (_WITH, "with", style.BLUE)):
        side = "right" if at < 0 else "left"
        panel.annotate(name, (at, low), (0, 3), textcoords="offset points", ha=side, va="bottom", color=colour)


def _saved(pairs: list[Judgement]) -> str:
    """How many times fewer samples it takes with the lookahead."""
    if not pairs:
        return "The lookahead: no pair was run"
    said = [f"{_times(one)} at α = {one.notes.alpha:g}" for one in pairs]
    return f"Samples without the lookahead over those with it: {', '.join(said)} (N\N{NO-BREAK SPACE}= " + (
        f"{pairs[0].arms[0].n_agents}; above 1 it saves)"
    )


def _times(one: Judgement) -> str:
    return shown(one.measured, "ratio")


def fleets(scenario: Scenario, verdicts: Verdicts, width: float) -> Drawing:
    """Time ratio of the synchronous method over the asynchronous one against t_max / t_min, with its closed form.

    Args:
        scenario: the grid.
        verdicts: its judged claims.
        width: of the figure, inches.
    """
    found = sorted(verdicts.of("fleets"), key=_spread)
    kinds = [scenario.arm(*one.cells[1]).fleet.kind for one in found]
    figure, ((panel,),) = layout.page(width, 1, 1, 2.3, _grows(scenario, found))
    data = pd.DataFrame(
        [
            (kind, _spread(o), *_ends(o), _relation(o), o.notes.waiting_gain)
            for kind, o in zip(kinds, found, strict=True)
        ],
        columns=["fleet", "t_max_over_t_min", "ratio", "low", "high", "relation", "closed_form"],
    )
    if not found:
        layout.nothing_drawn(panel)
        return Drawing(figure, data)
    values = [v for one in found for v in (*_ends(one), one.notes.waiting_gain or 1.0) if np.isfinite(v)]
    spreads, (low, high) = [_spread(one) for one in found], (min(values) / 1.25, max(values) * 1.25)
    panel.set(xscale="log", yscale="log", xlim=(min(spreads) / 1.25, max(spreads) * 1.25), ylim=(low, high))
    for one in found:
        value, start, end = _ends(one)
        panel.plot([_spread(one)] * 2, [start, end], color=style.BLUE, linewidth=1.7)
        bounds.mark(panel, _spread(one), value, _relation(one), style.Look(style.BLUE, "o"), 6)
    panel.set_xlabel("slowest over fastest agent (time per task)")
    slow, fast = _names(scenario, found[0])
    panel.set_ylabel(f"time to {found[0].threshold:g}, {slow} / {fast}")
    panel.xaxis.set_major_locator(FixedLocator(spreads))
    panel.yaxis.set_major_locator(FixedLocator(layout.round_places(low, high, 5)))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
    measured = np.array([_ends(one)[0] for one in found])
    named = [*_closed_forms(panel, scenario, found), ("measured", np.array(spreads), measured, style.BLUE)]
    layout.label_curves(figure, panel, named)
    return Drawing(figure, data)


def _spread(one: Judgement) -> float:
    return one.notes.t_max_over_t_min or 1.0


def _ends(one: Judgement) -> tuple[float, float, float]:
    """The effect and the ends of its interval, the value itself where they are unknown."""
    if one.effect is None:
        return (float("nan"),) * 3
    value, low, high = one.effect.value, one.effect.low, one.effect.high
    return value, value if low is None else low, value if high is None else high


def _relation(one: Judgement) -> Relation:
    return one.measured.relation if one.measured else "?"


def _names(scenario: Scenario, one: Judgement) -> list[str]:
    """What readers call the algorithms of the slower and the faster arm."""
    return [display_name(scenario.arm(*cell).algorithm) for cell in one.cells[:2]]


def _grows(scenario: Scenario, found: list[Judgement]) -> str:
    if not found:
        return "Agents of more or less equal speed: no fleet was run"
    first, last = found[0], found[-1]
    slow, fast = _names(scenario, first)
    return layout.unbroken(
        f"{slow} takes {_times(first)} times as long as {fast} {_where(first)}, {_times(last)} times {_where(last)} "
        f"(N = {first.arms[0].n_agents})"
    )


def _where(one: Judgement) -> str:
    spread = _spread(one)
    return "with equal agents" if spread == 1 else f"where the slowest agent is {spread:g} times slower"


def _closed_forms(panel: Axes, scenario: Scenario, found: list[Judgement]) -> list[tuple[str, Array, Array, str]]:
    """Draw what not waiting alone gives: a line through fleets with one straggler, and a short mark for each other.

    Returns:
        Label, x, y and colour of each.
    """
    on_line, drawn = [one for one in found if _one_straggler(scenario, one)], []
    if len(on_line) > 1:
        spec, spreads = scenario.arm(*on_line[-1].cells[1]), [_spread(one) for one in on_line]
        x = np.geomspace(min(spreads), max(spreads), 50)
        fleets_X = [StragglerFleet(ratio=max(float(ratio), 1.0)) for ratio in x]
        y = np.array([waiting.waiting_gain(spec.model_copy(update={"fleet": fleet})) for fleet in fleets_X])
        panel.plot(x, y, color=style.GREY, linestyle=(0, (4, 2)), linewidth=1.3, zorder=1, gid="closed form")
        drawn.append(("one straggler (closed form)", x, y, style.GREY))
    for one in found:
        if len(on_line) > 1 and one in on_line:
            continue
        kind, (x, y) = scenario.arm(*one.cells[1]).fleet.kind, np.array([[_spread(one)], [one.notes.waiting_gain or 1]])
        panel.plot(x, y, color=style.GREY, marker="_", markersize=16, markeredgewidth=1.3, linestyle="", zorder=1,
                   gid=f"closed form {kind}")  # fmt: skip
        drawn.append((f"{kind} fleet (closed form)", x, y, style.GREY))
    return drawn


def _one_straggler(scenario: Scenario, one: Judgement) -> bool:
    """Whether the fleet's closed form follows from t_max / t_min alone: equal agents but for the last."""
    fleet = scenario.arm(*one.cells[1]).fleet
    return isinstance(fleet, StragglerFleet | ConstantFleet) and not fleet.overhead_s
