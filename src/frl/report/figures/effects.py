"""Two figures of effects: what the lookahead adds, and what asynchrony saves on more and less equal fleets."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from frl.analysis import waiting
from frl.analysis.quantity import Quantity
from frl.report.figures import style
from frl.report.figures.curves import GREY, nothing_drawn
from frl.report.figures.ticks import per_cent
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec, StragglerFleet
from frl.verdicts.estimate import Estimate
from frl.verdicts.judge import Judgement, effect_of

LegendPlace = Literal["outside lower left", "upper left"]

_SEEDS = "single seeds"
_BOUND = "bound: a curve ended too early"


def lookahead(scenario: Scenario, judged: list[Judgement]) -> Figure:
    """Difference of mean returns with and without the lookahead against alpha; beside it the theory's share of bias.

    Args:
        scenario: the grid.
        judged: its judged claims.
    """
    figure = style.new_figure(7.0, 3.4)
    found = [(one, e) for one, e in effect_of(judged, "lookahead", joint=True) if np.isfinite(e.effect.value)]
    if not found:
        nothing_drawn(figure.subplots())
        return figure
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    names = ["all" if one.joint else f"{e.at:g}" for one, e in found]
    rng = np.random.default_rng(0)
    for place, (_, e) in enumerate(found):
        _bar(left, place - 0.1, e.effect, style.BLUE)
        x = place + 0.15 + 0.1 * (rng.random(len(e.each)) - 0.5)  # beside the interval, so that it hides none
        left.plot(x, e.each, "o", color=style.BLUE, alpha=0.4, markersize=3.2, markeredgewidth=0, label=_SEEDS)
    left.axhline(0, color=GREY, linewidth=0.9, zorder=0.5)
    left.set_title(_title(scenario, [one for one, _ in found]))
    left.set_ylabel("gain in mean return over the budget,\nAFedPG minus Vanilla")
    single = [(name, e.theory) for name, (one, e) in zip(names, found, strict=True) if not one.joint]
    right.bar(range(len(single)), [share for _, share in single], width=0.5, color=style.SKY)
    for i, (_, share) in enumerate(single):
        right.annotate(f"{100 * share:.1f} %", (i, share), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    right.set(ylim=(0, 1))
    per_cent(right.yaxis)
    right.set_ylabel("share of the bias that it removes")
    right.set_title("In theory")
    for panel, ticks in ((left, names), (right, [name for name, _ in single])):
        panel.set_xticks(range(len(ticks)), ticks)
        panel.set_xlim(-0.6, len(ticks) - 0.4)
        panel.set_xlabel("momentum weight α")
        panel.grid(False, axis="x")
    _legend(figure, left, "outside lower left")
    return figure


def heterogeneity(scenario: Scenario, judged: list[Judgement]) -> Figure:
    """Time ratio of FedPG over AFedPG against t_max / t_min, with the closed form of not waiting.

    Args:
        scenario: the grid.
        judged: its judged claims.
    """
    figure = style.new_figure(4.6, 3.4)
    panel = figure.subplots()
    found = [(one, e) for one, e in effect_of(judged, "heterogeneity") if np.isfinite(e.theory)]
    if not found:
        nothing_drawn(panel)
        return figure
    panel.set(xscale="log", yscale="log", xlabel="slowest over fastest agent (time per task)")
    panel.set_ylabel(f"time to a return of {_claim(judged, 'heterogeneity').threshold:g}, FedPG / AFedPG")
    panel.set_title(_title(scenario, [one for one, _ in found]))
    x, y = _closed_form(scenario, found)
    panel.plot(
        x, y, color=GREY, linestyle=(0, (4, 2)), linewidth=1.3, label="from not waiting alone (closed form)", zorder=1,
        marker="_" if len(found) == 1 else "", markersize=16,
    )  # fmt: skip
    measured = [e for _, e in found if np.isfinite(e.effect.value)]
    for e in measured:
        _bar(panel, e.at, e.effect, style.BLUE)
    values = [*y, *(v for e in measured for v in (e.effect.value, e.effect.low, e.effect.high))]
    finite = [v for v in values if np.isfinite(v) and v > 0]
    panel.set_ylim(min(finite) / 1.25, max(finite) * 1.25)
    ticks = [e.at for _, e in found]
    panel.set_xlim(min(ticks) / 1.25, max(ticks) * 1.25)
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_major_locator(FixedLocator([t for t in (0.5, 1, 2, 5, 10, 20, 50, 100) if t < 1.25 * max(finite)]))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_minor_locator(NullLocator())
    _legend(panel, panel, "upper left")
    return figure


def _legend(where: Axes | Figure, panel: Axes, place: LegendPlace) -> None:
    """Each kind of mark once."""
    handles, labels = panel.get_legend_handles_labels()
    unique = dict(zip(reversed(labels), reversed(handles), strict=True))
    if unique:
        where.legend(
            list(reversed(unique.values())), list(reversed(unique)), loc=place, ncols=2 if where is not panel else 1
        )


def _bar(panel: Axes, x: float, q: Quantity, colour: str) -> None:
    """The value with its interval; a bound is a triangle that points to where the truth is."""
    low, high = (q.low, q.high) if q.has_interval else (q.value, q.value)
    high = high if np.isfinite(high) else 1e3 * q.value  # beyond the panel
    marker, label = {"=": ("o", "estimate, 95 % CI"), ">": ("^", _BOUND)}.get(q.relation, ("v", _BOUND))
    error = [[max(q.value - low, 0)], [max(high - q.value, 0)]]
    panel.errorbar(
        x, q.value, yerr=error, fmt=marker, color=colour, markersize=6, markeredgecolor="white", linewidth=1.7,
        label=label, zorder=3,
    )  # fmt: skip


def _closed_form(scenario: Scenario, found: list[tuple[Judgement, Estimate]]) -> tuple[list[float], list[float]]:
    """The waiting gain between the measured fleets; exactly in between where they are stragglers of one kind."""
    x, y = [e.at for _, e in found], [e.theory for _, e in found]
    spec = _fast_spec(scenario, found[-1][0])
    if spec is None or not isinstance(spec.fleet, StragglerFleet) or spec.fleet.overhead_s:
        return x, y
    ratios = np.geomspace(min(x), max(x), 50)
    fleets = [spec.fleet.model_copy(update={"ratio": float(r)}) for r in ratios]
    return list(ratios), [waiting.waiting_gain(spec.model_copy(update={"fleet": f})) for f in fleets]


def _fast_spec(scenario: Scenario, one: Judgement) -> RunSpec | None:
    return scenario.resolve(*one.cells[1], scenario.seeds[0]) if one.cells else None


def _claim(judged: list[Judgement], test: str) -> Any:
    return next(one.claim for one in judged if one.claim.test == test)


def _title(scenario: Scenario, drawn: list[Judgement]) -> str:
    """Environment, N and seeds of the parts in the figure."""
    one, seeds = drawn[0], sorted({part.seeds for part in drawn})
    version = scenario.resolve(*one.cells[0], scenario.seeds[0]).env_version
    count = "–".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    return f"{one.claim.environment}-{version}  (N = {one.cells[0][2]}, {count} seed{'s' * (seeds != [1])})"
