"""Figures beyond the poster: what compression saves and costs, time against bandwidth, natural gradients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

from frl.report.figures import bounds, style
from frl.report.figures.style import GREY
from frl.theory.extensions import NOT_REACHED
from frl.theory.messages import NATURAL, PLAIN

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.PURPLE, style.SKY, style.BLACK)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")


def compression(estimates: pd.DataFrame, width: float) -> Figure:
    """Bytes against samples to epsilon, a panel an epsilon, with the intervals of both; left and low is better."""
    rows = _of(estimates, "compression")
    epsilons = sorted(rows["epsilon"].unique(), reverse=True)
    names = list(rows["method"].unique())
    down = len(epsilons) if width == style.NARROW else 1
    figure = style.new_figure(width, 2.9 * down + 0.9)
    panels = np.ravel(figure.subplots(down, len(epsilons) // down, squeeze=False))
    for panel, epsilon in zip(panels, epsilons, strict=True):
        some = rows[rows["epsilon"] == epsilon]
        for place, name in enumerate(names):
            colour, marker = _look(place)
            x, y = (_one(some[some["method"] == name], quantity) for quantity in ("samples", "bytes"))
            if x is None or y is None:
                continue
            look = style.Look(colour, marker)
            bounds.estimate(panel, float(y["value"]), x.to_dict(), look, 5, "x")
            bounds.estimate(panel, float(x["value"]), y.to_dict(), look, 5, "y")
        plain = _one(some[some["method"] == PLAIN], "bytes")
        if plain is not None:
            panel.axhline(plain["value"] / 8, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)))
        panel.set(xscale="log", yscale="log", title=f"ε = {epsilon:g}", xlabel="gradients of all agents")
        _plain_ticks(panel)
    panels[0].set_ylabel("bytes up and down")
    handles = []
    for place, name in enumerate(names):
        colour, marker = _look(place)
        handles += panels[0].plot([], [], marker, color=colour, label=name)
    handles += panels[0].plot([], [], "o", color=GREY, markerfacecolor="white", label="hollow: ε not reached")
    handles += panels[0].plot([], [], color=GREY, linestyle=(0, (4, 2)), label="1/8 of plain")
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if width == style.NARROW else 5)
    return figure


def bandwidth(estimates: pd.DataFrame, width: float) -> Figure:
    """Time to epsilon against bandwidth, a line a method; a panel an epsilon."""
    rows = _of(estimates, "bandwidth", "seconds")
    epsilons = sorted(rows["epsilon"].unique(), reverse=True)
    names = list(rows["method"].unique())
    down = len(epsilons) if width == style.NARROW else 1
    figure = style.new_figure(width, 2.7 * down + 0.8)
    panels = np.ravel(figure.subplots(down, len(epsilons) // down, squeeze=False))
    for panel, epsilon in zip(panels, epsilons, strict=True):
        for place, name in enumerate(names):
            some = rows[(rows["method"] == name) & (rows["epsilon"] == epsilon)]
            colour, marker = _look(place)
            for row in some.to_dict("records"):
                bounds.estimate(panel, row["bandwidth"], row, style.Look(colour, marker), 5, "y")
            _computed(panel, some[some["relation"] == "="], colour)
            panel.plot([], [], marker, color=colour, label=name)
        panel.set(xscale="log", yscale="log", title=f"ε = {epsilon:g}", xlabel="bandwidth (bytes a second)")
        panel.xaxis.set_major_locator(FixedLocator(sorted(rows["bandwidth"].unique())))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        _plain_ticks(panel, x=False)
    panels[0].set_ylabel("time (gradients of one agent)")
    panels[0].plot([], [], color=GREY, linewidth=0.9, linestyle=COMPUTED, label="computed: a time + bytes / bandwidth")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if width == style.NARROW else 5)
    return figure


COMPUTED = (0, (3, 2))


def _computed(panel: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Between the bandwidths that were simulated: time to compute, and bytes over the bandwidth, fitted to them."""
    rate, seconds = rows["bandwidth"].to_numpy(dtype=float), rows["value"].to_numpy(dtype=float)
    if len(rate) > 1:
        parts = np.stack([np.ones_like(rate), 1 / rate], axis=1)
        fitted = np.linalg.lstsq(parts / seconds[:, None], np.ones_like(rate), rcond=None)[0]
        x = np.geomspace(rate.min(), rate.max(), 50)
        panel.plot(x, fitted[0] + fitted[1] / x, color=colour, linewidth=0.9, linestyle=COMPUTED)


