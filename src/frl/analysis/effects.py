"""Two figures of effects: what the lookahead adds, and what asynchrony saves on more and less equal fleets."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, StrMethodFormatter

from frl.analysis import fleet, style
from frl.analysis.estimates import Estimate
from frl.analysis.stats import Quantity
from frl.analysis.verdict import Judgement, effect_of
from frl.claims import Heterogeneity, Lookahead
from frl.spec import RunSpec, Scenario, StragglerFleet

_GREY = "#777777"
_CI = "95 % CI of the mean"


def lookahead(scenario: Scenario, judged: list[Judgement]) -> Figure:
    """Difference of mean returns with and without the lookahead against alpha; beside it the theory's share of bias.

    Args:
        scenario: the grid.
        judged: its judged claims.
    """
    figure = style.new_figure(7.0, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    found = [(one, e) for one, e in effect_of(judged, "lookahead") if np.isfinite(e.effect.value)]
    place = {e.at: i for i, (_, e) in enumerate(found)}
    rng = np.random.default_rng(0)
    for _, e in found:
        x = place[e.at] + 0.16 * (rng.random(len(e.each)) - 0.5)
        left.plot(x, e.each, "o", color=style.BLUE, alpha=0.3, markersize=3, markeredgewidth=0, zorder=1)
        _bar(left, place[e.at], e.effect, style.BLUE)
    left.axhline(0, color=_GREY, linewidth=0.9, zorder=0.5)
    left.set_title(_title(scenario, judged, "lookahead"))
    left.set_ylabel("AFedPG minus Vanilla,\nmean return over the budget")
    theory = [e.theory for _, e in found]
    right.bar(range(len(found)), theory, width=0.5, color=style.SKY)
    for i, share in enumerate(theory):
        right.annotate(f"{100 * share:.0f} %", (i, share), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    right.set(ylim=(0, 1))
    right.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    right.set_ylabel("bias of the direction removed")
    right.set_title("In theory")
    for panel in (left, right):
        panel.set_xticks(range(len(found)), [f"{e.at:g}" for _, e in found])
        panel.set_xlim(-0.6, len(found) - 0.4)
        panel.set_xlabel("momentum weight α")
        panel.grid(False, axis="x")
    if found:
        left.plot([], [], "o", color=style.BLUE, alpha=0.3, markersize=3, markeredgewidth=0, label="single seeds")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles[-1:] + handles[:1], [labels[-1], _CI], loc="outside lower left", ncols=2)
    return figure


def heterogeneity(scenario: Scenario, judged: list[Judgement]) -> Figure:
    """Time ratio of FedPG over AFedPG against t_max / t_min, with the closed form of not waiting.

    Args:
        scenario: the grid.
        judged: its judged claims.
    """
    figure = style.new_figure(4.6, 3.4)
    panel = figure.subplots()
    panel.set(xscale="log", yscale="log", xlabel="t_max / t_min", ylabel="time to the threshold, FedPG / AFedPG")
    panel.set_title(_title(scenario, judged, "heterogeneity"))
    found = [(one, e) for one, e in effect_of(judged, "heterogeneity") if np.isfinite(e.theory)]
    if not found:
        return figure
    x, y = _closed_form(scenario, found)
    panel.plot(x, y, color=_GREY, linestyle=(0, (4, 2)), linewidth=1.3, label="not waiting, in closed form", zorder=1)
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
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    handles, labels = panel.get_legend_handles_labels()
    names = {"measured": "measured, 95 % CI", "bound": "bound: a curve ended too early"}
    unique = {names.get(label, label): handle for handle, label in zip(handles, labels, strict=True)}
    panel.legend(unique.values(), unique.keys(), loc="upper left")
    return figure


def _bar(panel: Axes, x: float, q: Quantity, colour: str) -> None:
    """The value with its interval; a bound is a triangle that points to where the truth is."""
    if q.has_interval:
        high = q.high if np.isfinite(q.high) else 1e6 * max(q.value, 1.0)  # beyond the panel
        panel.plot([x, x], [q.low, high], color=colour, linewidth=1.7, zorder=2)
    marker, label = {"=": ("o", "measured"), ">": ("^", "bound")}.get(q.relation, ("v", "bound"))
    panel.plot(x, q.value, marker, color=colour, markersize=6, markeredgecolor="white", label=label, zorder=3)


def _closed_form(scenario: Scenario, found: list[tuple[Judgement, Estimate]]) -> tuple[list[float], list[float]]:
    """The waiting gain between the measured fleets; exactly in between where they are stragglers of one kind."""
    x, y = [e.at for _, e in found], [e.theory for _, e in found]
    spec = _fast_spec(scenario, found[-1][0])
    if spec is None or not isinstance(spec.fleet, StragglerFleet) or spec.fleet.overhead_s:
        return x, y
    ratios = np.geomspace(min(x), max(x), 50)
    fleets = [spec.fleet.model_copy(update={"ratio": float(r)}) for r in ratios]
    return list(ratios), [fleet.waiting_gain(spec.model_copy(update={"fleet": f})) for f in fleets]


def _fast_spec(scenario: Scenario, one: Judgement) -> RunSpec | None:
    return scenario.resolve(*one.cells[1], scenario.seeds[0]) if one.cells else None


def _title(scenario: Scenario, judged: list[Judgement], test: str) -> str:
    """Environment, N and seeds of the claim behind the figure."""
    one = next(one for one in judged if one.claim.test == test)
    assert isinstance(one.claim, Lookahead | Heterogeneity)
    version = scenario.resolve(*one.cells[0], scenario.seeds[0]).env_version
    return f"{one.claim.environment}-{version}  (N = {one.claim.n_agents}, {one.seeds} seed{'s' * (one.seeds != 1)})"
