"""Figures of what goes beyond the paper: attack against defence as a map, and AFedPG against Rennala NIGT."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from frl.report.figures import bounds, layout, style
from frl.report.figures.style import GREY
from frl.spec import SERVERS

WORST = 3.0
"""The map's last colour, in doublings: beyond it, more is not worse."""
ATTACKS = {
    "none": "none", "sign_flip": "sign flip", "random_noise": "noise", "alie": "ALIE", "inner_product": "inner product",
    "fedpg_attack": "FedPG attack", "direction": "direction",
}  # fmt: skip
"""In the order of the map's columns."""
MODES = ("AFedPG", "FedPG")
NOT_REACHED = "hollow: the mean gap did not get to ε, the truth is larger"


def mode_of(algorithm: str) -> str:
    """The undefended method that an algorithm is compared with."""
    return "FedPG" if SERVERS[algorithm].synchronous else "AFedPG"


def adversaries(estimates: pd.DataFrame, width: float) -> Figure:
    """A map for each problem and mode: updates to the last epsilon over those without attack and defence."""
    rows = estimates[(estimates["panel"] == "adversaries") & (estimates["quantity"] == "attacked_updates_ratio")]
    epsilon = rows["epsilon"].min()
    rows = rows[rows["epsilon"] == epsilon]
    rows = rows.assign(mode=[mode_of(name) for name in rows["algorithm"]])
    problems, modes = list(dict.fromkeys(rows["problem"])), list(MODES)
    heights = [rows[rows["mode"] == mode]["defence"].nunique() + 3.2 for mode in modes]
    narrow = width == style.NARROW
    across = 1 if narrow else len(problems)
    down = [mode for mode in modes for _ in range(len(problems) // across)]
    ratios = [heights[modes.index(mode)] for mode in down]
    figure = style.new_figure(width, 0.185 * sum(ratios) + 0.8)
    panels = figure.subplots(len(down), across, squeeze=False, height_ratios=ratios).ravel()
    places = [(mode, problem) for mode in modes for problem in problems]
    norm = TwoSlopeNorm(0, -WORST, WORST)
    for panel, (mode, problem) in zip(panels, places, strict=True):
        _map(panel, rows[(rows["mode"] == mode) & (rows["problem"] == problem)], norm)
        panel.set_title(f"{mode}, {problem}")
    said = [
        f"gradients until the mean gap over the seeds is ε = {epsilon:g}, under attack / without attack and defence",
        "dark with >: the mean gap stayed above ε to the end of the budget; single seeds may have got there",
    ]
    size = 7.0 if narrow else 7.5
    lines = [line for text in said for line in layout.wrapped(text, 0.95 * width, size)]
    figure.supxlabel("\n".join(lines), fontsize=size)
    return figure


def _map(panel: Axes, rows: pd.DataFrame, norm: TwoSlopeNorm) -> None:
    """Ratios as numbers, in red above 1 and blue below; a ratio beyond the budget is a bound."""
    attacks = [name for name in ATTACKS if name in set(rows["attack"])]
    defences = list(dict.fromkeys(rows["defence"]))
    value = rows.pivot(index="defence", columns="attack", values="value").loc[defences, attacks].to_numpy()
    beyond = rows.assign(is_bound=rows["relation"] == ">").pivot(index="defence", columns="attack", values="is_bound")
    shown = np.where(beyond.loc[defences, attacks].to_numpy(), WORST, np.clip(np.log2(value), -WORST, WORST))
    panel.imshow(shown, norm=norm, cmap="RdBu_r", aspect="auto")
    for (y, x), ratio in np.ndenumerate(value):
        bound = bool(beyond.loc[defences[y], attacks[x]])
        dark = abs(shown[y, x]) > 0.6 * WORST
        text = "> " * bound + (f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}")
        panel.text(x, y, text, ha="center", va="center", fontsize=5.8, color="white" if dark else "black")
    panel.set_xticks(range(len(attacks)), [ATTACKS[name] for name in attacks], rotation=35, ha="right", fontsize=6)
    panel.set_yticks(range(len(defences)), [name.replace("_", " ") for name in defences], fontsize=6)
    panel.grid(False)


def rennala(estimates: pd.DataFrame, width: float) -> Figure:
    """AFedPG's time to epsilon over Rennala NIGT's, with and without the price of communication."""
    rows = estimates[(estimates["panel"] == "rennala") & (estimates["quantity"] == "rennala_time_ratio")]
    cells = list(rows[["problem", "n_agents", "epsilon"]].drop_duplicates().itertuples(index=False, name=None))
    figure = style.new_figure(width, 0.36 * len(cells) + 1.3)
    panel = figure.subplots()
    for colour, marker, label, shift, some in (
        (style.BLUE, "o", "a gradient takes √i", -0.13, rows[rows["communication"].isna()]),
        (style.ORANGE, "s", "a message as well", 0.13, rows[rows["communication"].notna()]),
    ):
        for row in some.itertuples():
            y = shift + cells.index((row.problem, row.n_agents, row.epsilon))
            bounds.estimate(panel, y, row._asdict(), style.Look(colour, marker), 5, "x")
        panel.plot([], [], f"{marker}-", color=colour, markersize=4, label=label)
    panel.plot([], [], "o", color=GREY, markerfacecolor="white", label=NOT_REACHED)
    panel.axvline(1, color=GREY, linewidth=0.9, zorder=0.5)
    names = [
        f"{problem.removesuffix('-fine')}, N = {n_agents}, ε = {epsilon:g}" for problem, n_agents, epsilon in cells
    ]
    panel.set_yticks(range(len(cells)), names)
    panel.set(xscale="log", xlabel="time to ε, AFedPG / Rennala NIGT")
    panel.margins(x=0.08)
    panel.invert_yaxis()
    panel.xaxis.set_major_locator(FixedLocator([0.25, 0.5, 1, 2, 4, 8, 16, 32, 64]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    figure.legend(loc="outside lower center", ncols=1 if width == style.NARROW else 3)
    return figure