def natural(estimates: pd.DataFrame, width: float) -> Figure:
    """Gradients to epsilon with natural directions over those without, a panel a problem."""
    rows = _of(estimates, "natural", "natural_ratio")
    problems = list(rows["problem"].unique())
    down = len(problems) if width == style.NARROW else 1
    figure = style.new_figure(width, 2.5 * down + 0.6)
    panels = np.ravel(figure.subplots(down, len(problems) // down, squeeze=False))
    kinds = list(rows[["algorithm", "n_agents"]].drop_duplicates().itertuples(index=False, name=None))
    for panel, problem in zip(panels, problems, strict=True):
        epsilons = sorted(rows.loc[rows["problem"] == problem, "epsilon"].unique(), reverse=True)
        for place, (algorithm, n) in enumerate(kinds):
            chosen = (rows["problem"] == problem) & (rows["algorithm"] == algorithm) & (rows["n_agents"] == n)
            some, (colour, marker) = rows[chosen].set_index("epsilon"), _look(place)
            for at, epsilon in enumerate(epsilons if len(some) else ()):
                x = at + 0.15 * (place - (len(kinds) - 1) / 2)
                if epsilon in some.index:
                    bounds.estimate(panel, x, some.loc[epsilon].to_dict(), style.Look(colour, marker), 5, "y")
                else:
                    panel.annotate("no ratio", (x, 0.03), xycoords=("data", "axes fraction"), rotation=90, ha="center",
                                   va="bottom", color=colour)  # fmt: skip
            label = f"{'' if NATURAL[algorithm] == 'afedpg' else 'synchronous, '}N = {n}"
            panel.plot([], [], marker, color=colour, label=label)
        panel.axhline(1, color=GREY, linewidth=0.9)
        panel.axhline(0.5, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)))
        own = rows[rows["problem"] == problem]
        panel.set(yscale="log", title=problem, xlabel="ε", ylim=(0.8 * own["low"].min(), 1.5 * own["value"].max()))
        panel.set_xticks(range(len(epsilons)), [f"{e:g}" for e in epsilons])
        _plain_ticks(panel, x=False)
    panels[0].set_ylabel("gradients to ε,\nnatural / plain")
    panels[0].plot([], [], "o", color=GREY, markerfacecolor="white", label=NOT_REACHED)
    panels[0].plot([], [], " ", label="no ratio: some resamples of plain do not get to ε")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1 if width == style.NARROW else len(kinds))
    return figure


def _of(estimates: pd.DataFrame, panel: str, quantity: str | None = None) -> pd.DataFrame:
    rows = estimates[estimates["panel"] == panel]
    return rows if quantity is None else rows[rows["quantity"] == quantity]


def _look(place: int) -> tuple[str, str]:
    return _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]


def _one(rows: pd.DataFrame, quantity: str) -> pd.Series | None:
    some = rows[rows["quantity"] == quantity]
    return some.iloc[0] if len(some) else None


def _plain_ticks(panel: Axes, x: bool = True) -> None:
    """Numbers without powers, few of them."""
    ticks = [m * 10.0**k for k in range(-2, 9) for m in (1, 2, 5)]
    for axis in (panel.xaxis, panel.yaxis) if x else (panel.yaxis,):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
