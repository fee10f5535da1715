"""The report's section of films: those that `frl render` put into the scenario's folder `gaits`, and the best gaits."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from frl.analysis.load import read_curves
from frl.report.gaits.best import best
from frl.report.gaits.film import BAND, facts_in
from frl.report.gaits.view import HEIGHT, VIEWS, WIDTH
from frl.report.show import Html
from frl.scenario.products import FILMS

EMBEDDED = 1_200_000
"""Bytes of films inside the page; of further ones there is a picture with a link."""
STILL = "(prefers-reduced-motion: reduce), print"
"""Where a picture is shown in place of a film."""
FRAME = 2 / 5
"""Of a film's length, where its picture is from."""
RULE = (
    " A task's best policy is the last one of the run with the highest final return (mean of the last tenth of its "
    "steps); runs that diverged or were set to stop at a return are left out."
)


@dataclass(frozen=True)
class Film:
    """A film's file, what it says of itself (:func:`frl.report.gaits.film.facts_of`), and whether its task's best."""

    path: Path
    facts: dict[str, Any]
    is_best: bool

    @property
    def caption(self) -> str:
        """What policy is seen, and its return."""
        action = " (mean action)" if self.facts["mean_action"] else ""
        facts, steps = self.facts, f"after {self.facts['steps_per_agent']:,} steps per agent"
        steps = steps if facts["steps_per_agent"] else "before any training"
        best = "Best policy: " if self.is_best else ""
        told = f"{best}{facts['environment']}, {facts['curve']}, seed {facts['run_seed']}, {steps}{action}: return "
        return told + f"{facts['return']:.0f}; the run's evaluation gave {facts['evaluated']:.0f}".replace("-", "−")


def made(base: Path) -> list[Film]:
    """Those of the folder, by task, method and steps, each task's best last; files that are no films are left out."""
    told = ((path, facts_in(path)) for path in sorted((base / FILMS).glob("*.gif")))
    films = [(path, facts) for path, facts in told if facts is not None]
    wanted = best(read_curves(base)).values() if films else []
    found = [Film(path, facts, any(one.is_seen_in(facts) for one in wanted)) for path, facts in films]
    tasks, keys = list(VIEWS), ("curve", "run_seed", "steps_per_agent")
    return sorted(
        found, key=lambda one: (tasks.index(one.facts["environment"]), one.is_best, *(one.facts[key] for key in keys))
    )


def films(base: Path) -> Html:
    """The section with its heading; nothing where there are no films."""
    shown, room, cards = made(base), EMBEDDED, []
    if not shown:
        return Html()
    for film in shown:
        size = film.path.stat().st_size
        cards.append(_card(film, embedded=size <= room))
        room -= size if size <= room else 0
    rule = RULE * any(film.is_best for film in shown)
    return Html(
        '<h2 id="what-it-looks-like">What it looks like</h2>'
        "<p>One episode of each policy, beside the mean that its run's evaluation gave. A return is that of the whole "
        f'episode, of which the film shows the beginning.{rule}</p><div class="frl-gaits">{"".join(cards)}</div>'
    )


def _card(film: Film, embedded: bool) -> str:
    """The film, or where nothing shall move or there is no room its picture, with a link to the file."""
    file, caption = html.escape(f"{FILMS}/{film.path.name}"), html.escape(film.caption)
    still = _data(_still(film.path), "png")
    seen = "from above" if VIEWS[film.facts["environment"]].height is None else "from the side"
    shown = _data(film.path.read_bytes(), "gif") if embedded else still
    source = f'<source media="{STILL}" srcset="{still}">' if embedded else ""
    return (
        f'<figure><picture>{source}<img src="{shown}" width="{WIDTH}" height="{HEIGHT + BAND}" '
        f'alt="Seen {seen}: {caption}"></picture>'
        f'<figcaption>{caption}. <a href="{file}">The film</a>.</figcaption></figure>'
    )


def _still(path: Path) -> bytes:
    """One of the film's pictures, as PNG."""
    with Image.open(path) as film:
        film.seek(int(FRAME * getattr(film, "n_frames", 1)))
        content = io.BytesIO()
        film.convert("RGB").quantize(16).save(content, "PNG", optimize=True)
        return content.getvalue()


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
