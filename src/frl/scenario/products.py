"""What is built from a scenario's runs: figures, tables and notebooks by name, and the files that each step writes."""

from __future__ import annotations

from typing import get_args

from frl.scenario.kinds import AnyScenario
from frl.scenario.scenario import FigureName, cells_of
from frl.scenario.theory import TheoryScenario
from frl.spec import SERVERS

OF_CLAIMS = ("forest", "lookahead", "fleets")
"""Figures of what was judged."""
_BESIDE = {"sample_complexity": "staleness", "time_complexity": "time_curves"}
"""Figures of an appendix, each with the one that it explains."""
_LEADS = ("sample_complexity", "time_complexity", "sensitivity", "communication", "traffic", "staleness")
"""Figures to lead with, the most telling first."""
NOTEBOOKS = "[0-9]*.py"
"""The notebooks that the report is made of, in order of name; the others are for readers to start from."""
THEORY_FIGURES = (
    *("theory-rates", "theory-speedup", "theory-time", "theory-lookahead", "theory-sampled"),
    *("theory-compression", "theory-bandwidth", "theory-natural"),
    *("theory-adversaries", "theory-rennala"),
)
"""Of the theory lab, each for the panel that it is called after."""
ALL_FIGURES: tuple[str, ...] = (*get_args(FigureName), *_BESIDE.values(), "uploads", *OF_CLAIMS, *THEORY_FIGURES)

TABLES = (
    *("final_return", "samples_to_threshold", "time_to_threshold", "time_ratio", "communication", "throughput"),
    "results",
)
COLLECTED = CURVES, RUNS, MISSING = "curves.csv", "runs.csv", "missing.csv"
PACKED_CURVES = f"{CURVES}.xz"
"""What a published scenario has in place of `CURVES`."""
CELLS, ESTIMATES = "cells.csv", "estimates.csv"
THEORY_COLLECTED = (CELLS, ESTIMATES, CURVES, MISSING)
"""Of the theory lab: one row a cell, an estimate, a point of a cell's mean curve, a missing cell."""
JUDGED, REPORT = "verdicts.json", "report.html"
ARCHIVE = "runs.tar.xz"
"""The runs of a published scenario, beside what was built from them."""
FILMS = "gaits"
"""Folder of the films that `frl render` makes; no step does, and the report shows those that are there."""
FIGURE_SUFFIXES = (".svg", ".pdf", ".png", "-narrow.svg", "-narrow.pdf", "-narrow.png", ".csv")
"""Of a figure's files: two columns wide, one column wide, and its numbers."""
TABLE_KINDS = ("html", "csv", "md")
STEPS = ("collect", "verdict", "figures", "tables", "report")
"""From the runs to the report, in order; each is a command of frl and a rule of the workflow."""


def files(step: str, scenario: AnyScenario | None = None) -> list[str]:
    """What the step writes, by paths from the scenario's folder; of all scenarios if none is given.

    Args:
        step: one of `STEPS`.
        scenario: whose.
    """
    figures = ALL_FIGURES if scenario is None else figure_names(scenario)
    collected = THEORY_COLLECTED if isinstance(scenario, TheoryScenario) else COLLECTED
    return {
        "collect": list(collected if scenario else dict.fromkeys([*COLLECTED, *THEORY_COLLECTED])),
        "figures": [f"figures/{name}{suffix}" for name in figures for suffix in FIGURE_SUFFIXES],
        "tables": [f"tables/{name}.{kind}" for name in TABLES for kind in TABLE_KINDS],
        "verdict": [JUDGED, *(f"tables/verdict.{kind}" for kind in TABLE_KINDS)],
        "report": [REPORT],
    }[step]


def record(step: str) -> str:
    """What says what the step's files were made from (:mod:`frl.runs.lineage`), by its path from that folder."""
    return f"provenance/{step}.json"


def steps_of(scenario: AnyScenario) -> list[str]:
    """The steps that the scenario has: without claims no verdict; of cells no tables but what is collected."""
    absent = {"verdict"} if scenario.claims is None else set()
    absent |= {"tables"} if isinstance(scenario, TheoryScenario) else set()
    return [step for step in STEPS if step not in absent]


def notebooks_of(scenario: AnyScenario) -> str:
    """The folder, in that of the project, of the notebooks that the scenario's report is made of."""
    return "notebooks/theory" if isinstance(scenario, TheoryScenario) else "notebooks"


def archive_of(scenario: AnyScenario) -> str:
    """What packs the scenario's runs, or cells, when they are published, beside what was built from them."""
    return "cells.tar.xz" if isinstance(scenario, TheoryScenario) else ARCHIVE


def figure_names(scenario: AnyScenario) -> list[str]:
    """The scenario's figures: those that it lists, else the poster's two, with what explains them; and of its claims.

    Delays are shown where some method's agents do not wait for each other, who uploaded when where an agent chooses.
    """
    if isinstance(scenario, TheoryScenario):
        return [name for name in THEORY_FIGURES if name.removeprefix("theory-") in scenario.panels]
    names: list[str] = list(scenario.figures) or ["sample_complexity", "time_complexity"]
    beside = [_BESIDE[name] for name in names if name in _BESIDE]
    compared = [m for m in scenario.methods if m.key in scenario.figures.get("communication", {})]
    if any(SERVERS[m.algorithm].lazy for m in compared):
        beside.append("uploads")
    claims = scenario.claims.claims if scenario.claims else ()
    tests = {c.test for c in claims for part in c.parts() if cells_of(scenario, c, part) is not None}
    of_claims = [name for name in OF_CLAIMS if name in tests or (name == "forest" and tests - {"exponent"})]
    return [*names, *beside, *of_claims]


def leads(scenario: AnyScenario) -> list[str]:
    """The figures of the report's first screen, two at most; each is shown there and nowhere else."""
    return [name for name in _LEADS if name in figure_names(scenario)][:2]
