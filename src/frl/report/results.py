"""The page of all published results (docs/results.md): a section a scenario, made of its published files."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from frl.analysis.load import read_missing, read_runs
from frl.errors import SpecError
from frl.report.front import LEADS, of_what, some_seeds, unjudged
from frl.report.tables.table import literal
from frl.report.tables.verdict import table
from frl.scenario.products import JUDGED, REPORT
from frl.verdicts.answer import answer
from frl.verdicts.record import read

BEGIN, END = "<!-- written by frl results -->\n", "<!-- end -->\n"
"""What a page has before and after its sections."""
SHOWN = 2
"""Figures of a section."""
COLUMNS = ("id", "environment", "part", "verdict", "paper", "margin", "ours", "reached")


@dataclass(frozen=True)
class Section:
    """What the page says of one scenario.

    Attributes:
        base: the folder ``results/published/<scenario>``.
        facts: when and by what code its runs were made.
        sentences: the answer, as on its report's first screen.
        head, rows: a table of verdicts, in words; without rows there is none.
        leads: captions of figures by their names; the first `SHOWN` that are there are shown.
    """

    base: Path
    facts: Sequence[str]
    sentences: Sequence[str]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    leads: dict[str, str]

    def markdown(self, page: Path) -> str:
        """The section, its links as seen from `page`."""
        base = os.path.relpath(self.base, page.parent)
        facts = [re.sub("</?code>", "`", fact) for fact in self.facts]
        table = [self.head, ["---"] * len(self.head), *self.rows]
        there = [name for name in self.leads if (self.base / "figures" / f"{name}.svg").exists()][:SHOWN]
        return "\n\n".join(
            [
                f"## {self.base.name}",
                " · ".join([*facts, f"[full report]({base}/{REPORT})"]),
                "\n".join(f"- {literal(sentence)}" for sentence in self.sentences),
                *(["\n".join(f"| {' | '.join(map(literal, row))} |" for row in table)] if self.rows else []),
                *(f"![{literal(self.leads[name])}]({base}/figures/{name}.svg)" for name in there),
            ]
        )


def section(base: Path) -> Section:
    """Of a scenario of training runs: the answer, and its primary claims or, where it has none, all.

    Without claims: what it is called, and what is not run yet.

    Args:
        base: the folder ``results/published/<scenario>``.

    Raises:
        SpecError: if its claims were not judged by this version.
    """
    runs = read_runs(base)
    counts = runs.groupby(["environment", "method", "n_agents"]).size()
    facts = of_what(runs, read_missing(base), "runs", some_seeds(int(counts.min()), int(counts.max())))
    if not (base / JUDGED).exists():
        title = re.findall("<title>(.*?)</title>", (base / REPORT).read_text(encoding="utf-8"))[0]
        return Section(base, facts, [f"{html.unescape(title)}.", *unjudged(base)], (), (), LEADS)
    verdicts = read(base)
    primary = [one for one in verdicts.parts if one.role == "primary"]
    shown = table(verdicts, primary or verdicts.parts, COLUMNS)
    titles = {one.claim: f"{one.claim}: {one.title}" for one in verdicts.parts}
    rows = [[titles[claim], *row] for claim, *row in shown.texts()]
    return Section(base, facts, answer(verdicts), [c.heading for c in shown.columns], rows, LEADS)


def renewed(page: Path, sections: Iterable[Section]) -> str:
    """The text of the page with these sections between its two marks, in place of what is there.

    Raises:
        SpecError: if it has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SpecError(f"{page}: needs the lines {BEGIN.strip()!r} and {END.strip()!r}, between which results are put")
    return "\n\n".join([before + begin.rstrip(), *(one.markdown(page) for one in sections), end + after])
