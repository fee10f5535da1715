"""Markdown as HTML: formulas as MathML, which browsers draw without any script; headings with ids; readable tables."""

from __future__ import annotations

import re
from typing import Any

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer

from frl.report.tables.table import scroll_box


def anchor(text: str) -> str:
    """The id of a heading: its words in lower case."""
    return "-".join(re.findall(r"[a-z0-9]+", re.sub(r"<[^>]+>", "", text).lower()))


class MathRenderer(IPythonRenderer):
    """nbconvert's Markdown renderer, with MathML in place of the TeX that MathJax would read."""

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading that can be linked to."""
        return f'<h{level} id="{anchor(text)}">{text}</h{level}>\n'

    def table(self, text: str) -> str:
        """A table in a box that scrolls."""
        heads = re.findall(r"<th[^>]*>(.*?)</th>", text)
        return scroll_box(f"<table>\n{text}</table>", f"Table of {', '.join(heads)}")

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        """A cell, which says that it heads a column if it does."""
        return f'<th scope="col">{text}</th>\n' if head else f"<td>{text}</td>\n"

    def block_math(self, body: str) -> str:
        """A displayed formula."""
        formula = convert(body.strip(), display="block")
        return f'<div class="math" role="group" tabindex="0" aria-label="Formula">{formula}</div>'

    def inline_math(self, body: str) -> str:
        """A formula inside a line."""
        return str(convert(body.strip()))

    def latex_environment(self, name: str, body: str) -> str:
        r"""A displayed \begin{name} ... \end{name}."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")
