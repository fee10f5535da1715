"""Figure of panel (iv): what the lookahead is worth, as maps over step times delay and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from frl.report.figures import style
from frl.report.figures.style import GREY


def lookahead(estimates: pd.DataFrame, width: float) -> Figure:
    """Three maps, one a momentum weight, at equal settings; and each method at its best."""
    narrow = width == style.NARROW
    rows = estimates[(estimates["panel"] == "lookahead") & (estimates["quantity"] == "average_gap_ratio")]
    momenta = sorted(rows["momentum"].unique())
    figure = style.new_figure(width, 2.2 * len(momenta) + 2.8 if narrow else 5.2)
    if narrow:
        grid = figure.add_gridspec(len(momenta) + 1, 1)
        places = [grid[row, 0] for row in range(len(momenta))]
    else:
        grid = figure.add_gridspec(2, len(momenta), height_ratios=(1.25, 1))
        places = [grid[0, column] for column in range(len(momenta))]
    limit = max(1.0, float(np.abs(np.log2(rows["value"])).max()))
    norm = TwoSlopeNorm(0, -limit, limit)
    maps = [figure.add_subplot(place) for place in places]
    for panel, alpha in zip(maps, momenta, strict=True):
        image = _map(panel, rows[rows["momentum"] == alpha], norm)
        panel.set_title(f"α = {alpha:g}")
        if narrow or panel is maps[0]:
            panel.set_ylabel("noise / first gradient")
    where: Any = {"location": "bottom", "aspect": 40} if narrow else {"location": "right", "shrink": 0.9}
    bar = figure.colorbar(image, ax=maps, pad=0.02, **where)
    ticks = [t for t in (-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6) if abs(t) <= limit]
    bar.set_ticks(ticks, labels=[f"{2.0**t:g}" for t in ticks])
    bar.set_label("average gap, Vanilla / AFedPG")
    _best(figure.add_subplot(grid[-1, :]), estimates)
    return figure


def _map(panel: Axes, rows: pd.DataFrame, norm: TwoSlopeNorm) -> AxesImage:
    """Ratios in colour and as numbers, bold where the interval excludes all within 5 % of 1."""
    rows = rows.assign(noise=[_noise(text) for text in rows["gradient"]], reach=rows["step_size"] * rows["n_agents"])
    reaches, noises = sorted(rows["reach"].unique()), sorted(rows["noise"].unique())
    value = rows.pivot(index="noise", columns="reach", values="value").to_numpy()
    image = panel.imshow(np.log2(value), norm=norm, cmap="RdBu", origin="lower", aspect="auto")
    for row in rows.itertuples(index=False):
        shown = row.low > 1.05 or row.high < 1 / 1.05
        x, y = reaches.index(row.reach), noises.index(row.noise)
        dark = abs(np.log2(row.value)) > 0.6 * float(norm.vmax or 1)
        panel.text(
            x, y, f"{row.value:.{2 if row.value < 9.95 else 0}f}", ha="center", va="center", fontsize=6.2,
            fontweight="bold" if shown else "normal", color="white" if dark else "black" if shown else GREY,
        )  # fmt: skip
    panel.set_xticks(range(len(reaches)), [f"{x:g}" for x in reaches], rotation=45)
    panel.set_yticks(range(len(noises)), [f"{x:g}" for x in noises])
    panel.set_xlabel("step × delay, η N")
    panel.grid(False)
    return image


def _best(panel: Axes, estimates: pd.DataFrame) -> None:
    """Updates to epsilon, Vanilla at its best over the lookahead at its best, against noise."""
    rows = estimates[(estimates["panel"] == "best") & (estimates["quantity"] == "best_updates_ratio")]
    rows = rows.assign(noise=[_noise(text) for text in rows["gradient"]])
    noises = sorted(rows["noise"].unique())
    epsilons = sorted(rows["epsilon"].unique(), reverse=True)
    colours = (style.BLACK, style.ORANGE, style.SKY, style.BLUE, style.VERMILION, style.GREEN)
    for shift, epsilon in enumerate(epsilons):
        some = rows[rows["epsilon"] == epsilon]
        x = np.array([noises.index(noise) for noise in some["noise"]]) + 0.12 * (shift - (len(epsilons) - 1) / 2)
        high = np.minimum(some["high"], 1e3)
        error = [np.maximum(some["value"] - some["low"], 0), np.maximum(high - some["value"], 0)]
        panel.errorbar(x, some["value"], yerr=error, fmt="o", color=colours[shift], label=f"ε = {epsilon:g}")
    panel.axhline(1, color=GREY, linewidth=0.9, zorder=0.5)
    panel.set(yscale="log", title="Each at its best step size and α", xlabel="noise / first gradient")
    panel.set_ylabel("updates to ε,\nVanilla / AFedPG")
    top = float(rows["value"].max())
    panel.set_ylim(0.9 * float(rows["low"].min()), max(1.5, 1.3 * top))
    panel.yaxis.set_major_locator(FixedLocator([0.5, 0.7, 0.9, 1, 1.1, 1.2, 1.4, 2, 3, 5, 10]))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.set_xticks(range(len(noises)), [f"{x:g}" for x in noises])
    panel.legend(loc="upper right", ncols=len(epsilons), columnspacing=1, handlelength=1.2)


def _noise(label: str) -> float:
    return float(label.removeprefix("noise"))
