"""The robot as thick lines, drawn by matplotlib: needs no OpenGL."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from frl.report.gaits.view import HEIGHT, WIDTH, Robot
from frl.training.physics import Float

INCH = 100
"""Pixels."""
BACK, WATER, GROUND, MARK = "#ffffff", "#eaf2f8", "#e9e4da", "#9aa7b2"
NEAR, FAR, EDGE = (0.0, 0.35, 0.59), (0.55, 0.72, 0.85), "#12222e"


class Skeleton:
    """Draws a robot where it is."""

    def __init__(self, robot: Robot):
        self.robot = robot
        self.up = 1 if robot.view.height is None else 2
        self.wide, self.high = robot.view.width, robot.view.width * HEIGHT / WIDTH
        figure = Figure(figsize=(WIDTH / INCH, HEIGHT / INCH), dpi=INCH)
        self.canvas: Any = FigureCanvasAgg(figure)  # its functions carry no annotations
        self.axes = figure.add_axes((0, 0, 1, 1))

    def paint(self) -> Image.Image:
        """The picture now, WIDTH x HEIGHT."""
        x, *rest = self.robot.look_at()
        middle = rest[self.up - 1]
        axes = self.axes
        axes.clear()
        axes.set_axis_off()
        left, bottom = x - self.wide / 2, middle - self.high / 2
        axes.set_xlim(left, left + self.wide)
        axes.set_ylim(bottom, bottom + self.high)
        self._ground(left, bottom)
        self._body()
        self.canvas.draw()
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())[..., :3].copy())

    def _ground(self, left: float, bottom: float) -> None:
        """A mark and a number each metre, so that one sees the robot move."""
        above, axes = self.up == 1, self.axes
        right, top = left + self.wide, bottom + self.high
        axes.axhspan(bottom, top if above else 0, color=WATER if above else GROUND)
        for metre in range(math.ceil(left), math.floor(right) + 1):
            end = top if above else -0.12
            axes.plot([metre, metre], [bottom if above else 0, end], color=MARK, lw=0.72, antialiased=False)
            low = bottom + 0.04 * self.high
            if left + 0.2 < metre < right - 0.2:
                axes.text(
                    metre,
                    low,
                    f" {metre} m".replace("-", "−"),
                    color="#4a5661",
                    fontsize=7,
                    ha="left" if above else "center",
                )
        if above:
            for metre in range(math.ceil(bottom), math.floor(top) + 1):
                axes.plot([left, right], [metre, metre], color=MARK, lw=0.72, antialiased=False)
        else:
            axes.plot([left, right], [0, 0], color=EDGE, lw=1)

    def _body(self) -> None:
        """Far parts first and paler, each with a dark rim."""
        segments = self.robot.segments()
        depth = segments[..., 3 - self.up].mean(axis=1) * (1 if self.up == 1 else -1)
        order = np.argsort(depth, kind="stable")
        points = 72 * WIDTH / INCH / self.wide * self.robot.thickness()[order]
        flat = segments[order][..., [0, self.up]]
        flat[:, 1] += 1e-3  # a sphere: a line of no length would not be drawn
        for place, (line, width) in enumerate(zip(flat, points, strict=True)):
            colour = _between(depth[order], place)
            for wider, shade in ((1.6, EDGE), (0.0, colour)):
                self.axes.add_collection(
                    LineCollection([line], linewidths=width + wider, colors=[shade], capstyle="round", zorder=3 + place)
                )


def _between(depth: Float, place: int) -> tuple[float, ...]:
    """The colour of a part that is so near."""
    span = float(depth[-1] - depth[0])
    share = float(depth[place] - depth[0]) / span if span > 0.05 else 1.0
    return tuple(far + share * (near - far) for near, far in zip(NEAR, FAR, strict=True))
