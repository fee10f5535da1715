"""Two figures of effects: what the lookahead adds, and what asynchrony saves on more and less equal fleets."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, StrMethodFormatter

from frl.analysis import waiting
from frl.analysis.thresholds import FAMILY_LEVEL
from frl.report.figures import style
from frl.report.figures.curves import GREY, nothing_drawn
from frl.scenario.scenario import Scenario
from frl.spec import StragglerFleet
from frl.verdicts.record import Judgement, Verdicts

LegendPlace = Literal["outside lower left", "upper left"]


def lookahead(scenario: Scenario, verdicts: Verdicts) -> Figure:
    """Samples without the lookahead over those with it, against alpha; beside it the theory's share of the bias.

    Args:
        scenario: the grid.
        verdicts: its judged claims.
    """
    figure = style.new_figure(7.0, 3.4)
    found = sorted(verdicts.of("lookahead"), key=lambda one: one.notes.alpha or 0)
    if not found:
        nothing_drawn(figure.subplots())
        return figure
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    names = [f"{one.notes.alpha:g}" for one in found]
    for place, one in enumerate(found):
        _bar(left, place, one, style.BLUE)
    left.axhline(1, color=GREY, linewidth=0.9, zorder=0.5)
    left.set_yscale("log")
    _plain_log_axis(left, [v for one in found for v in _ends(one)])
    left.set_title(_title(scenario, found))
    left.set_ylabel(f"samples to a return of {found[0].threshold:g},\nVanilla / AFedPG")
    shares = [one.notes.momentum_share or 0.0 for one in found]
    right.bar(range(len(shares)), shares, width=0.5, color=style.SKY)
    for i, share in enumerate(shares):
        right.annotate(f"{100 * share:.1f} %", (i, share), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    right.set(ylim=(0, 1))
    right.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    right.set_ylabel("share of the bias that it removes")
    right.set_title("In theory")
    for panel in (left, right):
        panel.set_xticks(range(len(names)), names)
        panel.set_xlim(-0.6, len(names) - 0.4)
        panel.set_xlabel("momentum weight α")
        panel.grid(False, axis="x")
    _legend(figure, left, "outside lower left")
    return figure


def fleets(scenario: Scenario, verdicts: Verdicts) -> Figure:
    """Time ratio of FedPG over AFedPG against t_max / t_min, with the closed form of not waiting.

    Args:
        scenario: the grid.
        verdicts: its judged claims.
    """
    figure = style.new_figure(4.6, 3.4)
    panel = figure.subplots()
    found = sorted(verdicts.of("fleets"), key=_spread)
    if not found:
        nothing_drawn(panel)
        return figure
    panel.set(xscale="log", yscale="log", xlabel=r"$t_{\max}\,/\,t_{\min}$ of the agents")
    panel.set_ylabel(f"time to a return of {found[0].threshold:g}, FedPG / AFedPG")
    panel.set_title(_title(scenario, found))
    x, y = _closed_form(scenario, found)
    panel.plot(
        x, y, color=GREY, linestyle=(0, (4, 2)), linewidth=1.3, label="from not waiting alone (closed form)", zorder=1,
        marker="_" if len(found) == 1 else "", markersize=16,
    )  # fmt: skip
    for one in found:
        _bar(panel, _spread(one), one, style.BLUE)
    ticks = [_spread(one) for one in found]
    panel.set_xlim(min(ticks) / 1.25, max(ticks) * 1.25)
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    _plain_log_axis(panel, [*y, *(v for one in found for v in _ends(one))])
    _legend(panel, panel, "upper left")
    return figure


def _spread(one: Judgement) -> float:
    return one.notes.t_max_over_t_min or 1.0


def _ends(one: Judgement) -> tuple[float, ...]:
    """The effect and the ends of its interval, as far as they are known."""
    effect = one.effect
    return tuple(v for v in (effect.value, effect.low, effect.high) if v is not None) if effect else ()


def _plain_log_axis(panel: Axes, values: list[float]) -> None:
    """Limits around these values and a few round numbers on a logarithmic y axis."""
    panel.set_ylim(min(values) / 1.25, max(values) * 1.25)
    round_numbers = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    panel.yaxis.set_major_locator(FixedLocator([t for t in round_numbers if t < 1.25 * max(values)]))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _legend(where: Axes | Figure, panel: Axes, place: LegendPlace) -> None:
    """Each kind of mark once."""
    handles, labels = panel.get_legend_handles_labels()
    unique = dict(zip(reversed(labels), reversed(handles), strict=True))
    if unique:
        where.legend(
            list(reversed(unique.values())), list(reversed(unique)), loc=place, ncols=2 if where is not panel else 1
        )


def _bar(panel: Axes, x: float, one: Judgement, colour: str) -> None:
    """The effect with its interval."""
    value, *ends = _ends(one)
    low, high = ends or (value, value)
    panel.errorbar(
        x, value, yerr=[[value - low], [high - value]], fmt="o", color=colour, markersize=6, markeredgecolor="white",
        linewidth=1.7, label=f"estimate, {100 * FAMILY_LEVEL:g} % interval", zorder=3,
    )  # fmt: skip


def _closed_form(scenario: Scenario, found: list[Judgement]) -> tuple[list[float], list[float]]:
    """The waiting gain between the measured fleets; exactly in between where they are stragglers of one kind."""
    x, y = [_spread(one) for one in found], [one.notes.waiting_gain or 1.0 for one in found]
    spec = scenario.resolve(*found[-1].cells[1], scenario.seeds[0])
    if not isinstance(spec.fleet, StragglerFleet) or spec.fleet.overhead_s:
        return x, y
    ratios = np.geomspace(min(x), max(x), 50)
    fleets = [spec.fleet.model_copy(update={"ratio": float(r)}) for r in ratios]
    return list(ratios), [waiting.waiting_gain(spec.model_copy(update={"fleet": f})) for f in fleets]


def _title(scenario: Scenario, drawn: list[Judgement]) -> str:
    """Environment, N and seeds of the parts in the figure."""
    one, seeds = drawn[0], sorted({count for part in drawn for count in part.seeds})
    version = scenario.resolve(*one.cells[0], scenario.seeds[0]).env_version
    count = "–".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    return f"{one.environment}-{version}  (N = {one.arms[0].n_agents}, {count} seed{'s' * (seeds != [1])})"
