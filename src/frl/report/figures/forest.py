"""What was claimed beside what was measured: a line for each claim, with its interval, coloured by its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from matplotlib.transforms import offset_copy

from frl.analysis.quantity import Quantity, Relation, shown
from frl.report.figures import layout, style
from frl.report.figures.bounds import ENDS, is_bound, mark
from frl.report.figures.style import Drawing, Look
from frl.scenario.scenario import Scenario
from frl.verdicts import words
from frl.verdicts.record import Judgement, Verdicts

LOOKS = {
    "replicated": Look(style.GREEN, "s"),
    "contradicted": Look(style.VERMILION, "X"),
    "inconclusive": Look(style.GREY, "o"),
    "not run": Look(style.PALE, ""),
}
"""Colour and marker of each verdict, whose word stands beside it."""
_LIMITS = (0.05, 50.0)  # an interval that goes on beyond these is cut
_BELOW = 7.0  # points from the middle of what was measured to that of what was claimed


@dataclass(frozen=True)
class Line:
    """One claim: its label, the claimed ratio (nan: only that it exceeds 1), the measured one, and the verdict.

    `relation` is what the measured one is, `reached` how many seeds of each arm got there, in words.
    """

    label: str
    claimed: float
    value: float
    low: float
    high: float
    verdict: str
    relation: Relation = "="
    reached: str = ""

    @property
    def measured(self) -> str:
        """The ratio as in a table, without its interval; and the seeds of each arm that got there."""
        ratio = shown(Quantity(self.value, relation=self.relation), "ratio")
        return f"{ratio}; {self.reached}" if self.reached else ratio


def forest(scenario: Scenario, verdicts: Verdicts, width: float) -> Drawing:
    """The primary claims of a ratio, or where there are none, all of them."""
    parts = [one for one in verdicts.parts if one.reason.code != "not_in_scenario"]
    ratios = [one for one in parts if one.unit == "ratio" and not one.joint]
    primary = [one for one in ratios if one.role == "primary"]
    several = len({one.environment for one in primary or ratios}) > 1
    return draw([_line(scenario, one, several) for one in primary or ratios], width)


def _line(scenario: Scenario, one: Judgement, several: bool) -> Line:
    measured, claimed = one.measured or Quantity(float("nan"), relation="?"), one.number
    unequal = any(scenario.arm(*cell).heterogeneity.any for cell in one.cells)
    before = [f"{one.environment}:" if several else "", "unequal agents," if unequal else ""]
    label = " ".join(word for word in (*before, f"{one.per.replace('_', ' ')}, ") if word)
    return Line(
        label + " over ".join(arm.label for arm in one.arms), float("nan") if claimed is None else claimed,
        measured.value, measured.low, measured.high, one.verdict, measured.relation, words.reached(one.shares),
    )  # fmt: skip


def draw(lines: Sequence[Line], width: float) -> Drawing:
    """The forest plot of any claims of a ratio.

    Args:
        lines: from top to bottom.
        width: of the figure, inches; in a narrow one labels stand above their lines.
    """
    count, narrow = Counter(line.verdict for line in lines), width <= style.NARROW
    said = ", ".join(f"{count[verdict]} {verdict}" for verdict in LOOKS if count[verdict])
    title = f"Of {len(lines)} comparison{'s' * (len(lines) > 1)} {said}" if lines else "No claim to judge"
    room = 0.85 * width if narrow else 0.36 * width
    labels = ["\n".join(layout.wrapped(layout.unbroken(line.label), room, 7)) for line in lines]
    labels = [f"{label}\n{line.measured}" if narrow else label for label, line in zip(labels, lines, strict=True)]
    most = max(max((label.count("\n") + 1 for label in labels), default=1), 2)
    legend = _legend(any(is_bound(line.relation) for line in lines), narrow)
    around, row = max(0.55, 0.43 + 0.13 * legend.count("\n")), (0.35 if narrow else 0.12) + 0.13 * most
    height = around + row * max(len(lines), 2)
    figure, ((panel,),) = layout.page(width, 1, 1, height, title)
    if not lines:
        layout.nothing_drawn(panel, "no claim to judge")
    else:
        _draw(panel, lines, labels, narrow)
        panel.set_xlabel(legend, loc="left" if narrow else "center")
    return Drawing(figure, pd.DataFrame([asdict(line) for line in lines], columns=list(Line.__annotations__)))


def _draw(panel: Axes, lines: Sequence[Line], labels: Sequence[str], narrow: bool) -> None:
    panel.set_xscale("log")
    values = np.array([[line.claimed, line.value, line.low, line.high] for line in lines]).ravel()
    finite = values[np.isfinite(values) & (values > 0)]
    start = max(min(0.8, float(finite.min(initial=1.0))) / 1.15, _LIMITS[0])
    end = min(max(1.25, float(finite.max(initial=1.0))) * 1.15, _LIMITS[1])
    panel.set(xlim=(start, end), ylim=(len(lines) - 0.4, -0.9 if narrow else -0.6))
    panel.axvline(1, color=style.GREY, linewidth=0.8, zorder=0.5)
    for place, line in enumerate(lines):
        _one(panel, place, line, (start, end))
        panel.annotate(
            line.verdict if narrow else f"{line.verdict}\n{line.measured}", (1, place), (4, 0),
            xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            color=LOOKS[line.verdict].colour if line.verdict != "not run" else style.GREY,
        )  # fmt: skip
        if narrow:
            panel.annotate(labels[place], (0, place), (1, 6), xycoords=("axes fraction", "data"),
                           textcoords="offset points", va="bottom", fontsize=7)  # fmt: skip
    panel.set_yticks(range(len(lines)), [""] * len(lines) if narrow else list(labels))
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    panel.xaxis.set_major_locator(FixedLocator(layout.round_places(start, end, 5)))
    panel.xaxis.set_minor_locator(NullLocator())


def _legend(bounds: bool, narrow: bool) -> str:
    """What the marks are, below the axis of ratios."""
    said = ["ratio, log scale. ◇ claimed (▷: only that it exceeds 1),", "filled: measured, with interval"]
    said[1] += "," * bounds
    said += ["hollow with arrow: a bound, as some seeds", "did not get there by the horizon; numbers: who did"] * bounds
    return "\n".join(said if narrow else [" ".join(said[:2]), " ".join(said[2:])]).strip()


def _one(panel: Axes, place: int, line: Line, limits: tuple[float, float]) -> None:
    """The interval with an arrow where it is cut, the measured value, and below them what was claimed.

    Where the value is a bound the interval is thin on the side on which the truth may lie anywhere.
    """
    look = LOOKS[line.verdict]
    if np.isfinite(line.value) and line.relation != "neither":
        value, known = float(np.clip(line.value, *limits)), np.isfinite(line.low)
        for end, marker, is_open in zip((line.low, line.high), "<>", ENDS[line.relation], strict=True):
            if known:
                panel.plot([value, np.clip(end, *limits)], [place, place], color=look.colour,
                           linewidth=0.9 if is_open else 2.2, solid_capstyle="butt")  # fmt: skip
            if known and (is_open or np.clip(end, *limits) != end):
                panel.plot(np.clip(end, *limits), place, marker, color=look.colour, markersize=5, clip_on=False)
        mark(panel, value, place, line.relation, look, 6, arrow=None if known else "x")
    claimed, marker = (line.claimed, "D") if np.isfinite(line.claimed) else (1.0, ">")
    below = offset_copy(panel.transData, panel.figure, y=-_BELOW, units="points")  # type: ignore[arg-type]
    panel.plot(
        np.clip(claimed, *limits), place, marker, markersize=5, markerfacecolor="none", markeredgecolor=style.BLACK,
        markeredgewidth=1.1, zorder=4, transform=below,
    )  # fmt: skip
