"""What the notebooks of the theory lab's report display, beside what :mod:`frl.report.show` has."""

from __future__ import annotations

import html
import io
from dataclasses import replace
from pathlib import Path

import pandas as pd

from frl.analysis.load import read_missing
from frl.report import front
from frl.report.results import Section
from frl.report.show import Html, frame, sortable
from frl.report.tables.table import fragment_of
from frl.scenario.products import THEORY_FIGURES
from frl.scenario.theory import TheoryScenario
from frl.theory.collect import read_cells, read_estimates
from frl.theory.findings import finding
from frl.theory.judge import MEANING, counts, read, table
from frl.verdicts import words

SHORT = ("id", "part", "verdict", "accepted", "ours")
"""Columns of the table of verdicts for a reader in a hurry."""


class Markdown(str):
    """Text that a notebook shows as Markdown: a heading of it is in the table of contents."""

    def _repr_markdown_(self) -> str:
        return str(self)


def masthead(scenario: TheoryScenario, base: Path) -> Html:
    """Dates, numbers and commits in a line, and links in another."""
    facts = front.of_what(read_cells(base), read_missing(base), "cells", f"{len(scenario.seeds)} seeds each")
    return front.meta(facts, front.data_links(scenario))


def answer(scenario: TheoryScenario, base: Path) -> Html:
    """The verdicts in one sentence, and what each panel shows."""
    headline = [words.headline(read(base))] if scenario.claims else []
    return front.framed_answer([*headline, *_findings(base).values()])


def _findings(base: Path) -> dict[str, str]:
    """A sentence for each figure of which something was estimated, by the figure's name."""
    estimates = read_estimates(base)
    findings = {name: finding(estimates, name.removeprefix("theory-")) for name in THEORY_FIGURES}
    return {name: f"{one}." for name, one in findings.items() if one}


def section(base: Path) -> Section:
    """What the page of all published results says of the lab.

    Args:
        base: the folder ``results/published/<scenario>``.

    Raises:
        SpecError: if its claims were not judged by this version.
    """
    verdicts, cells = read(base), read_cells(base)
    seeds = f"{max(one.seeds for one in verdicts.parts)} seeds each"
    counted, found = counts(verdicts), _findings(base)
    return Section(
        base,
        front.of_what(cells, read_missing(base), "cells", seeds),
        [words.headline(verdicts), *found.values()],
        list(counted.columns),
        [[str(value) for value in row] for row in counted.itertuples(index=False)],
        found,
    )


def title(base: Path, panel: str) -> Markdown:
    """The panel's finding as a heading."""
    return Markdown(f"### {finding(read_estimates(base), panel) or 'Nothing could be estimated'}")


def claims(scenario: TheoryScenario, base: Path) -> Html:
    """What the verdicts mean, how many parts of each claim got which, and every part behind a fold."""
    if scenario.claims is None:
        return Html("<p>This scenario names no claims to judge.</p>")
    verdicts = read(base)
    meaning = "".join(f"<li><i>{name}</i>: {html.escape(text)}</li>" for name, text in MEANING.items())
    stated = "".join(
        f"<li><b>{one.id}</b> {html.escape(one.statement)} <i>({html.escape(one.source)})</i> "
        f"Contradicted if: {html.escape(one.falsifier[0].lower() + one.falsifier[1:])}</li>"
        for one in scenario.claims.claims
    )
    parts = table(verdicts)
    parts = replace(parts, columns=tuple(column for column in parts.columns if column.key in SHORT))
    return Html(
        f"<p>A part of a claim is one estimate. It is</p><ul>{meaning}</ul>{frame(counts(verdicts))}"
        f"<details><summary>The claims in full, and what contradicts them</summary><ul>{stated}</ul></details>"
        f"<details><summary>All {len(verdicts.parts)} parts</summary>{sortable(fragment_of(parts.html()))}</details>"
    )


def trials(scenario: TheoryScenario) -> Html:
    """What was tried to find the settings, folded."""
    if not scenario.trials:
        return Html()
    tried = pd.read_csv(io.StringIO(scenario.trials)).dropna(axis="columns", how="all")
    return frame(tried, fold=f"What was tried to find the settings ({len(tried)})")


def incomplete(base: Path) -> Html:
    """The cells that are missing."""
    missing = read_missing(base).rename(columns={"run_id": "missing cell"})
    return frame(missing, "No cell is missing.", f"{len(missing)} missing cells" if len(missing) > 20 else None)


def cost(base: Path) -> Html:
    """Cells, time and memory by panel."""
    cells = read_cells(base)
    data = [
        {
            "panel": panel,
            "cells": len(group),
            "wall time (min)": f"{group['wall_time_s'].sum() / 60:.1f}",
            "CPU time (min)": f"{group['cpu_time_s'].sum() / 60:.1f}",
            "peak memory (MB)": f"{group['peak_memory_mb'].max():.0f}",
        }
        for panel, group in cells.groupby("panel", sort=False)
    ]
    return frame(pd.DataFrame(data))


VERSIONS = (
    *("versions_frl", "versions_python", "versions_numpy", "versions_scipy", "git_commit", "git_dirty"),
    *("numerics_version", "code_digest", "cpu", "cpu_capability", "platform"),
)


def versions(base: Path) -> Html:
    """Every version, commit and machine that made a cell, and how many it made."""
    cells = read_cells(base)
    data = [
        (column.removeprefix("versions_").replace("_", " "), value, count)
        for column in VERSIONS
        for value, count in cells[column].astype("str").value_counts(sort=False).sort_index().items()
    ]
    return frame(pd.DataFrame(data, columns=["what", "version", "cells"]))


def digests(base: Path) -> Html:
    """The digest of settings and code of every cell."""
    cells = read_cells(base)[["run_id", "digest"]].rename(columns={"run_id": "cell"})
    return frame(cells, fold=f"{len(cells)} cells and their digests")
