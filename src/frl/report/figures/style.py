"""How methods are coloured and marked, and how a figure becomes files: shared by all figures and diagrams."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from frl.report.figures import ticks
from frl.runs.files import write_atomically, write_csv

Key = TypeVar("Key", int, str)
Marker = str | tuple[int, int, int]
Dash = tuple[float, tuple[float, ...]] | str

WIDE, NARROW = 7.0, 3.3
"""Inches: a page's text, and one of its two columns. Figures are drawn for either, and shown at that size."""

# Okabe and Ito's palette, which stays distinct under the common colour-vision deficiencies.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, PALE = "#777777", "#BDBDBD"
_METHOD_COLOURS = {
    "afedpg": BLUE,
    "fedpg": VERMILION,
    "async_pg": GREEN,
    "a3c": PURPLE,
    "lapg": ORANGE,
    "random_skip": BLACK,
}
# Colours of Paul Tol's "muted" palette, Okabe and Ito's free ones, and a brown. The first six are those that, with
# the six above, differ most for every sight.
_OTHER_METHODS = (
    *("#332288", "#882255", SKY, "#8C510A", "#661100", YELLOW),
    *("#117733", "#CC6677", "#999933", "#44AA99", "#AA4499"),
)
_AGENT_COLOURS = (BLACK, ORANGE, SKY, BLUE, VERMILION, GREEN, PURPLE, YELLOW)
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
_DASHES: tuple[Dash, ...] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)),
    (0, (1.2, 3)), (0, (9, 2, 3, 2)),
)  # fmt: skip

_METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Look:
    """How one curve is drawn: no two of a panel agree in marker or dash, so that colour is not needed to tell them."""

    colour: str
    marker: Marker = ""
    dash: Dash = "-"


@dataclass(frozen=True)
class Drawing:
    """A figure and the numbers that it shows."""

    figure: Figure
    data: pd.DataFrame


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour for every method; those that the papers don't have get the free ones in order."""
    keys = list(dict.fromkeys(methods))
    others = [key for key in keys if key not in _METHOD_COLOURS]
    return {k: _METHOD_COLOURS.get(k) or _nth(_OTHER_METHODS, others.index(k)) for k in keys}


def _nth(palette: Sequence[str], index: int) -> str:
    """Another colour for every index; beyond the palette hues a golden angle apart."""
    if index < len(palette):
        return palette[index]
    return to_hex(colorsys.hsv_to_rgb(0.618034 * index % 1, 0.55, 0.75))


def agent_colours(counts: Iterable[int]) -> dict[int, str]:
    """A colour for every N, black for the smallest."""
    return {n: _nth(_AGENT_COLOURS, i) for i, n in enumerate(sorted(set(counts)))}


def markers(keys: Iterable[Key]) -> dict[Key, Marker]:
    """A marker for every N or method, in their order; beyond the list stars with more and more points."""
    ordered = list(dict.fromkeys(keys))
    return {key: _MARKERS[i] if i < len(_MARKERS) else (i - len(_MARKERS) + 6, 1, 0) for i, key in enumerate(ordered)}


def dashes(keys: Iterable[Key]) -> dict[Key, Dash]:
    """A pattern of line for every N or method, in their order; beyond the list longer and longer dashes."""
    ordered = list(dict.fromkeys(keys))
    return {key: _DASHES[i] if i < len(_DASHES) else (0, (i, 1.5)) for i, key in enumerate(ordered)}


def method_looks(methods: Iterable[str]) -> dict[str, Look]:
    """A look for every method by its name in the papers, or its own."""
    keys = list(dict.fromkeys(methods))
    colours, marks, lines = method_colours(keys), markers(keys), dashes(keys)
    return {key: Look(colours[key], marks[key], lines[key]) for key in keys}


def agent_looks(counts: Iterable[int]) -> dict[int, Look]:
    """A look for every N."""
    keys = sorted(set(counts))
    colours, marks, lines = agent_colours(keys), markers(keys), dashes(keys)
    return {n: Look(colours[n], marks[n], lines[n]) for n in keys}


@contextmanager
def paper_style() -> Iterator[None]:
    """The package's matplotlib style and nothing of the user's own settings."""
    style = resources.files("frl.report.figures").joinpath("frl.mplstyle")
    with resources.as_file(style) as path, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(mpl.rc_params_from_file(path, use_default_template=False))
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, that belongs to no window and to no global state. Call it inside `paper_style`."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def image_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as svg, pdf or png, with exact tick labels; equal figures give equal bytes (no date, no random id)."""
    ticks.make_exact(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()


def save(wide: Drawing, narrow: Drawing, stem: Path) -> None:
    """Write `stem`.svg, .pdf and .png, the same for one column as `stem`-narrow, and the numbers as `stem`.csv."""
    save_figure(wide.figure, stem)
    save_figure(narrow.figure, stem.with_name(f"{stem.name}-narrow"))
    write_csv(stem.with_name(f"{stem.name}.csv"), wide.data)


def save_figure(figure: Figure, stem: Path) -> None:
    """Write `stem`.svg, .pdf and .png."""
    for kind in _METADATA:
        write_atomically(stem.with_name(f"{stem.name}.{kind}"), image_bytes(figure, kind))


def inline_svg(figure: Figure) -> str:
    """The figure as an <svg> element to put into HTML."""
    text = image_bytes(figure, "svg").decode("utf-8")
    return text[text.index("<svg") :]
