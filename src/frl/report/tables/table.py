"""One table in three forms: CSV for machines (full precision), Markdown and HTML for readers."""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from frl.analysis.quantity import NOTHING, Quantity, Value, shown
from frl.runs.files import write_atomically, write_csv

Row = dict[str, Value]


@dataclass(frozen=True)
class Column:
    """A column: its name in the CSV, its heading for readers (with the unit), and how its values are printed.

    `quantity`: the values are :class:`Quantity`; the CSV gets two more columns, _low and _high. `censored`: they may be
    bounds; the CSV gets a third, _relation. `filtered`: the report lets readers choose among its values.
    """

    key: str
    heading: str
    format: str = "text"
    quantity: bool = False
    censored: bool = False
    filtered: bool = False

    def show(self, value: Value) -> str:
        """The value as a reader sees it."""
        return shown(value, self.format)

    def cells(self, value: Value) -> dict[str, object]:
        """The value as one, three or four CSV cells."""
        if not self.quantity:
            return {self.key: value}
        assert value is None or isinstance(value, Quantity)
        q = value or Quantity(math.nan)
        parts: dict[str, object] = {"": q.value, "_low": q.low, "_high": q.high}
        parts |= {"_relation": q.relation if value else None} if self.censored else {}
        return {self.key + suffix: part for suffix, part in parts.items()}


@dataclass(frozen=True)
class Table:
    """A table with its caption; `note` says how its numbers are defined."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: list[Row]

    def frame(self) -> pd.DataFrame:
        """Numbers in full precision, one column for each CSV column."""
        names = [name for column in self.columns for name in column.cells(None)]
        data = [{k: v for c in self.columns for k, v in c.cells(row.get(c.key)).items()} for row in self.rows]
        return pd.DataFrame(data, columns=names)

    def texts(self) -> list[list[str]]:
        """What a reader sees, row by row."""
        return [[column.show(row.get(column.key)) for column in self.columns] for row in self.rows]

    def markdown(self) -> str:
        """GitHub-flavoured Markdown with title and note."""
        head = [column.heading for column in self.columns]
        rule = ["---" if self._left(column) else "---:" for column in self.columns]
        lines = [[literal(text) for text in head], rule, *([literal(text) for text in line] for line in self.texts())]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"## {literal(self.title)}\n\n{body}\n\n{literal(self.note)}\n"

    def html(self) -> str:
        """An HTML page of its own; the report takes its <figure> (:func:`read_fragment`)."""
        head = "".join(self._cell("th", column, column.heading) for column in self.columns)
        rows = "".join(
            "<tr>"
            + "".join(self._cell("td", c, c.show(row.get(c.key)), row.get(c.key)) for c in self.columns)
            + "</tr>\n"
            for row in self.rows
        )
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table>"
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.title)}</title>\n'
            f"<style>{_CSS}</style></head><body>\n"
            f'<figure class="frl-table" id="table-{self.name}"><figcaption>{html.escape(self.title)}</figcaption>\n'
            f"{scroll_box(table, self.title)}\n"
            f'<p class="frl-note">{html.escape(self.note)}</p></figure>\n</body></html>\n'
        )

    def _cell(self, tag: str, column: Column, text: str, value: Value = None) -> str:
        """A cell; a number's own value, by which it is sorted, stands beside what is shown."""
        names = [
            *["name"] * (column.format == "name"),
            *["num"] * (not self._left(column)),
            *["none"] * (text == NOTHING),
        ]
        kind = f' class="{" ".join(names)}"' if names else ""
        text = html.escape(text)
        text = re.sub(r" (\[.*\])", r' <span class="frl-interval">\1</span>', text) if column.quantity else text
        text = text.replace(" ", "\N{NO-BREAK SPACE}") if column.format in ("share", "bytes") and tag == "td" else text
        if column.format == "verdict" and tag == "td":
            text = verdict_mark(text)
        if tag == "th":
            return f'<th scope="col"{kind}{" data-filter" * column.filtered}>{text}</th>'
        number = value.value if isinstance(value, Quantity) else value
        exact = f' data-value="{number:.6g}"' if isinstance(number, int | float) and not math.isnan(number) else ""
        return f'<td data-label="{html.escape(column.heading)}"{kind}{exact}>{text}</td>'

    @staticmethod
    def _left(column: Column) -> bool:
        return column.format in ("text", "name", "verdict")

    def write(self, folder: Path) -> None:
        """Write `name`.csv, .md and .html into `folder`."""
        write_csv(folder / f"{self.name}.csv", self.frame())
        write_atomically(folder / f"{self.name}.md", self.markdown())
        write_atomically(folder / f"{self.name}.html", self.html())


def scroll_box(content: str, name: str) -> str:
    """HTML that may be wider than the page, in a box that the keyboard can scroll; `name` is what it is called."""
    return f'<div class="frl-scroll" role="region" tabindex="0" aria-label="{html.escape(name)}">{content}</div>'


def verdict_mark(verdict: str) -> str:
    """A verdict in its colour."""
    return f'<span class="frl-verdict {verdict.replace(" ", "-")}">{verdict}</span>'


def literal(text: str) -> str:
    """The text as Markdown that shows just it, on one line, in a cell of a table too."""
    return re.sub(r"([\\`*_{}\[\]<|$~&])", r"\\\1", " ".join(text.split()))


def read_fragment(path: Path) -> str:
    """The <figure> of a written table, to put into another page."""
    return fragment_of(path.read_text(encoding="utf-8"))


def fragment_of(text: str) -> str:
    """The <figure> of a table's page."""
    return text[text.index("<figure") : text.index("</figure>")] + "</figure>"


_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .5rem; }
.frl-scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .3rem .8rem; border-bottom: 1px solid #8884; text-align: left; }
.name { white-space: nowrap; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.frl-note { max-width: 75ch; opacity: .8; font-size: .9em; }
"""
