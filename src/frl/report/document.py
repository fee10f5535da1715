"""A page of HTML that needs no network: its frame with contents, style and script, and drawings inside it."""

from __future__ import annotations

import html
import re
from importlib import resources

from frl.runs.provenance import digest_of


def document(title: str, body: str, style: str = "") -> str:
    """The page.

    Args:
        title: its one h1.
        body: what follows, whose sections begin with an h2 that has an id.
        style: CSS besides report.css.
    """
    css, script = (_file(name) for name in ("report.css", "report.js"))
    title = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{css}{style}</style>\n</head>\n<body>\n"
        '<a class="frl-skip" href="#main">Skip to the content</a>\n'
        f'<header><h1>{title}</h1>\n{contents(body)}</header>\n<main id="main">\n{body}\n</main>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _file(name: str) -> str:
    return resources.files("frl.report").joinpath(name).read_text(encoding="utf-8")


def contents(body: str) -> str:
    """Links to the sections."""
    found = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body, re.DOTALL)
    items = "".join(f'<li><a href="#{anchor}">{re.sub(r"<[^>]+>", "", text)}</a></li>\n' for anchor, text in found)
    return f'<nav aria-label="Contents"><ul>\n{items}</ul></nav>\n'


def drawing(svg: str, name: str, label: str) -> str:
    """A file's <svg> as part of a page: as wide as there is room, read aloud as `label`, and small.

    Ids are numbered behind a digest of `name`, for another drawing on the page has the same ones; groups, which nothing
    refers to, lose theirs. Places are cut to a hundredth of a point, those of curves to a tenth.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = svg.replace("xlink:href", "href")
    prefix, ids = f"f{digest_of([name])[:6]}-", dict.fromkeys(re.findall(r' id="([^"]*)"', svg))
    numbers = {one: f"{prefix}{number}" for number, one in enumerate(ids)}
    svg = re.sub(r'( id="|href="#|url\(#)([^")]*)', lambda at: at[1] + numbers[at[2]], svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"(?: clip-path)?', lambda places: _short(places[0]), svg)
    svg = re.sub(r'style="[^"]*"', lambda style: re.sub(r"([:;]) ", r"\1", style[0]), svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    head = re.sub(r' (?:width|height)="[^"]*"', "", svg[: svg.index(">")], count=2)
    head = head.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)
    return head + svg[svg.index(">") :]


def _short(places: str) -> str:
    """An attribute of coordinates with fewer characters."""
    digits = r"(\.\d)\d+" if places.endswith("clip-path") else r"(\.\d\d)\d+"
    return re.sub(r"\s*\b([A-Z])\s+(?=[-\d])", r"\1", re.sub(digits, r"\1", places))
