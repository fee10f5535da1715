"""A page of panels under a title that states the finding, and labels that stand beside their curves."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from frl.analysis.quantity import Array
from frl.report.figures import style, ticks

_measuring: Any = RendererAgg  # its methods carry no annotations
TITLE_SIZE = 8.0
_MARGIN = 0.08  # inches on either side of the title
_OUTSIDE, _ON_LABEL = 1000.0, 60.0  # what it costs a label to leave its panel, and to cover another label


def page(width: float, rows: int, columns: int, row_height: float, title: str) -> tuple[Figure, list[list[Axes]]]:
    """A figure of `width` inches with rows of panels, each `row_height` inches high with its labels, below a title."""
    figure = style.new_figure(width, 1.0)
    lines = wrapped(title, width - 2 * _MARGIN, TITLE_SIZE, "bold")
    height = rows * row_height + (0.16 * len(lines) + 0.05)
    figure.set_figheight(height)
    figure.suptitle(
        "\n".join(lines), x=_MARGIN / width, ha="left", fontsize=TITLE_SIZE, fontweight="bold", linespacing=1.25
    )
    return figure, [list(line) for line in figure.subplots(rows, columns, squeeze=False)]


def wrapped(text: str, inches: float, size: float, weight: str = "normal") -> list[str]:
    """The text in lines that are no longer than this in a font of this size (points)."""
    renderer, font = _measuring(10, 10, 72), FontProperties(family="DejaVu Sans", size=size, weight=weight)
    for characters in range(len(text), 10, -1):
        lines = textwrap.wrap(text, characters, break_long_words=True) or [""]
        if max(renderer.get_text_width_height_descent(one, font, False)[0] for one in lines) <= 72 * inches:
            return lines
    return textwrap.wrap(text, 10)


def panel_title(panel: Axes, text: str, inches: float) -> None:
    """A title above one panel that is about so wide."""
    panel.set_title("\n".join(wrapped(text, inches, 7.5)), fontsize=7.5)


def nothing_drawn(panel: Axes, why: str = "no finished run to draw") -> None:
    """Say so in a panel whose runs are not there."""
    panel.set(xticks=[], yticks=[])
    panel.text(0.5, 0.5, why, transform=panel.transAxes, ha="center", va="center", color=style.GREY)


def number(value: float, digits: int = 3) -> str:
    """A number in a sentence, to so many digits: 1.23M, 480, 0.5."""
    return ticks.labels([float(f"{value:.{digits}g}")])[0]


def unbroken(text: str) -> str:
    """The text with "N = 8" kept on one line."""
    return text.replace("N = ", "N\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


def round_places(start: float, end: float, count: int) -> list[float]:
    """About so many round places from the start (0, or on a logarithmic axis above) to the end of an axis."""
    if start <= 0:
        return [float(t) for t in MaxNLocator(count).tick_values(0, end) if t <= 1.001 * end]
    powers = range(int(np.floor(np.log10(start))), int(np.ceil(np.log10(end))) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [d * 10.0**p for p in powers for d in digits if start <= d * 10.0**p <= end]
        if len(found) <= count + 2:
            break
    return found or [start, end]


def label_curves(figure: Figure, panel: Axes, curves: Sequence[tuple[str, Array, Array, str]]) -> None:
    """Put each curve's name beside it, where it covers as little as possible of all lines in the panel.

    Args:
        figure: all of it is drawn already, but for these labels.
        panel: where the curves are.
        curves: name, x, y and colour of each.
    """
    ticks.make_exact(figure)
    figure.draw_without_rendering()
    covered = np.concatenate([*(_pixels(panel, *line.get_data()) for line in panel.get_lines()), np.empty((0, 2))])
    placed: list[Bbox] = []
    all_along = [_pixels(panel, x, y) for _, x, y, _ in curves]
    for i, (name, _, _, colour) in enumerate(curves):
        if len(all_along[i]):
            others = np.concatenate([*(one for j, one in enumerate(all_along) if j != i), np.empty((0, 2))])
            placed.append(_label(panel, name, colour, all_along[i], (covered, others), placed))


def _pixels(panel: Axes, x: object, y: object) -> Array:
    """Points along a line in the panel, a pixel or two apart: (P, 2), in pixels, only those inside."""
    data = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    points = panel.transData.transform(data[np.isfinite(data).all(axis=1)])
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) > 1:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        at = np.linspace(0, length[-1], max(2, min(2000, int(length[-1] / 2))))
        points = np.column_stack([np.interp(at, length, points[:, i]) for i in (0, 1)])
    box = panel.bbox
    inside = (points[:, 0] >= box.x0) & (points[:, 0] <= box.x1) & (points[:, 1] >= box.y0) & (points[:, 1] <= box.y1)
    return np.asarray(points[inside], dtype=np.float64)


def _label(panel: Axes, name: str, colour: str, along: Array, points: tuple[Array, Array], placed: list[Bbox]) -> Bbox:
    """Write one label at the best of many places beside its curve; returns the pixels that it takes.

    `points` are those of all lines, which it should not cover, and of the other named ones, which it should not be
    near.
    """
    text = panel.text(0, 0, name, color=colour, fontsize=7.5, ha="left", va="bottom", zorder=6, in_layout=False)
    text.set_path_effects([withStroke(linewidth=1.8, foreground="white")])
    size = text.get_window_extent()
    gap = 0.35 * size.height
    best = (np.inf, Bbox.null())
    for point in along[np.linspace(0, len(along) - 1, min(60, len(along))).astype(int)]:
        for dx in (-0.5 * size.width, gap, -size.width - gap):
            for dy in (gap, -size.height - gap, -0.5 * size.height):
                if dx == -0.5 * size.width and dy == -0.5 * size.height:
                    continue  # upon the curve itself
                box = Bbox.from_bounds(point[0] + dx, point[1] + dy, size.width, size.height)
                best = min(best, (_cost(panel, box, points, placed), box), key=lambda one: one[0])
    _move(panel, text, best[1])
    return best[1]


def _cost(panel: Axes, box: Bbox, points: tuple[Array, Array], placed: list[Bbox]) -> float:
    covered, near = (
        int(_inside(box, of, margin).sum()) for of, margin in zip(points, (1.0, 1.5 * box.height), strict=True)
    )
    outside = not (panel.bbox.containsx(box.x0) and panel.bbox.containsx(box.x1))
    outside |= not (panel.bbox.containsy(box.y0) and panel.bbox.containsy(box.y1))
    return covered + 2.0 * near + _OUTSIDE * outside + _ON_LABEL * sum(box.overlaps(one) for one in placed)


def _inside(box: Bbox, points: Array, margin: float) -> NDArray[np.bool_]:
    centre, half = [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2], [box.width / 2 + margin, box.height / 2 + margin]
    return np.asarray((np.abs(points - centre) < half).all(axis=1))


def _move(panel: Axes, text: Text, box: Bbox) -> None:
    """The place in parts of the panel, which stays so at any resolution."""
    x, y = panel.transAxes.inverted().transform((box.x0, box.y0))
    text.set_transform(panel.transAxes)
    text.set_position((float(x), float(y)))
