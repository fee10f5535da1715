"""Formulas in Markdown as MathML, which browsers draw without any script."""

from __future__ import annotations

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer


class MathRenderer(IPythonRenderer):
    """nbconvert's Markdown renderer, with MathML in place of the TeX that MathJax would read."""

    def block_math(self, body: str) -> str:
        """A displayed formula."""
        return f'<div class="math">{convert(body.strip(), display="block")}</div>'

    def inline_math(self, body: str) -> str:
        """A formula inside a line."""
        return str(convert(body.strip()))

    def latex_environment(self, name: str, body: str) -> str:
        r"""A displayed \begin{name} ... \end{name}."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")
